//! Policies that are judged by us and by others: made by hand, and generated.

use fastrand::Rng;
use serde_json::{Value, json};

/// The bucket that bucket policies are about.
pub(crate) const BUCKET: &str = "photos";

/// A document with what is special about it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// With `{ann}` and `{bob}` for the ARNs of users that there are, and `{account}` for theirs.
    pub(crate) document: String,
}

/// What is special, and the elements of the sound statement that change for it, those that are null taken out; or, if it is no JSON object
/// of elements, the whole document.
type Change = (&'static str, &'static str);

/// One statement that nothing is wrong with.
fn sound() -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": "{ann}" }, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::photos/*"] })
}

fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The elements that a change is made of; `None` when it is a whole document.
fn elements(change: &str) -> Option<serde_json::Map<String, Value>> {
    let Ok(Value::Object(all)) = serde_json::from_str(change) else { return None };
    let whole = ["Version", "Statement", "statement"].iter().any(|key| all.contains_key(*key));
    (!whole && !has_twice(change)).then_some(all)
}

/// Whether an element stands there twice, which no value shows.
fn has_twice(change: &str) -> bool {
    ["Effect", "Action"].iter().any(|key| change.matches(&format!("\"{key}\"")).count() > 1)
}

fn changed(mut statement: Value, change: &serde_json::Map<String, Value>) -> Value {
    if let Some(all) = statement.as_object_mut() {
        for (key, value) in change {
            match value {
                Value::Null => drop(all.remove(key)),
                value => drop(all.insert(key.clone(), value.clone())),
            }
        }
    }
    statement
}

/// Those that were made by hand.
pub(crate) fn hand_made() -> Vec<Case> {
    let mut cases: Vec<_> = CHANGES
        .iter()
        .map(|(what, change)| {
            let document = match elements(change) {
                Some(change) => document(vec![changed(sound(), &change)]).to_string(),
                None => (*change).to_owned(),
            };
            Case { what, document }
        })
        .collect();
    let many: Vec<_> = (0..400).map(|n| format!("arn:aws:s3:::photos/{n}/{}", "x".repeat(40))).collect();
    let long = changed(sound(), json!({ "Resource": many }).as_object().unwrap_or(&serde_json::Map::new()));
    cases.push(Case { what: "more than 20,480 bytes", document: document(vec![long]).to_string() });
    cases
}

/// Generated ones: one to three sound statements, of which one is changed in two of three policies.
pub(crate) fn generated(seed: u64, count: usize) -> Vec<Case> {
    let mut rng = Rng::with_seed(seed);
    let changes: Vec<_> =
        CHANGES.iter().filter_map(|(what, change)| Some((*what, elements(change)?))).collect();
    (0..count)
        .map(|_| {
            let mut statements = statements(&mut rng);
            let mut what = "a generated policy";
            if rng.u8(0..3) > 0 {
                let (named, change) = rng.choice(&changes).cloned().unwrap_or_default();
                let one = rng.usize(0..statements.len());
                statements[one] = changed(statements[one].take(), &change);
                what = named;
            }
            Case { what, document: document(statements).to_string() }
        })
        .collect()
}

/// Sound policies alone.
pub(crate) fn sound_ones(seed: u64, count: usize) -> Vec<Case> {
    let mut rng = Rng::with_seed(seed);
    let one = |_| Case { what: "a generated policy", document: document(statements(&mut rng)).to_string() };
    (0..count).map(one).collect()
}

fn statements(rng: &mut Rng) -> Vec<Value> {
    (0..rng.usize(1..4)).map(|_| statement(rng)).collect()
}

fn pick(rng: &mut Rng, list: &[Value]) -> Value {
    rng.choice(list).cloned().unwrap_or_default()
}

