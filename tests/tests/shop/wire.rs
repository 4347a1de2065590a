//! What the client does on the wire, against servers that are not HTTP servers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use concierge_reconciler::coffee::client::{
    Client, Doubt, Error, Http, HttpError, HttpSettings, Outcome, SecretText,
};
use concierge_tests::shop::{SEGFAULT, Shop};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::calls::{client_at, order};

/// A server that hands every connection, numbered from 0, to `serve`. Gives its address.
async fn server<F, Fut>(serve: F) -> String
where
    F: Fn(usize, TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(number, stream));
        }
    });
    address.to_string()
}

/// Reads one request to its end.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        assert!(read > 0, "the request broke off");
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The outcome of an order and of a list at a server that reads the request and writes `bytes`.
async fn outcomes(bytes: Vec<u8>) -> (Error, Error) {
    let bytes = Arc::new(bytes);
    let address = server(move |_, mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            request(&mut stream).await;
            stream.write_all(&bytes).await.unwrap();
        }
    })
    .await;
    let client = client_at(&format!("http://{address}"), "trm_test_a");
    let order = client.create_order(&order("shp_1", "crd_1", SEGFAULT, 1)).await.unwrap_err();
    (order, client.orders().await.unwrap_err())
}

#[tokio::test]
async fn answers_that_are_none_leave_the_outcome_open() {
    for bytes in [
        b"".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"da".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"dat\r\n".to_vec(),
    ] {
        let (order, list) = outcomes(bytes.clone()).await;
        let shown = String::from_utf8_lossy(&bytes);
        assert!(matches!(order, Error::Ambiguous { doubt: Doubt::Lost, .. }), "{shown}: {order:?}");
        assert!(matches!(list, Error::Transient { doubt: Doubt::Lost, .. }), "{shown}: {list:?}");
    }
}

