//! Documents that were made to keep whoever judges them busy take no longer than their length explains.

use std::hint::black_box;
use std::time::Duration;

use concierge_shared::s3::policy::{PolicyKind, Subject, lint};
use rustix::time::{ClockId, clock_gettime};

/// A list of texts, each made from its number, of about so many bytes.
fn list(bytes: usize, text: impl Fn(usize) -> String) -> String {
    let (mut list, mut number) = (String::new(), 0);
    while list.len() < bytes {
        list.push_str(if number == 0 { "" } else { "," });
        list.push_str(&text(number));
        number += 1;
    }
    list
}

fn statement(effect: &str, principal: &str, actions: &str, resources: &str, condition: &str) -> String {
    let principal = if principal.is_empty() { String::new() } else { format!(r#""Principal":{principal},"#) };
    format!(
        r#"{{"Effect":"{effect}",{principal}"Action":[{actions}],"Resource":[{resources}],"Condition":{{{condition}}}}}"#
    )
}

/// Documents of about so many bytes, each a burden to another rule.
fn documents(bytes: usize) -> Vec<(&'static str, PolicyKind, String)> {
    use PolicyKind::{Bucket, Managed};
    let (half, own) = (bytes / 2, r#""arn:aws:s3:::b/*""#);
    let get = r#""s3:GetObject""#;
    let in_bucket = |actions: &str, resources: &str| statement("Allow", r#""*""#, actions, resources, "");
    let of_user = |actions: &str, resources: &str| statement("Allow", "", actions, resources, "");
    let same = |text: &'static str| list(half, |_| text.to_owned());
    let long = "a".repeat(half);
    let all = vec![
        ("unknown actions", Bucket, in_bucket(&list(bytes, |n| format!(r#""s3:GetObjec{n}""#)), own)),
        ("patterns of actions", Bucket, in_bucket(&list(bytes, |n| format!(r#""s3:*e{n}*t*""#)), own)),
        ("lifecycle", Managed, of_user(&list(bytes, |_| r#""s3:PutLife*""#.to_owned()), own)),
        ("actions without resources", Bucket, in_bucket(&same(get), &same(r#""arn:aws:s3:::b""#))),
        ("everything", Managed, of_user(&same(r#""ec2:Run""#), &same(r#""*""#))),
        ("resources", Bucket, in_bucket(get, &list(bytes, |n| format!(r#""arn:aws:s3:::b/*{n}*""#)))),
        (
            "long patterns",
            Bucket,
            in_bucket(get, &format!(r#""arn:aws:s3:::b/*{long}*","arn:aws:s3:::b/*{long}b*""#)),
        ),
        (
            "permissions",
            Bucket,
            statement(
                "Allow",
                &format!(r#"{{"AWS":[{}]}}"#, same(r#""123456789012""#)),
                &same(r#""s3:PutObjectAcl""#),
                own,
                "",
            ),
        ),
        (
            "principals",
            Bucket,
            statement(
                "Allow",
                &format!(r#"{{"AWS":[{}]}}"#, list(bytes, |_| r#""*""#.to_owned())),
                get,
                own,
                "",
            ),
        ),
        (
            "keys",
            Bucket,
            statement(
                "Allow",
                r#""*""#,
                get,
                own,
                &format!(r#""StringLike":{{{}}}"#, list(bytes, |n| format!(r#""s3:prefi{n}":"x""#))),
            ),
        ),
        (
            "values",
            Bucket,
            statement(
                "Deny",
                r#""*""#,
                get,
                own,
                &format!(
                    r#""NotIpAddress":{{"aws:SourceIp":[{}]}}"#,
                    list(bytes, |n| format!(r#""10.{}.{}.7/24""#, n / 256 % 256, n % 256))
                ),
            ),
        ),
        ("access keys", Bucket, in_bucket(get, &format!(r#""arn:aws:s3:::b/{}""#, "AKIA".repeat(bytes / 4)))),
        (
            "statements",
            Bucket,
            list(bytes, |_| statement("Deny", r#""*""#, r#""s3:*""#, r#""arn:aws:s3:::b""#, "")),
        ),
    ];
    let whole = |text: String| format!(r#"{{"Version":"2012-10-17","Statement":[{text}]}}"#);
    all.into_iter().map(|(what, kind, text)| (what, kind, whole(text))).collect()
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The least that it costs of three times.
fn cost(kind: PolicyKind, text: &str) -> Duration {
    let own: &[&str] = &["b"];
    let subject = Subject {
        bucket: Some("b"),
        controller: Some("arn:aws:iam::123456789012:user/concierge"),
        own_buckets: Some(own),
        ..Subject::new(kind)
    };
    let once = || {
        let before = cpu();
        black_box(lint(text, &subject));
        cpu() - before
    };
    (0..3).map(|_| once()).min().unwrap()
}

#[test]
fn four_times_the_length_takes_nowhere_near_sixteen_times_as_long() {
    let mut slow = Vec::new();
    for ((what, kind, small), (.., large)) in documents(16_000).into_iter().zip(documents(64_000)) {
        let (small, large) = (cost(kind, &small), cost(kind, &large));
        println!("{what}: {small:?}, {large:?}");
        if large > small * 8 + Duration::from_millis(50) {
            slow.push(format!("{what}: {small:?}, {large:?}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
