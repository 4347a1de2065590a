//! What others are asked, at real servers on loopback, and at fakes that ask for credentials and break off.

use std::sync::Arc;
use std::time::Duration;

use concierge_reconciler::catalyst::remote::challenge::Challenge;
use concierge_reconciler::catalyst::remote::commit::Newest;
use concierge_reconciler::catalyst::remote::registry::Manifest;
use concierge_reconciler::catalyst::remote::transport::{Reach, Sockets};
use concierge_reconciler::catalyst::remote::way::Way;
use concierge_reconciler::catalyst::remote::web::Web;
use concierge_reconciler::catalyst::remote::{Branch, ImageName, Lookup, RegistryAuth, SecretText};
use concierge_reconciler::engine::Failure;
use concierge_tests::catalyst::registry::Registry;
use concierge_tests::catalyst::services::{GIT_TOKEN, MANIFEST, REFS, SECRETS, Services, TOKEN};
use concierge_tests::faults::Fault;
use jiff::Timestamp;
use serde_json::json;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const CONNECT: Duration = Duration::from_secs(5);

fn way(reach: Reach) -> Way {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Way::new(Arc::new(Sockets::new(CONNECT).unwrap()), reach)
}

fn image(registry: &str, repository: &str, tag: &str) -> ImageName {
    ImageName { registry: registry.into(), repository: repository.into(), tag: tag.into() }
}

/// The class of a failure, and that it says what to do, and no secret.
fn told<T: std::fmt::Debug>(result: Result<T, Failure>, remedy: &str) -> &'static str {
    let failure = result.unwrap_err();
    let text = failure.to_string();
    assert!(text.contains(remedy), "{text}");
    assert!(!text.contains("s3cret") && !text.contains("ghs_"), "{text}");
    failure.reason().as_str()
}

#[tokio::test]
async fn an_image_is_found_in_a_real_registry_by_its_whole_name() {
    let registry = Registry::start().await.unwrap();
    registry.push("acme/shop/web-pr-7", "one").await.unwrap();
    let way = way(Reach::Anywhere);
    for (repository, tag, expect) in [
        ("acme/shop/web-pr-7", "one", Manifest::There),
        ("acme/shop/web-pr-7", "two", Manifest::Absent),
        ("acme/shop/web-pr-8", "one", Manifest::Absent),
    ] {
        let image = image(&registry.name(), repository, tag);
        let lookup = Lookup { image: &image, auth: None, insecure: true };
        assert_eq!(lookup.as_nobody(&way, Timestamp::now()).await, Ok(expect), "{image}");
    }
    // It has no TLS, and nobody said so.
    let image = image(&registry.name(), "acme/shop/web-pr-7", "one");
    let lookup = Lookup { image: &image, auth: None, insecure: false };
    assert_eq!(told(lookup.as_nobody(&way, Timestamp::now()).await, "registry localhost"), "NeverSent");
}

#[tokio::test]
async fn a_registry_that_asks_for_a_token_gets_one() {
    let services = Services::start().await.unwrap();
    let (host, way) = (services.url().replace("http://", ""), way(Reach::Anywhere));
    services.ask_for_token(&format!("{}/token", services.url()), Some(("jane", "s3cret")));
    services.push_image("acme/shop", "one");
    let image = image(&host, "acme/shop", "one");
    let now = Timestamp::now();
    let right = RegistryAuth { user: "jane".into(), password: SecretText::new("s3cret") };
    let lookup = Lookup { image: &image, auth: Some(&right), insecure: true };
    let Ok(Manifest::Asks(Challenge::Bearer { realm, service, scope })) = lookup.as_nobody(&way, now).await
    else {
        panic!("it asks for nothing");
    };
    let token = lookup.token(&way, &realm, service.as_deref(), scope.as_deref(), now).await.unwrap();
    assert_eq!(lookup.with_token(&way, &token, now).await, Ok(Manifest::There));
    assert!(lookup.as_nobody(&way, now).await.is_ok(), "and asks again who has none");
    let wrong = RegistryAuth { password: SecretText::new("s3cret-wrong"), ..right.clone() };
    let refused = Lookup { auth: Some(&wrong), ..lookup };
    assert_eq!(
        told(refused.token(&way, &realm, None, None, now).await, "registry-credentials"),
        "Unauthorised"
    );
    let nobody = Lookup { auth: None, ..lookup };
    assert_eq!(
        told(nobody.token(&way, &realm, None, None, now).await, "put user and password"),
        "Unauthorised"
    );
    services.faults().once(TOKEN, Fault::Garbage);
    assert_eq!(told(lookup.token(&way, &realm, None, None, now).await, "can't be read"), "Transient");
    services.faults().once(MANIFEST, Fault::Throttle(Some(7)));
    assert_eq!(told(lookup.as_nobody(&way, now).await, "429"), "Throttled");
    services.faults().once(MANIFEST, Fault::StatusBefore(503));
    assert_eq!(told(lookup.as_nobody(&way, now).await, "503"), "Transient");
}

