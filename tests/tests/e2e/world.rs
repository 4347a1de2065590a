//! What the end-to-end tests share: users, namespaces, and a view of claims.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use concierge_shared::kind::{KINDS, by_name};
use concierge_tests::controlplane::User;
use concierge_tests::stack::Stack;
use kube::api::{Api, ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Client, Error};
use serde_json::{Value, json};

/// Held by a test that brings a machine to its limits, or measures whether calls are answered in time, alone; by others together.
static TURN: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

/// While it lives, other tests of this program wait, or some of them.
#[derive(Debug)]
pub(crate) enum Turn {
    Alone { _held: tokio::sync::RwLockWriteGuard<'static, ()> },
    WithOthers { _held: tokio::sync::RwLockReadGuard<'static, ()> },
}

/// Keeps all other end-to-end tests of this program waiting.
pub(crate) async fn alone() -> Turn {
    Turn::Alone { _held: TURN.write().await }
}

/// Keeps those waiting that have to be alone.
pub(crate) async fn with_others() -> Turn {
    Turn::WithOthers { _held: TURN.read().await }
}

/// An ordinary user who may do everything with our kinds, and nothing else.
pub(crate) async fn ordinary_user(stack: &Stack) -> Result<User> {
    let groups: BTreeSet<_> = KINDS.iter().map(|kind| (kind.group)()).collect();
    let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
    let rules = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: owner}}\n\
         rules:\n- apiGroups: [{groups}]\n  resources: ['*']\n  verbs: ['*']\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: owners}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: owner}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: owners}}]\n"
    );
    stack.plane.kubectl().apply_text(&rules).await?.ok()?;
    stack.plane.user("ann", &["owners"])
}

/// Creates namespaces.
pub(crate) async fn namespaces(stack: &Stack, names: &[String]) -> Result<()> {
    let yaml: Vec<_> = names
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": yaml});
    stack.plane.kubectl().apply_text(&list.to_string()).await?.ok()?;
    Ok(())
}

/// A pet as JSON.
pub(crate) fn pet(namespace: &str, name: &str, id: i64) -> Value {
    json!({
        "apiVersion": "petstore.example.com/v1",
        "kind": "Pet",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"id": id, "name": name},
    })
}

/// The claims, or the objects of a kind, in a namespace or in all.
pub(crate) fn api(client: &Client, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let (group, version, plural) = match by_name(kind) {
        Some(kind) => ((kind.group)(), (kind.version)(), (kind.plural)()),
        None => ("concierge.dev".to_owned(), "v1".to_owned(), "claims".to_owned()),
    };
    let api_version = format!("{group}/{version}");
    let resource = ApiResource { group, version, api_version, kind: kind.into(), plural };
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// How a create ended.
#[derive(Debug)]
pub(crate) enum Created {
    Stored,
    Refused,
    Failed(String),
}

/// Creates `object`; refused means: by the rule `rule` and by nothing else.
pub(crate) async fn create(client: &Client, object: &Value, rule: &str, dry_run: bool) -> Created {
    let kind = object["kind"].as_str().unwrap_or_default();
    let api = api(client, kind, object["metadata"]["namespace"].as_str());
    let object: DynamicObject = match serde_json::from_value(object.clone()) {
        Ok(object) => object,
        Err(error) => return Created::Failed(error.to_string()),
    };
    match api.create(&PostParams { dry_run, ..PostParams::default() }, &object).await {
        Ok(_) => Created::Stored,
        Err(Error::Api(status)) if refused_by(&status, rule) => Created::Refused,
        Err(error) => Created::Failed(format!("{error:?}")),
    }
}

fn refused_by(status: &kube::core::Status, rule: &str) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut causes = causes.map(|cause| cause.message.contains(rule)).peekable();
    status.code == 422 && causes.peek().is_some() && causes.all(|one| one)
}

/// The holder (`namespace/name`) of every claim, by key.
pub(crate) async fn claims(stack: &Stack) -> Result<BTreeMap<String, String>> {
    let client = stack.plane.client().await?;
    let claims = api(&client, "Claim", None).list(&ListParams::default()).await?;
    claims
        .items
        .iter()
        .map(|claim| {
            let spec = &claim.data["spec"];
            let text = |value: &Value| value.as_str().map(str::to_owned).context("a claim without text");
            let holder =
                format!("{}/{}", text(&spec["holder"]["namespace"])?, text(&spec["holder"]["name"])?);
            Ok((text(&spec["key"])?, holder))
        })
        .collect()
}

/// The pets that are stored (`namespace/name`), by id.
pub(crate) async fn pets(stack: &Stack) -> Result<BTreeMap<String, String>> {
    let client = stack.plane.client().await?;
    let mut found = BTreeMap::new();
    for pet in api(&client, "Pet", None).list(&ListParams::default()).await?.items {
        let name = format!(
            "{}/{}",
            pet.metadata.namespace.clone().unwrap_or_default(),
            pet.metadata.name.clone().unwrap_or_default()
        );
        if let Some(other) = found.insert(pet.data["spec"]["id"].to_string(), name.clone()) {
            bail!("{other} and {name} have the same id");
        }
    }
    Ok(found)
}
