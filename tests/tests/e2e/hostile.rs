//! What no API server sends, and what it sends seldom: every answer is a valid review with the request's UID.

use std::time::Duration;

use concierge_tests::caller::{Caller, response, review};
use concierge_tests::process::Signal;
use concierge_tests::stack::{Plan, Stack, get};
use kube::api::{DeleteParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Created, alone, claims, create, namespaces, pet, pets};

const MIB: usize = 1024 * 1024;
/// What the largest review may cost: a build without optimisation takes five seconds for it, and what does not grow with the object alone
/// would take minutes for a million tags.
const MOST_WORK: Duration = Duration::from_secs(15);
const RULE: &str = "pets.pet.unique-id";

async fn answer(caller: &Caller, path: &str, body: String, uid: &str) -> Value {
    let answer = caller.post(path, body).await.unwrap();
    response(answer.json().await.unwrap(), uid).unwrap()
}

/// A pet whose managed fields make the review about `size` bytes long.
fn large(size: usize) -> Value {
    let mut pet = pet("zoo", "large", 41);
    pet["metadata"]["uid"] = json!("large");
    pet["metadata"]["managedFields"] = json!([{"manager": "x".repeat(size)}]);
    pet
}

async fn stack() -> (Stack, Caller) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let stack = Stack::start(Plan { reconcilers: 0, ..Plan::default() }).await.unwrap();
    namespaces(&stack, &["zoo".to_owned()]).await.unwrap();
    let address = stack.webhook(0, |program| program.address.unwrap());
    let caller = Caller::new(&stack.plane.client().await.unwrap(), address).await.unwrap();
    (stack, caller)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_a_review() {
    let (stack, caller) = stack().await;
    let _alone = alone().await;
    bodies(&caller).await;
    operations(&caller).await;
    objects(&caller).await;
    patches(&caller).await;
    sizes(&caller).await;
    wrong_everywhere(&stack, &caller).await;
    forged(&stack, &caller).await;
    failed_creates(&stack).await;
    deep(&stack).await;
    connections(&stack, &caller).await;
    leaving(&stack, &caller).await;
}

