//! What is asked for a decision, and with which priority.

use anyhow::{Context, Result, ensure};
use concierge_tests::controlplane::{ControlPlane, User};
use concierge_tests::kubectl::{Kubectl, Output};
use concierge_tests::stack::{NAMESPACE, chart};
use kube::client::Body;
use tokio::net::TcpSocket;

use crate::helm::path;
use crate::shared::{DEFINED, Turn, field, helm, settled};

/// The name of the FlowSchema that the API server put a GET of `path` in.
async fn flow_schema(plane: &ControlPlane, user: &User, path: &str) -> Result<String> {
    let request = axum::http::Request::get(path).body(Body::empty())?;
    let answer = user.client().await?.send(request).await?;
    let uid = answer
        .headers()
        .get("x-kubernetes-pf-flowschema-uid")
        .context("no flow schema")?
        .to_str()?
        .to_owned();
    let names = format!(".items[?(@.metadata.uid==\"{uid}\")].metadata.name");
    field(plane, &["flowschemas"], &names).await
}

#[tokio::test]
async fn what_an_admission_waits_for_has_a_priority_level_of_its_own() -> Result<()> {
    let turn = Turn::take().await?;
    let plane = turn.plane;
    let values = "reconciler.placement=deployment";
    helm(plane, "install", &[&path(&chart()), DEFINED, "--set", values]).await?;
    let webhook = plane.service_account(NAMESPACE, "concierge").await?;
    let reconciler = plane.service_account(NAMESPACE, "concierge-reconciler").await?;
    let guest = plane.user("guest", &[])?;
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/concierge-reconciler");
    let claim = "/apis/concierge.dev/v1/claims/0";
    let pet = "/apis/petstore.example.com/v1/namespaces/default/pets/rex";
    let expected = [
        (&webhook, claim, "concierge-webhook"),
        (&webhook, pet, "concierge-webhook"),
        (&webhook, "/api/v1/namespaces/default", "concierge-webhook"),
        (&webhook, "/api/v1/namespaces/default/pods", "service-accounts"),
        (&reconciler, claim, "service-accounts"),
        (&reconciler, &*lease, "concierge-lease"),
        (&guest, claim, "global-default"),
    ];
    settled(|| async {
        let mut wrong = String::new();
        for (user, path, expected) in expected {
            let found = flow_schema(plane, user, path).await?;
            if found != expected {
                wrong += &format!("{path} is in {found}, not in {expected}\n");
            }
        }
        Ok(wrong)
    })
    .await?;
    // It is told some time after the requests go there.
    settled(|| async {
        let missing =
            field(plane, &["flowschema", "concierge-lease"], ".status.conditions[*].status").await?;
        let is_there = missing == "False";
        Ok(if is_there { String::new() } else { format!("the level of the lease is missing: {missing:?}") })
    })
    .await
}

const PETS: &str = "
{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: rex, namespace: cafe}, spec: {id: 1, name: Rex}}
---
{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: ann, namespace: cafe}, spec: {id: 3, name: Ann}}
---
{apiVersion: petstore.example.com/v1, kind: PetStore, metadata: {name: tiny, namespace: cafe}, spec: {name: Tiny}}
---
apiVersion: petstore.example.com/v1
kind: Pet
metadata: {name: tom, namespace: cafe, finalizers: [example.com/hold]}
spec: {id: 2, name: Tom}
";

/// Nobody listens where the Service leads, so that what is asked fails and what is not asked passes.
#[tokio::test]
async fn only_what_needs_a_decision_is_asked() -> Result<()> {
    let turn = Turn::take().await?;
    let admin = turn.plane.kubectl();
    let _silent = with_pets(&turn).await?;
    let new = PETS.replace("rex", "new").replace("tom", "other");
    settled(|| async {
        let refused = admin.run_with_input(&CREATE, &new).await?;
        Ok(if refused.stderr.contains("failed calling webhook") { String::new() } else { refused.stderr })
    })
    .await?;
    what_is_asked(&admin, &new).await?;
    what_is_not_asked(&admin).await?;
    // Namespaces that we need ourselves.
    for namespace in ["kube-system", NAMESPACE] {
        let here = new.replace("namespace: cafe", &format!("namespace: {namespace}"));
        admin.apply_text(&here).await?.ok()?;
    }
    our_reconciler_is_not_asked(turn.plane).await
}

const CREATE: [&str; 3] = ["create", "-f", "-"];
const RENAME: &str = r#"{"spec": {"name": "Max"}}"#;

