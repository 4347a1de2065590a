//! What a policy comes to: variables, size, who is let in or locked out.

use super::{B, Row};

pub(super) const ROWS: &[Row] = &[
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
        "lck-01",
        B,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b"], "Condition": {"StringEquals": {"aws:username": "concierge"}}}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b"], "Condition": {"StringNotEquals": {"aws:username": "concierge"}}}"#,
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
    (
        "sec-01",
        B,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}}"#,
        r#"{"Condition": {"StringEquals": {"aws:UserAgent": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"}}}"#,
    ),
    (
        "lck-01",
        B,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::*/*"}"#,
    ),
];