/// A statement that has a meaning.
fn statement(rng: &mut Rng) -> Value {
    let principals = [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "{ann}"}),
        json!({"AWS": ["{ann}", "{bob}"]}),
        json!({"AWS": ["{bob}"]}),
    ];
    let on_objects = [
        json!("s3:GetObject"),
        json!(["s3:PutObject"]),
        json!(["s3:GetObject", "s3:DeleteObject"]),
        json!(["s3:*Object"]),
        json!(["s3:GetObject*"]),
        json!(["s3:?etObject", "s3:PutObject"]),
    ];
    let on_bucket =
        [json!("s3:ListBucket"), json!(["s3:GetBucketTagging", "s3:ListBucket"]), json!(["s3:GetBucket*"])];
    let objects = [
        json!("arn:aws:s3:::photos/*"),
        json!(["arn:aws:s3:::photos/a/*"]),
        json!(["arn:aws:s3:::photos/a/?", "arn:aws:s3:::photos/b/*"]),
        json!(["arn:aws:s3:::photos/*.jpg"]),
        json!(["arn:aws:s3:::photos/a/1"]),
    ];
    let (actions, resources) = match rng.u8(0..4) {
        0 => (pick(rng, &on_bucket), json!("arn:aws:s3:::photos")),
        1 => (json!("s3:*"), json!(["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"])),
        _ => (pick(rng, &on_objects), pick(rng, &objects)),
    };
    let effect = if rng.u8(0..4) == 0 { "Deny" } else { "Allow" };
    let mut statement = json!({
        "Effect": effect, "Principal": pick(rng, &principals), "Action": actions, "Resource": resources,
    });
    if rng.bool() {
        statement["Condition"] = pick(rng, &conditions());
    }
    statement
}

