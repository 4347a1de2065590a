//! What is asked for a decision, and with which priority.

use anyhow::{Context, Result, ensure};
use concierge_tests::controlplane::{ControlPlane, User};
use concierge_tests::kubectl::{ESTABLISHED, Output};
use concierge_tests::stack::{NAMESPACE, chart};
use kube::client::Body;

use crate::helm::path;
use crate::shared::{Turn, field, helm, settled};

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
    helm(plane, "install", &[&path(&chart()), "--create-namespace", "--set", values]).await?;
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
    let level = field(plane, &["flowschema", "concierge-lease"], ".status.conditions[*].status").await?;
    ensure!(level == "False", "the priority level of the lease is missing: {level}");
    Ok(())
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
    let plane = turn.plane;
    let admin = plane.kubectl();
    turn.namespace("cafe").await?;
    // A port that is taken, and does not listen.
    let silent = tokio::net::TcpSocket::new_v4()?;
    silent.bind("127.0.0.1:0".parse()?)?;
    let port = silent.local_addr()?.port();
    let chart = path(&chart());
    let values = format!(
        "deploy=false,service.externalName=localhost,service.port={port},reconciler.placement=deployment,\
         webhook.mutating.failurePolicy=Fail"
    );
    let closed = format!("{values},webhook.excludedNamespaces={{cafe}}");
    helm(plane, "install", &[&chart, "--create-namespace", "--set", &closed]).await?;
    admin.run(&["wait", ESTABLISHED, "crd", "--all"]).await?.ok()?;
    admin.apply_text(PETS).await?.ok()?;
    admin.run(&["delete", "pet", "tom", "-n", "cafe", "--wait=false"]).await?.ok()?;
    helm(plane, "upgrade", &[&chart, "--set", &values]).await?;

    let rename = r#"{"spec": {"name": "Max"}}"#;
    let create = ["create", "-f", "-"];
    let new = PETS.replace("rex", "new").replace("tom", "other");
    settled(|| async {
        let refused = admin.run_with_input(&create, &new).await?;
        Ok(if refused.stderr.contains("failed calling webhook") { String::new() } else { refused.stderr })
    })
    .await?;

    let asked = |output: Output, entry: &str| -> Result<()> {
        let failed = format!("failed calling webhook \"{entry}.concierge.dev\"");
        ensure!(!output.status.success() && output.stderr.contains(&failed), "{entry}: {output:?}");
        ensure!(output.stderr.contains("connection refused"), "{output:?}");
        Ok(())
    };
    let pet = |name: &'static str, args: &[&'static str]| {
        let line = [&[args[0], "pet", name, "-n", "cafe"], &args[1..]].concat();
        let kubectl = admin.clone();
        async move { kubectl.run(&line).await }
    };
    // What lacks nothing is validated at once.
    asked(admin.run_with_input(&create, &new).await?, "validate")?;
    asked(pet("rex", &["patch", "--type=merge", "-p", rename]).await?, "validate")?;
    asked(pet("rex", &["patch", "--type=merge", "-p", rename, "--dry-run=server"]).await?, "validate")?;
    let untidy = r#"{"spec": {"name": "Max "}}"#;
    asked(pet("rex", &["patch", "--type=merge", "-p", untidy]).await?, "mutate")?;
    let with_status = new.replace("name: Tiny}", "name: Tiny}, status: {phase: Ready}");
    asked(admin.run_with_input(&create, &with_status).await?, "mutate")?;
    asked(admin.run(&["delete", "petstore", "tiny", "-n", "cafe"]).await?, "validate")?;
    let all = "/apis/petstore.example.com/v1/namespaces/cafe/petstores";
    asked(admin.run(&["delete", "--raw", all]).await?, "validate")?;
    // No rule is about the deletion of a pet: while nobody answers, it goes, and its namespace could.
    pet("ann", &["delete"]).await?.ok()?;

    // Metadata that a rule reads.
    asked(pet("rex", &["annotate", "concierge.dev/resync=25h"]).await?, "validate")?;
    asked(pet("rex", &["label", "petstore.example.com/store=tiny"]).await?, "validate")?;
    // Other metadata, and status.
    pet("rex", &["label", "tag=good"]).await?.ok()?;
    pet("rex", &["annotate", "tag=good"]).await?.ok()?;
    let finalizer = r#"{"metadata": {"finalizers": ["example.com/hold"]}}"#;
    pet("rex", &["patch", "--type=merge", "-p", finalizer]).await?.ok()?;
    pet(
        "rex",
        &["patch", "--subresource=status", "--type=merge", "-p", r#"{"status": {"phase": "Active"}}"#],
    )
    .await?
    .ok()?;
    // What terminates already, to its end.
    pet("tom", &["patch", "--type=merge", "-p", rename]).await?.ok()?;
    pet("tom", &["delete", "--wait=false"]).await?.ok()?;
    pet("tom", &["patch", "--type=merge", "-p", r#"{"metadata": {"finalizers": null}}"#]).await?.ok()?;
    let gone = pet("tom", &["get"]).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    // Namespaces that we need ourselves.
    for namespace in ["kube-system", NAMESPACE] {
        let here = new.replace("namespace: cafe", &format!("namespace: {namespace}"));
        admin.apply_text(&here).await?.ok()?;
    }
    // The reconciler, and no other service account with the same rights.
    let reconciler = plane.service_account(NAMESPACE, "concierge-reconciler").await?.kubectl();
    let patch = ["patch", "pet", "rex", "-n", "cafe", "--type=merge", "-p", rename];
    reconciler.run(&patch).await?.ok()?;
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
    let back = ["patch", "pet", "rex", "-n", "cafe", "--type=merge", "-p", r#"{"spec": {"name": "Rex"}}"#];
    settled(|| async {
        let answer = double.run(&back).await?;
        Ok(if answer.stderr.contains("forbidden") { answer.stderr } else { String::new() })
    })
    .await?;
    asked(double.run(&back).await?, "validate")?;
    drop(silent);
    Ok(())
}
