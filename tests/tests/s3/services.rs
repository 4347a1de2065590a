//! The same with real services, on real time.

use std::time::Duration;

use aws_sdk_iam::types::PolicyScopeType;
use concierge_reconciler::aws::Keys;
use concierge_reconciler::engine::ObjectKey;
use concierge_tests::s3::Server;
use serde_json::{Value, json};

use crate::users::{has_photos, reads};
use crate::world::World;

const SOON: Duration = Duration::from_secs(60);

/// A bucket comes, has what the service can do, and goes.
async fn comes_and_goes(server: &Server, spec: Value, more: Value) -> World {
    let world = World::of(&server.endpoint, &server.admin, spec);
    let bucket = world.bucket("photos-of-shop", more);
    let _process = world.healthy();
    world.until("ready", SOON, |world| world.server.is_ready(&bucket) && world.is_synced(&bucket)).await;
    let s3 = server.clients(&server.admin).unwrap().s3;
    let tags = s3.get_bucket_tagging().bucket("photos-of-shop").send().await.unwrap();
    assert!(tags.tag_set().iter().any(|tag| tag.key() == "concierge.dev/owner"), "{tags:?}");
    let versions = s3.get_bucket_versioning().bucket("photos-of-shop").send().await.unwrap();
    assert_eq!(versions.status().map(|status| status.as_str()), Some("Enabled"), "{}", world.dump());
    let policy = world.put("BucketPolicy", "readers", policy(&server.admin, &world));
    world.until("policy", SOON, |world| world.server.is_ready(&policy) && world.is_synced(&policy)).await;

    let writes = world.server.writes();
    world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": "1" }));
    world.until("looked at", SOON, |world| world.server.status(&bucket)["reconciledAt"] == "1").await;
    assert!(world.is_synced(&bucket) && world.server.writes() <= writes + 2, "{}", world.dump());

    s3.put_object().bucket("photos-of-shop").key("a").body(b"x".to_vec().into()).send().await.unwrap();
    s3.create_multipart_upload().bucket("photos-of-shop").key("b").send().await.unwrap();
    world.server.user_deletes(&policy);
    world.until("no policy", SOON, |world| world.server.read(&policy).is_none()).await;
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos-of-shop/2" }));
    world.server.user_deletes(&bucket);
    world.until("gone", SOON, |world| world.server.read(&bucket).is_none()).await;
    assert!(s3.head_bucket().bucket("photos-of-shop").send().await.is_err());
    world
}

