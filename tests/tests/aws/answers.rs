//! Answers that no service gives on request.

use std::time::Duration;

use concierge_reconciler::aws::{
    Answered, Caller, Clients, Endpoint, Keys, Trust, TrustError, failure, region_of,
};
use concierge_reconciler::engine::Failure;
use concierge_tests::s3::endpoint;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

fn keys() -> Keys {
    Keys {
        id: "AKIDEXAMPLE".to_owned(),
        secret: SECRET.to_owned(),
        session: Some("session-EXAMPLETOKEN".to_owned()),
    }
}

pub(crate) fn clients(url: &str) -> Clients {
    let endpoint = Endpoint { attempt: Duration::from_secs(5), ..endpoint(url, url).unwrap() };
    Clients::new(&endpoint, &keys()).unwrap()
}

/// A fake service that gives every request this answer and keeps what it was asked.
pub(crate) async fn fake(answer: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 << 10];
            let length = stream.read(&mut request).await.unwrap_or_default();
            let _ = seen.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, requests)
}

macro_rules! head_and_body {
    ($status:literal, $headers:literal, $body:literal) => {
        concat!("HTTP/1.1 ", $status, "\r\nconnection: close\r\n", $headers, "\r\n", $body)
    };
}

/// What `GET ?encryption` of a service with this answer comes to.
async fn class_of(answer: &'static str) -> Failure {
    let (url, _requests) = fake(answer).await;
    let error = clients(&url).s3.get_bucket_encryption().bucket("b").send().await.unwrap_err();
    failure("GetBucketEncryption", &error, Timestamp::UNIX_EPOCH)
}

/// Ceph's gateway writes errors of IAM as S3 does; of what is not there it has to be known.
#[tokio::test]
async fn an_error_of_iam_in_the_form_of_s3_has_its_code() {
    let answer = head_and_body!(
        "404 Not Found",
        "content-type: application/xml\r\n",
        "<?xml version=\"1.0\"?><Error><Code>NoSuchEntity</Code><Message></Message></Error>"
    );
    let (url, _requests) = fake(answer).await;
    let error = clients(&url).iam.unwrap().get_user().user_name("alice").send().await.unwrap_err();
    assert!(Answered::of(&error).unwrap().is_missing(&["NoSuchEntity"]), "{error:?}");
}

#[tokio::test]
async fn another_document_than_asked_for_is_known_and_never_taken_for_an_answer() {
    // What Ceph's gateway answers for sub-resources that it does not know; a DELETE of them deletes the bucket.
    let listing = head_and_body!(
        "200 OK",
        "content-type: application/xml\r\n",
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name></ListBucketResult>"
    );
    let (url, _requests) = fake(listing).await;
    let error = clients(&url).s3.get_bucket_encryption().bucket("b").send().await.unwrap_err();
    assert!(Answered::of(&error).unwrap().is_another_document(), "{error:?}");
    let failure = failure("GetBucketEncryption", &error, Timestamp::UNIX_EPOCH);
    assert!(failure.to_string().ends_with("answered with another document than asked for"), "{failure}");
}