async fn bodies(caller: &Caller) {
    let malformed = r#"{"kind":"AdmissionReview","request":{"uid":"u-1","object":{"#;
    let refused = answer(caller, "/validate", malformed.into(), "u-1").await;
    assert_eq!((refused["allowed"].as_bool(), refused["status"]["code"].as_u64()), (Some(false), Some(400)));

    let nothing = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}).to_string();
    assert_eq!(answer(caller, "/validate", nothing, "").await["allowed"], false);

    let mut beta = review("u-2", "CREATE", &pet("zoo", "rex", 1), &Value::Null);
    beta["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let refused = answer(caller, "/validate", beta.to_string(), "u-2").await;
    assert!(refused["status"]["message"].as_str().unwrap().contains("admissionReviewVersions"), "{refused}");

    let yaml = review("u-8", "CREATE", &pet("zoo", "rex", 1), &Value::Null).to_string();
    let yaml = yaml.replacen(r#""request":{"#, r#""request":{"uid":"u-8","#, 1);
    let refused = caller.post_as("application/yaml", "/validate", yaml).await.unwrap().json().await.unwrap();
    let refused = response(refused, "u-8").unwrap();
    assert!(refused["status"]["message"].as_str().unwrap().contains("application/json"), "{refused}");

    let text = caller.post("/elsewhere", "").await.unwrap();
    assert_eq!(text.status(), 404);
}

async fn operations(caller: &Caller) {
    let rex = pet("zoo", "rex", 1);
    let deleted = caller.review("/validate", &review("u-3", "DELETE", &Value::Null, &rex)).await.unwrap();
    assert_eq!(deleted["allowed"], true);
    let mut nameless = review("u-4", "DELETE", &Value::Null, &rex);
    nameless["request"].as_object_mut().unwrap().remove("name");
    assert_eq!(caller.review("/validate", &nameless).await.unwrap()["allowed"], true);
    let unknown = caller.review("/validate", &review("u-5", "JUGGLE", &rex, &Value::Null)).await.unwrap();
    assert_eq!(unknown["allowed"], true);
    let mut status = review("u-6", "UPDATE", &pet("zoo", "rex", -1), &rex);
    status["request"]["subResource"] = json!("status");
    assert_eq!(caller.review("/validate", &status).await.unwrap()["allowed"], true);
    let mut foreign = pet("zoo", "rex", 1);
    foreign["apiVersion"] = json!("example.org/v1");
    assert_eq!(
        caller.review("/validate", &review("u-7", "CREATE", &foreign, &Value::Null)).await.unwrap()["allowed"],
        true
    );
}

async fn objects(caller: &Caller) {
    for (number, object) in
        [json!("text"), json!({}), json!([1]), json!({"spec": 1}), json!({"spec": {"id": "x"}})]
            .into_iter()
            .enumerate()
    {
        let uid = format!("o-{number}");
        let mut shapeless = review(&uid, "CREATE", &pet("zoo", "rex", 1), &Value::Null);
        shapeless["request"]["object"] = object;
        let refused = caller.review("/validate", &shapeless).await.unwrap();
        assert!(refused["status"]["details"]["causes"][0]["reason"].is_string(), "{refused}");
        assert_eq!(caller.review("/mutate", &shapeless).await.unwrap()["allowed"], true);
    }
    // An invalid stored object does not hold up its metadata, its deletion or its finalizers.
    let bad = pet("zoo", "bad", -1);
    let mut labelled = bad.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    labelled["metadata"]["finalizers"] = json!(["x/y"]);
    assert_eq!(
        caller.review("/validate", &review("o-a", "UPDATE", &labelled, &bad)).await.unwrap()["allowed"],
        true
    );
    let mut leaving = pet("zoo", "bad", -2);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(
        caller.review("/validate", &review("o-b", "UPDATE", &leaving, &bad)).await.unwrap()["allowed"],
        true
    );
    // A dry run reserves nothing and is decided as the real thing would be.
    let mut rex = pet("zoo", "dry", 77);
    rex["metadata"]["uid"] = json!("dry");
    let mut dry = review("o-c", "CREATE", &rex, &Value::Null);
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(caller.review("/validate", &dry).await.unwrap()["allowed"], true);
    // A generated name is in the object, not in the request.
    let mut generated = pet("zoo", "made-up-x7f2k", 78);
    generated["metadata"]["generateName"] = json!("made-up-");
    generated["metadata"]["uid"] = json!("generated");
    let mut create = review("o-d", "CREATE", &generated, &Value::Null);
    create["request"]["name"] = json!("");
    let admitted = caller.review("/validate", &create).await.unwrap();
    assert_eq!(admitted["allowed"], true, "{admitted}");
}

async fn patches(caller: &Caller) {
    let mut store = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
        "metadata": {"namespace": "zoo", "name": "shop", "labels": {"a/b": "c~d"}},
        "spec": {"name": " Shop ", "config": null, "later": {"kept": [1, 2]}},
    });
    let first = caller.review("/mutate", &review("p-1", "CREATE", &store, &Value::Null)).await.unwrap();
    assert_eq!(first["patchType"], "JSONPatch");
    let patch: k8s_openapi::ByteString = serde_json::from_value(first["patch"].clone()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).unwrap();
    json_patch::patch(&mut store, &patch).unwrap();
    assert_eq!((&store["spec"]["name"], &store["spec"]["later"]), (&json!("Shop"), &json!({"kept": [1, 2]})));
    let second = caller.review("/mutate", &review("p-2", "CREATE", &store, &Value::Null)).await.unwrap();
    assert!(second.get("patch").is_none() && second.get("patchType").is_none(), "{second}");
    let validated = caller.review("/validate", &review("p-3", "CREATE", &store, &Value::Null)).await.unwrap();
    assert!(validated.get("patch").is_none(), "a validating answer carries no patch: {validated}");
}