#[tokio::test]
async fn a_closed_repository_is_opened_by_a_token_and_by_nothing_else() {
    let services = Services::start().await.unwrap();
    let (way, now) = (way(Reach::Anywhere), Timestamp::now());
    services.push("acme/shop", "main", COMMIT);
    let repository = format!("{}/acme/shop", services.url());
    let branch = Branch {
        source: "web",
        repository: &repository,
        branch: "main",
        installation: Some("4711"),
        namespace: None,
    };
    let commit = || Ok(Newest::Commit(COMMIT.to_owned()));
    assert_eq!(branch.newest(&way, None, now).await, commit());
    services.close_repositories("ghs_right");
    let (right, wrong) = (SecretText::new("ghs_right"), SecretText::new("ghs_wrong"));
    assert_eq!(branch.newest(&way, None, now).await, Ok(Newest::Closed));
    assert_eq!(branch.newest(&way, Some(&right), now).await, commit());
    assert_eq!(
        told(branch.newest(&way, Some(&wrong), now).await, "give the GitHub App's installation"),
        "Unauthorised"
    );
    let nobody = Branch { installation: None, ..branch };
    assert_eq!(told(nobody.newest(&way, None, now).await, "set spec.githubInstallationId"), "Unauthorised");
    let missing = Branch { branch: "gone", ..branch };
    assert_eq!(told(missing.newest(&way, Some(&right), now).await, "push it"), "ReferencesMissing");
    let other = format!("{}/acme/other", services.url());
    let elsewhere = Branch { repository: &other, ..branch };
    assert_eq!(
        told(elsewhere.newest(&way, Some(&right), now).await, "correct repositoryUrl"),
        "ReferencesMissing"
    );
    for (fault, words, class) in [
        (Fault::Cut, "broke off", "Transient"),
        (Fault::DropAfter, "broke off", "Transient"),
        (Fault::Garbage, "can't be read", "Transient"),
        (Fault::Echo(500), "500", "Transient"),
    ] {
        services.faults().once(REFS, fault);
        assert_eq!(told(branch.newest(&way, Some(&right), now).await, words), class);
    }
}

#[tokio::test]
async fn nothing_on_this_machine_is_asked_for_who_may_go_outside_alone() {
    let services = Services::start().await.unwrap();
    let (outside, now) = (way(Reach::Outside), Timestamp::now());
    services.push("acme/shop", "main", COMMIT);
    let port = services.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let repository = format!("https://{host}:{port}/acme/shop");
        let branch = Branch {
            source: "web",
            repository: &repository,
            branch: "main",
            installation: None,
            namespace: None,
        };
        assert_eq!(
            told(branch.newest(&outside, None, now).await, "an operator can allow it"),
            "Refused",
            "{host}"
        );
    }
    assert_eq!(services.log().len(), 0);
}

#[tokio::test]
async fn each_answer_of_the_web_application_names_its_remedy() {
    let services = Services::start().await.unwrap();
    let (way, now) = (way(Reach::Anywhere), Timestamp::now());
    let (url, token) = (services.url().parse().unwrap(), SecretText::new("own"));
    let web = Web { url: &url, token: &token };
    services.keep_secrets("own", "e-1", json!({ "DB_URL": "s3cret", "not a name": "s3cret" }));
    services.install("4711", "ghs_0123456789");
    let secrets = web.secrets(&way, "e-1", now).await.unwrap();
    assert_eq!(
        (secrets.values["DB_URL"].expose(), secrets.left_out),
        ("s3cret", vec!["not a name".to_owned()])
    );
    assert_eq!(web.git_token(&way, "4711", now).await.unwrap().expose(), "ghs_0123456789");
    assert_eq!(told(web.secrets(&way, "e-2", now).await, "correct the annotation"), "ReferencesMissing");
    assert_eq!(
        told(web.git_token(&way, "4712", now).await, "correct spec.githubInstallationId"),
        "Unauthorised"
    );
    assert_eq!(told(web.secrets(&way, "../token", now).await, "correct it"), "Refused");
    let stranger = SecretText::new("another");
    let other = Web { token: &stranger, ..web };
    assert_eq!(told(other.secrets(&way, "e-1", now).await, "accept that of Concierge"), "Unauthorised");
    for (fault, words, class) in [
        (Fault::StatusBefore(403), "let it give them", "Refused"),
        (Fault::Garbage, "can't be read", "Transient"),
        (Fault::Cut, "broke off", "Transient"),
        (Fault::DropBefore, "broke off", "Transient"),
        (Fault::Echo(500), "500", "Transient"),
        (Fault::Throttle(None), "429", "Throttled"),
    ] {
        services.faults().once(SECRETS, fault);
        assert_eq!(told(web.secrets(&way, "e-1", now).await, words), class);
    }
    services.install("4713", "two words");
    assert_eq!(told(web.git_token(&way, "4713", now).await, "no token"), "Transient");
    services.keep_secrets("own", "large", json!({ "A": "x".repeat(2 << 20) }));
    assert_eq!(told(web.secrets(&way, "large", now).await, "larger than"), "Unsupported");
    assert!(services.count(GIT_TOKEN) == 3 && services.count(SECRETS) > 5);
}
