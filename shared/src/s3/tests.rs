//! What no fixture can show: uids, owners, annotations that change alone, and objects of the operator before.

use serde_json::{Value, json};

use crate::{
    admission::{
        envelope::Operation,
        lookup::{Namespace, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    group::Settings,
    kind::by_name,
};

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "s3.cloud37.dev/v1alpha1", "kind": kind,
           "metadata": {"name": name, "namespace": "data", "uid": format!("uid-{name}")}, "spec": spec})
}

fn provider() -> Value {
    let keys = json!({"name": "keys"});
    let spec = json!({"type": "wasabi", "endpoint": "https://s3.eu-central-2.wasabisys.com", "region": "eu-central-2",
                      "iamEndpoint": "https://iam.wasabisys.com",
                      "auth": {"accessKeySecretRef": keys, "secretKeySecretRef": keys}});
    object("Provider", "wasabi", spec)
}

fn bucket() -> Value {
    object("Bucket", "photos", json!({"providerRef": {"name": "wasabi"}, "name": "photos"}))
}

/// The policy of the bucket, made for the object of this uid.
fn policy_of(owner: &str) -> Value {
    let statement = json!({"effect": "Allow", "principal": {"AWS": "arn:aws:iam::123456789012:user/ann"},
                           "action": ["s3:GetObject"], "resource": ["arn:aws:s3:::photos/*"]});
    let spec = json!({"bucketRef": {"name": "photos"}, "policy": {"version": "2012-10-17", "statement": [statement]}});
    let mut policy = object("BucketPolicy", "photos-policy", spec);
    policy["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "Bucket", "name": "photos", "uid": owner}]);
    policy
}

/// What comes of storing `new` in the place of `old`, or of deleting `old`.
fn review(world: &[Value], new: Option<&Value>, old: Option<&Value>) -> Evaluation {
    let operation = match (new, old) {
        (Some(_), None) => Operation::Create,
        (Some(_), Some(_)) => Operation::Update,
        _ => Operation::Delete,
    };
    evaluate(world, operation, new, old)
}

fn evaluate(world: &[Value], operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Evaluation {
    evaluate_in(around(world), operation, new, old)
}

fn around(world: &[Value]) -> World {
    let mut lookup = World::default();
    for object in world {
        let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
        lookup.insert((kind.store)(object.clone()).unwrap());
    }
    lookup
}

fn evaluate_in(lookup: World, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Evaluation {
    let kind = by_name(new.or(old).unwrap()["kind"].as_str().unwrap()).unwrap();
    let (new, old) = (new.map(Value::to_string), old.map(Value::to_string));
    let (new, old) = (new.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
    let request = Request {
        stage: Stage::Validate,
        operation,
        namespace: "data",
        user: None,
        object: new.as_ref(),
        old: old.as_ref(),
    };
    let (enforcement, settings) = (Enforcement::default(), Settings::default());
    (kind.evaluate)(&request, &Context { lookup: &lookup, enforcement: &enforcement, settings: &settings })
}

fn denied(evaluation: &Evaluation) -> Vec<&'static str> {
    evaluation.denials.iter().map(|problem| problem.rule.id).collect()
}

/// The rules that a stored object breaks when the reconciler looks at it once more.
fn broken(world: &[Value], object: &Value) -> Vec<&'static str> {
    denied(&evaluate(world, Operation::Update, Some(object), None))
}

/// A user that may read the objects of a bucket.
fn reader(bucket: &str) -> Value {
    let statement = json!({"effect": "Allow", "action": ["s3:GetObject"], "resource": [format!("arn:aws:s3:::{bucket}/*")]});
    let policy = json!({"version": "2012-10-17", "statement": [statement]});
    object("User", "ann", json!({"providerRef": {"name": "wasabi"}, "name": "ann", "policy": policy}))
}

fn condition(kind: &str, reason: &str) -> Value {
    json!({"type": kind, "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T12:00:00Z"})
}

fn created(minute: usize, mut object: Value) -> Value {
    object["metadata"]["creationTimestamp"] = json!(format!("2026-01-01T12:{minute:02}:00Z"));
    object
}

#[test]
fn of_two_buckets_of_one_name_that_raced_the_older_keeps_it() {
    let mut other = provider();
    other["metadata"]["name"] = json!("other");
    let spec = json!({"providerRef": {"name": "other"}, "name": "photos"});
    let (older, younger) = (created(0, bucket()), created(1, object("Bucket", "pictures", spec)));
    let world = [provider(), other, older.clone(), younger.clone()];
    let taken = ["s3.bucket.same-endpoint"];
    assert_eq!(broken(&world, &older), [""; 0]);
    assert_eq!(broken(&world, &younger), taken);
    assert_eq!(denied(&review(&world, Some(&older), None)), taken, "whoever asks comes last");
}

#[test]
fn a_policy_may_name_a_bucket_whose_deletion_waits() {
    let user = reader("photos");
    let mut going = bucket();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    going["metadata"]["finalizers"] = json!(["concierge.dev/finalizer"]);
    assert_eq!(broken(&[provider(), going], &user), [""; 0]);
    assert_eq!(broken(&[provider()], &user), ["s3.policy.ten-01"]);
}

#[test]
fn a_policy_names_no_bucket_that_is_anothers() {
    let of = |status: Value| {
        let mut bucket = bucket();
        bucket["status"] = status;
        broken(&[provider(), bucket], &reader("photos"))
    };
    let anothers = ["s3.policy.ten-01"];
    assert_eq!(
        of(json!({"ownedByOther": true, "conditions": [condition("Ready", "OwnedByOther")]})),
        anothers
    );
    assert_eq!(
        of(json!({"conditions": [condition("Ready", "OwnedByOther")]})),
        anothers,
        "it was written before there was that field"
    );
    assert_eq!(
        of(json!({"ownedByOther": true, "conditions": [condition("Ready", "Transient")]})),
        anothers,
        "an outage since then has the last word in the conditions alone"
    );
    assert_eq!(
        of(json!({"conditions": [condition("Ready", "Conflict"), condition("Valid", "Conflict")]})),
        anothers,
        "another Bucket has the name at the same service"
    );
    for own in ["Reconciling", "Transient", "Conflict", "ReferencesMissing"] {
        assert_eq!(of(json!({"conditions": [condition("Ready", own)]})), [""; 0], "{own}");
    }
    assert_eq!(of(json!({})), [""; 0], "nobody has looked at it yet");
}

#[test]
fn no_number_of_namesakes_elsewhere_hides_the_one_at_the_same_service() {
    let at = |name: &str, endpoint: &str| {
        let mut provider = provider();
        provider["metadata"]["name"] = json!(name);
        provider["spec"]["endpoint"] = json!(endpoint);
        provider
    };
    let namesake = |provider: &str, service: Option<&str>| {
        let spec = json!({"providerRef": {"name": provider}, "name": "photos"});
        let mut bucket = created(0, object("Bucket", provider, spec));
        service.iter().for_each(|service| bucket["status"]["service"] = json!(service));
        bucket
    };
    let usual = provider();
    let service = serde_json::from_value::<super::Provider>(usual.clone()).unwrap().spec.service().unwrap();
    let mut world = vec![usual];
    for number in 100..200 {
        let (name, host) = (format!("a{number}"), format!("s3.a{number}.example.com"));
        world.extend([at(&name, &format!("https://{host}")), namesake(&name, Some(&host))]);
    }
    world.push(at("same", "https://s3.de-1.wasabisys.com"));
    let asks = created(1, bucket());
    assert_eq!(denied(&review(&world, Some(&asks), None)), [""; 0]);
    for known in [Some(&*service), None] {
        let world = [world.clone(), vec![namesake("same", known)]].concat();
        assert_eq!(denied(&review(&world, Some(&asks), None)), ["s3.bucket.same-endpoint"], "{known:?}");
    }
}

#[test]
fn an_account_has_room_for_so_many() {
    let warned = |profile: &str, object: &Value, others: usize| {
        let mut at = provider();
        at["spec"]["type"] = json!(profile);
        let mut world = vec![at];
        for number in 0..others {
            let mut other = object.clone();
            other["metadata"]["name"] = json!(format!("other-{number}"));
            world.push(other);
        }
        let told = |found: Evaluation| -> Vec<_> {
            let rules = found.warnings.iter().map(|problem| problem.rule.id);
            rules.filter(|rule| rule.starts_with("s3.quota.")).collect()
        };
        let stays = told(evaluate(&world, Operation::Update, Some(object), None));
        assert_eq!(stays, [""; 0], "what is there needs no room");
        told(review(&world, Some(object), None))
    };
    let policy =
        object("IAMPolicy", "readers", json!({"providerRef": {"name": "wasabi"}, "policyDocument": "{}"}));
    for (profile, object, room, rule) in [
        ("wasabi", bucket(), 1_000, "s3.quota.iam-13"),
        ("wasabi", policy.clone(), 1_000, "s3.quota.iam-13"),
        ("aws", policy, 1_500, "s3.quota.iam-12"),
        ("aws", reader("photos"), 5_000, "s3.quota.iam-12"),
    ] {
        assert_eq!(warned(profile, &object, room), [rule], "{profile} {room}");
        assert_eq!(warned(profile, &object, room - 1), [""; 0], "{profile} {room}");
    }
    assert_eq!(warned("ceph", &bucket(), 1_000), [""; 0]);
}

/// What a provider may read otherwise than it is read here.
#[test]
fn a_namespace_that_lowers_every_rule_gets_no_bucket_by_what_is_hard_to_read() {
    let own = r#""Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*""#;
    let all = r#""Resource": "arn:aws:s3:::others/*""#;
    let statements = |text: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{text}]}}"#);
    let mut texts = vec![
        statements(&format!("{{{own}, {all}}}")),
        statements(&format!("{{{own}, {}}}", all.replace("Resource", "resource"))),
        statements(&format!("{{{own}, {}}}", all.replace("Resource", "Re\\u017fource"))),
        statements(&format!("{{{own}, {}}}", all.replace("Resource", "NotResource"))),
        statements(&format!("{{{own}}}, {{{own}, {}}}", all.replace("Resource", "NotResource"))),
        statements(&format!("{{{}}}", own.replace("Allow", "allow").replace("photos", "others"))),
        statements(&format!(
            "{{{}}}",
            own.replace("\"s3:*\"", "\"s3:Get:Object\"").replace("photos", "others")
        )),
        statements(&format!("{{{own}}}, [{{{own}}}]")),
        statements(&format!("{{{own}}},")),
        format!(
            r#"{{"Id": "x", "Version": "2012-10-17", "Statement": {{{}}}}}"#,
            own.replace("photos", "others")
        ),
        format!(r#"{{"Statement": {{{}}}}}"#, own.replace("photos", "others")),
        format!(r#"{{"Version": "2012-10-17", "Statement": {{{own}}}, "statement": {{{own}, {all}}}}}"#),
        format!("\u{feff}{}", statements(&format!("{{{own}}}"))),
    ];
    // More that is wrong than is kept, and what matters behind it.
    let repeated = vec![r#""arn:aws:s3:::photos/*""#; 3000].join(", ");
    let noise = own.replace(r#""arn:aws:s3:::photos/*""#, &format!("[{repeated}]"));
    texts.push(statements(&format!("{{{noise}}}, {{{}}}", own.replace("photos", "others"))));
    for text in texts {
        let mut user = reader("photos");
        let spec = user["spec"].as_object_mut().unwrap();
        spec.remove("policy");
        spec.insert("policyDocument".to_owned(), json!(text));
        let mut lookup = around(&[provider(), bucket()]);
        lookup.insert_namespace("data", Namespace::read(Some("s3=off,object=off"), false));
        let found = evaluate_in(lookup, Operation::Create, Some(&user), None);
        assert!(!found.denials.is_empty(), "{}", &text[..text.len().min(400)]);
    }
}

#[test]
fn a_bucket_that_was_made_keeps_its_name_when_an_older_one_turns_up() {
    let mut other = provider();
    other["metadata"]["name"] = json!("other");
    let spec = json!({"providerRef": {"name": "other"}, "name": "photos"});
    let (older, younger) = (created(0, bucket()), created(1, object("Bucket", "pictures", spec)));
    let made = |mut object: Value| {
        object["status"] = json!({"bucketName": "photos", "exists": true});
        object
    };
    let taken = ["s3.bucket.same-endpoint"];
    let world = |older: &Value, younger: &Value| [provider(), other.clone(), older.clone(), younger.clone()];
    let first = world(&older, &made(younger.clone()));
    assert_eq!(broken(&first, &made(younger.clone())), [""; 0]);
    assert_eq!(broken(&first, &older), taken);
    let both = world(&made(older.clone()), &made(younger.clone()));
    assert_eq!(broken(&both, &made(older.clone())), [""; 0]);
    assert_eq!(broken(&both, &made(younger.clone())), taken);
    let neither = world(&older, &younger);
    let forged = made(younger.clone());
    assert_eq!(
        denied(&review(&neither, Some(&forged), None)),
        taken,
        "a status that comes with a request says nothing"
    );
    // It was stored so, and stays so with a warning.
    let mut changed = forged;
    changed["spec"]["deletionPolicy"] = json!("Retain");
    let warnings = review(&neither, Some(&changed), Some(&younger)).warnings;
    assert!(warnings.iter().any(|problem| taken.contains(&problem.rule.id)), "{warnings:?}");
}

#[test]
fn of_keys_that_raced_the_older_ones_keep_their_place() {
    let user = object("User", "web", json!({"providerRef": {"name": "wasabi"}, "name": "web"}));
    let key = |name: &str, minute, rotates: bool| {
        let of = |name: &str| json!({"name": name});
        let spec = json!({"providerRef": of("wasabi"), "userRef": of("web"), "rotate": {"enabled": rotates}});
        created(minute, object("AccessKey", name, spec))
    };
    // The names are in another order than the ages.
    let keys = [key("c", 0, true), key("b", 1, false), key("a", 2, false)];
    let world = [&[provider(), user.clone()][..], &keys].concat();
    assert_eq!(broken(&world, &keys[0]), [""; 0]);
    assert_eq!(broken(&world, &keys[1]), [""; 0]);
    assert_eq!(broken(&world, &keys[2]), ["s3.accesskey.iam-09"]);
    let keys = [key("b", 0, true), key("a", 1, true)];
    let world = [&[provider(), user][..], &keys].concat();
    assert_eq!(broken(&world, &keys[0]), [""; 0]);
    assert_eq!(broken(&world, &keys[1]), ["s3.accesskey.one-rotates"]);
}

#[test]
fn what_was_made_for_a_bucket_does_not_hold_up_its_deletion() {
    let deletion = |owner| review(&[provider(), bucket(), policy_of(owner)], None, Some(&bucket()));
    assert_eq!(denied(&deletion("uid-photos")), [""; 0]);
    assert_eq!(denied(&deletion("uid-of-an-earlier-one")), ["s3.bucket.in-use"]);
}

#[test]
fn an_annotation_that_rules_read_is_judged_alone() {
    let mut new = bucket();
    new["metadata"]["annotations"] = json!({"concierge.dev/empty": "photos"});
    let evaluation = review(&[provider()], Some(&new), Some(&bucket()));
    assert_eq!(denied(&evaluation), ["s3.bucket.empty"]);
    assert_eq!(evaluation.denials[0].field.to_string(), "metadata.annotations[concierge.dev/empty]");
    new["metadata"]["annotations"] = json!({"concierge.dev/empty": "photos/1000+", "other": "photos"});
    assert_eq!(denied(&review(&[provider()], Some(&new), Some(&bucket()))), [""; 0]);
}

/// Fields and status as the operator that served this group before knew them.
#[test]
fn objects_of_before_are_admitted_and_read_whole() {
    let wasabi = json!({"name": "wasabi", "namespace": "data"});
    let rotation = json!({"enabled": true, "intervalDays": 90, "previousKeysRetentionDays": 7});
    let statement = json!({"sid": "Read", "effect": "Allow", "action": ["s3:GetObject"], "resource": ["arn:aws:s3:::photos/*"]});
    let mut of_bucket = statement.clone();
    of_bucket["principal"] = json!("*");
    of_bucket["condition"] = json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}});
    let policy = |statement: &Value| json!({"version": "2012-10-17", "statement": [statement]});
    let secret = |key: &str| json!({"name": "keys", "key": key});
    let objects = [
        object(
            "Provider",
            "wasabi",
            json!({
                "type": "wasabi", "endpoint": "https://s3.eu-central-2.wasabisys.com", "region": "eu-central-2",
                "auth": {"accessKeySecretRef": secret("access-key"), "secretKeySecretRef": secret("secret-key"),
                         "sessionTokenSecretRef": secret("session-token")},
                "tls": {"insecureSkipVerify": false, "caCertSecretRef": {"name": "ca", "key": "ca.crt"}}, "pathStyle": true,
                "iamEndpoint": "https://iam.wasabisys.com", "iamRegion": "us-east-1",
                "retry": {"maxAttempts": 3, "backoffStrategy": "exponential"},
            }),
        ),
        object(
            "Bucket",
            "photos",
            json!({
                "providerRef": wasabi, "name": "photos", "region": "eu-central-2",
                "autoManage": {"enabled": true, "userName": "photos", "accessLevel": "readwrite", "rotation": rotation},
                "versioning": {"enabled": true, "mfaDelete": false},
                "encryption": {"enabled": true, "algorithm": "AES256"},
                "publicAccess": {"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true,
                                 "restrictPublicBuckets": true},
                "lifecycle": {"rules": [{"id": "old", "status": "Enabled", "prefix": "logs/", "expiration": {"days": 365},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 90, "storageClass": "GLACIER"}]}]},
                "cors": {"rules": [{"allowedOrigins": ["https://example.com"], "allowedMethods": ["GET", "PUT"],
                    "allowedHeaders": ["*"], "exposedHeaders": ["ETag"], "maxAgeSeconds": 3600}]},
                "tagging": {"tags": {"team": "web"}}, "deletionPolicy": "Retain", "forceDelete": false,
            }),
        ),
        object(
            "IAMPolicy",
            "readers",
            json!({"providerRef": wasabi, "policy": policy(&statement), "tags": {"a": "b"}}),
        ),
        object(
            "User",
            "ann",
            json!({"providerRef": wasabi, "name": "ann", "policyRef": {"name": "readers"}, "tags": {"a": "b"}}),
        ),
        object(
            "AccessKey",
            "ann",
            json!({"providerRef": wasabi, "userRef": {"name": "ann"}, "displayName": "Ann's",
            "policy": {}, "tags": {"a": "b"}, "rotate": rotation}),
        ),
        object(
            "BucketPolicy",
            "photos",
            json!({"bucketRef": {"name": "photos"}, "policy": policy(&of_bucket)}),
        ),
    ];
    let statuses = [
        json!({"connected": true, "lastConnectTime": "2025-04-01T00:00:00Z"}),
        json!({"bucketName": "photos", "arn": "a", "exists": true, "lastSyncTime": "2025-04-01T00:00:00Z", "credentialsSecret": "s"}),
        json!({"policyArn": "a", "applied": true, "attachedUsers": ["ann"], "lastSyncTime": "2025-04-01T00:00:00Z"}),
        json!({"userId": "AIDA", "created": true, "lastSyncTime": "2025-04-01T00:00:00Z"}),
        json!({"accessKeyId": "AK", "created": true, "lastRotateTime": "2025-04-01T00:00:00Z", "nextRotateTime": "2025-07-01T00:00:00Z"}),
        json!({"applied": true, "lastSyncTime": "2025-04-01T00:00:00Z"}),
    ];
    for (index, (object, status)) in objects.iter().zip(statuses).enumerate() {
        let found = review(&objects[..index], Some(object), None);
        assert_eq!(denied(&found), [""; 0], "{}: {:?}", object["kind"], found.denials);
        let mut stored = object.clone();
        stored["status"] = status;
        assert_eq!(reread(&stored), stored, "nothing is lost on the way through our types");
    }
}

/// `stored` as our types read and write it, without what they add.
fn reread(stored: &Value) -> Value {
    fn again<K: crate::kind::Kind>(stored: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<K>(stored.clone()).unwrap()).unwrap()
    }
    let mut again = match stored["kind"].as_str().unwrap() {
        "Provider" => again::<super::Provider>(stored),
        "Bucket" => again::<super::Bucket>(stored),
        "IAMPolicy" => again::<super::IAMPolicy>(stored),
        "User" => again::<super::User>(stored),
        "AccessKey" => again::<super::AccessKey>(stored),
        _ => again::<super::BucketPolicy>(stored),
    };
    again["status"].as_object_mut().unwrap().remove("conditions");
    again
}