async fn sizes(caller: &Caller) {
    for size in [2 * MIB + MIB / 10, 6 * MIB + MIB * 9 / 10] {
        let body = review("s-1", "CREATE", &large(size), &Value::Null).to_string();
        assert_eq!(answer(caller, "/mutate", body, "s-1").await["allowed"], true);
    }
    // As the API server writes it: the UID first.
    let body = review("s-2", "CREATE", &large(7 * MIB + MIB / 10), &Value::Null).to_string();
    let body = body.replacen(r#""request":{"#, r#""request":{"uid":"s-2","#, 1);
    let refused = answer(caller, "/validate", body, "s-2").await;
    assert!(refused["status"]["message"].as_str().unwrap().contains("7 MiB"), "{refused}");
}

/// The most memory that the webhook has taken so far, in bytes.
fn peak(stack: &Stack) -> usize {
    let pid = stack.webhook(0, |program| program.process.pid());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// How long processors have worked for the webhook so far: what it takes whatever else the machine does.
fn worked(stack: &Stack) -> Duration {
    let pid = stack.webhook(0, |program| program.process.pid());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let of_user_and_system = fields.split_whitespace().skip(11).take(2);
    let hundredths: u64 = of_user_and_system.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(hundredths * 10)
}

/// The largest objects that can be stored, wrong in all their parts, one after the other.
async fn wrong_everywhere(stack: &Stack, caller: &Caller) {
    let before = peak(stack);
    for (size, tag) in [(MIB / 2, " x "), (MIB * 295 / 100, " x "), (MIB * 295 / 100, ""), (MIB, "#äöü\u{1}")]
    {
        let tags = vec![tag; size / (tag.len() + 3)];
        let store = |tags: &[&str]| {
            json!({
                "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
                "metadata": {"namespace": "zoo", "name": "huge", "uid": "huge"},
                "spec": {"name": "Huge", "config": {"allowedTags": tags}},
            })
        };
        let (old, store) = (store(&tags[..tags.len() / 2]), store(&tags));
        for (path, operation, old) in [
            ("/mutate", "CREATE", &Value::Null),
            ("/validate", "CREATE", &Value::Null),
            ("/validate", "UPDATE", &old),
        ] {
            let body = review("h-1", operation, &store, old).to_string();
            let before = worked(stack);
            let answered = caller.post(path, body).await.unwrap().bytes().await.unwrap();
            let work = worked(stack) - before;
            assert!(work < MOST_WORK, "{path} {operation} {size}: {work:?}");
            let bound = if path == "/mutate" { size * 3 / 2 } else { 0 } + 256 * 1024;
            assert!(answered.len() < bound, "{path} {operation} {size}: {} bytes", answered.len());
            response(serde_json::from_slice(&answered).unwrap(), "h-1").unwrap();
        }
    }
    let taken = peak(stack) - before;
    eprintln!("objects of 3 MiB took {} MiB", taken / MIB);
    assert!(taken < 160 * MIB, "{} MiB", taken / MIB);
}

/// Whoever reaches the port can write any namespace and any user into a review.
async fn forged(stack: &Stack, caller: &Caller) {
    let mut pet = pet("nowhere", "rex", 4711);
    pet["metadata"]["uid"] = json!("forged");
    let refused = caller.review("/validate", &review("f-1", "CREATE", &pet, &Value::Null)).await.unwrap();
    assert_eq!((refused["allowed"].as_bool(), refused["status"]["code"].as_u64()), (Some(false), Some(404)));
    assert!(!claims(stack).await.unwrap().contains_key("4711"));

    let client = stack.plane.client().await.unwrap();
    assert!(matches!(create(&client, &self::pet("zoo", "honest", 4712), RULE, false).await, Created::Stored));
    let mut pet = self::pet("zoo", "forger", 4712);
    pet["metadata"]["uid"] = json!("forged");
    let mut forged = review("f-2", "CREATE", &pet, &Value::Null);
    forged["request"]["userInfo"]["groups"] = json!(["system:masters"]);
    let refused = caller.review("/validate", &forged).await.unwrap();
    let told = refused["status"].to_string();
    assert!(told.contains(RULE) && !told.contains("honest"), "{told}");
}

/// What a create that fails wanted for itself is free again.
async fn failed_creates(stack: &Stack) {
    let client = stack.plane.client().await.unwrap();
    assert!(matches!(create(&client, &pet("zoo", "twice", 4713), RULE, false).await, Created::Stored));
    stack.wait_cached("Pet", pets(stack).await.unwrap().len()).await.unwrap();
    let again = create(&client, &pet("zoo", "twice", 4714), RULE, false).await;
    assert!(matches!(&again, Created::Failed(why) if why.contains("AlreadyExists")), "{again:?}");
    assert!(matches!(create(&client, &pet("zoo", "other", 4714), RULE, false).await, Created::Stored));
}

/// An object that is nested too deep is refused, or read all the same where the door does not look: whoever may change an object may
/// write its managed fields.
async fn deep(stack: &Stack) {
    let client = stack.plane.client().await.unwrap();
    let nested = (0..200).fold(json!({}), |inner, _| json!({"f:a": inner}));
    let create = |plural: &str, object: &Value| {
        let url = format!("/apis/{}/namespaces/zoo/{plural}", object["apiVersion"].as_str().unwrap());
        Request::new(url).create(&PostParams::default(), object.to_string().into_bytes()).unwrap()
    };
    let project = json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project", "metadata": {"name": "deep"},
        "spec": {"sources": [], "monitoring": nested},
    });
    let refused = client.request_text(create("projects", &project)).await.unwrap_err().to_string();
    assert!(refused.contains("object.nesting") && refused.contains("spec.monitoring"), "{refused}");

    let before = pets(stack).await.unwrap().len();
    let mut pet = pet("zoo", "deep", 4715);
    pet["metadata"]["managedFields"] = json!([{
        "manager": "odd", "operation": "Update", "apiVersion": "petstore.example.com/v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": nested},
    }]);
    let stored = client.request_text(create("pets", &pet)).await.unwrap();
    assert!(stored.matches("f:a").count() >= 200, "{stored}");
    stack.wait_cached("Pet", before + 1).await.unwrap();
    let url = "/apis/petstore.example.com/v1/namespaces/zoo/pets";
    let delete = Request::new(url).delete("deep", &DeleteParams::default()).unwrap();
    client.request_text(delete).await.unwrap();
}

