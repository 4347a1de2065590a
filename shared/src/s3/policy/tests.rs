//! Documents, the rules that they break, and near misses that break nothing.

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

const STATEMENTS: &[Row] = &[
    ("doc-01", B, "\u{feff}{}", "{}"),
    ("doc-02", B, r#"{"Version": "2012-10-17", "Statement": [],}"#, "{}"),
    ("doc-02", B, r#"{"Version": "2012-10-17" /* why */}"#, "{}"),
    ("doc-02", B, r#"{"Version": NaN}"#, "{}"),
    ("doc-03", B, r#"{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}"#, "{}"),
    (
        "doc-04",
        B,
        r#"{"Version": "2012-10-17", "Statement": [], "Comment": "x"}"#,
        r#"{"Version": "2012-10-17", "Statement": [], "Id": "x"}"#,
    ),
    ("doc-05", B, r#"{"effect": "Allow"}"#, "{}"),
    (
        "doc-06",
        B,
        r#"{"Version": "2012-10-18", "Statement": []}"#,
        r#"{"Version": "2008-10-17", "Statement": []}"#,
    ),
    ("doc-07", B, r#"{"Statement": []}"#, "{}"),
    ("doc-07-identity", M, r#"{"Statement": []}"#, "{}"),
    (
        "doc-08",
        B,
        r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:userid}"}}"#,
        r#"{"Version": "2008-10-17", "Statement": []}"#,
    ),
    ("doc-09", M, r#"{"Version": "2012-10-17", "Id": "x", "Statement": []}"#, "{}"),
    ("doc-10", B, r#"{"Version": "2012-10-17"}"#, "{}"),
    ("doc-11", B, r#"{"Version": "2012-10-17", "Statement": []}"#, "{}"),
    ("doc-11", B, "[]", "{}"),
    (
        "doc-12",
        B,
        r#"{"Condition": {"Bool": {"a:b": [[[[[["x"]]]]]]}}}"#,
        r#"{"Condition": {"Bool": {"a:b": ["true"]}}}"#,
    ),
    ("doc-13", B, r#"{"Action": 7}"#, "{}"),
    ("stm-01", B, r#"{"Comment": "x"}"#, r#"{"Sid": "x"}"#),
    ("stm-02", B, r#"{"Effect": "allow"}"#, r#"{"Effect": "Deny"}"#),
    ("stm-02", B, r#"{"Effect": null}"#, "{}"),
    ("stm-03", B, r#"{"NotAction": "s3:GetObject"}"#, r#"{"Action": null, "NotAction": "s3:GetObject"}"#),
    ("stm-03", B, r#"{"Action": null}"#, "{}"),
    ("stm-04", B, r#"{"Resource": null}"#, "{}"),
    ("stm-05", B, r#"{"Principal": null}"#, "{}"),
    ("stm-05", M, r#"{"Principal": "*"}"#, "{}"),
    ("stm-06", M, r#"{"Sid": "a b"}"#, r#"{"Sid": "ab1"}"#),
    ("stm-06", B, r#"{"Sid": "ä"}"#, r#"{"Sid": "a b"}"#),
    ("stm-06-bucket", B, r#"{"Sid": "a b"}"#, r#"{"Sid": "ab"}"#),
    (
        "stm-07",
        M,
        r#"{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}, {"Sid": "a", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"}]}"#,
        r#"{"Sid": "a"}"#,
    ),
    (
        "stm-07-bucket",
        B,
        r#"{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}, {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"}]}"#,
        r#"{"Sid": "a"}"#,
    ),
    ("stm-08", B, r#"{"Sid": ""}"#, r#"{"Sid": "a"}"#),
    ("stm-09", B, r#"{"Action": []}"#, r#"{"Action": ["s3:GetObject"]}"#),
    ("stm-09", B, r#"{"Resource": ""}"#, "{}"),
    (
        "stm-10",
        B,
        r#"{"Action": ["s3:GetObject", "s3:GetObject"]}"#,
        r#"{"Action": ["s3:GetObject", "s3:PutObject"]}"#,
    ),
    (
        "stm-11",
        M,
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:getobject"], "Resource": "arn:aws:s3:::b/*"}, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}"#,
        "{}",
    ),
    (
        "stm-12",
        B,
        r#"{"Principal": null, "NotPrincipal": {"AWS": "123456789012"}}"#,
        r#"{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "123456789012"}}"#,
    ),
    (
        "stm-13",
        B,
        r#"{"Action": null, "NotAction": "s3:GetObject"}"#,
        r#"{"Effect": "Deny", "Action": null, "NotAction": "s3:GetObject"}"#,
    ),
    (
        "stm-14",
        B,
        r#"{"Resource": null, "NotResource": "arn:aws:s3:::b/x"}"#,
        r#"{"Effect": "Deny", "Resource": null, "NotResource": "arn:aws:s3:::b/x"}"#,
    ),
    (
        "stm-15",
        B,
        r#"{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "123456789012"}}"#,
        r#"{"Effect": "Deny"}"#,
    ),
    ("stm-16", B, r#"{"Condition": {}}"#, r#"{"Condition": {"Bool": {"aws:SecureTransport": "true"}}}"#),
    ("prn-01", B, r#"{"Principal": "123456789012"}"#, r#"{"Principal": {"AWS": "123456789012"}}"#),
    ("prn-02", B, r#"{"Principal": {"User": "x"}}"#, r#"{"Principal": {"AWS": "123456789012"}}"#),
    ("prn-03", B, r#"{"Principal": {}}"#, "{}"),
    ("prn-03", B, r#"{"Principal": {"AWS": []}}"#, "{}"),
    (
        "prn-04",
        B,
        r#"{"Principal": {"AWS": "ann"}}"#,
        r#"{"Principal": {"AWS": "arn:aws:sts::123456789012:assumed-role/r/s"}}"#,
    ),
    (
        "prn-04",
        B,
        r#"{"Principal": {"AWS": "arn:aws:iam::123456789012:policy/x"}}"#,
        r#"{"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}"#,
    ),
    ("prn-05", B, r#"{"Principal": {"AWS": "arn:aws:iam::123456789012:group/x"}}"#, "{}"),
    (
        "prn-06",
        B,
        r#"{"Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}}"#,
        r#"{"Principal": {"AWS": "*"}}"#,
    ),
    ("prn-07", B, r#"{"Principal": {"AWS": ["*", "123456789012"]}}"#, r#"{"Principal": {"AWS": ["*"]}}"#),
    ("prn-08", B, r#"{"Principal": {"AWS": "AIDACKCEVSQ6C2EXAMPLE"}}"#, "{}"),
    (
        "prn-09",
        B,
        r#"{"Principal": {"Service": "cloudfront"}}"#,
        r#"{"Principal": {"Service": "cloudfront.amazonaws.com"}}"#,
    ),
    (
        "prn-10",
        B,
        r#"{"Principal": {"Service": "logging.s3.amazonaws.com"}}"#,
        r#"{"Principal": {"Service": "logging.s3.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}"#,
    ),
    (
        "prn-11",
        B,
        r#"{"Principal": {"Service": "ses.amazonaws.com"}, "Condition": {"StringEquals": {"aws:Referer": "123456789012"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:Referer": "x"}}}"#,
    ),
    ("prn-12", B, r#"{"Principal": {"Federated": "accounts.google.com"}}"#, "{}"),
    (
        "prn-13",
        B,
        r#"{"Principal": {"CanonicalUser": "abc"}}"#,
        r#"{"Principal": {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}}"#,
    ),
    ("prn-14", B, r#"{"Principal": {"AWS": "12345"}}"#, r#"{"Principal": {"AWS": "123456789012"}}"#),
    ("prn-16", B, r#"{"Principal": {"AWS": "arn:aws-cn:iam::123456789012:root"}}"#, "{}"),
    (
        "prn-17",
        B,
        r#"{"Principal": {"Service": "cloudfront.amazonaws.com"}, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}"#,
    ),
    ("act-01", B, r#"{"Action": "GetObject"}"#, r#"{"Action": "S3:getobject"}"#),
    ("act-01", B, r#"{"Action": "s3:Get:Object"}"#, "{}"),
    ("act-03", M, r#"{"Action": "s3s:GetObject"}"#, r#"{"Action": "sns:Publish", "Resource": "*"}"#),
    (
        "act-03-unknown",
        M,
        r#"{"Action": "zebra:Run", "Resource": "*"}"#,
        r#"{"Action": "ec2:Run", "Resource": "*"}"#,
    ),
    ("act-04", M, r#"{"Action": "s*:Get*", "Resource": "*"}"#, r#"{"Action": "s3:Get*", "Resource": "*"}"#),
    ("act-05", B, r#"{"Action": "s3:GetObjekt"}"#, r#"{"Action": "s3:GetObject*"}"#),
    ("act-05-identity", M, r#"{"Action": "s3:GetObjekt"}"#, "{}"),
    ("act-06", B, r#"{"Action": "sqs:SendMessage"}"#, "{}"),
    ("act-06-all", B, r#"{"Action": "*"}"#, r#"{"Action": "s3:*"}"#),
    (
        "act-07",
        B,
        r#"{"Action": ["s3:ListAllMyBuckets"]}"#,
        r#"{"Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "act-08",
        B,
        r#"{"Action": ["s3:CreateBucket"], "Resource": "arn:aws:s3:::b"}"#,
        r#"{"Action": ["s3:DeleteBucket"], "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "act-09",
        B,
        r#"{"Action": "s3:ListBucket"}"#,
        r#"{"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "act-09-identity",
        M,
        r#"{"Resource": "arn:aws:s3:::b"}"#,
        r#"{"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
    ),
    (
        "act-10",
        B,
        r#"{"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
        r#"{"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
    ),
    (
        "act-11",
        B,
        r#"{"Action": ["s3:Get*", "s3:GetObject"]}"#,
        r#"{"Action": ["s3:GetObjectAcl", "s3:GetObject"]}"#,
    ),
    ("act-12", M, r#"{"Action": "s3:*"}"#, r#"{"Effect": "Deny", "Action": "s3:*"}"#),
    ("act-13", B, r#"{"Action": "s3:HeadObject"}"#, "{}"),
    (
        "act-14",
        B,
        r#"{"Principal": {"AWS": "210987654321"}, "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
        r#"{"Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "act-14-public",
        B,
        r#"{"Principal": "*", "Action": "s3:PutObjectAcl"}"#,
        r#"{"Action": "s3:PutObjectAcl"}"#,
    ),
    (
        "act-15",
        M,
        r#"{"Action": "s3:PutLifecycleConfiguration", "Resource": "arn:aws:s3:::b"}"#,
        r#"{"Action": ["s3:PutLifecycleConfiguration", "s3:DeleteObject"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
    ),
    (
        "act-15",
        M,
        r#"{"Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
        r#"{"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "act-16",
        M,
        r#"{"Action": "iam:PassRole", "Resource": "*"}"#,
        r#"{"Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}"#,
    ),
    (
        "act-17",
        M,
        r#"{"Action": "iam:CreateAccessKey", "Resource": "*"}"#,
        r#"{"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::123456789012:user/ann"}"#,
    ),
    ("res-01", B, r#"{"Resource": "b/*"}"#, "{}"),
    ("res-01", B, r#"{"Resource": "arn:aws:s3:b/*"}"#, "{}"),
    ("res-02", B, r#"{"Resource": "arn:aws-cn:s3:::b/*"}"#, "{}"),
    ("res-03", M, r#"{"Resource": "arn:aws:S3:::b/*"}"#, "{}"),
    ("res-04", B, r#"{"Resource": "arn:aws:s3:us-east-1::b/*"}"#, "{}"),
    (
        "res-04",
        M,
        r#"{"Resource": "arn:aws:s3::123456789012:b/*"}"#,
        r#"{"Resource": "arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/*"}"#,
    ),
    (
        "res-05",
        M,
        r#"{"Action": "iam:GetUser", "Resource": "arn:aws:iam:eu-west-1:123456789012:user/ann"}"#,
        r#"{"Action": "iam:GetUser", "Resource": "arn:aws:iam::123456789012:user/ann"}"#,
    ),
    (
        "res-05",
        M,
        r#"{"Action": "iam:GetUser", "Resource": "arn:aws:iam::123456789012:person/ann"}"#,
        r#"{"Action": "iam:GetUser", "Resource": "arn:aws:iam::123456789012:*"}"#,
    ),
    (
        "res-06",
        M,
        r#"{"Action": "iam:GetUser", "Resource": "arn:aws:iam::1234:user/ann"}"#,
        r#"{"Action": "iam:GetPolicy", "Resource": "arn:aws:iam::aws:policy/x"}"#,
    ),
    ("res-07", B, r#"{"Resource": "arn:aws:s3:::b-other/*"}"#, r#"{"Resource": "arn:aws:s3:::b/other/*"}"#),
    ("res-07", B, r#"{"Resource": "arn:aws:s3:::*/x"}"#, "{}"),
    ("res-08", B, r#"{"Resource": "*"}"#, "{}"),
    ("res-09", M, r#"{"Resource": "arn:aws:s3:::/x"}"#, "{}"),
    ("res-11", M, r#"{"Resource": "arn:aws:s3:::b*"}"#, r#"{"Resource": "arn:aws:s3:::b/*"}"#),
    ("res-12", M, r#"{"Resource": "*"}"#, r#"{"Effect": "Deny", "Resource": "*"}"#),
    ("res-12", M, r#"{"Resource": "arn:aws:s3:::*/*"}"#, r#"{"Resource": "arn:aws:s3:::b/*"}"#),
    (
        "res-13",
        B,
        r#"{"Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b/x"]}"#,
        r#"{"Resource": ["arn:aws:s3:::b/y", "arn:aws:s3:::b/x"]}"#,
    ),
    ("res-14", B, r#"{"Resource": "arn:aws:kms:us-east-1:123456789012:key/x"}"#, "{}"),
    ("res-15", B, r#"{"Resource": "arn:aws:s3:us-east-1:123456789012:accesspoint/x"}"#, "{}"),
    (
        "cnd-01",
        B,
        r#"{"Condition": {"StringEqual": {"aws:PrincipalTag/a": "x"}}}"#,
        r#"{"Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/a": "x"}}}"#,
    ),
    (
        "cnd-03",
        B,
        r#"{"Condition": {"NullIfExists": {"aws:SourceIp": "true"}}}"#,
        r#"{"Condition": {"Null": {"aws:SourceIp": "true"}}}"#,
    ),
    (
        "cnd-04",
        B,
        r#"{"Condition": {"ForAnyValue:Null": {"aws:TagKeys": "true"}}}"#,
        r#"{"Condition": {"Null": {"aws:TagKeys": "true"}}}"#,
    ),
    (
        "cnd-05",
        B,
        r#"{"Condition": {"StringEquals": {"aws:username": "a", "AWS:UserName": "b"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:username": ["a", "b"]}}}"#,
    ),
    ("cnd-05", B, r#"{"Condition": {"StringEquals": {"username": "a"}}}"#, "{}"),
    (
        "cnd-06",
        B,
        r#"{"Condition": {"NumericEquals": {"s3:max-keys": [1, "2"]}}}"#,
        r#"{"Condition": {"NumericEquals": {"s3:max-keys": [1, 2]}}}"#,
    ),
    (
        "cnd-07",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIpp": "203.0.113.1"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:sourceip": "203.0.113.1"}}}"#,
    ),
    ("cnd-07-unknown", B, r#"{"Condition": {"StringEquals": {"aws:SomethingNew": "x"}}}"#, "{}"),
    (
        "cnd-08",
        B,
        r#"{"Condition": {"StringEquals": {"s3:prefx": "x"}}}"#,
        r#"{"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": {"StringEquals": {"s3:prefix": "x"}}}"#,
    ),
    ("cnd-08-unknown", B, r#"{"Condition": {"StringEquals": {"s3:SomethingNew": "x"}}}"#, "{}"),
    (
        "cnd-09",
        B,
        r#"{"Condition": {"StringEquals": {"aws:SourceIp": "203.0.113.1"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.1"}}}"#,
    ),
    (
        "cnd-09-usable",
        B,
        r#"{"Condition": {"StringEquals": {"aws:SecureTransport": "true"}}}"#,
        r#"{"Condition": {"Bool": {"aws:SecureTransport": "true"}}}"#,
    ),
    (
        "cnd-10",
        B,
        r#"{"Condition": {"Bool": {"aws:SecureTransport": "yes"}}}"#,
        r#"{"Condition": {"Bool": {"aws:SecureTransport": true}}}"#,
    ),
    (
        "cnd-11",
        B,
        r#"{"Condition": {"NumericLessThan": {"s3:TlsVersion": "one"}}}"#,
        r#"{"Condition": {"NumericLessThan": {"s3:TlsVersion": "-1.2"}}}"#,
    ),
    (
        "cnd-12",
        B,
        r#"{"Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}}"#,
        r#"{"Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-31T00:00:00Z"}}}"#,
    ),
    (
        "cnd-12-epoch",
        B,
        r#"{"Condition": {"DateLessThan": {"aws:CurrentTime": "1900000000"}}}"#,
        r#"{"Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-31"}}}"#,
    ),
    (
        "cnd-13",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.1/40"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "2001:db8::/33"}}}"#,
    ),
    (
        "cnd-13-host",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.1/24"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#,
    ),
    (
        "cnd-14",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "11.0.0.0/8"}}}"#,
    ),
    (
        "cnd-14-mixed",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]}}}"#,
        "{}",
    ),
    (
        "cnd-15",
        B,
        r#"{"Condition": {"BinaryEquals": {"x:y": "not base64"}}}"#,
        r#"{"Condition": {"BinaryEquals": {"x:y": "QmFzZTY0"}}}"#,
    ),
    (
        "cnd-16",
        B,
        r#"{"Condition": {"ArnLike": {"aws:SourceArn": "b"}}}"#,
        r#"{"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:*"}}}"#,
    ),
    (
        "cnd-17",
        B,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "curl*"}}}"#,
        r#"{"Condition": {"StringLike": {"aws:UserAgent": "curl*"}}}"#,
    ),
    (
        "cnd-18",
        B,
        r#"{"Condition": {"ForAllValues:StringEquals": {"aws:UserAgent": "x"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "x"}}}"#,
    ),
    (
        "cnd-19",
        B,
        r#"{"Condition": {"StringEquals": {"aws:TagKeys": "x"}}}"#,
        r#"{"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}}}"#,
    ),
    ("cnd-20", B, r#"{"Condition": {"StringEquals": {"aws:UserAgent": []}}}"#, "{}"),
    (
        "cnd-21",
        B,
        r#"{"Condition": {"StringEquals": {"aws:PrincipalTag/": "x"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}"#,
    ),
    (
        "cnd-22",
        B,
        r#"{"Condition": {"StringEquals": {"aws:SourceVpce": "vpc-12345678"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-12345678"}}}"#,
    ),
    (
        "cnd-23",
        B,
        r#"{"Condition": {"StringEquals": {"aws:SourceAccount": "1234"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}"#,
    ),
    (
        "cnd-24",
        B,
        r#"{"Condition": {"StringEquals": {"aws:PrincipalOrgID": "acme"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}"#,
    ),
    ("cnd-26", B, r#"{"Condition": {"StringEquals": {"s3:ResourceAccount": "123456789012"}}}"#, "{}"),
    (
        "cnd-27",
        B,
        r#"{"Condition": {"StringEquals": {"s3:prefix": "x"}}}"#,
        r#"{"Condition": {"StringEquals": {"s3:ExistingObjectTag/a": "x"}}}"#,
    ),
    (
        "cnd-27-deny",
        B,
        r#"{"Effect": "Deny", "Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}}"#,
        r#"{"Effect": "Deny", "Action": "s3:PutObject", "Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}}"#,
    ),
    (
        "cnd-28",
        B,
        r#"{"Condition": {"IpAddress": {"aws:VpcSourceIp": "10.0.0.1"}}}"#,
        r#"{"Condition": {"IpAddress": {"aws:VpcSourceIp": "10.0.0.1"}, "StringEquals": {"aws:SourceVpc": "vpc-12345678"}}}"#,
    ),
    (
        "cnd-29",
        B,
        r#"{"Effect": "Deny", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}"#,
        r#"{"Effect": "Deny", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}"#,
    ),
    (
        "cnd-30",
        B,
        r#"{"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
    ),
    (
        "cnd-31",
        B,
        r#"{"Condition": {"NumericLessThan": {"s3:TlsVersion": [1, 2]}}}"#,
        r#"{"Condition": {"NumericLessThan": {"s3:TlsVersion": [1]}}}"#,
    ),
    ("var-02", B, r#"{"Action": "s3:${aws:username}"}"#, r#"{"Resource": "arn:aws:s3:::b/${aws:username}"}"#),
    (
        "var-02",
        B,
        r#"{"Condition": {"IpAddress": {"aws:SourceIp": "${aws:username}"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "${aws:username}"}}}"#,
    ),
    (
        "var-03",
        B,
        r#"{"Resource": "arn:aws:s3:::b/${aws:username"}"#,
        r#"{"Resource": "arn:aws:s3:::b/${aws:username, 'x'}"}"#,
    ),
    ("var-03", B, r#"{"Resource": "arn:aws:s3:::b/${}"}"#, r#"{"Resource": "arn:aws:s3:::b/${*}"}"#),
    (
        "var-05",
        B,
        r#"{"Resource": "arn:aws:s3:::b/${aws:TagKeys}"}"#,
        r#"{"Resource": "arn:aws:s3:::b/${aws:userid}"}"#,
    ),
    (
        "var-07",
        B,
        r#"{"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/a}"}"#,
        r#"{"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/a, 'x'}"}"#,
    ),
    (
        "pub-02",
        B,
        r#"{"Principal": "*"}"#,
        r#"{"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#,
    ),
    (
        "lck-01",
        B,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b"], "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/concierge"}}}"#,
    ),
    (
        "lck-01",
        B,
        r#"{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/ann"}, "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
        r#"{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/concierge"}, "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::b"}"#,
    ),
    (
        "lck-03",
        B,
        r#"{"Effect": "Deny", "Principal": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/concierge"}}}"#,
    ),
    (
        "sec-01",
        B,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "AKIAIOSFODNN7EXAMPLE"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "AKIA"}}}"#,
    ),
];

/// Ids whose documents are made, not written down.
const ELSEWHERE: &[&str] =
    &["siz-01", "siz-01-near", "siz-02", "siz-03", "res-10", "act-07-account", "ten-01", "ten-02"];

#[test]
fn every_rule_finds_its_document_and_leaves_the_near_miss() {
    for (rule, kind, bad, good) in STATEMENTS {
        let (rule, subject) = (format!("s3.policy.{rule}"), subject(*kind));
        let (bad, good) = (ids(*kind, bad, &subject), ids(*kind, good, &subject));
        assert!(bad.contains(&*rule), "{rule} is not found: {bad:?}");
        assert!(!good.contains(&*rule), "{rule} is found in the near miss");
    }
}

#[test]
fn every_rule_has_a_document() {
    let covered: BTreeSet<_> = STATEMENTS.iter().map(|row| row.0).chain(ELSEWHERE.iter().copied()).collect();
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
    let sized = |kind, bytes: usize, beside| {
        let subject = Subject { inline_beside: beside, ..subject(kind) };
        let empty = document(kind, r#"{"Sid": ""}"#).len();
        ids(kind, &format!(r#"{{"Sid": "{}"}}"#, "a".repeat(bytes - empty)), &subject)
    };
    assert!(!sized(B, 16_384, 0).contains("s3.policy.siz-01-near"));
    assert!(sized(B, 16_385, 0).contains("s3.policy.siz-01-near"));
    assert!(!sized(B, 20_480, 0).contains("s3.policy.siz-01"));
    assert!(sized(B, 20_481, 0).contains("s3.policy.siz-01"));
    assert!(!sized(M, 6_144, 0).contains("s3.policy.siz-02"));
    assert!(sized(M, 6_145, 0).contains("s3.policy.siz-02"));
    assert!(!sized(N, 1_048, 1_000).contains("s3.policy.siz-03"));
    assert!(sized(N, 1_049, 1_000).contains("s3.policy.siz-03"));
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
fn wasabi_only_warns_of_listing_all_buckets() {
    let of = |profile| ids(B, r#"{"Action": ["s3:ListAllMyBuckets"]}"#, &Subject { profile, ..subject(B) });
    assert!(of(Profile::Wasabi).contains("s3.policy.act-07-account"));
    assert!(!of(Profile::Wasabi).contains("s3.policy.act-07"));
    assert!(!of(Profile::Aws).contains("s3.policy.act-07-account"));
}

#[test]
fn a_namespace_reaches_only_its_own_buckets() {
    let own: &[&str] = &["b"];
    let of = |change: &str| ids(M, change, &Subject { own_buckets: Some(own), ..subject(M) });
    for foreign in [
        r#"{"Resource": "arn:aws:s3:::other/*"}"#,
        r#"{"Resource": "arn:aws:s3:::b*"}"#,
        r#"{"Resource": "*"}"#,
        r#"{"Action": "*", "Resource": "*"}"#,
        r#"{"Resource": null, "NotResource": "arn:aws:s3:::b"}"#,
        r#"{"Action": null, "NotAction": "iam:*", "Resource": "*"}"#,
        r#"{"Resource": "arn:aws:s3:::${aws:username}/*"}"#,
    ] {
        assert!(of(foreign).contains("s3.policy.ten-01"), "{foreign}");
    }
    assert!(!of("{}").contains("s3.policy.ten-01"));
    assert!(!of(r#"{"Effect": "Deny", "Resource": "*"}"#).contains("s3.policy.ten-01"));
    for power in ["iam:*", "*", "kms:CreateGrant", "sts:AssumeRole"] {
        let change = format!(r#"{{"Action": "{power}", "Resource": "*"}}"#);
        assert!(of(&change).contains("s3.policy.ten-02"), "{power}");
    }
    assert!(!of(r#"{"Action": "iam:GetUser", "Resource": "*"}"#).contains("s3.policy.ten-02"));
}

#[test]
fn a_finding_stands_at_the_word_that_is_wrong() {
    let text = document(B, r#"{"Action": ["s3:GetObject", "s3:GetObjekt"]}"#);
    let finding = lint(&text, &subject(B)).into_iter().find(|one| one.rule.id == "s3.policy.act-05").unwrap();
    assert_eq!(&text[finding.span], "\"s3:GetObjekt\"");
    assert_eq!(finding.message, "S3 has no action \"s3:GetObjekt\"; did you mean s3:GetObject?");
}

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