/// Stores [`PETS`], and has decisions asked for at a port that is taken, and does not listen.
async fn with_pets(turn: &Turn) -> Result<TcpSocket> {
    let (plane, admin) = (turn.plane, turn.plane.kubectl());
    turn.namespace("cafe").await?;
    let silent = TcpSocket::new_v4()?;
    silent.bind("127.0.0.1:0".parse()?)?;
    let port = silent.local_addr()?.port();
    let chart = path(&chart());
    let values = format!(
        "deploy=false,service.externalName=localhost,service.port={port},reconciler.placement=deployment,\
         webhook.mutating.failurePolicy=Fail"
    );
    let closed = format!("{values},webhook.excludedNamespaces={{cafe}}");
    helm(plane, "install", &[&chart, DEFINED, "--set", &closed]).await?;
    admin.apply_text(PETS).await?.ok()?;
    admin.run(&["delete", "pet", "tom", "-n", "cafe", "--wait=false"]).await?.ok()?;
    helm(plane, "upgrade", &[&chart, DEFINED, "--set", &values]).await?;
    Ok(silent)
}

/// Fails unless this entry was asked for a decision.
fn asked(output: Output, entry: &str) -> Result<()> {
    let failed = format!("failed calling webhook \"{entry}.concierge.dev\"");
    ensure!(!output.status.success() && output.stderr.contains(&failed), "{entry}: {output:?}");
    ensure!(output.stderr.contains("connection refused"), "{output:?}");
    Ok(())
}

async fn pet(admin: &Kubectl, name: &str, args: &[&str]) -> Result<Output> {
    admin.run(&[&[args[0], "pet", name, "-n", "cafe"], &args[1..]].concat()).await
}

async fn what_is_asked(admin: &Kubectl, new: &str) -> Result<()> {
    // What lacks nothing is validated at once.
    asked(admin.run_with_input(&CREATE, new).await?, "validate")?;
    asked(pet(admin, "rex", &["patch", "--type=merge", "-p", RENAME]).await?, "validate")?;
    asked(
        pet(admin, "rex", &["patch", "--type=merge", "-p", RENAME, "--dry-run=server"]).await?,
        "validate",
    )?;
    let untidy = r#"{"spec": {"name": "Max "}}"#;
    asked(pet(admin, "rex", &["patch", "--type=merge", "-p", untidy]).await?, "mutate")?;
    let with_status = new.replace("name: Tiny}", "name: Tiny}, status: {phase: Ready}");
    asked(admin.run_with_input(&CREATE, &with_status).await?, "mutate")?;
    asked(admin.run(&["delete", "petstore", "tiny", "-n", "cafe"]).await?, "validate")?;
    let all = "/apis/petstore.example.com/v1/namespaces/cafe/petstores";
    asked(admin.run(&["delete", "--raw", all]).await?, "validate")?;
    // Metadata that a rule reads.
    asked(pet(admin, "rex", &["annotate", "concierge.dev/resync=25h"]).await?, "validate")?;
    asked(pet(admin, "rex", &["label", "petstore.example.com/store=tiny"]).await?, "validate")
}

async fn what_is_not_asked(admin: &Kubectl) -> Result<()> {
    let finalizer = r#"{"metadata": {"finalizers": ["example.com/hold"]}}"#;
    let status = r#"{"status": {"phase": "Active"}}"#;
    let free = r#"{"metadata": {"finalizers": null}}"#;
    for (name, args) in [
        // No rule is about the deletion of a pet: while nobody answers, it goes, and its namespace could.
        ("ann", &["delete"][..]),
        // Metadata that no rule reads, and status.
        ("rex", &["label", "tag=good"]),
        ("rex", &["annotate", "tag=good"]),
        ("rex", &["patch", "--type=merge", "-p", finalizer]),
        ("rex", &["patch", "--subresource=status", "--type=merge", "-p", status]),
        // What terminates already, to its end.
        ("tom", &["patch", "--type=merge", "-p", RENAME]),
        ("tom", &["delete", "--wait=false"]),
        ("tom", &["patch", "--type=merge", "-p", free]),
    ] {
        pet(admin, name, args).await?.ok().with_context(|| format!("{name} {args:?}"))?;
    }
    let gone = pet(admin, "tom", &["get"]).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    Ok(())
}

/// It is not, and another service account with the same rights is.
async fn our_reconciler_is_not_asked(plane: &ControlPlane) -> Result<()> {
    let admin = plane.kubectl();
    let reconciler = plane.service_account(NAMESPACE, "concierge-reconciler").await?.kubectl();
    pet(&reconciler, "rex", &["patch", "--type=merge", "-p", RENAME]).await?.ok()?;
    let double = [
        "create",
        "clusterrolebinding",
        "double",
        "--clusterrole=concierge-reconciler",
        "--serviceaccount=cafe:concierge-reconciler",
    ];
    admin.run(&double).await?.ok()?;
    admin.run(&["create", "serviceaccount", "concierge-reconciler", "-n", "cafe"]).await?.ok()?;
    let double = plane.service_account("cafe", "concierge-reconciler").await?.kubectl();
    let back = ["patch", "--type=merge", "-p", r#"{"spec": {"name": "Rex"}}"#];
    settled(|| async {
        let answer = pet(&double, "rex", &back).await?;
        Ok(if answer.stderr.contains("forbidden") { answer.stderr } else { String::new() })
    })
    .await?;
    asked(pet(&double, "rex", &back).await?, "validate")
}