#[tokio::test]
async fn refusals_fall_into_classes() {
    let throttled = head_and_body!(
        "503 Slow Down",
        "retry-after: 7\r\n",
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    );
    let Failure::Throttled { retry_after, message } = class_of(throttled).await else {
        panic!("no throttling")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!(message, "GetBucketEncryption was answered SlowDown: Please reduce your request rate.");
    let skewed = head_and_body!(
        "403 Forbidden",
        "",
        "<Error><Code>RequestTimeTooSkewed</Code><Message>Too far.</Message></Error>"
    );
    let skewed = class_of(skewed).await;
    assert!(matches!(&skewed, Failure::Auth(said) if said.contains("clock")), "{skewed:?}");
    let nobody = head_and_body!(
        "400 Bad Request",
        "",
        "<Error><Code>MalformedPolicy</Code><Message>Invalid principal in policy</Message></Error>"
    );
    assert!(matches!(class_of(nobody).await, Failure::NotKnownYet(_)), "a new user is known later");
    let malformed = head_and_body!(
        "400 Bad Request",
        "",
        "<Error><Code>MalformedPolicy</Code><Message>Policy has invalid action</Message></Error>"
    );
    assert!(matches!(class_of(malformed).await, Failure::Invalid(_)));
    let broken = head_and_body!("500 Oops", "", "<Error><Code>InternalError</Code></Error>");
    assert!(matches!(class_of(broken).await, Failure::Ambiguous(_)));
    let nothing = class_of("").await;
    assert!(
        matches!(nothing, Failure::Ambiguous(_)),
        "a connection that ends without an answer: {nothing:?}"
    );
}

#[tokio::test]
async fn a_bucket_in_another_region_says_where_it_is() {
    let elsewhere = head_and_body!("301 Moved", "x-amz-bucket-region: eu-central-1\r\n", "");
    let (url, _requests) = fake(elsewhere).await;
    let error = clients(&url).s3.head_bucket().bucket("b").send().await.unwrap_err();
    assert_eq!(region_of(&error).as_deref(), Some("eu-central-1"));
    let hostile = head_and_body!("301 Moved", "x-amz-bucket-region: evil.example.com/\r\n", "");
    let (url, _requests) = fake(hostile).await;
    let error = clients(&url).s3.head_bucket().bucket("b").send().await.unwrap_err();
    assert_eq!(region_of(&error), None);
}

#[tokio::test]
async fn a_closed_port_means_never_sent_and_no_answer_in_time_is_ambiguous() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = clients(&format!("http://{closed}")).s3.list_buckets().send().await.unwrap_err();
    let never = failure("ListBuckets", &error, Timestamp::UNIX_EPOCH);
    assert!(matches!(never, Failure::NeverSent(_)), "{never:?}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let hasty = Endpoint { attempt: Duration::from_millis(50), ..endpoint(&url, &url).unwrap() };
    let error = Clients::new(&hasty, &keys()).unwrap().s3.list_buckets().send().await.unwrap_err();
    let late = failure("ListBuckets", &error, Timestamp::UNIX_EPOCH);
    assert_eq!(late, Failure::Ambiguous("ListBuckets was not answered in time".to_owned()));
}

/// A service that answers the first request on each of its first two connections, when it has both, and nothing more there. On others it
/// answers everything.
async fn half_open() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let both = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let both = both.clone();
            tokio::spawn(async move {
                let (mut request, mut first) = (vec![0; 16 << 10], true);
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    if number < 2 && first {
                        both.wait().await;
                    }
                    if number >= 2 || first {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    }
                    first = false;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn one_kept_connection_that_is_dead_costs_one_time_out_however_many_there_are() {
    let url = half_open().await;
    let hasty = Endpoint { attempt: Duration::from_secs(1), ..endpoint(&url, &url).unwrap() };
    let s3 = Clients::new(&hasty, &keys()).unwrap().s3;
    let head = || s3.head_bucket().bucket("b").send();
    let (one, other) = tokio::join!(head(), head());
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let lost = head().await.unwrap_err();
    assert!(matches!(failure("HeadBucket", &lost, Timestamp::UNIX_EPOCH), Failure::Ambiguous(_)), "{lost:?}");
    for _ in 0..2 {
        head().await.unwrap();
    }
}

#[tokio::test]
async fn what_answers_in_the_place_of_a_service_does_not_say_that_nothing_is_there() {
    for page in [
        head_and_body!("404 Not Found", "content-type: text/html\r\n", "<html>no service here</html>"),
        head_and_body!("404 Not Found", "", ""),
        head_and_body!("302 Found", "location: https://login.example/\r\n", ""),
    ] {
        let (url, _requests) = fake(page).await;
        let error = clients(&url).s3.get_bucket_policy().bucket("b").send().await.unwrap_err();
        assert!(!Answered::of(&error).unwrap().is_missing(&["NoSuchBucketPolicy"]), "{error:?}");
        let failed = failure("GetBucketPolicy", &error, Timestamp::UNIX_EPOCH);
        assert!(matches!(failed, Failure::Ambiguous(_)), "{failed:?}");
        let error = clients(&url).iam.unwrap().get_user().user_name("jane").send().await.unwrap_err();
        assert!(!Answered::of(&error).unwrap().is_missing(&["NoSuchEntity"]), "{error:?}");
        assert!(matches!(failure("GetUser", &error, Timestamp::UNIX_EPOCH), Failure::Ambiguous(_)));
    }
}

/// What STS with this answer tells.
async fn caller(answer: &'static str) -> Result<Option<Caller>, Failure> {
    let (url, _requests) = fake(answer).await;
    clients(&url).sts.unwrap().caller().await
}

#[tokio::test]
async fn where_there_is_no_sts_or_it_tells_nothing_nothing_is_known_of_the_caller() {
    for answer in [
        head_and_body!("200 OK", "", "<ListAllMyBucketsResult></ListAllMyBucketsResult>"),
        head_and_body!(
            "400 Bad Request",
            "",
            "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>"
        ),
        head_and_body!(
            "403 Forbidden",
            "",
            "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        ),
        head_and_body!("404 Not Found", "", "<Error><Code>NoSuchEntity</Code></Error>"),
        head_and_body!("405 Method Not Allowed", "", ""),
        head_and_body!("501 Not Implemented", "", "<Error><Code>NotImplemented</Code></Error>"),
        head_and_body!(
            "503 Service Unavailable",
            "",
            "<?xml version=\"1.0\"?>\n<Error><Code>ServiceUnavailable</Code><Message>Please reduce your request rate</Message></Error>"
        ),
    ] {
        assert_eq!(caller(answer).await, Ok(None), "{answer}");
    }
}

#[tokio::test]
async fn an_outage_of_sts_and_a_refusal_of_the_key_are_told_apart() {
    for answer in [
        head_and_body!("500 Oops", "", ""),
        head_and_body!("503 Service Unavailable", "", "<html>come back later</html>"),
        head_and_body!(
            "503 Service Unavailable",
            "",
            "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>"
        ),
        head_and_body!("408 Request Timeout", "", ""),
        "",
    ] {
        let failed = caller(answer).await;
        assert!(matches!(failed, Err(Failure::Transient(_))), "{answer}: {failed:?}");
    }
    let refused = head_and_body!(
        "403 Forbidden",
        "",
        "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"
    );
    let wanted = Failure::Auth("GetCallerIdentity was answered InvalidClientTokenId".to_owned());
    assert_eq!(caller(refused).await, Err(wanted));
    let patience = head_and_body!(
        "400 Bad Request",
        "",
        "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"
    );
    assert!(matches!(caller(patience).await, Err(Failure::Throttled { .. })));
    let page = head_and_body!("404 Not Found", "", "<html>no service here</html>");
    assert!(matches!(caller(page).await, Err(Failure::DependencyMissing(_))));
}

#[tokio::test]
async fn a_redirect_that_passes_is_tried_again_soon() {
    let moved = head_and_body!(
        "307 Temporary Redirect",
        "x-amz-bucket-region: eu-central-1\r\n",
        "<Error><Code>TemporaryRedirect</Code><Message>The DNS server is being updated.</Message></Error>"
    );
    let (url, _requests) = fake(moved).await;
    let error = clients(&url).s3.create_bucket().bucket("b").send().await.unwrap_err();
    let failed = failure("CreateBucket", &error, Timestamp::UNIX_EPOCH);
    assert!(matches!(failed, Failure::Conflict(_)), "{failed:?}");
}

async fn deleted(answer: &'static str) -> Result<(), Failure> {
    let (url, _requests) = fake(answer).await;
    let iam = clients(&url).iam.unwrap();
    let done = iam.delete_access_key().access_key_id("AKIDEXAMPLE").send().await;
    done.map(drop).map_err(|error| failure("DeleteAccessKey", &error, Timestamp::UNIX_EPOCH))
}

#[tokio::test]
async fn a_page_for_people_is_no_answer_that_a_key_is_deleted() {
    for page in [
        head_and_body!("200 OK", "content-type: text/html\r\n", "<html>no service here</html>"),
        head_and_body!(
            "200 OK",
            "",
            "<?xml version=\"1.0\"?><!-- x --><html><b>DeleteAccessKeyResponse</b></html>"
        ),
        head_and_body!("200 OK", "", "<!DOCTYPE html><html>DeleteAccessKeyResponse</html>"),
        head_and_body!("200 OK", "", "<ErrorResponse><Error><Code>Oops</Code></Error></ErrorResponse>"),
        head_and_body!("200 OK", "", "DeleteAccessKeyResponse"),
    ] {
        let failed = deleted(page).await.unwrap_err();
        assert!(matches!(failed, Failure::Ambiguous(_)), "{page}: {failed:?}");
    }
}

#[tokio::test]
async fn a_success_counts_whatever_a_service_calls_its_answer() {
    for answer in [
        head_and_body!("200 OK", "", "<DeleteAccessKeyResponse></DeleteAccessKeyResponse>"),
        head_and_body!(
            "200 OK",
            "",
            "<?xml version=\"1.0\"?>\n<!-- lenient -->\n<iam:Response xmlns:iam=\"urn:x\"/>"
        ),
        head_and_body!("200 OK", "", "<DeleteAccessKeyResult/>"),
        head_and_body!("200 OK", "", ""),
        head_and_body!("204 No Content", "", ""),
    ] {
        deleted(answer).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_no_answer_to_what_returns_something() {
    let (url, _requests) = fake(head_and_body!("200 OK", "", "")).await;
    let error = clients(&url).iam.unwrap().create_user().user_name("jane").send().await.unwrap_err();
    let failed = failure("CreateUser", &error, Timestamp::UNIX_EPOCH);
    assert!(matches!(failed, Failure::Ambiguous(_)), "{failed:?}");
}

#[tokio::test]
async fn what_changes_something_is_sent_once_and_carries_content_md5_where_old_services_ask_for_it() {
    let broken = head_and_body!("500 Oops", "", "");
    let (url, mut requests) = fake(broken).await;
    let clients = clients(&url);
    let create = clients.iam.as_ref().unwrap().create_access_key().user_name("jane").send().await;
    let error = create.unwrap_err();
    assert!(matches!(failure("CreateAccessKey", &error, Timestamp::UNIX_EPOCH), Failure::Ambiguous(_)));
    assert!(requests.recv().await.unwrap().starts_with("POST / "));

    use aws_sdk_s3::types::{Tag, Tagging};
    let tags =
        Tagging::builder().tag_set(Tag::builder().key("a").value("b").build().unwrap()).build().unwrap();
    clients.s3.put_bucket_tagging().bucket("b").tagging(tags).send().await.unwrap_err();
    let put = requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(put.starts_with("put /b") && put.contains("?tagging"), "each call was sent once: {put}");
    assert!(put.contains("\r\ncontent-md5: "), "{put}");
    assert!(!put.contains(&SECRET.to_ascii_lowercase()));
    assert!(requests.try_recv().is_err(), "nothing was sent again");
}

#[test]
fn no_secret_is_in_what_is_printed() {
    let clients = clients("http://127.0.0.1:9");
    let printed = format!("{:?} {clients:?} {:?}", keys(), clients.s3.config());
    assert!(!printed.contains(SECRET) && !printed.contains("EXAMPLETOKEN"), "{printed}");
}

#[test]
fn a_ca_bundle_is_believed_whole_or_refused() {
    let endpoint = endpoint("https://127.0.0.1:9", "https://127.0.0.1:9").unwrap();
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let endpoint = Endpoint { trust: Trust::Authority(pem.into()), ..endpoint.clone() };
        let made = Clients::new(&endpoint, &keys());
        assert!(matches!(made, Err(TrustError::NoCertificate)), "{pem}: {made:?}");
    }
}

#[tokio::test]
async fn requests_to_iam_are_signed_for_its_own_region() {
    let (url, mut requests) = fake("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n").await;
    let endpoint = Endpoint { iam_region: "eu-central-1".to_owned(), ..endpoint(&url, &url).unwrap() };
    let iam = Clients::new(&endpoint, &keys()).unwrap().iam.unwrap();
    iam.get_user().send().await.unwrap_err();
    let request = requests.recv().await.unwrap();
    assert!(request.contains("/eu-central-1/iam/aws4_request"), "{request}");
}