fn policy(_: &Keys, world: &World) -> Value {
    let provider = world.server.of_kind("Provider").remove(0);
    // A user that there is, where the service tells of one; others ask for none.
    let caller = provider["status"]["callerArn"].as_str().unwrap_or("arn:aws:iam::123456789012:user/ann");
    json!({
        "bucketRef": { "name": "photos-of-shop" },
        "policy": { "version": "2012-10-17", "statement": [{
            "effect": "Allow", "principal": { "AWS": caller }, "action": "s3:GetObject",
            "resource": "arn:aws:s3:::photos-of-shop/*",
        }] },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_comes_and_goes_at_moto_with_everything() {
    let server = Server::moto().await.unwrap();
    let everything = json!({
        "deletionPolicy": "Delete", "forceDelete": true,
        "publicAccess": {},
        "encryption": { "enabled": true },
        "versioning": { "enabled": true },
        "lifecycle": { "rules": [
            { "id": "old", "noncurrentDays": 30, "abortIncompleteMultipartDays": 7 },
            { "id": "logs", "prefix": "logs/", "expiration": { "date": "2030-01-01" }, "transitions": [{ "days": 30, "storageClass": "GLACIER" }] },
        ] },
        "cors": { "rules": [{ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["PUT", "GET"], "allowedHeaders": ["Authorization"], "maxAgeSeconds": 60 }] },
        "tagging": { "tags": { "team": "shop" } },
    });
    let world = comes_and_goes(&server, json!({ "type": "aws" }), everything).await;
    let lacks = |told: &&String| told.starts_with("Unsupported");
    assert_eq!(world.told().iter().find(lacks), None);
    let provider = world.server.of_kind("Provider").remove(0);
    assert_eq!(provider["status"]["accountId"], "123456789012", "{provider:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_comes_and_goes_at_versitygw_with_what_it_can_do() {
    let server = Server::versitygw().await.unwrap();
    let spec = json!({
        "deletionPolicy": "Delete", "forceDelete": true,
        "publicAccess": {}, "versioning": { "enabled": true }, "encryption": { "enabled": true },
        "cors": { "rules": [{ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET"], "maxAgeSeconds": 60 }] },
    });
    let world = comes_and_goes(&server, json!({ "type": "generic" }), spec).await;
    assert!(
        world.told().iter().any(|told| told.contains("spec.encryption: the provider has no encryption")),
        "{:?}",
        world.told()
    );
}

/// What tells services apart where users and policies are made.
struct Traits {
    kind: &'static str,
    /// Whether users have paths and ids.
    paths: bool,
    user_tags: bool,
}

async fn users_and_policies_come_and_go(server: &Server, traits: Traits) {
    let world = World::of(&server.endpoint, &server.admin, json!({ "type": traits.kind }));
    has_photos(&world);
    let policy = world.iam_policy("readers", reads());
    let named = world.user("reports", json!({ "policyRef": { "name": "readers" } }));
    let mut spec = json!({ "policy": reads() });
    if traits.user_tags {
        spec["tags"] = json!({ "team": "shop" });
    }
    let own = world.user("web", spec);
    let _process = world.healthy();
    let done = |world: &World, key: &ObjectKey| world.server.is_ready(key) && world.is_synced(key);
    for key in [&policy, &named, &own] {
        world.until("ready", SOON, |world| done(world, key)).await;
    }
    let iam = server.clients(&server.admin).unwrap().iam.unwrap();
    let made = iam.get_user().user_name("web").send().await.unwrap();
    let made = made.user().unwrap();
    if traits.paths {
        assert!(made.path().starts_with("/k8s/") && made.path().ends_with("/default/"), "{made:?}");
        assert_eq!(world.server.status(&own)["userId"], made.user_id());
    }
    if traits.user_tags {
        let tags = iam.list_user_tags().user_name("web").send().await.unwrap();
        assert!(tags.tags().iter().any(|tag| tag.key() == "team" && tag.value() == "shop"), "{tags:?}");
    }
    let arn = world.server.status(&policy)["policyArn"].as_str().unwrap().to_owned();
    let found = iam.get_policy().policy_arn(&arn).send().await.unwrap();
    let id = found.policy().and_then(|policy| policy.policy_id()).filter(|id| !id.is_empty());
    assert_eq!(world.server.status(&policy)["policyId"].as_str(), id);

    // Looked at once more: nothing to do, so the service's own way to write documents is understood.
    for (key, token) in [(&policy, "1"), (&named, "1"), (&own, "1")] {
        let told = world.told().len();
        world.server.user_annotates(key, json!({ "concierge.dev/reconcile-at": token }));
        world.until("looked at", SOON, |world| world.server.status(key)["reconciledAt"] == token).await;
        let new = &world.told()[told..];
        assert!(done(&world, key) && !new.iter().any(|told| told.starts_with("Updated")), "{}", world.dump());
    }
    for folder in 0..6 {
        let resource = format!("arn:aws:s3:::photos/{folder}/*");
        let spec =
            json!({ "statement": [{ "effect": "Allow", "action": "s3:GetObject", "resource": resource }] });
        world.iam_policy("readers", spec);
        let versions = iam.list_policy_versions().policy_arn(&arn).send().await.unwrap();
        assert!(versions.versions().len() <= 5, "{versions:?}");
        world
            .until("another version", SOON, |world| {
                let status = world.server.status(&policy);
                let generation = world.server.read(&policy).unwrap()["metadata"]["generation"].clone();
                status["observedGeneration"] == generation && done(world, &policy)
            })
            .await;
    }
    for key in [&policy, &named, &own] {
        world.server.user_deletes(key);
    }
    for key in [&policy, &named, &own] {
        world.until("gone", SOON, |world| world.server.read(key).is_none()).await;
    }
    let users = iam.list_users().send().await.unwrap();
    let names: Vec<_> = users.users().iter().map(|user| user.user_name()).collect();
    assert!(!["reports", "web"].iter().any(|name| names.contains(name)), "{names:?}");
    assert!(iam.list_policies().scope(PolicyScopeType::Local).send().await.unwrap().policies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_policies_come_and_go_at_moto() {
    let traits = Traits { kind: "aws", paths: true, user_tags: true };
    users_and_policies_come_and_go(&Server::moto().await.unwrap(), traits).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn everything_comes_and_goes_at_seaweedfs() {
    let server = Server::seaweedfs().await.unwrap();
    let spec = json!({
        "deletionPolicy": "Delete", "forceDelete": true,
        "publicAccess": {},
        // No encryption: it is taken, and then no object is, for this one has no key to encrypt with.
        "versioning": { "enabled": true },
        "lifecycle": { "rules": [{ "id": "old", "noncurrentDays": 30, "abortIncompleteMultipartDays": 7 }] },
        "cors": { "rules": [{ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET"], "maxAgeSeconds": 60 }] },
        "tagging": { "tags": { "team": "shop" } },
    });
    comes_and_goes(&server, json!({ "type": "seaweedfs" }), spec).await;
    let traits = Traits { kind: "seaweedfs", paths: false, user_tags: false };
    users_and_policies_come_and_go(&server, traits).await;
}
