//! Every real service answers our calls, and its refusals fall into the right classes.

use aws_sdk_s3::types::{
    Delete, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, ObjectIdentifier, Tag,
    Tagging,
};
use concierge_reconciler::aws::{Answered, Keys, failure};
use concierge_reconciler::engine::Failure;
use concierge_tests::s3::Server;
use jiff::Timestamp;

macro_rules! refused {
    ($operation:literal, $call:expr) => {
        failure($operation, &$call.send().await.expect_err($operation), Timestamp::UNIX_EPOCH)
    };
}

/// What a control plane asks of every service.
async fn check(server: &Server) {
    let clients = server.clients(&server.admin).unwrap();
    let s3 = &clients.s3;
    s3.create_bucket().bucket("first-bucket").send().await.unwrap();
    s3.head_bucket().bucket("first-bucket").send().await.unwrap();
    let tag = Tag::builder().key("concierge.dev/owner").value("uid").build().unwrap();
    let tags = Tagging::builder().tag_set(tag).build().unwrap();
    s3.put_bucket_tagging().bucket("first-bucket").tagging(tags).send().await.unwrap();
    let kept = s3.get_bucket_tagging().bucket("first-bucket").send().await.unwrap();
    assert_eq!(kept.tag_set()[0].value(), "uid");
    s3.put_object().bucket("first-bucket").key("k").body(b"hello".to_vec().into()).send().await.unwrap();
    let not_empty = refused!("DeleteBucket", s3.delete_bucket().bucket("first-bucket"));
    assert!(matches!(not_empty, Failure::Conflict(_)), "{not_empty:?}");
    let object = ObjectIdentifier::builder().key("k").build().unwrap();
    let all = Delete::builder().objects(object).build().unwrap();
    let gone = s3.delete_objects().bucket("first-bucket").delete(all).send().await.unwrap();
    assert_eq!((gone.deleted().len(), gone.errors().len()), (1, 0));
    s3.delete_bucket().bucket("first-bucket").send().await.unwrap();

    let missing = s3.head_bucket().bucket("first-bucket").send().await.unwrap_err();
    let missing = Answered::of(&missing).unwrap();
    assert!(missing.is_missing(&["NoSuchBucket", "NotFound"]), "{missing:?}");
    let missing = s3.get_bucket_policy().bucket("first-bucket").send().await.unwrap_err();
    let missing = Answered::of(&missing).unwrap();
    assert!(missing.is_missing(&["NoSuchBucket"]), "{missing:?}");

    users(server).await;
    credentials(server).await;
}

async fn users(server: &Server) {
    let clients = server.clients(&server.admin).unwrap();
    let iam = clients.iam.unwrap();
    let made = iam.create_user().user_name("jane").path("/k8s/c/ns/").send().await.unwrap();
    assert_eq!(made.user().unwrap().path(), "/k8s/c/ns/");
    let again = refused!("CreateUser", iam.create_user().user_name("jane"));
    assert!(matches!(again, Failure::Conflict(_)), "{again:?}");
    for _ in 0..2 {
        iam.create_access_key().user_name("jane").send().await.unwrap();
    }
    let third = refused!("CreateAccessKey", iam.create_access_key().user_name("jane"));
    assert!(matches!(third, Failure::Invalid(_)), "two are all that a user may have: {third:?}");
    let missing = iam.get_user().user_name("nobody").send().await.unwrap_err();
    assert!(Answered::of(&missing).unwrap().is_missing(&["NoSuchEntity"]), "{missing:?}");
}

async fn credentials(server: &Server) {
    let wrong = Keys { secret: "a".repeat(40), ..server.admin.clone() };
    let wrong = refused!("ListBuckets", server.clients(&wrong).unwrap().s3.list_buckets());
    assert!(matches!(&wrong, Failure::Auth(said) if said.contains("SignatureDoesNotMatch")), "{wrong:?}");
    assert!(!wrong.to_string().contains(&"a".repeat(40)));
    let unknown = Keys { id: "AKIANOBODYNOBODYNOBO".to_owned(), ..server.admin.clone() };
    let unknown = refused!("ListBuckets", server.clients(&unknown).unwrap().s3.list_buckets());
    assert!(matches!(&unknown, Failure::Auth(said) if said.contains("InvalidAccessKeyId")), "{unknown:?}");

    // A user without rights is refused one operation; the account's credentials are as good as before.
    let clients = server.clients(&server.admin).unwrap();
    let iam = clients.iam.unwrap();
    iam.create_user().user_name("guest").send().await.unwrap();
    let key = iam.create_access_key().user_name("guest").send().await.unwrap().access_key.unwrap();
    let guest = Keys { id: key.access_key_id, secret: key.secret_access_key, session: None };
    let denied = server.clients(&guest).unwrap();
    let denied = refused!("CreateBucket", denied.s3.create_bucket().bucket("not-for-guests"));
    assert!(matches!(&denied, Failure::Invalid(said) if said.contains("AccessDenied")), "{denied:?}");
}

#[tokio::test]
async fn moto_answers_every_call_and_its_refusals_fall_into_the_right_classes() {
    let server = Server::moto().await.unwrap();
    check(&server).await;

    let s3 = server.clients(&server.admin).unwrap().s3;
    s3.create_bucket().bucket("second-bucket").send().await.unwrap();
    let rule = LifecycleRule::builder()
        .id("a")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("x/").build())
        .expiration(LifecycleExpiration::builder().days(3).build())
        .build()
        .unwrap();
    let lifecycle = aws_sdk_s3::types::BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let put = s3.put_bucket_lifecycle_configuration().bucket("second-bucket");
    put.lifecycle_configuration(lifecycle).send().await.unwrap();
    let missing = s3.get_bucket_encryption().bucket("second-bucket").send().await.unwrap_err();
    let codes = ["ServerSideEncryptionConfigurationNotFoundError"];
    assert!(Answered::of(&missing).unwrap().is_missing(&codes), "{missing:?}");
}

#[tokio::test]
async fn versitygw_answers_every_call_and_its_refusals_fall_into_the_right_classes() {
    let server = Server::versitygw().await.unwrap();
    check(&server).await;

    let s3 = server.clients(&server.admin).unwrap().s3;
    s3.create_bucket().bucket("second-bucket").send().await.unwrap();
    let iam = server.clients(&server.admin).unwrap().iam.unwrap();
    let in_use = refused!("DeleteUser", iam.delete_user().user_name("jane"));
    assert!(matches!(in_use, Failure::Conflict(_)), "{in_use:?}");
    let encryption = refused!("GetBucketEncryption", s3.get_bucket_encryption().bucket("second-bucket"));
    assert!(matches!(encryption, Failure::Unsupported(_)), "{encryption:?}");
}