#[tokio::test]
async fn a_connection_reset_after_the_request_leaves_the_outcome_open() {
    let address = server(async |_, mut stream: TcpStream| {
        request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let client = client_at(&format!("http://{address}"), "trm_test_a");
    let error = client.create_order(&order("shp_1", "crd_1", SEGFAULT, 1)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Ambiguous, "{error}");
    assert_eq!(client.orders().await.unwrap_err().outcome(), Outcome::Transient);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let address = server(async |_, mut stream: TcpStream| {
        request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let mut settings = HttpSettings::new(format!("http://{address}").parse().unwrap());
    settings.answer_limit = 100_000;
    let client = Client::new(Arc::new(Http::new(&settings).unwrap()), SecretText::trimmed("trm_test_a"));
    let error = client.orders().await.unwrap_err();
    assert!(matches!(error, Error::Transient { doubt: Doubt::TooLong, .. }), "{error:?}");
    let error = client.create_token().await.unwrap_err();
    assert!(matches!(error, Error::Ambiguous { doubt: Doubt::TooLong, .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let shop = Shop::start().await.unwrap();
    for status in ["301 Moved", "307 Temporary", "308 Permanent"] {
        let headers = format!("location: {}/order\r\nconnection: close\r\n", shop.url());
        let (order, list) = outcomes(answer(status, &headers, "")).await;
        assert_eq!(order.outcome(), Outcome::Ambiguous);
        assert_eq!(list.outcome(), Outcome::Transient);
    }
    assert!(shop.log().is_empty());
}

#[tokio::test]
async fn a_post_never_rides_on_a_kept_connection() {
    // Keeps each connection after its first answer, then closes it when a second request comes: the race
    // between a server's idle time-out and a request, lost every time.
    let (used, mut uses) = mpsc::unbounded_channel();
    let address = server(move |number, mut stream| {
        let used = used.clone();
        async move {
            let text = request(&mut stream).await;
            used.send((number, text.lines().next().unwrap().to_owned())).unwrap();
            let body = if text.starts_with("get") { r#"{"data":[]}"# } else { r#"{"data":"ord_1"}"# };
            stream.write_all(&answer("200 OK", "", body)).await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
        }
    })
    .await;
    let client = client_at(&format!("http://{address}"), "trm_test_a");
    client.orders().await.unwrap();
    let new = order("shp_1", "crd_1", SEGFAULT, 1);
    client.create_order(&new).await.unwrap();
    client.create_order(&new).await.unwrap();
    let uses: Vec<_> = std::iter::from_fn(|| uses.try_recv().ok()).collect();
    let post = "post /order http/1.1".to_owned();
    assert_eq!(uses, [(0, "get /order http/1.1".to_owned()), (1, post.clone()), (2, post)]);
}

#[tokio::test]
async fn a_failed_handshake_was_never_sent() {
    // A certificate that nobody vouches for.
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let secure = server(move |_, stream| {
        let acceptor = acceptor.clone();
        async move { assert!(acceptor.accept(stream).await.is_err()) }
    })
    .await;
    // A server that does not speak TLS at all.
    let plain = server(async |_, mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1]).await;
        let _ = stream.write_all(&answer("400 Bad Request", "", "")).await;
    })
    .await;
    for (address, cause) in [(secure, "certificate"), (plain, "no connection")] {
        let url = format!("https://localhost:{}", address.rsplit_once(':').unwrap().1);
        let error = client_at(&url, "trm_test_a").create_token().await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NeverSent, "{error}");
        assert!(error.to_string().contains(cause), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_was_never_sent() {
    // Accepts and says nothing: the TLS handshake hangs.
    let address = server(async |_, mut stream: TcpStream| {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mut settings = HttpSettings::new(format!("https://{address}").parse().unwrap());
    settings.connect_timeout = Duration::from_millis(100);
    let client = Client::new(Arc::new(Http::new(&settings).unwrap()), SecretText::trimmed("trm_test_a"));
    let error = client.create_token().await.unwrap_err();
    assert_eq!(error.to_string(), "POST /token was not sent: no connection in time");
    assert_eq!(error.outcome(), Outcome::NeverSent);
}

#[tokio::test]
async fn a_name_nobody_knows_was_never_sent() {
    let error = client_at("http://shop.invalid", "trm_test_a").create_token().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NeverSent, "{error}");
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_not_sent() {
    let shop = Shop::start().await.unwrap();
    let error = client_at(&shop.url(), "trm_test_\nx").orders().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NeverSent);
    assert!(!error.to_string().contains("trm_test_"), "{error}");
    assert!(shop.log().is_empty());
    // A newline at its end is how files end, not part of the token.
    shop.account("trm_test_a");
    client_at(&shop.url(), "trm_test_a\n").orders().await.unwrap();
}

#[tokio::test]
async fn the_request_is_what_the_api_asks_for() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let address = server(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            seen.send(request(&mut stream).await).unwrap();
            let close = "connection: close\r\n";
            stream.write_all(&answer("200 OK", close, r#"{"data":"ord_1"}"#)).await.unwrap();
        }
    })
    .await;
    let client = client_at(&format!("http://{address}/base/"), "trm_test_a");
    client.create_order(&order("shp_1", "crd_1", "var_1", 2)).await.unwrap();
    let text = requests.recv().await.unwrap();
    assert!(text.starts_with("post /base/order http/1.1\r\n"), "{text}");
    assert!(text.contains("\r\nauthorization: bearer trm_test_a\r\n"), "{text}");
    assert!(text.contains("\r\ncontent-type: application/json\r\n"), "{text}");
    assert!(text.ends_with(r#"{"addressid":"shp_1","cardid":"crd_1","variants":{"var_1":2}}"#), "{text}");
}

#[tokio::test]
async fn base_urls_that_hide_something_are_refused() {
    for url in ["ftp://shop.example", "https://user:secret@shop.example", "https://shop.example?x", "data:x"]
    {
        let refused = Http::new(&HttpSettings::new(url.parse().unwrap()));
        assert!(matches!(refused, Err(HttpError::BaseUrl)), "{url}");
    }
}
