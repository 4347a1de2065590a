//! A toy kind whose objects own objects of Kubernetes' own kinds: a Room is a namespace with a quota, a Job and then a Deployment in it.

use concierge_reconciler::engine::{
    Account, Context, Deletion, Failure, Guard, Outcome, Plan, Reconcile,
    children::{
        ChildStep, Compared, FoundChild, Wanted, plan_child_deletion, plan_children, unwanted_children,
    },
};
use concierge_shared::{
    admission::{
        defaults::Fill, problem::Problems, reference::Reference, review::Review, rule::AdmissionRule,
    },
    child::Child,
    field::at,
    kind::Kind,
    rules, status,
};
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{Namespace, ResourceQuota, Secret},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::toys::Toy;

/// A room.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "toys.example.com", version = "v1", kind = "Room", namespaced, status = "RoomStatus")]
pub(crate) struct RoomSpec {
    pub(crate) pods: String,
    #[serde(default)]
    pub(crate) colour: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// What is done before the room is used.
    #[serde(default)]
    pub(crate) job: Option<String>,
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// A toy in the namespace `store`.
    #[serde(default)]
    pub(crate) toy: Option<String>,
}

status! {
    pub(crate) struct RoomStatus() {}
}

rules! {
    TOY = Deny "toys.room.toy", "The toy of a room exists.";
}

impl Kind for Room {
    const NAME: &'static str = "Room";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const CHILDREN: &'static [Child] = &[
        Child::of::<Namespace>(),
        Child::of::<ResourceQuota>(),
        Child::of::<Secret>(),
        Child::of::<Job>(),
        Child::of::<Deployment>(),
    ];

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(_: &Review<'_, Self>, _: &mut Problems) {}

    fn references(&self) -> Vec<Reference> {
        let toy = self.spec.toy.iter().map(|name| Reference {
            field: at("spec.toy"),
            kind: Toy::NAME,
            namespace: Some("store".into()),
            name: name.clone(),
            rule: &TOY,
            protects: true,
            implied: true,
        });
        toy.collect()
    }
}

/// Makes rooms real.
pub(crate) struct Rooms;

/// What there is of a room.
pub(crate) struct Seen {
    compared: Vec<Compared>,
    unwanted: Vec<ChildStep>,
    deletion: Deletion<ChildStep>,
}

fn object<T: DeserializeOwned>(room: &Room, name: &str, rest: Value) -> T {
    let mut object = json!({ "metadata": { "name": name, "namespace": room_name(room) } });
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn room_name(room: &Room) -> String {
    format!("room-{}", room.metadata.name.as_deref().unwrap())
}

/// What has to be there first.
fn ground(room: &Room) -> Result<Vec<Wanted>, Failure> {
    let mut labels = std::collections::BTreeMap::from([("enforce".to_owned(), "baseline".to_owned())]);
    labels.extend(room.spec.colour.clone().map(|colour| ("colour".to_owned(), colour)));
    let metadata = ObjectMeta { name: Some(room_name(room)), labels: Some(labels), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let quota: ResourceQuota = object(
        room,
        "quota",
        json!({ "spec": { "hard": { "pods": room.spec.pods, "limits.cpu": "4000m" } } }),
    );
    let mut all = vec![Wanted::new(room, &namespace)?, Wanted::new(room, &quota)?];
    if let Some(password) = &room.spec.password {
        let mut secret: Secret = object(room, "login", json!({}));
        secret.data = Some([("password".to_owned(), ByteString(password.clone().into_bytes()))].into());
        all.push(Wanted::new(room, &secret)?);
    }
    if let Some(image) = &room.spec.job {
        let job: Job = object(room, "prepare", pod(image));
        all.push(Wanted::new(room, &job)?);
    }
    Ok(all)
}

/// What is made when that is ready.
fn use_of(room: &Room) -> Result<Vec<Wanted>, Failure> {
    let deployments = room.spec.image.iter().map(|image| object::<Deployment>(room, "web", pod(image)));
    deployments.map(|deployment| Wanted::new(room, &deployment)).collect()
}

fn pod(image: &str) -> Value {
    let pod = json!({ "spec": { "containers": [{ "name": "app", "image": image }] } });
    json!({ "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": pod } })
}

fn is_ready(compared: &[Compared]) -> bool {
    compared.iter().all(|child| matches!(&child.found, FoundChild::Same { health, .. } if health.is_ready()))
}

impl Reconcile for Rooms {
    type Kind = Room;
    type Remote = ();
    type Observed = Seen;
    type Step = ChildStep;

    async fn connect(&self, _: &Context, _: &Room) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), room: &Room) -> Result<Seen, Failure> {
        if room.metadata.deletion_timestamp.is_some() {
            let deletion = plan_child_deletion(&ctx.stored_children(room).await?);
            return Ok(Seen { compared: Vec::new(), unwanted: Vec::new(), deletion });
        }
        let (ground, rest) = (ground(room)?, use_of(room)?);
        let wanted = [ground.clone(), rest.clone()].concat();
        let mut compared = ctx.compare_children(room, ground).await?;
        if is_ready(&compared) {
            compared.extend(ctx.compare_children(room, rest).await?);
        }
        let unwanted = unwanted_children(&ctx.children(room)?, &wanted);
        Ok(Seen { compared, unwanted, deletion: Deletion::Gone })
    }

    fn plan(&self, _: &Room, seen: &Seen, _: Timestamp) -> Plan<ChildStep> {
        let plan = plan_children(&seen.compared);
        seen.unwanted.iter().cloned().fold(plan, Plan::step)
    }

    async fn act(&self, guard: &Guard, (): &(), room: &Room, step: &ChildStep) -> Result<Outcome, Failure> {
        guard.take_child_step(room, step).await
    }

    fn plan_deletion(&self, _: &Room, seen: &Seen, _: Timestamp) -> Deletion<ChildStep> {
        seen.deletion.clone()
    }
}
