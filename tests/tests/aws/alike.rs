//! The fake of IAM answers as real services do, over the SDK.

use aws_sdk_iam::{Client, types::Tag};
use concierge_reconciler::aws::{Answered, Clients, Keys};
use concierge_tests::faults::{Fault, Hidden};
use concierge_tests::s3::fake::{KEY, Store};
use concierge_tests::s3::{Server, endpoint};
use jiff::{SignedDuration, Timestamp};
use url::form_urlencoded;

const READ: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;
const LIST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#;
/// What was answered: `ok`, or status and code.
struct Answers {
    all: Vec<(&'static str, String)>,
    /// moto does some things that IAM refuses; what comes after them would differ.
    lax: bool,
}

macro_rules! ask {
    ($answers:ident, $name:literal, $call:expr) => {
        let answer = $call.send().await;
        let told = match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?}", Answered::of(error)),
        };
        $answers.all.push(($name, told));
    };
}

/// What IAM refuses and moto does not.
macro_rules! refused {
    ($answers:ident, $code:literal, $call:expr) => {
        if !$answers.lax {
            let error = $call.send().await.map(|_| ()).unwrap_err();
            assert_eq!(Answered::of(&error).unwrap().code, Some($code));
        }
    };
}

async fn users(iam: &Client, answers: &mut Answers) {
    ask!(answers, "CreateUser", iam.create_user().user_name("jane").path("/k8s/a/b/"));
    ask!(answers, "CreateUser again", iam.create_user().user_name("jane"));
    refused!(answers, "EntityAlreadyExists", iam.create_user().user_name("Jane"));
    refused!(answers, "ValidationError", iam.create_user().user_name("ja ne"));
    ask!(answers, "GetUser", iam.get_user().user_name("jane"));
    ask!(answers, "GetUser missing", iam.get_user().user_name("nobody"));
    let tag = Tag::builder().key("team").value("shop").build().unwrap();
    ask!(answers, "TagUser", iam.tag_user().user_name("jane").tags(tag));
    let tags = iam.list_user_tags().user_name("jane").send().await.unwrap();
    answers.all.push(("ListUserTags", format!("{:?}", tags.tags())));
    ask!(answers, "UntagUser", iam.untag_user().user_name("jane").tag_keys("team"));
    ask!(
        answers,
        "PutUserPolicy",
        iam.put_user_policy().user_name("jane").policy_name("own").policy_document(READ)
    );
    ask!(
        answers,
        "PutUserPolicy malformed",
        iam.put_user_policy().user_name("jane").policy_name("own").policy_document("{")
    );
    let own = iam.get_user_policy().user_name("jane").policy_name("own").send().await.unwrap();
    answers.all.push(("GetUserPolicy", plain(own.policy_document())));
    ask!(answers, "GetUserPolicy missing", iam.get_user_policy().user_name("jane").policy_name("other"));
    ask!(answers, "DeleteUser with a policy", iam.delete_user().user_name("jane"));
    ask!(answers, "DeleteUserPolicy", iam.delete_user_policy().user_name("jane").policy_name("own"));
    ask!(answers, "DeleteUserPolicy again", iam.delete_user_policy().user_name("jane").policy_name("own"));
}

async fn keys(iam: &Client, answers: &mut Answers) {
    let made = iam.create_access_key().user_name("jane").send().await.unwrap();
    let id = made.access_key().unwrap().access_key_id().to_owned();
    ask!(answers, "CreateAccessKey second", iam.create_access_key().user_name("jane"));
    ask!(answers, "CreateAccessKey third", iam.create_access_key().user_name("jane"));
    ask!(answers, "CreateAccessKey of nobody", iam.create_access_key().user_name("nobody"));
    let inactive = iam.update_access_key().user_name("jane").access_key_id(&id).status("Inactive".into());
    ask!(answers, "UpdateAccessKey", inactive);
    let listed = iam.list_access_keys().user_name("jane").send().await.unwrap();
    let mut statuses: Vec<_> =
        listed.access_key_metadata().iter().map(|key| format!("{:?}", key.status())).collect();
    statuses.sort();
    answers.all.push(("ListAccessKeys", statuses.join(" ")));
    ask!(answers, "ListAccessKeys of nobody", iam.list_access_keys().user_name("nobody"));
    refused!(answers, "DeleteConflict", iam.delete_user().user_name("jane"));
    for key in listed.access_key_metadata() {
        let id = key.access_key_id().unwrap();
        ask!(answers, "DeleteAccessKey", iam.delete_access_key().user_name("jane").access_key_id(id));
        ask!(answers, "DeleteAccessKey again", iam.delete_access_key().user_name("jane").access_key_id(id));
    }
}

