//! The same with real services, on real time.

use std::time::Duration;

use concierge_reconciler::aws::Keys;
use concierge_tests::s3::Server;
use serde_json::{Value, json};

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
    let caller = provider["status"]["callerArn"].as_str().unwrap_or_default().to_owned();
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
