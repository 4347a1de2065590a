//! Which policies are public: what a bucket with `BlockPublicPolicy` at radosgw does not take.
//!
//! Two things about radosgw 16 have to be known. It asks whether somebody without a name would be let in who calls from 1.1.1.1, over
//! plain HTTP and with nothing else said: a condition is judged by that one caller. And it takes each Allow for public whose principal
//! is not everybody, so only policies are compared that let in everybody or nobody.

use std::collections::BTreeMap;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use concierge_shared::s3::policy::{PolicyKind, is_public, parse};
use concierge_tests::s3::Server;
use serde_json::{Value, json};

use crate::cases::{hand_made, sound_ones};
use crate::table::{Rows, assert_told};

/// None that a policy names: one that is taken must not shut us out of the bucket that judges the next.
const JUDGE: &str = "judge";
const SEED: u64 = 20_261_127;
/// How many policies are generated of statements whose conditions were tried alone before.
const GENERATED: usize = 300;

/// Conditions beside those of the other differentials.
fn more_conditions() -> Vec<Value> {
    let texts = [
        r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "1.0.0.0/7"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "1.0.0.0/8"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "1.1.1.1/32"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/0"]}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}"#,
        r#"{"IpAddressIfExists": {"aws:SourceIp": "192.0.2.0/24"}}"#,
        r#"{"NotIpAddress": {"aws:SourceIp": "1.1.1.1/32"}}"#,
        r#"{"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}"#,
        r#"{"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}"#,
        r#"{"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}"#,
        r#"{"StringLike": {"aws:SourceVpc": "vpc-*"}}"#,
        r#"{"StringEqualsIfExists": {"aws:SourceVpc": "vpc-91237329"}}"#,
        r#"{"StringEquals": {"aws:UserId": "AIDAEXAMPLE"}}"#,
        r#"{"StringLike": {"aws:UserId": "*"}}"#,
        r#"{"StringEquals": {"aws:UserId": "${aws:username}"}}"#,
        r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/*"}}"#,
        r#"{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/ann"}}"#,
        r#"{"StringEquals": {"aws:Referer": "https://shop.example"}}"#,
        r#"{"StringLike": {"aws:Referer": "*"}}"#,
        r#"{"Null": {"aws:Referer": "true"}}"#,
        r#"{"Null": {"aws:Referer": "false"}}"#,
        r#"{"Bool": {"aws:SecureTransport": "true"}}"#,
        r#"{"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "key"}}"#,
    ];
    texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// The same for everybody, from addresses that no machine has.
fn for_everybody(mut statement: Value) -> Value {
    let text = statement.to_string().replace("127.0.0.", "198.51.100.");
    statement = serde_json::from_str(&text).unwrap_or(statement);
    statement["Principal"] = json!("*");
    statement
}

fn statements(text: &str) -> Vec<Value> {
    let read: Value = serde_json::from_str(text).unwrap_or_default();
    read["Statement"].as_array().cloned().unwrap_or_default().into_iter().map(for_everybody).collect()
}

fn condition_of(statement: &Value) -> String {
    statement.get("Condition").map_or_else(|| "no condition".to_owned(), |one| format!("`{one}`"))
}

/// What a bucket says that takes no public policies.
struct Blocked(aws_sdk_s3::Client);

impl Blocked {
    async fn make(server: &Server) -> Self {
        let s3 = server.clients(&server.admin).unwrap().s3;
        s3.create_bucket().bucket(JUDGE).send().await.unwrap();
        let block = PublicAccessBlockConfiguration::builder().block_public_policy(true).build();
        let put = s3.put_public_access_block().bucket(JUDGE).public_access_block_configuration(block);
        put.send().await.unwrap();
        Self(s3)
    }

    /// Whether a policy is public; `None` when it is refused for what it is written like.
    async fn says(&self, text: &str) -> Option<bool> {
        let error = match self.0.put_bucket_policy().bucket(JUDGE).policy(text).send().await {
            Ok(_) => return Some(false),
            Err(error) => error,
        };
        match error.code() {
            Some("AccessDenied") => Some(true),
            Some("MalformedPolicy" | "InvalidArgument") => None,
            _ => panic!("{error:?}: {text}"),
        }
    }
}

fn ours(text: &str) -> Option<bool> {
    parse(text, PolicyKind::Bucket).ok().map(|policy| is_public(&policy))
}

fn words(public: bool) -> String {
    if public { "public" } else { "not public" }.to_owned()
}

/// One statement for everybody with each condition that there is.
async fn alone(blocked: &Blocked, rows: &mut Rows) -> BTreeMap<String, bool> {
    let mut theirs = BTreeMap::new();
    let sound = json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*" });
    let mut all: Vec<Value> = more_conditions().into_iter().map(|one| with(&sound, one)).collect();
    all.push(sound.clone());
    let cases = sound_ones(SEED, GENERATED).into_iter().chain(hand_made());
    let conditions =
        cases.flat_map(|case| statements(&case.document)).filter_map(|one| one.get("Condition").cloned());
    all.extend(conditions.map(|condition| with(&sound, condition)));
    for statement in all {
        let (text, condition) = (document(std::slice::from_ref(&statement)), condition_of(&statement));
        if theirs.contains_key(&condition) {
            continue;
        }
        let (Some(ours), Some(public)) = (ours(&text), blocked.says(&text).await) else { continue };
        theirs.insert(condition.clone(), public);
        if ours != public {
            rows.add(&condition, words(ours), words(public));
        }
    }
    theirs
}

fn with(sound: &Value, condition: Value) -> Value {
    let mut statement = sound.clone();
    statement["Condition"] = condition;
    for_everybody(statement)
}

/// A policy is public when one of its Allows is, whatever else it says: so we say, and so does radosgw.
async fn together(blocked: &Blocked, alone: &BTreeMap<String, bool>) -> usize {
    let mut count = 0;
    for case in sound_ones(SEED, GENERATED) {
        let statements = statements(&case.document);
        let text = document(&statements);
        let Some(public) = blocked.says(&text).await else { continue };
        let allows = || statements.iter().filter(|one| one["Effect"] == "Allow");
        let by_parts = allows().any(|one| alone.get(&condition_of(one)) == Some(&true));
        assert_eq!(public, by_parts, "radosgw judges a policy otherwise than its statements: {text}");
        let single = |one: &Value| ours(&document(std::slice::from_ref(one))) == Some(true);
        assert_eq!(ours(&text), Some(allows().any(single)), "{text}");
        count += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn all_differences_from_radosgw_about_what_is_public_are_told_and_no_others() {
    let server = Server::radosgw().await.unwrap();
    let blocked = Blocked::make(&server).await;
    let mut rows = Rows::default();
    let alone = alone(&blocked, &mut rows).await;
    let generated = together(&blocked, &alone).await;
    println!(
        "{} conditions, {} of them judged as radosgw does; {generated} policies of several statements, each as its statements",
        alone.len(),
        alone.len() - rows.len(),
    );
    assert!(alone.len() >= 40 && generated >= 250, "{} and {generated}", alone.len());
    let named = json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam:::user/ann" }, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*" });
    let named = document(&[named]);
    if let (Some(ours), Some(theirs)) = (ours(&named), blocked.says(&named).await)
        && ours != theirs
    {
        rows.add("an Allow for a user by name", words(ours), words(theirs));
    }
    assert_told("radosgw", "radosgw 16.2.15", &rows, true);
}
