//! The reviews that the load is made of, written as the API server writes them: the envelope's fields in the
//! order of Go's struct, the objects' keys sorted.

use concierge_shared::admission::envelope::Operation;
use concierge_shared::admission::review::Stage;
use serde::Serialize;
use serde_json::{Value, json};

/// The namespace of all objects that no API server ever stores.
pub const NAMESPACE: &str = "bench";
/// The store in [`NAMESPACE`] that pets refer to; it is stored.
pub const STORE: &str = "shop";
/// A tag that [`STORE`] allows.
const TAG: &str = "dog";
/// As many tags as a store may allow.
const MOST_TAGS: usize = 1000;
/// About as many annotations as an object may have: 256 KiB of them.
const MOST_ANNOTATIONS: usize = 3000;
/// About as large as etcd lets an object be: 1.5 MiB, in bytes.
const MOST_BYTES: usize = 1_450_000;

/// A kind of request, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What tables call it.
    pub name: &'static str,
    /// Which of the two calls it is.
    pub stage: Stage,
    /// The object's kind.
    pub kind: &'static str,
    /// The bytes of one HTTP request.
    pub request: Vec<u8>,
    pub body_bytes: usize,
    /// What the webhook's answer contains.
    pub expect: &'static str,
    /// What is wanted.
    pub goal: Option<Goal>,
}

/// The throughput that is wanted.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Goal {
    /// As a share of the floor's.
    pub of_floor: f64,
    /// As a multiple of the peer's.
    pub of_peer: Option<f64>,
}

/// All cases.
///
/// None of them costs a request to the API server: a PetStore claims nothing, and the Pet of the updates claims the id that it
/// holds already. What a claim costs is measured through the API server, which has to write it.
pub fn cases() -> Vec<Case> {
    let new_store = as_new(store_of_about(3_100));
    let with_name = |name: &str| {
        let mut store = new_store.clone();
        store["spec"]["name"] = name.into();
        store
    };
    let (untidy, wrong) = (with_name(" Corner shop "), with_name("Corner shop / garden"));
    let [small, large] = [pet_of_about(4_800, 40), pet_of_about(54_500, 500)];
    let tags = store_with_tags(MOST_TAGS);
    vec![
        case("PetStore create", Stage::Validate, &new_store, create(&new_store), ADMITTED)
            .goal(0.72, Some(10.0)),
        case("Pet update", Stage::Validate, &small, update(&small), ADMITTED).goal(0.68, Some(15.0)),
        case("Pet update, large", Stage::Validate, &large, update(&large), ADMITTED).goal(0.62, Some(32.0)),
        case("PetStore update, large spec", Stage::Validate, &tags, update(&tags), ADMITTED).goal(0.40, None),
        case("PetStore create, refused", Stage::Validate, &wrong, create(&wrong), REFUSED),
        case("PetStore create, trimmed", Stage::Mutate, &untidy, create(&untidy), "patchType"),
    ]
}

/// Requests about a stored pet and its store, among however many others. Rules look up what there is for them to look up, and what is
/// refused is read live.
pub fn cases_among(pet: &Value, store: &Value) -> Vec<Case> {
    let mut twin = as_new(pet.clone());
    twin["metadata"]["name"] = "twin".into();
    let mut strict = store.clone();
    strict["spec"]["config"]["allowedTags"] = json!(["none"]);
    let mut annotated = pet.clone();
    annotate(&mut annotated, MOST_ANNOTATIONS);
    let mut largest = pet.clone();
    let one = manager(1, &pet["spec"]).to_string().len() + 1;
    let managers = (0..MOST_BYTES / one).map(|number| manager(number, &pet["spec"]));
    largest["metadata"]["managedFields"] = managers.collect();
    let of = |name, about: &Value, body, expect| case(name, Stage::Validate, about, body, expect);
    let tightened = review(Operation::Update, Some(&strict), Some(store));
    vec![
        of("an update of a Pet", pet, update(pet), ADMITTED),
        of("the same with 250 KB of annotations", pet, update(&annotated), ADMITTED),
        of("the same as large as any, 2.9 MB", &largest, update(&largest), ADMITTED),
        of("a create of a Pet, its id taken: refused", pet, create(&twin), REFUSED),
        of("a change of a store's tags, warned of", store, tightened, "\"warnings\""),
        of("a deletion of a store with pets: refused", store, delete(store), REFUSED),
    ]
}