fn conditions() -> [Value; 8] {
    [
        json!({"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["127.0.0.2/32", "192.0.2.0/24"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["127.0.0.0/30"]}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
        json!({"Bool": {"aws:SecureTransport": true}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        json!({"StringLike": {"aws:UserAgent": "*"}, "IpAddress": {"aws:SourceIp": "127.0.0.0/24"}}),
    ]
}

const CHANGES: &[Change] = &[
    ("a sound policy", "{}"),
    (
        "no Version",
        r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    (
        "the Version 2020-01-01",
        r#"{"Version": "2020-01-01", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    (
        "the Version 2008-10-17",
        r#"{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    (
        "an Id",
        r#"{"Version": "2012-10-17", "Id": "one", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    (
        "a Statement that is no list",
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}}"#,
    ),
    ("an empty Statement", r#"{"Version": "2012-10-17", "Statement": []}"#),
    ("no Statement", r#"{"Version": "2012-10-17"}"#),
    (
        "elements in lower case",
        r#"{"Version": "2012-10-17", "statement": [{"effect": "Allow", "principal": "*", "action": "s3:GetObject", "resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    ("no JSON", "{nope"),
    ("nothing", ""),
    ("a list", "[]"),
    (
        "a comma at the end",
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"},]}"#,
    ),
    ("a comment", r#"{"Version": "2012-10-17", /* all */ "Statement": []}"#),
    ("a byte order mark", "\u{feff}{\"Version\": \"2012-10-17\", \"Statement\": []}"),
    (
        "an element twice",
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#,
    ),
    (
        "text behind the document",
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]} x"#,
    ),
    ("an unknown element", r#"{"Ressource": "arn:aws:s3:::photos/*"}"#),
    ("no Effect", r#"{"Effect": null}"#),
    ("the Effect allow", r#"{"Effect": "allow"}"#),
    ("no Action", r#"{"Action": null}"#),
    ("no Resource", r#"{"Resource": null}"#),
    ("no Principal", r#"{"Principal": null}"#),
    ("an empty list of actions", r#"{"Action": []}"#),
    ("an empty list of resources", r#"{"Resource": []}"#),
    ("a number as action", r#"{"Action": 7}"#),
    ("NotAction", r#"{"Action": null, "NotAction": "s3:DeleteObject"}"#),
    ("NotResource", r#"{"Resource": null, "NotResource": "arn:aws:s3:::photos/secret/*"}"#),
    ("NotPrincipal in a Deny", r#"{"Effect": "Deny", "Principal": null, "NotPrincipal": {"AWS": "{ann}"}}"#),
    ("Action and NotAction", r#"{"NotAction": "s3:DeleteObject"}"#),
    ("a Sid with a space", r#"{"Sid": "for ann"}"#),
    ("an action without its service", r#"{"Action": "GetObject"}"#),
    ("a misspelt action", r#"{"Action": "s3:GetObjekt"}"#),
    ("an action of another service", r#"{"Action": "ec2:RunInstances"}"#),
    ("an action in lower case", r#"{"Action": "s3:getobject"}"#),
    ("the action *", r#"{"Action": "*"}"#),
    ("the action s3:*", r#"{"Action": "s3:*"}"#),
    ("a pattern that fits no action", r#"{"Action": "s3:Fetch*"}"#),
    ("a call that is no action", r#"{"Action": "s3:HeadObject"}"#),
    ("an action of the account", r#"{"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::photos"}"#),
    ("an action of buckets on objects", r#"{"Action": "s3:ListBucket"}"#),
    ("an action of objects on the bucket", r#"{"Resource": "arn:aws:s3:::photos"}"#),
    ("the resource *", r#"{"Resource": "*"}"#),
    ("another bucket", r#"{"Resource": "arn:aws:s3:::other/*"}"#),
    ("a bucket whose name begins alike", r#"{"Resource": "arn:aws:s3:::photos-2/*"}"#),
    ("a pattern of buckets", r#"{"Resource": "arn:aws:s3:::photos*"}"#),
    ("a resource that is no ARN", r#"{"Resource": "photos/*"}"#),
    ("a region in an ARN", r#"{"Resource": "arn:aws:s3:us-east-1::photos/*"}"#),
    ("another partition", r#"{"Resource": "arn:aws-cn:s3:::photos/*"}"#),
    ("a resource of another service", r#"{"Resource": "arn:aws:sqs:us-east-1:123456789012:queue"}"#),
    ("a user that is not there", r#"{"Principal": {"AWS": "arn:aws:iam::{account}:user/nobody"}}"#),
    ("a principal that is a bare name", r#"{"Principal": {"AWS": "ann"}}"#),
    ("a pattern of principals", r#"{"Principal": {"AWS": "arn:aws:iam::{account}:user/*"}}"#),
    ("* beside a user", r#"{"Principal": {"AWS": ["*", "{ann}"]}}"#),
    ("the own account", r#"{"Principal": {"AWS": "arn:aws:iam::{account}:root"}}"#),
    ("the id of the own account", r#"{"Principal": {"AWS": "{account}"}}"#),
    ("a group as principal", r#"{"Principal": {"AWS": "arn:aws:iam::{account}:group/all"}}"#),
    (
        "a service as principal",
        r#"{"Principal": {"Service": "cloudtrail.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}"#,
    ),
    ("an empty Principal", r#"{"Principal": {}}"#),
    ("a list as Principal", r#"{"Principal": ["{ann}"]}"#),
    ("the key aws of a Principal", r#"{"Principal": {"aws": "{ann}"}}"#),
    ("an empty Condition", r#"{"Condition": {}}"#),
    ("a misspelt operator", r#"{"Condition": {"StringEqual": {"aws:SourceIp": "192.0.2.1"}}}"#),
    ("an operator in lower case", r#"{"Condition": {"ipaddress": {"aws:SourceIp": "192.0.2.1"}}}"#),
    ("NullIfExists", r#"{"Condition": {"NullIfExists": {"aws:UserAgent": "true"}}}"#),
    ("an unknown aws: key", r#"{"Condition": {"StringEquals": {"aws:Moon": "full"}}}"#),
    (
        "a key that the service does not have",
        r#"{"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}"#,
    ),
    ("a key of other actions", r#"{"Condition": {"StringEquals": {"s3:prefix": "a/"}}}"#),
    ("an address that is none", r#"{"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2"}}}"#),
    ("a range that is none", r#"{"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/33"}}}"#),
    ("a text compared with an address", r#"{"Condition": {"StringEquals": {"aws:SourceIp": "192.0.2.1"}}}"#),
    ("a date that is none", r#"{"Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}}"#),
    ("a Bool that is neither", r#"{"Condition": {"Bool": {"aws:SecureTransport": "maybe"}}}"#),
    ("a condition's value that is null", r#"{"Condition": {"StringEquals": {"aws:UserAgent": [null]}}}"#),
    ("an address of a private network", r#"{"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}"#),
    ("a variable in a resource", r#"{"Resource": "arn:aws:s3:::photos/${aws:username}/*"}"#),
    ("a variable that is none", r#"{"Resource": "arn:aws:s3:::photos/${aws:username/*"}"#),
];

/// The same without principals, as policies of users are; `None` when only its principals are special.
pub(crate) fn identity(case: &Case) -> Option<Case> {
    let of_principals = CHANGES.iter().any(|(what, change)| {
        *what == case.what
            && elements(change).is_some_and(|all| all.keys().any(|key| key.ends_with("Principal")))
    });
    if of_principals {
        return None;
    }
    let Ok(mut document) = serde_json::from_str::<Value>(&case.document) else { return Some(case.clone()) };
    if has_twice(&case.document) && case.what == "an element twice" {
        return Some(Case { document: case.document.replace("\"Principal\": \"*\", ", ""), ..case.clone() });
    }
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(all)) => all.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements {
        if let Some(all) = statement.as_object_mut() {
            all.remove("Principal");
        }
    }
    Some(Case { document: document.to_string(), ..case.clone() })
}