async fn policies(iam: &Client, answers: &mut Answers) {
    let made = iam.create_policy().policy_name("readers").policy_document(READ).send().await.unwrap();
    let arn = made.policy().unwrap().arn().unwrap().to_owned();
    refused!(
        answers,
        "EntityAlreadyExists",
        iam.create_policy().policy_name("readers").policy_document(READ)
    );
    ask!(answers, "AttachUserPolicy", iam.attach_user_policy().user_name("jane").policy_arn(&arn));
    let found = iam.get_policy().policy_arn(&arn).send().await.unwrap();
    let found = found.policy().unwrap();
    refused!(answers, "DeleteConflict", iam.delete_policy().policy_arn(&arn));
    answers
        .all
        .push(("GetPolicy", format!("{:?} {:?}", found.attachment_count(), found.default_version_id())));
    ask!(answers, "AttachUserPolicy again", iam.attach_user_policy().user_name("jane").policy_arn(&arn));
    ask!(answers, "DeleteUser with an attached policy", iam.delete_user().user_name("jane"));
    for _ in 0..4 {
        let version = iam.create_policy_version().policy_arn(&arn).policy_document(LIST);
        ask!(answers, "CreatePolicyVersion", version.set_as_default(true));
    }
    ask!(
        answers,
        "CreatePolicyVersion sixth",
        iam.create_policy_version().policy_arn(&arn).policy_document(LIST)
    );
    let version = iam.get_policy_version().policy_arn(&arn).version_id("v5").send().await.unwrap();
    answers.all.push(("GetPolicyVersion", plain(version.policy_version().unwrap().document().unwrap())));
    ask!(
        answers,
        "DeletePolicyVersion default",
        iam.delete_policy_version().policy_arn(&arn).version_id("v5")
    );
    ask!(
        answers,
        "SetDefaultPolicyVersion",
        iam.set_default_policy_version().policy_arn(&arn).version_id("v1")
    );
    ask!(answers, "DeletePolicyVersion", iam.delete_policy_version().policy_arn(&arn).version_id("v5"));
    ask!(answers, "DeletePolicyVersion again", iam.delete_policy_version().policy_arn(&arn).version_id("v5"));
    let entities = iam.list_entities_for_policy().policy_arn(&arn).send().await.unwrap();
    answers.all.push(("ListEntitiesForPolicy", entities.policy_users().len().to_string()));
    ask!(answers, "DetachUserPolicy", iam.detach_user_policy().user_name("jane").policy_arn(&arn));
    ask!(answers, "DetachUserPolicy again", iam.detach_user_policy().user_name("jane").policy_arn(&arn));
    refused!(answers, "DeleteConflict", iam.delete_policy().policy_arn(&arn));
    for version in ["v2", "v3", "v4"] {
        ask!(
            answers,
            "DeletePolicyVersion",
            iam.delete_policy_version().policy_arn(&arn).version_id(version)
        );
    }
    ask!(answers, "DeletePolicy", iam.delete_policy().policy_arn(&arn));
    ask!(answers, "GetPolicy missing", iam.get_policy().policy_arn(&arn));
    ask!(answers, "DeleteUser", iam.delete_user().user_name("jane"));
    ask!(answers, "DeleteUser again", iam.delete_user().user_name("jane"));
}

/// moto does not encode all the documents that IAM does.
fn plain(document: &str) -> String {
    match document.starts_with('{') {
        true => document.to_owned(),
        false => form_urlencoded::parse(document.as_bytes()).map(|(text, _)| text.into_owned()).collect(),
    }
}

