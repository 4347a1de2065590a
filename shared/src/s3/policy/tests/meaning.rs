//! What a document comes to: whom it lets in, whether two say the same, what it says of a request.

use super::{super::*, B, document};

fn check_public(statement: &str, expect: bool) {
    let text = document(B, statement);
    assert_eq!(is_public(&parse(&text, B).unwrap()), expect, "{statement}");
}

#[test]
fn public_is_what_block_public_access_means_by_it() {
    check_public(r#"{"Principal": "*"}"#, true);
    check_public(r#"{"Principal": {"AWS": ["*"]}}"#, true);
    check_public("{}", false);
    check_public(r#"{"Effect": "Deny", "Principal": "*"}"#, false);
    let with = |operator: &str, key: &str, value: &str| {
        format!(r#"{{"Principal": "*", "Condition": {{"{operator}": {{"{key}": "{value}"}}}}}}"#)
    };
    check_public(&with("StringEquals", "aws:SourceVpc", "vpc-12345678"), false);
    check_public(&with("StringLike", "aws:SourceVpc", "vpc-*"), true);
    check_public(&with("StringEquals", "aws:SourceVpc", "vpc-*"), true);
    check_public(&with("StringEqualsIfExists", "aws:SourceVpc", "vpc-12345678"), true);
    check_public(&with("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-12345678"), true);
    check_public(&with("StringNotEquals", "aws:SourceVpc", "vpc-12345678"), true);
    check_public(&with("StringEquals", "aws:username", "ann"), true);
    check_public(&with("StringEquals", "aws:PrincipalOrgID", "o-1234567890"), false);
    check_public(&with("StringEquals", "aws:PrincipalOrgID", "${aws:PrincipalOrgID}"), true);
    check_public(&with("StringEquals", "aws:userid", "AROAEXAMPLE:*"), true);
    check_public(&with("IpAddress", "aws:SourceIp", "0.0.0.0/1"), true);
    check_public(&with("IpAddress", "aws:SourceIp", "203.0.0.0/8"), false);
    check_public(&with("IpAddress", "aws:SourceIp", "172.16.0.0/12"), false);
    check_public(&with("IpAddress", "aws:SourceIp", "2001::/16"), true);
    check_public(&with("NotIpAddress", "aws:SourceIp", "203.0.113.1"), true);
    check_public(
        &with("ArnLike", "s3:DataAccessPointArn", "arn:aws:s3:us-east-1:123456789012:accesspoint/*"),
        false,
    );
    check_public(&with("ArnLike", "s3:DataAccessPointArn", "arn:aws:s3:*:123456789012:accesspoint/*"), true);
    check_public(&with("Bool", "aws:SecureTransport", "true"), true);
}

fn check_equal(a: &str, b: &str, expect: bool) {
    let (a, b) = (document(B, a), document(B, b));
    let (a, b) = (parse(&a, B).unwrap(), parse(&b, B).unwrap());
    assert_eq!(equal(&a, &b), expect);
    assert_eq!(equal(&b, &a), expect);
}

#[test]
fn documents_are_compared_by_what_they_say() {
    check_equal(r#"{"Action": "s3:GetObject"}"#, r#"{"Action": ["s3:getobject"]}"#, true);
    check_equal(r#"{"Sid": "a"}"#, r#"{"Sid": ""}"#, true);
    check_equal(r#"{"Principal": "*"}"#, r#"{"Principal": {"AWS": "*"}}"#, true);
    check_equal(
        r#"{"Principal": {"AWS": "123456789012"}}"#,
        r#"{"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}"#,
        true,
    );
    check_equal(
        r#"{"Condition": {"Bool": {"aws:SecureTransport": true}}}"#,
        r#"{"Condition": {"Bool": {"AWS:securetransport": ["true"]}}}"#,
        true,
    );
    check_equal(
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.7/24"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#,
        true,
    );
    check_equal(r#"{"Resource": "arn:aws:s3:::b/a"}"#, r#"{"Resource": "arn:aws:s3:::b/A"}"#, false);
    check_equal("{}", r#"{"Effect": "Deny"}"#, false);
    check_equal("{}", r#"{"Action": null, "NotAction": ["s3:GetObject"]}"#, false);
}

fn check_decision(statement: &str, action: &str, key: &str, address: &str, expect: decide::Decision) {
    let text = document(B, statement);
    let resource = format!("arn:aws:s3:::b/{key}");
    let context = [("aws:sourceip", address), ("aws:username", "ann"), ("aws:securetransport", "true")];
    let request = decide::Request {
        principal: Some("arn:aws:iam::123456789012:user/ann"),
        action,
        resource: &resource,
        context: context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect(),
    };
    assert_eq!(decide::decide(&parse(&text, B).unwrap(), &request), expect, "{statement}");
}

#[test]
fn a_request_is_decided_as_a_provider_does() {
    use decide::Decision::{Allow, Deny, None};
    check_decision("{}", "s3:GetObject", "k", "203.0.113.1", Allow);
    check_decision("{}", "s3:PutObject", "k", "203.0.113.1", None);
    check_decision(r#"{"Effect": "Deny", "Action": "s3:Get*"}"#, "s3:GetObject", "k", "203.0.113.1", Deny);
    check_decision(r#"{"Principal": {"AWS": "123456789012"}}"#, "s3:GetObject", "k", "203.0.113.1", Allow);
    check_decision(r#"{"Principal": {"AWS": "210987654321"}}"#, "s3:GetObject", "k", "203.0.113.1", None);
    check_decision(
        r#"{"Resource": "arn:aws:s3:::b/${aws:username}/*"}"#,
        "s3:GetObject",
        "ann/x",
        "203.0.113.1",
        Allow,
    );
    check_decision(
        r#"{"Resource": "arn:aws:s3:::b/${aws:username}/*"}"#,
        "s3:GetObject",
        "bob/x",
        "203.0.113.1",
        None,
    );
    let inside = r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#;
    check_decision(inside, "s3:GetObject", "k", "203.0.113.1", Allow);
    check_decision(inside, "s3:GetObject", "k", "198.51.100.1", None);
    let insecure = r#"{"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#;
    check_decision(insecure, "s3:GetObject", "k", "203.0.113.1", None);
    let missing = r#"{"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}"#;
    check_decision(missing, "s3:GetObject", "k", "203.0.113.1", None);
    let if_exists = r#"{"Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/team": "a"}}}"#;
    check_decision(if_exists, "s3:GetObject", "k", "203.0.113.1", Allow);
}
