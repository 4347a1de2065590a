//! Documents, the rules that they break, and near misses that break nothing.

mod actions;
mod conditions;
mod documents;
mod effects;
mod meaning;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{rules::RULES, *};

/// A statement of a bucket policy and one of a user's policy that nothing is wrong with.
fn sound(kind: PolicyKind) -> Value {
    match kind {
        PolicyKind::Bucket => {
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/ann"},
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]})
        }
        _ => json!({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}),
    }
}

/// The sound statement with the elements of `change`, those that are null taken out; or, if it is no JSON object of elements,
/// `change` itself as the whole document.
fn document(kind: PolicyKind, change: &str) -> String {
    let elements = match serde_json::from_str::<Value>(change) {
        Ok(Value::Object(all)) if !all.contains_key("Statement") && !all.contains_key("Version") => all,
        _ => return change.to_owned(),
    };
    let mut statement = sound(kind);
    for (name, value) in elements {
        match value {
            Value::Null => statement.as_object_mut().unwrap().remove(&name),
            value => statement.as_object_mut().unwrap().insert(name, value),
        };
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn subject(kind: PolicyKind) -> Subject<'static> {
    Subject {
        bucket: Some("b"),
        account: Some("123456789012"),
        controller: Some("arn:aws:iam::123456789012:user/concierge"),
        own_buckets: None,
        ..Subject::new(kind)
    }
}

fn ids(kind: PolicyKind, change: &str, subject: &Subject<'_>) -> BTreeSet<&'static str> {
    lint(&document(kind, change), subject).iter().map(|finding| finding.rule.id).collect()
}

/// A rule, the kind of policy, what breaks it, and what nearly does.
type Row = (&'static str, PolicyKind, &'static str, &'static str);

use PolicyKind::{Bucket as B, Inline as N, Managed as M};

fn rows() -> impl Iterator<Item = &'static Row> {
    [documents::ROWS, actions::ROWS, conditions::ROWS, effects::ROWS].into_iter().flatten()
}

/// Rules that need another subject than the rows have; tests below break them.
const ELSEWHERE: &[&str] =
    &["siz-01", "siz-01-near", "siz-02", "siz-03", "res-10", "act-07-account", "cnd-25", "ten-01", "ten-02"];

#[test]
fn every_rule_finds_its_document_and_leaves_the_near_miss() {
    for (rule, kind, bad, good) in rows() {
        let (rule, subject) = (format!("s3.policy.{rule}"), subject(*kind));
        let (bad, good) = (ids(*kind, bad, &subject), ids(*kind, good, &subject));
        assert!(bad.contains(&*rule), "{rule} is not found: {bad:?}");
        assert!(!good.contains(&*rule), "{rule} is found in the near miss");
    }
}

#[test]
fn every_rule_has_a_document() {
    let covered: BTreeSet<_> = rows().map(|row| row.0).chain(ELSEWHERE.iter().copied()).collect();
    let all: BTreeSet<_> = RULES.iter().filter_map(|rule| rule.id.strip_prefix("s3.policy.")).collect();
    assert_eq!(covered, all);
}

#[test]
fn what_is_sound_has_no_finding() {
    for kind in [B, M, N] {
        assert_eq!(ids(kind, "{}", &subject(kind)), BTreeSet::new(), "{kind:?}");
    }
}

#[test]
fn sizes_are_counted_without_white_space_outside_strings() {
    assert_eq!(size::compact_len("{ \"a b\" :\n\"\\\" c\" }"), r#"{"a b":"\" c"}"#.len());
    let sized = |kind, bytes: usize| {
        let empty = document(kind, r#"{"Sid": ""}"#).len();
        ids(kind, &format!(r#"{{"Sid": "{}"}}"#, "a".repeat(bytes - empty)), &subject(kind))
    };
    assert!(!sized(B, 16_384).contains("s3.policy.siz-01-near"));
    assert!(sized(B, 16_385).contains("s3.policy.siz-01-near"));
    assert!(!sized(B, 20_480).contains("s3.policy.siz-01"));
    assert!(sized(B, 20_481).contains("s3.policy.siz-01"));
    assert!(!sized(M, 6_144).contains("s3.policy.siz-02"));
    assert!(sized(M, 6_145).contains("s3.policy.siz-02"));
    assert!(!sized(N, 2_048).contains("s3.policy.siz-03"));
    assert!(sized(N, 2_049).contains("s3.policy.siz-03"));
}

#[test]
fn iam_counts_characters_and_s3_bytes() {
    let of = |kind, umlauts: usize| {
        let change = format!(r#"{{"Resource": ["arn:aws:s3:::b/{}"]}}"#, "ä".repeat(umlauts));
        (document(kind, &change).chars().count(), ids(kind, &change, &subject(kind)))
    };
    for (kind, most, rule) in [(N, 2_048, "s3.policy.siz-03"), (M, 6_144, "s3.policy.siz-02")] {
        let (characters, found) = of(kind, 0);
        assert!(!found.contains(rule));
        assert!(!of(kind, most - characters).1.contains(rule), "{rule}");
        assert!(of(kind, most - characters + 1).1.contains(rule), "{rule}");
    }
    let (bytes, _) = of(B, 0);
    assert!(!of(B, (20_480 - bytes) / 2).1.contains("s3.policy.siz-01"));
    assert!(of(B, (20_480 - bytes) / 2 + 1).1.contains("s3.policy.siz-01"));
}

#[test]
fn a_key_has_at_most_1024_bytes() {
    let of = |bytes: usize| {
        ids(B, &format!(r#"{{"Resource": "arn:aws:s3:::b/{}"}}"#, "a".repeat(bytes)), &subject(B))
    };
    assert!(!of(1024).contains("s3.policy.res-10"));
    assert!(of(1025).contains("s3.policy.res-10"));
}

#[test]
fn only_a_bucket_policy_locks_out_who_is_not_its_own() {
    let everything = r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#;
    let elsewhere = r#"{"Effect": "Deny", "Principal": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#;
    for (deny, rule) in [(everything, "s3.policy.lck-01"), (elsewhere, "s3.policy.lck-03")] {
        assert!(ids(B, deny, &subject(B)).contains(rule), "{rule}");
        assert!(
            !ids(B, deny, &Subject { allow_lockout: true, ..subject(B) }).contains(rule),
            "{rule} is meant"
        );
        let of_user = deny.replace(r#""Principal": "*", "#, "");
        for kind in [M, N] {
            assert_eq!(ids(kind, &of_user, &subject(kind)), BTreeSet::new(), "{kind:?}");
        }
    }
}

#[test]
fn whoever_calls_without_tls_is_locked_out_by_who_demands_it() {
    let of = |plain_http, value: &str| {
        let deny = format!(
            r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b"], "Condition": {{"Bool": {{"aws:SecureTransport": "{value}"}}}}}}"#
        );
        ids(B, &deny, &Subject { plain_http, ..subject(B) }).contains("s3.policy.lck-01")
    };
    assert!(of(true, "false") && of(false, "true"));
    assert!(!of(true, "true") && !of(false, "false"));
}

#[test]
fn who_is_no_user_has_no_user_name() {
    let of = |controller, operator: &str| {
        let deny = format!(
            r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b"], "Condition": {{"{operator}": {{"aws:username": "ann"}}}}}}"#
        );
        ids(B, &deny, &Subject { controller: Some(controller), ..subject(B) }).contains("s3.policy.lck-01")
    };
    let (role, user) =
        ("arn:aws:sts::123456789012:assumed-role/ann/ann", "arn:aws:iam::123456789012:user/teams/web/ann");
    assert!(of(role, "StringNotEquals") && of(user, "StringEquals"));
    assert!(!of(role, "StringEquals") && !of(user, "StringNotEquals"));
}

/// Whether a Deny of everything under these conditions is found to lock out Concierge: certainly, perhaps, or not.
fn lockout(subject: &Subject<'_>, principal: &str, condition: &Value) -> &'static str {
    let deny = json!({
        "Effect": "Deny", "Principal": {"AWS": principal}, "Action": "s3:*",
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": condition,
    });
    let found = ids(B, &deny.to_string(), subject);
    match (found.contains("s3.policy.lck-01"), found.contains("s3.policy.lck-03")) {
        (true, _) => "certain",
        (false, true) => "perhaps",
        _ => "no",
    }
}

#[test]
fn what_is_known_of_every_request_of_concierge_decides_whether_it_is_locked_out() {
    for (operator, key, value, expect) in [
        ("Bool", "aws:PrincipalIsAWSService", json!("false"), "certain"),
        ("Bool", "aws:PrincipalIsAWSService", json!("true"), "no"),
        ("Bool", "aws:ViaAWSService", json!("false"), "certain"),
        ("StringEquals", "aws:PrincipalType", json!("User"), "certain"),
        ("StringEquals", "aws:PrincipalType", json!("AssumedRole"), "no"),
        ("StringEquals", "aws:ResourceAccount", json!("123456789012"), "certain"),
        ("StringNotEquals", "s3:ResourceAccount", json!("123456789012"), "no"),
        ("StringEquals", "s3:authType", json!("REST-HEADER"), "certain"),
        ("StringNotEquals", "s3:authType", json!("REST-HEADER"), "no"),
        ("StringEquals", "s3:signatureversion", json!("AWS4-HMAC-SHA256"), "certain"),
        ("IpAddress", "aws:SourceIp", json!(["0.0.0.0/0", "::/0"]), "certain"),
        ("IpAddress", "aws:SourceIp", json!(["0.0.0.0/1", "128.0.0.0/1"]), "certain"),
        ("IpAddress", "aws:SourceIp", json!(["0.0.0.0/1", "128.0.0.0/2"]), "no"),
        ("NotIpAddress", "aws:SourceIp", json!("203.0.113.0/24"), "perhaps"),
        ("Null", "aws:SourceVpce", json!("true"), "perhaps"),
        ("DateGreaterThan", "aws:CurrentTime", json!("2020-01-01T00:00:00Z"), "perhaps"),
        ("NumericGreaterThan", "aws:EpochTime", json!("1"), "perhaps"),
        ("StringEquals", "aws:RequestedRegion", json!("us-east-1"), "perhaps"),
        ("NumericGreaterThan", "s3:TlsVersion", json!("1.1"), "perhaps"),
        ("StringLike", "aws:UserAgent", json!("*"), "perhaps"),
        ("StringLike", "aws:userid", json!("AIDA*"), "perhaps"),
    ] {
        let of = |more: Value| {
            let mut condition = json!({operator: {key: value}});
            condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            lockout(&subject(B), "*", &condition)
        };
        assert_eq!(of(json!({})), expect, "{operator} {key} {value}");
        let exempt = json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/concierge"}});
        assert_eq!(of(exempt), "no", "{operator} {key} {value}, exempt");
    }
    let by_network =
        json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "Bool": {"aws:ViaAWSService": "false"}});
    assert_eq!(lockout(&subject(B), "*", &by_network), "perhaps");
}

#[test]
fn what_only_aws_knows_of_callers_is_open_there_and_missing_elsewhere() {
    for (operator, key, value) in [
        ("StringNotEquals", "aws:PrincipalOrgID", "o-abcdefghij"),
        ("StringNotEquals", "aws:ResourceOrgID", "o-abcdefghij"),
        ("StringNotEquals", "aws:PrincipalTag/team", "web"),
        ("StringNotLike", "s3:BucketTag/team", "w*"),
    ] {
        let condition = json!({operator: {key: value}});
        for (profile, expect) in
            [(Profile::Aws, "perhaps"), (Profile::Generic, "perhaps"), (Profile::Wasabi, "certain")]
        {
            assert_eq!(lockout(&Subject { profile, ..subject(B) }, "*", &condition), expect, "{key}");
        }
    }
}

#[test]
fn a_bucket_that_nobody_names_is_the_one_of_the_policy() {
    let of = |bucket, controller, resource: &str| {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource});
        let subject = Subject { bucket, controller: Some(controller), profile: Profile::Aws, ..subject(B) };
        ids(B, &deny.to_string(), &subject).contains("s3.policy.lck-01")
    };
    let (aws, china) = ("arn:aws:iam::123456789012:user/c", "arn:aws-cn:iam::123456789012:user/c");
    assert!(of(None, aws, "arn:aws:s3:::photos") && of(None, aws, "arn:aws:s3:::*"));
    assert!(!of(None, aws, "arn:aws:s3:::photos/*") && !of(Some("other"), aws, "arn:aws:s3:::photos"));
    assert!(of(None, china, "arn:aws-cn:s3:::photos"));
}

#[test]
fn a_session_is_its_role_too_whatever_the_roles_path() {
    let session = "arn:aws:sts::123456789012:assumed-role/concierge/pod";
    let subject = Subject { controller: Some(session), ..subject(B) };
    let (role, in_path, other) = (
        "arn:aws:iam::123456789012:role/concierge",
        "arn:aws:iam::123456789012:role/teams/web/concierge",
        "arn:aws:iam::123456789012:role/concierge/ann",
    );
    for (principal, expect) in [(session, "certain"), (role, "certain"), (in_path, "certain"), (other, "no")]
    {
        assert_eq!(lockout(&subject, principal, &json!({})), expect, "{principal}");
    }
    for (operator, arn, expect) in [
        ("ArnEquals", role, "certain"),
        ("ArnLike", in_path, "certain"),
        ("ArnEquals", other, "no"),
        ("ArnNotLike", role, "no"),
        ("ArnNotEquals", in_path, "no"),
        ("ArnNotLike", "arn:aws:iam::*:role/concierge", "no"),
        ("ArnNotLike", other, "certain"),
        // It is never the value of this key.
        ("ArnNotLike", session, "certain"),
        ("ArnEquals", session, "no"),
    ] {
        let condition = json!({operator: {"aws:PrincipalArn": arn}});
        assert_eq!(lockout(&subject, "*", &condition), expect, "{operator} {arn}");
    }
    assert_eq!(
        lockout(&subject, "*", &json!({"StringEquals": {"aws:PrincipalType": "AssumedRole"}})),
        "certain"
    );
}

#[test]
fn wasabi_only_warns_of_listing_all_buckets() {
    let of = |profile| ids(B, r#"{"Action": ["s3:ListAllMyBuckets"]}"#, &Subject { profile, ..subject(B) });
    assert!(of(Profile::Wasabi).contains("s3.policy.act-07-account"));
    assert!(!of(Profile::Wasabi).contains("s3.policy.act-07"));
    assert!(!of(Profile::Aws).contains("s3.policy.act-07-account"));
}

#[test]
fn a_region_is_known_where_the_providers_regions_are() {
    let of = |profile, key: &str, value: &str| {
        let change = format!(
            r#"{{"Action": ["s3:CreateBucket"], "Resource": ["arn:aws:s3:::b"], "Condition": {{"StringLike": {{"{key}": "{value}"}}}}}}"#
        );
        ids(M, &change, &Subject { profile, ..subject(M) }).contains("s3.policy.cnd-25")
    };
    for key in ["aws:RequestedRegion", "s3:LocationConstraint"] {
        for (profile, known) in [(Profile::Aws, "eu-north-1"), (Profile::Wasabi, "eu-south-1")] {
            assert!(of(profile, key, "eu-nort-1"), "{key}");
            let missing = format!(r#"{{"Condition": {{"Null": {{"{key}": "true"}}}}}}"#);
            assert!(
                !ids(M, &missing, &Subject { profile, ..subject(M) }).contains("s3.policy.cnd-25"),
                "{key}"
            );
            assert!(
                !of(profile, key, known) && !of(profile, key, "eu-*") && !of(profile, key, "${s3:prefix}")
            );
        }
        assert!(of(Profile::Wasabi, key, "eu-north-1"), "AWS has it, and Wasabi has not");
        assert!(!of(Profile::Ceph, key, "cellar"), "whoever runs the service chooses names");
    }
}

#[test]
fn a_namespace_reaches_only_its_own_buckets() {
    let own: &[&str] = &["b", "accesspoint"];
    let of = |change: &str| ids(M, change, &Subject { own_buckets: Some(own), ..subject(M) });
    for foreign in [
        r#"{"Resource": "arn:aws:s3:::other/*"}"#,
        r#"{"Resource": "arn:aws:s3:::b*"}"#,
        r#"{"Resource": "*"}"#,
        r#"{"Action": "*", "Resource": "*"}"#,
        r#"{"Resource": null, "NotResource": "arn:aws:s3:::b"}"#,
        r#"{"Action": null, "NotAction": "iam:*", "Resource": "*"}"#,
        r#"{"Resource": "arn:aws:s3:::${aws:username}/*"}"#,
        r#"{"Resource": "arn:aws:*:*:*:*"}"#,
        r#"{"Resource": "arn:aws:s*:::b/*"}"#,
        r#"{"Resource": "arn:aws:s?:::b"}"#,
        r#"{"Resource": "arn:aws:S3:::other/*"}"#,
        r#"{"Resource": "arn:aws:s3:us-east-1:123456789012:accesspoint/x/object/*"}"#,
        r#"{"Action": "s3:SomethingNew", "Resource": "*"}"#,
    ] {
        assert!(of(foreign).contains("s3.policy.ten-01"), "{foreign}");
    }
    assert!(!of("{}").contains("s3.policy.ten-01"));
    assert!(!of(r#"{"Effect": "Deny", "Resource": "*"}"#).contains("s3.policy.ten-01"));
    for power in ["iam:*", "*", "kms:CreateGrant", "sts:AssumeRole", "sts:*", "iam:PutUserPolicy"] {
        let change = format!(r#"{{"Action": "{power}", "Resource": "*"}}"#);
        assert!(of(&change).contains("s3.policy.ten-02"), "{power}");
    }
    for named in [
        r#"{"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::123456789012:user/admin"}"#,
        r#"{"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/admin"}"#,
        r#"{"Action": "iam:putrole*", "Resource": "arn:aws:iam::123456789012:role/admin"}"#,
        r#"{"Action": "sts:AssumeRole", "Resource": "arn:aws:iam::123456789012:role/admin"}"#,
        r#"{"Action": "sts:*", "Resource": "arn:aws:iam::123456789012:role/*"}"#,
        r#"{"Action": null, "NotAction": "s3:*", "Resource": "arn:aws:iam::123456789012:*"}"#,
        r#"{"Action": null, "NotAction": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:iam::123456789012:*"]}"#,
    ] {
        assert!(of(named).contains("s3.policy.ten-02"), "{named}");
    }
    assert!(!of(r#"{"Action": null, "NotAction": "s3:DeleteObject"}"#).contains("s3.policy.ten-02"));
    assert!(!of(r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}"#).contains("s3.policy.ten-02"));
}

#[test]
fn at_the_provider_of_another_namespace_nothing_but_s3_is_allowed() {
    let own: &[&str] = &["b"];
    let of = |action: &str, resource: &str, borrowed| {
        let change = format!(r#"{{"Action": "{action}", "Resource": "{resource}"}}"#);
        let subject = Subject { own_buckets: Some(own), borrowed, ..subject(M) };
        ids(M, &change, &subject).contains("s3.policy.ten-02")
    };
    for (action, resource) in [
        ("iam:GetUser", "*"),
        ("ec2:*", "*"),
        ("secretsmanager:*", "*"),
        ("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/x"),
        ("s3*:GetObject", "arn:aws:s3:::b/*"),
        ("iam Get:User", "*"),
    ] {
        assert!(of(action, resource, true) && !of(action, resource, false), "{action}");
    }
    for action in ["s3:GetObject", "S3:*"] {
        assert!(!of(action, "arn:aws:s3:::b/*", true), "{action}");
    }
}

#[test]
fn a_finding_stands_at_the_word_that_is_wrong() {
    let text = document(B, r#"{"Action": ["s3:GetObject", "s3:GetObjekt"]}"#);
    let finding = lint(&text, &subject(B)).into_iter().find(|one| one.rule.id == "s3.policy.act-05").unwrap();
    assert_eq!(&text[finding.span], "\"s3:GetObjekt\"");
    assert_eq!(finding.message, "S3 has no action \"s3:GetObjekt\"; did you mean s3:GetObject?");
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_looked_at_without_panic(text in "\\PC{0,200}") {
            for kind in [B, M, N] {
                lint(&text, &subject(kind));
            }
        }

        #[test]
        fn in_any_word_is_looked_at_without_panic(
            element in "(Sid|Effect|Action|Resource|Principal)",
            word in "[a-z0-9*?:${}',/. é-]{0,40}",
            operator in "(ForAllValues:)?(StringLike|Bool|IpAddress|ArnLike|DateLessThan|Null)(IfExists)?",
        ) {
            for kind in [B, M] {
                let change = json!({element.clone(): word, "Condition": {operator.clone(): {word.clone(): word}}});
                lint(&document(kind, &change.to_string()), &subject(kind));
            }
        }
    }
}