async fn all(clients: Clients, lax: bool) -> Vec<(&'static str, String)> {
    let (iam, mut answers) = (clients.iam.unwrap(), Answers { all: Vec::new(), lax });
    users(&iam, &mut answers).await;
    keys(&iam, &mut answers).await;
    policies(&iam, &mut answers).await;
    answers.all
}

fn clients(store: &Store, id: &str) -> Clients {
    let keys = Keys { id: id.to_owned(), secret: "secret".to_owned(), session: None };
    Clients::over(store.transport(), &endpoint("http://store", "http://store").unwrap(), &keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_answers_as_moto_does_and_refuses_what_iam_refuses() {
    let moto = Server::moto().await.unwrap();
    let real = all(moto.clients(&moto.admin).unwrap(), true).await;
    let fake = all(clients(&Store::at(Timestamp::now()), KEY), false).await;
    assert_eq!(fake, real);
}

#[tokio::test]
async fn lists_of_the_fake_have_pages() {
    let store = Store::at(Timestamp::now());
    let iam = clients(&store, KEY).iam.unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        iam.create_user().user_name(name).send().await.unwrap();
    }
    let (mut names, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = iam.list_users().set_marker(marker.take()).send().await.unwrap();
        names.extend(page.users().iter().map(|user| user.user_name().to_owned()));
        pages += 1;
        marker = page.marker().map(str::to_owned);
        if !page.is_truncated() {
            break;
        }
    }
    assert_eq!((names.concat().as_str(), pages, store.count("ListUsers")), ("abcde", 3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_new_key_of_the_fake_is_taken_and_listed_late_when_a_test_says_so() {
    let store = Store::at(Timestamp::now());
    store.with(|state| state.iam.settling = SignedDuration::from_secs(10));
    let iam = clients(&store, KEY).iam.unwrap();
    iam.create_user().user_name("jane").send().await.unwrap();
    store.faults().once("CreateAccessKey", Fault::Hide(Hidden::Lists(1)));
    let made = iam.create_access_key().user_name("jane").send().await.unwrap();
    let listed =
        async || iam.list_access_keys().user_name("jane").send().await.unwrap().access_key_metadata.len();
    assert_eq!((listed().await, listed().await), (0, 1));
    let key = made.access_key().unwrap();
    assert_eq!(store.keys("jane")[0].secret, key.secret_access_key());
    let s3 = clients(&store, key.access_key_id()).s3;
    let refused = s3.list_buckets().send().await.unwrap_err();
    assert_eq!(Answered::of(&refused).unwrap().code, Some("InvalidAccessKeyId"));
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    s3.list_buckets().send().await.unwrap();
}

#[tokio::test]
async fn the_fake_of_iam_goes_wrong_as_a_test_says() {
    let store = Store::at(Timestamp::now());
    let iam = clients(&store, KEY).iam.unwrap();
    let answer = async |fault: Option<Fault>| {
        fault.into_iter().for_each(|fault| store.faults().once("CreateUser", fault));
        let error = iam.create_user().user_name("jane").send().await.unwrap_err();
        Answered::of(&error).map(|answered| (answered.status, answered.code.unwrap_or_default().to_owned()))
    };
    let told = |status, code: &str| Some((status, code.to_owned()));
    assert_eq!(answer(Some(Fault::Throttle(None))).await, told(400, "Throttling"));
    assert_eq!(answer(Some(Fault::StatusBefore(500))).await, told(500, "ServiceFailure"));
    store.with(|state| state.denied.insert("CreateUser"));
    assert_eq!(answer(None).await, told(403, "AccessDenied"));
    store.with(|state| state.lacking.insert("CreateUser"));
    assert_eq!(answer(None).await, told(400, "InvalidAction"));
    store.with(|state| (state.denied.clear(), state.lacking.clear()));
    assert!(store.with(|state| state.iam.user("jane").is_none()), "nothing was done");
    assert_eq!(answer(Some(Fault::DropAfter)).await, None);
    assert!(store.with(|state| state.iam.user("jane").is_some()), "it was done");
    store.with(|state| state.withdrawn = true);
    assert_eq!(answer(None).await, told(403, "InvalidClientTokenId"));
}
