//! radosgw 16, which takes calls about parts that it does not know for calls about the bucket.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::s3::{Server, Sockets};
use serde_json::{Value, json};

use crate::world::World;

const SOON: Duration = Duration::from_secs(60);

/// The trap itself: without it, the test below would show nothing.
async fn deletes_a_bucket_with_its_encryption(server: &Server) -> bool {
    let s3 = server.clients(&server.admin).unwrap().s3;
    s3.create_bucket().bucket("trap").send().await.unwrap();
    s3.delete_bucket_encryption().bucket("trap").send().await.unwrap();
    s3.head_bucket().bucket("trap").send().await.is_err()
}

fn everything() -> Value {
    json!({
        "publicAccess": {}, "encryption": { "enabled": true }, "versioning": { "enabled": true },
        "lifecycle": { "rules": [{ "id": "old", "noncurrentDays": 30, "abortIncompleteMultipartDays": 7 }] },
        "cors": { "rules": [{ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET"], "maxAgeSeconds": 60 }] },
        "tagging": { "tags": { "team": "shop" } }, "deletionPolicy": "Delete",
    })
}

/// The calls that a part of a bucket is taken away with are sent only for a part that was shown.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn radosgw_16_deletes_the_bucket_on_delete_encryption_which_is_never_sent_to_it() {
    let server = Server::radosgw().await.unwrap();
    assert!(deletes_a_bucket_with_its_encryption(&server).await);

    let sockets = Arc::new(Sockets::new().unwrap());
    let spec = json!({ "type": "ceph", "iamEndpoint": null });
    let world = World::over(&sockets, &server.endpoint, &server.admin, spec);
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    let done = |world: &World, key: &ObjectKey| world.server.is_ready(key) && world.is_synced(key);
    world.until("ready", SOON, |world| done(world, &bucket)).await;
    let s3 = server.clients(&server.admin).unwrap().s3;
    let block = s3.get_public_access_block().bucket("photos").send().await.unwrap();
    let block = block.public_access_block_configuration().unwrap();
    assert_eq!((block.block_public_policy(), block.restrict_public_buckets()), (Some(true), Some(true)));
    let says = world.server.message(&bucket, "Unsupported");
    assert_eq!(says, "spec.encryption: the provider has no encryption");

    // All that is taken away by a call of its own is wished away; the encryption was never answered as one.
    let nothing = json!({ "encryption": { "enabled": false }, "lifecycle": {}, "cors": {}, "deletionPolicy": "Delete" });
    world.bucket("photos", nothing);
    for token in ["one", "two"] {
        world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": token }));
        world.until("looked at", SOON, |world| world.server.status(&bucket)["reconciledAt"] == token).await;
    }
    s3.head_bucket().bucket("photos").send().await.unwrap();
    assert!(s3.get_bucket_lifecycle_configuration().bucket("photos").send().await.is_err());
    assert!(s3.get_bucket_cors().bucket("photos").send().await.is_err());

    // Its public access block is real: it refuses what it takes for public.
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": "arn:aws:iam:::user/ann" }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos/*",
    });
    let spec = json!({ "bucketRef": { "name": "photos" }, "policy": { "version": "2012-10-17", "statement": [statement] } });
    let policy = world.put("BucketPolicy", "readers", spec);
    let refused = |world: &World| world.server.message(&policy, "Synced").contains("AccessDenied");
    world.until("refused", SOON, refused).await;
    for key in [&policy, &bucket] {
        world.server.user_deletes(key);
        world.until("gone", SOON, |world| world.server.read(key).is_none()).await;
    }
    assert!(s3.head_bucket().bucket("photos").send().await.is_err());
    let sent = sockets.sent_from(0);
    let about = |call: &&String| call.contains("encryption") && !call.starts_with("GET ");
    assert!(!sent.iter().any(|call| about(&call)), "{sent:?}");
}
