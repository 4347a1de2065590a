use super::*;

fn target(kind: TargetKind) -> Target {
    let live = Live { version: "17".into(), ..Live::default() };
    Target { kind, name: "concierge".into(), live: Some(live) }
}

fn check(kind: TargetKind, bundles: &[&str], expected: Value) {
    let bundles: Vec<_> = bundles.iter().map(|it| ((*it).to_owned(), Bundle::default())).collect();
    assert_eq!(configuration(&resource(kind), &target(kind), &bundles), expected);
}

#[test]
fn only_the_bundles_and_the_version_are_applied() {
    check(
        TargetKind::Validating,
        &["a.example.dev", "b.example.dev"],
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "concierge", "resourceVersion": "17" },
            "webhooks": [
                { "name": "a.example.dev", "clientConfig": { "caBundle": "" } },
                { "name": "b.example.dev", "clientConfig": { "caBundle": "" } },
            ],
        }),
    );
    check(
        TargetKind::Conversion,
        &[""],
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": "concierge", "resourceVersion": "17" },
            "spec": { "conversion": { "webhook": { "clientConfig": { "caBundle": "" } } } },
        }),
    );
}

fn refusal(reason: &str, code: u16) -> String {
    let status = Status::failure("the API server's sentence", reason).with_code(code);
    failed("update", "Secret a/b".into(), kube::Error::Api(Box::new(status))).to_string()
}

#[test]
fn a_conflict_is_told_from_a_refusal_and_that_says_what_to_do() {
    for reason in ["Conflict", "AlreadyExists"] {
        assert_eq!(refusal(reason, 409), "Secret a/b was changed by somebody else in the meantime");
    }
    let forbidden = refusal("Forbidden", 403);
    assert!(forbidden.starts_with("cannot update Secret a/b: the API server's sentence; grant this"));
    assert!(refusal("InternalError", 500).ends_with("it is tried again"));
}

#[test]
fn the_servers_time_is_read_from_its_date_header() {
    assert_eq!(http_date("Wed, 21 Oct 2026 07:28:00 GMT"), "2026-10-21T07:28:00Z".parse().ok());
    assert_eq!(http_date("yesterday"), None);
}

#[test]
fn a_watch_that_stays_broken_is_told_of_once() {
    use watcher::{Error, Event};
    let mut broken = false;
    let mut tells = |event: watcher::Result<Event<()>>| breaks(&mut broken, &event).is_some();
    let failed = || Err(Error::NoResourceVersion);
    assert!(!tells(Ok(Event::InitDone)));
    assert!(tells(failed()));
    assert!(!tells(Ok(Event::Init)));
    assert!(!tells(failed()));
    assert!(!tells(Ok(Event::Init)));
    assert!(!tells(Ok(Event::InitDone)));
    assert!(tells(failed()));
}