async fn connections(stack: &Stack, caller: &Caller) {
    // A handshake that never ends holds up nobody.
    let address = stack.webhook(0, |program| program.address.unwrap());
    let mut loris = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[22, 3, 1]).await.unwrap();
        loris.push(stream);
    }
    let review = review("c-1", "CREATE", &pet("zoo", "rex", -1), &Value::Null);
    let refused =
        tokio::time::timeout(Duration::from_secs(5), caller.review("/validate", &review)).await.unwrap();
    assert_eq!(refused.unwrap()["allowed"], false);
    let mut closed = Vec::new();
    let timed_out = tokio::time::timeout(Duration::from_secs(30), loris[0].read_to_end(&mut closed)).await;
    assert!(timed_out.is_ok(), "a handshake is given up in the end");
}

/// New connections are answered while the replica leaves, and calls under way are answered to the end.
async fn leaving(stack: &Stack, caller: &Caller) {
    let address = stack.webhook(0, |program| program.address.unwrap());
    // What it takes to know the webhook is read before, so that only the new connection comes while it leaves.
    let fresh = Caller::new(&stack.plane.client().await.unwrap(), address).await.unwrap();
    stack.signal_webhook(0, Signal::Term).unwrap();
    let admin = stack.webhook(0, |program| program.admin);
    while get(admin, "/readyz").await.unwrap() == "ok" {
        tokio::task::yield_now().await;
    }
    let body = review("l-1", "CREATE", &pet("zoo", "rex", -1), &Value::Null).to_string();
    let answered = fresh.post("/validate", body.clone()).await.unwrap();
    assert_eq!(answered.headers()["connection"], "close");
    assert_eq!(response(answered.json().await.unwrap(), "l-1").unwrap()["allowed"], false);
    // Until it no longer listens.
    while let Ok(answered) = caller.post("/validate", body.clone()).await {
        assert_eq!(answered.status(), 200);
    }
    let ended = stack.webhook(0, |program| program.process.end());
    let ended = ended.await.unwrap();
    assert!(ended.success(), "{ended}");
}