const ADMITTED: &str = "\"allowed\":true";
const REFUSED: &str = "\"allowed\":false";

fn case(name: &'static str, stage: Stage, object: &Value, body: String, expect: &'static str) -> Case {
    let kind = if object["kind"] == "Pet" { "Pet" } else { "PetStore" };
    let path = match stage {
        Stage::Mutate => "mutate",
        Stage::Validate => "validate",
    };
    Case {
        name,
        stage,
        kind,
        body_bytes: body.len(),
        request: request(path, body.as_bytes()),
        expect,
        goal: None,
    }
}

fn request(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /{path}?timeout=5s HTTP/1.1\r\nHost: concierge.concierge-system.svc:443\r\n\
         User-Agent: kube-apiserver-admission\r\nContent-Length: {}\r\nAccept: application/json, */*\r\n\
         Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

impl Case {
    /// The review.
    pub fn body(&self) -> &[u8] {
        &self.request[self.request.len() - self.body_bytes..]
    }

    /// The same for the floor, which admits everything.
    pub fn at_floor(&self) -> Case {
        Case { expect: ADMITTED, ..self.clone() }
    }

    /// The same for the peer, which has a path for each kind; nothing when it has no such call.
    pub fn at_peer(&self) -> Option<Case> {
        let request = request(&self.kind.to_lowercase(), self.body());
        (self.stage == Stage::Validate).then(|| Case { request, ..self.clone() })
    }

    fn goal(self, of_floor: f64, of_peer: Option<f64>) -> Case {
        Case { goal: Some(Goal { of_floor, of_peer }), ..self }
    }
}

fn create(new: &Value) -> String {
    review(Operation::Create, Some(new), None)
}

/// An update of one field of the spec.
fn update(old: &Value) -> String {
    let mut new = old.clone();
    let field = if old["kind"] == "Pet" { "tag" } else { "description" };
    new["spec"][field] = TAG.into();
    new["metadata"]["generation"] = 2.into();
    review(Operation::Update, Some(&new), Some(old))
}

fn delete(old: &Value) -> String {
    review(Operation::Delete, None, Some(old))
}

fn review(operation: Operation, object: Option<&Value>, old: Option<&Value>) -> String {
    let about = object.or(old).unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, version, kind) = ("petstore.example.com", "v1", text(&about["kind"]));
    let (name, namespace) = (text(&about["metadata"]["name"]), text(&about["metadata"]["namespace"]));
    let plural = kind.to_lowercase() + "s";
    let gvk = json!({"group": group, "version": version, "kind": kind});
    let gvr = json!({"group": group, "version": version, "resource": plural});
    let user = json!({
        "username": "ada@example.com",
        "groups": ["developers", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=6d1d3a0e4d9d4ac5b6d8c2a7"]},
    });
    let written = r#","fieldManager":"kubectl-client-side-apply","fieldValidation":"Strict""#;
    let (options, more) = match operation {
        Operation::Create => ("CreateOptions", written),
        Operation::Update => ("UpdateOptions", written),
        Operation::Delete | Operation::Other => ("DeleteOptions", ""),
    };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","kind":{gvk},"resource":{gvr},"requestKind":{gvk},"requestResource":{gvr},"name":"{name}","namespace":"{namespace}","operation":"{}","userInfo":{user},"object":{},"oldObject":{},"dryRun":false,"options":{{"kind":"{options}","apiVersion":"meta.k8s.io/v1"{more}}}}}}}"#,
        operation.as_str(),
        object.unwrap_or(&Value::Null),
        old.unwrap_or(&Value::Null),
    )
}

/// A store of which spec, copy of the spec and managed fields take about `bytes`.
fn store_of_about(bytes: usize) -> Value {
    padded("PetStore", "corner-shop", &store_spec(12), 0, bytes)
}

/// A store that is mostly spec and kubectl's copy of it.
fn store_with_tags(tags: usize) -> Value {
    padded("PetStore", "corner-shop", &store_spec(tags), 0, 0)
}

/// A pet that is mostly annotations and managed fields.
fn pet_of_about(bytes: usize, annotations: usize) -> Value {
    let spec = json!({"id": 4_711, "name": "Rex", "tag": "cat", "storeRef": {"name": STORE}});
    padded("Pet", "rex", &spec, annotations, bytes)
}

/// The store that pets refer to.
pub fn shop() -> Value {
    json!({
        "apiVersion": "petstore.example.com/v1",
        "kind": "PetStore",
        "metadata": {"name": STORE, "namespace": NAMESPACE},
        "spec": {"name": "Shop", "config": {"maxPets": 10_000, "allowedTags": ["cat", TAG]}},
    })
}

fn store_spec(tags: usize) -> Value {
    let tags: Vec<_> = (0..tags).map(|number| format!("department of pets {number:03}")).collect();
    json!({
        "name": "Corner shop",
        "description": "Small animals, food for them, and advice; open on working days from nine to six.",
        "config": {
            "maxPets": 500, "defaultLimit": 50, "allowedTags": tags, "requireTag": true, "enablePagination": true,
        },
        "endpoints": {"baseUrl": "https://petstore.example.com/api/v3", "version": "v1"},
        "security": {
            "requireAuthentication": true,
            "allowedOrigins": ["https://shop.example.com", "https://admin.example.com:8443"],
            "apiKeySecretRef": {"name": "petstore-key", "key": "token"},
        },
    })
}

/// `object` before it is stored.
fn as_new(mut object: Value) -> Value {
    object.as_object_mut().map(|object| object.remove("status"));
    object["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
    object
}

/// An object with kubectl's copy of its spec, `annotations` more, and as many managers of its fields as it takes
/// to be `bytes` long.
fn padded(kind: &str, name: &str, spec: &Value, annotations: usize, bytes: usize) -> Value {
    let of = |managers| {
        let mut object = object(kind, name, spec, managers);
        annotate(&mut object, annotations);
        object
    };
    let managers = (1..).find(|managers| of(*managers).to_string().len() >= bytes);
    of(managers.unwrap_or_default())
}

fn annotate(object: &mut Value, annotations: usize) {
    for number in 0..annotations {
        let text = "what one of many controllers wrote down for itself";
        object["metadata"]["annotations"][format!("controller-{number}.example.com/note")] = text.into();
    }
}

fn object(kind: &str, name: &str, spec: &Value, managers: usize) -> Value {
    let api_version = "petstore.example.com/v1";
    let applied = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"annotations": {}, "name": name, "namespace": NAMESPACE}, "spec": spec,
    });
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied.to_string() + "\n"},
            "creationTimestamp": "2026-03-01T09:00:00Z",
            "generation": 1,
            "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "market"},
            "managedFields": (0..managers).map(|number| manager(number, spec)).collect::<Vec<_>>(),
            "name": name,
            "namespace": NAMESPACE,
            "resourceVersion": "81624",
            "uid": "0f6d9f5c-8d2b-4c9e-9c1e-6d1d3a0e4d9d",
        },
        "spec": spec,
        "status": {
            "conditions": [
                condition("Ready", "Reconciled", "all is well"),
                condition("ReferencesResolved", "Resolved", "everything that is referred to exists"),
            ],
            "observedGeneration": 1,
            "phase": "Ready",
        },
    })
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    json!({
        "lastTransitionTime": "2026-03-01T09:00:02Z", "message": message, "observedGeneration": 1,
        "reason": reason, "status": "True", "type": kind,
    })
}

/// An entry of managedFields: the first is the one who applied the spec, the others keep a condition each.
fn manager(number: usize, spec: &Value) -> Value {
    let (name, subresource, fields) = match number {
        0 => (
            "kubectl-client-side-apply".to_owned(),
            "",
            json!({
                "f:metadata": {
                    "f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
                    "f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {}},
                },
                "f:spec": fields(spec),
            }),
        ),
        _ => {
            let key = format!("k:{{\"type\":\"Condition{number}\"}}");
            let condition = json!({
                ".": {}, "f:lastTransitionTime": {}, "f:message": {}, "f:observedGeneration": {},
                "f:reason": {}, "f:status": {}, "f:type": {},
            });
            let conditions = json!({".": {}, key: condition});
            let status = json!({"f:conditions": conditions, "f:observedGeneration": {}, "f:phase": {}});
            (format!("controller-{number}"), "status", json!({"f:status": status}))
        }
    };
    json!({
        "apiVersion": "petstore.example.com/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": name,
        "operation": "Update", "subresource": subresource, "time": "2026-03-01T09:00:00Z",
    })
}

fn fields(value: &Value) -> Value {
    let nested = |(key, value): (&String, &Value)| (format!("f:{key}"), fields(value));
    Value::Object(value.as_object().map(|object| object.iter().map(nested).collect()).unwrap_or_default())
}
