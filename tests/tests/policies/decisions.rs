//! Whom a bucket policy lets do what: as our evaluator says, and as versitygw does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use concierge_reconciler::aws::{Clients, Keys};
use concierge_shared::s3::policy::PolicyKind;
use concierge_shared::s3::policy::decide::{Decision, Request, decide};
use concierge_shared::s3::policy::document::Policy;
use concierge_shared::s3::policy::parse;
use concierge_tests::s3::{Server, Sockets};
use jiff::Timestamp;

use crate::cases::{BUCKET, Case, sound_ones};
use crate::documents::Users;
use crate::table::{Rows, assert_told};

const SEED: u64 = 11;

/// Policies with something special in the meaning.
const SPECIAL: &[(&str, &str)] = &[
    (
        "Allow to the own account",
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::{account}:root"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}"#,
    ),
    (
        "Deny to the own account",
        r#"{"Effect": "Deny", "Principal": {"AWS": "{account}"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}"#,
    ),
    (
        "a pattern with ? for a key",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/?/?"}"#,
    ),
    (
        "a pattern over slashes",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*Object", "Resource": "arn:aws:s3:::photos/*.jpg"}"#,
    ),
    (
        "a prefix of lists",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"StringLike": {"s3:prefix": "a/*"}}}"#,
    ),
    (
        "no prefix of lists",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"Null": {"s3:prefix": "true"}}}"#,
    ),
    (
        "another prefix of lists",
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"StringNotEquals": {"s3:prefix": "a/"}}}"#,
    ),
    (
        "IfExists for a key that may be missing",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"StringEqualsIfExists": {"s3:prefix": "a/"}}}"#,
    ),
    (
        "ForAllValues for a key that may be missing",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"ForAllValues:StringEquals": {"s3:prefix": ["a/", "b/"]}}}"#,
    ),
    (
        "ForAnyValue for a key that may be missing",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"ForAnyValue:StringLike": {"s3:prefix": ["a*", "b*"]}}}"#,
    ),
    (
        "upper and lower case aside",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos", "Condition": {"StringEqualsIgnoreCase": {"s3:prefix": "A/"}}}"#,
    ),
    (
        "not this address",
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"], "Condition": {"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}}"#,
    ),
    (
        "one of several addresses",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"], "Condition": {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "127.0.0.2/32"]}}}"#,
    ),
    (
        "an address in version 6",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"IpAddress": {"aws:SourceIp": "::1/128"}}}"#,
    ),
    (
        "two operators, of which one holds",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "Bool": {"aws:SecureTransport": "true"}}}"#,
    ),
    (
        "a date as seconds",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"DateGreaterThan": {"aws:EpochTime": "1577836800"}}}"#,
    ),
    (
        "seconds as a number",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"NumericGreaterThan": {"aws:EpochTime": 1577836800}}}"#,
    ),
    (
        "a day without a time",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}}}"#,
    ),
    (
        "a key of conditions in lower case",
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", "Condition": {"IpAddress": {"aws:sourceip": "127.0.0.1/32"}}}"#,
    ),
    (
        "the same Allow and Deny",
        r#"{"Effect": "Deny", "Principal": {"AWS": "{bob}"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}, {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}"#,
    ),
    (
        "a Deny for one key",
        r#"{"Effect": "Allow", "Principal": {"AWS": ["{ann}", "{bob}"]}, "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}, {"Effect": "Deny", "Principal": "*", "Action": "s3:*Object", "Resource": "arn:aws:s3:::photos/a/1"}"#,
    ),
];

fn special() -> impl Iterator<Item = Case> {
    SPECIAL.iter().map(|(what, statements)| Case {
        what,
        document: format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#),
    })
}

/// What is asked for, with the action that it needs.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Get(&'static str),
    Put(&'static str),
    Delete(&'static str),
    Tags(&'static str),
    List(Option<&'static str>),
    BucketTags,
}

const ASKS: [Ask; 9] = [
    Ask::Get("a/1"),
    Ask::Get("b/x.jpg"),
    Ask::Put("a/1"),
    Ask::Put("c/d/e.jpg"),
    Ask::Delete("a/2"),
    Ask::Tags("a/1"),
    Ask::List(None),
    Ask::List(Some("a/")),
    Ask::BucketTags,
];

impl Ask {
    fn action(self) -> &'static str {
        match self {
            Ask::Get(_) => "s3:GetObject",
            Ask::Put(_) => "s3:PutObject",
            Ask::Delete(_) => "s3:DeleteObject",
            Ask::Tags(_) => "s3:GetObjectTagging",
            Ask::List(_) => "s3:ListBucket",
            Ask::BucketTags => "s3:GetBucketTagging",
        }
    }

    fn resource(self) -> String {
        match self {
            Ask::Get(key) | Ask::Put(key) | Ask::Delete(key) | Ask::Tags(key) => {
                format!("arn:aws:s3:::{BUCKET}/{key}")
            }
            Ask::List(_) | Ask::BucketTags => format!("arn:aws:s3:::{BUCKET}"),
        }
    }

    /// Sends it; what comes of it is read off the wire.
    async fn send(self, s3: &aws_sdk_s3::Client) {
        match self {
            Ask::Get(key) => drop(s3.get_object().bucket(BUCKET).key(key).send().await),
            Ask::Put(key) => {
                drop(s3.put_object().bucket(BUCKET).key(key).body(b"x".to_vec().into()).send().await);
            }
            Ask::Delete(key) => drop(s3.delete_object().bucket(BUCKET).key(key).send().await),
            Ask::Tags(key) => drop(s3.get_object_tagging().bucket(BUCKET).key(key).send().await),
            Ask::List(prefix) => {
                drop(s3.list_objects_v2().bucket(BUCKET).set_prefix(prefix.map(str::to_owned)).send().await);
            }
            Ask::BucketTags => drop(s3.get_bucket_tagging().bucket(BUCKET).send().await),
        }
    }
}

/// Who asks, and from where.
struct Caller {
    name: &'static str,
    /// `None` for an anonymous one.
    arn: Option<String>,
    address: IpAddr,
    sockets: Arc<Sockets>,
    s3: aws_sdk_s3::Client,
}

impl Caller {
    /// ann, bob and nobody, each from two addresses.
    async fn all(server: &Server, users: &Users) -> Vec<Self> {
        let iam = server.clients(&server.admin).unwrap().iam.unwrap();
        let mut who = vec![("nobody", None, server.admin.clone())];
        for (name, arn) in [("ann", &users.ann), ("bob", &users.bob)] {
            let made = iam.create_access_key().user_name(name).send().await.unwrap();
            let key = made.access_key.unwrap();
            let keys = Keys { id: key.access_key_id, secret: key.secret_access_key, session: None };
            who.push((name, Some(arn.clone()), keys));
        }
        let mut callers = Vec::new();
        for (name, arn, keys) in who {
            for address in [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from) {
                let sockets = Arc::new(Sockets::from(address, arn.is_none()).unwrap());
                let s3 = Clients::over(sockets.clone(), &server.endpoint, &keys).s3;
                callers.push(Self { name, arn: arn.clone(), address, sockets, s3 });
            }
        }
        callers
    }

    fn request<'a>(&'a self, ask: Ask, resource: &'a str) -> Request<'a> {
        let now = Timestamp::now();
        let mut context = BTreeMap::from([
            ("aws:sourceip".to_owned(), vec![self.address.to_string()]),
            ("aws:securetransport".to_owned(), vec!["false".to_owned()]),
            ("aws:useragent".to_owned(), vec!["aws-sdk-rust".to_owned()]),
            ("aws:currenttime".to_owned(), vec![now.to_string()]),
            ("aws:epochtime".to_owned(), vec![now.as_second().to_string()]),
        ]);
        if let Ask::List(Some(prefix)) = ask {
            context.insert("s3:prefix".to_owned(), vec![prefix.to_owned()]);
        }
        Request { principal: self.arn.as_deref(), action: ask.action(), resource, context }
    }

    /// What we say, and what the service did.
    async fn decided(&self, policy: &Policy, ask: Ask) -> (&'static str, &'static str) {
        let resource = ask.resource();
        let ours = decide(policy, &self.request(ask, &resource));
        ask.send(&self.s3).await;
        let (status, text) = self.sockets.take_last();
        assert!(matches!(status, 200..300 | 403 | 404), "{} {ask:?}: {status} {text}", self.name);
        let theirs = match status {
            403 if text.contains("with an explicit deny in a resource-based policy") => "denies",
            403 => "says nothing",
            _ => "allows",
        };
        let ours = match ours {
            Decision::Allow => "allows",
            // Nobody is told why.
            Decision::Deny if self.arn.is_some() => "denies",
            _ => "says nothing",
        };
        (ours, theirs)
    }
}

/// How many points were decided alike.
async fn play(policies: Vec<Case>, all: bool) -> usize {
    let server = Server::versitygw().await.unwrap();
    let users = Users::make(&server).await;
    let s3 = server.clients(server.root.as_ref().unwrap()).unwrap().s3;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let callers = Caller::all(&server, &users).await;
    let (mut rows, mut alike, mut points) = (Rows::default(), 0, 0);
    for case in &policies {
        let text = users.in_document(case);
        s3.put_bucket_policy()
            .bucket(BUCKET)
            .policy(&text)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let policy = parse(&text, PolicyKind::Bucket).unwrap();
        for key in ["a/1", "a/2", "b/x.jpg"] {
            s3.put_object().bucket(BUCKET).key(key).body(b"x".to_vec().into()).send().await.unwrap();
        }
        let decided = callers.iter().map(async |caller| {
            let mut decided = Vec::new();
            for ask in ASKS {
                decided.push((caller, ask, caller.decided(&policy, ask).await));
            }
            decided
        });
        for (caller, ask, (ours, theirs)) in futures::future::join_all(decided).await.concat() {
            points += 1;
            if ours == theirs {
                alike += 1;
                continue;
            }
            let who = if caller.arn.is_some() { "a user" } else { "nobody" };
            rows.add(
                &format!("{}: {} by {who}", case.what, ask.action()),
                ours.to_owned(),
                theirs.to_owned(),
            );
        }
    }
    println!(
        "{points} points of {} policies, {alike} decided as versitygw does; {} differences",
        policies.len(),
        rows.len()
    );
    assert_told("decisions", "versitygw 1.8.0", &rows, all);
    alike
}

#[tokio::test(flavor = "multi_thread")]
async fn versitygw_lets_in_whom_we_say_but_for_what_is_told() {
    let policies = sound_ones(SEED, 10).into_iter().chain(special()).collect();
    let alike = play(policies, false).await;
    assert!(alike >= 500, "{alike}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn all_differences_of_decisions_are_told_and_no_others() {
    let policies = sound_ones(SEED, 100).into_iter().chain(special()).collect();
    let alike = play(policies, true).await;
    assert!(alike >= 4000, "{alike}");
}
