//! Whom the clients call: the addresses that they are given, and nobody else.

use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use concierge_reconciler::aws::{Answered, Clients, Keys};
use concierge_tests::dials::Dials;
use concierge_tests::s3::endpoint;
use reqwest::Url;

use crate::answers::{clients, fake};

/// This test's name, by which it starts itself once more.
const NAME: &str = "dials::without_network_nothing_but_the_endpoint_is_called_whatever_the_environment_says";
/// The service's address, for the test that was started by itself.
const SERVICE: &str = "SERVICE_OF_THIS_TEST";
/// There when that test is to call others too.
const STRAYS: &str = "STRAYS_OF_THIS_TEST";

const DENIED: &str = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: application/xml\r\n\r\n\
                      <Error><Code>AccessDenied</Code><Message>no</Message></Error>";

/// What AWS's programs look at for keys, regions, addresses and proxies. All of it leads elsewhere.
fn traps(home: &Path) -> Vec<(&'static str, String)> {
    let folder = home.join(".aws");
    fs::create_dir_all(&folder).unwrap();
    let elsewhere = "endpoint_url = http://192.0.2.1\nregion = trap-1\ncredential_process = /bin/false\n";
    fs::write(folder.join("config"), format!("[default]\n{elsewhere}[profile trap]\n{elsewhere}")).unwrap();
    let keys = "aws_access_key_id = AKIATRAP\naws_secret_access_key = trap\n";
    fs::write(folder.join("credentials"), format!("[default]\n{keys}[trap]\n{keys}")).unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let files = files.into_iter().chain([("AWS_WEB_IDENTITY_TOKEN_FILE", "credentials")]);
    let texts = [
        ("AWS_PROFILE", "trap"),
        ("AWS_ACCESS_KEY_ID", "AKIATRAP"),
        ("AWS_SECRET_ACCESS_KEY", "trap"),
        ("AWS_SESSION_TOKEN", "trap"),
        ("AWS_REGION", "trap-1"),
        ("AWS_DEFAULT_REGION", "trap-1"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/trap"),
        ("AWS_ENDPOINT_URL", "http://192.0.2.1"),
        ("AWS_ENDPOINT_URL_S3", "http://192.0.2.1"),
        ("AWS_ENDPOINT_URL_IAM", "http://192.0.2.1"),
        ("AWS_ENDPOINT_URL_STS", "http://192.0.2.1"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.2"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.3/keys"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("HTTP_PROXY", "http://192.0.2.4:3128"),
        ("http_proxy", "http://192.0.2.4:3128"),
        ("ALL_PROXY", "http://192.0.2.4:3128"),
    ];
    let texts = texts.map(|(name, text)| (name, text.to_owned()));
    files.map(|(name, of)| (name, file(of))).chain(texts).collect()
}

#[tokio::test]
async fn without_network_nothing_but_the_endpoint_is_called_whatever_the_environment_says() {
    if let Ok(url) = env::var(SERVICE) {
        return call(&url).await;
    }
    let (url, mut requests) = fake(DENIED).await;
    let service = Url::parse(&url).unwrap().socket_addrs(|| None).unwrap()[0];
    let folder = tempfile::tempdir().unwrap();
    let dials = Dials::new(folder.path(), service).unwrap();
    let only = BTreeSet::from([format!("dial {service}")]);
    assert_eq!(run(&dials, &url, false).await, only);
    let asked: Vec<_> = std::iter::from_fn(|| requests.try_recv().ok()).collect();
    assert_eq!(asked.len(), 5, "{asked:#?}");
    for request in &asked {
        let (signed, unsigned) = (request.contains("Credential=AKIDEXAMPLE/"), request.contains("/unsigned"));
        assert!(signed != unsigned && !request.to_lowercase().contains("trap"), "{request}");
        assert!(!(unsigned && request.to_lowercase().contains("authorization")), "{request}");
    }
    // That others would have been seen.
    let opened = format!("open {}", dials.home().join(".aws/config").display());
    let strays = ["dial 169.254.169.254:80", "look up sts.amazonaws.com", &opened];
    let all: BTreeSet<_> = only.into_iter().chain(strays.map(str::to_owned)).collect();
    assert_eq!(run(&dials, &url, true).await, all);
}

/// Whom this test calls when it is started with all traps set.
async fn run(dials: &Dials, url: &str, strays: bool) -> BTreeSet<String> {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", NAME]).envs(traps(dials.home())).envs(dials.env()).env(SERVICE, url);
    if strays {
        test.env(STRAYS, "");
    }
    let ended = tokio::task::spawn_blocking(move || test.output()).await.unwrap().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    dials.take().unwrap()
}

/// What the reconciler calls, once to each of the services, to S3 in another region, and to S3 without a key.
async fn call(url: &str) {
    let clients = clients(url);
    let buckets = clients.s3.list_buckets().send().await.unwrap_err();
    assert!(Answered::of(&buckets).is_some(), "{buckets:?}");
    let user = clients.iam.as_ref().unwrap().get_user().send().await.unwrap_err();
    assert!(Answered::of(&user).is_some(), "{user:?}");
    assert_eq!(clients.sts.as_ref().unwrap().caller().await.unwrap(), None);
    let bucket = clients.in_region("eu-west-1").s3.head_bucket().bucket("photos").send().await.unwrap_err();
    assert!(Answered::of(&bucket).is_some(), "{bucket:?}");
    let nobody = Keys { id: String::new(), secret: String::new(), session: None };
    let unsigned = Clients::new(&endpoint(url, url).unwrap(), &nobody).unwrap().s3;
    let unsigned = unsigned.head_bucket().bucket("unsigned").send().await.unwrap_err();
    assert!(Answered::of(&unsigned).is_some(), "{unsigned:?}");
    if env::var(STRAYS).is_ok() {
        TcpStream::connect("169.254.169.254:80").unwrap_err();
        ("sts.amazonaws.com", 443).to_socket_addrs().unwrap_err();
        fs::read(Path::new(&env::var("HOME").unwrap()).join(".aws/config")).unwrap();
    }
}
