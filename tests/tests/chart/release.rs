//! A release through its life.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use concierge_certs::{Bundle, Cluster, KubeCluster, Options};
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::stack::{NAMESPACE, Plan, RELEASE, Stack, chart};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helm::{Helm, by_id, documents, path};
use crate::shared::{CONFIGURATIONS, DEFINED, Turn, field, helm, settled};

/// The chart of a release before, whose CRDs have another column.
fn older_chart() -> Result<TempDir> {
    let dir = tempfile::tempdir()?;
    copy(&chart(), dir.path())?;
    let crds = dir.path().join("templates/crds.yaml");
    let text = std::fs::read_to_string(&crds)?.replace("name: Age\n", "name: Since\n");
    ensure!(text.contains("name: Since\n"), "no column to change");
    std::fs::write(crds, text)?;
    Ok(dir)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (entry, to) = (entry?, to.to_owned());
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Writes a new authority into both configurations, just as the webhook does. Returns what it wrote.
async fn write_bundles(plane: &ControlPlane) -> Result<String> {
    let authority = rcgen::generate_simple_self_signed(["authority".to_owned()])?;
    let bundle = Bundle::parse(authority.cert.pem().as_bytes());
    let named = vec![RELEASE.to_owned()];
    let options = Options { validating: named.clone(), mutating: named, ..Options::new(NAMESPACE, RELEASE) };
    let cluster = KubeCluster::new(plane.client().await?, &options);
    for target in cluster.targets().await? {
        let entries = &target.live.as_ref().with_context(|| format!("no {target}"))?.entries;
        let entries: Vec<_> = entries.iter().map(|entry| (entry.name.clone(), bundle.clone())).collect();
        ensure!(entries.len() == 1, "{target} has {} entries", entries.len());
        cluster.apply(&target, &entries).await?;
    }
    bundles(plane).await
}

async fn bundles(plane: &ControlPlane) -> Result<String> {
    let mut all = String::new();
    for kind in CONFIGURATIONS {
        let bundle = field(plane, &[kind, RELEASE], ".webhooks[*].clientConfig.caBundle").await?;
        ensure!(!bundle.is_empty(), "no bundle in the {kind}");
        all += &bundle;
    }
    Ok(all)
}

/// The field managers that own `caBundle` of a configuration.
async fn owners_of_bundle(plane: &ControlPlane, kind: &str) -> Result<Vec<String>> {
    let get = ["get", kind, RELEASE, "--show-managed-fields", "-o", "json"];
    let object: Value = serde_json::from_str(&plane.kubectl().run(&get).await?.ok()?)?;
    let managers = object["metadata"]["managedFields"].as_array().context("no field managers")?;
    let owns = |it: &&Value| it["fieldsV1"].to_string().contains("f:caBundle");
    Ok(managers.iter().filter(owns).map(|it| it["manager"].as_str().unwrap_or_default().to_owned()).collect())
}

/// What the API server has changed of the release's objects: nothing, if the chart spells everything out.
async fn drift(plane: &ControlPlane) -> Result<Vec<String>> {
    let manifest = plane.helm(&["get", "manifest", RELEASE, "--namespace", NAMESPACE]).await?.ok()?;
    let get = ["get", "-f", "-", "-o", "json", "--namespace", NAMESPACE];
    let live: Value = serde_json::from_str(&plane.kubectl().run_with_input(&get, &manifest).await?.ok()?)?;
    let live = by_id(live["items"].as_array().context("no items")?);
    let mut changed = Vec::new();
    for (id, applied) in by_id(&documents(&manifest)?) {
        // Addresses are given to Services, and pods have dozens of defaults that no tool compares.
        if ["Service", "Deployment"].iter().any(|kind| applied["kind"] == **kind) {
            continue;
        }
        let stored = without_server_fields(live.get(&id).with_context(|| format!("no {id}"))?.clone());
        if stored != without_server_fields(applied.clone()) {
            changed.push(format!("{id}:\n{stored:#}\n{applied:#}"));
        }
    }
    Ok(changed)
}

fn without_server_fields(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.retain(|key, _| !key.starts_with("meta.helm.sh/"));
        }
    }
    object
}

#[tokio::test]
async fn a_release_lives_through_upgrades_and_leaves_what_users_own() -> Result<()> {
    let turn = Turn::take().await?;
    let plane = turn.plane;
    let admin = plane.kubectl();
    admin.apply_text(&restricted_namespace()).await?.ok()?;
    let (old, new) = (older_chart()?, path(&chart()));
    helm(plane, "install", &[&path(old.path())]).await?;
    pods_run(plane, "webhook", 2).await?;
    ensure!(columns(plane).await?.contains("Since"));
    let drifted = drift(plane).await?;
    ensure!(drifted.is_empty(), "the API server adds to\n{}", drifted.join("\n"));
    // Our own namespace is not looked at, so it needs no webhook that answers.
    let pet = format!(
        "{{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {{name: rex, namespace: {NAMESPACE}}}, spec: {{id: 1, name: Rex}}}}"
    );
    admin.apply_text(&pet).await?.ok()?;

    upgrades_and_a_rollback_leave_the_bundles(plane, &new).await?;
    nothing_but_what_users_own_is_left(plane).await?;
    helm(plane, "install", &[&new]).await?;
    ensure!(columns(plane).await?.contains("Age"));
    helm(plane, "uninstall", &[]).await?;
    let other = ["install", "door", &*new, "--namespace", NAMESPACE];
    let refused = plane.helm(&other).await?;
    ensure!(refused.stderr.contains("invalid ownership metadata"), "{refused:?}");
    plane.helm(&[&other[..], &["--take-ownership"]].concat()).await?.ok()?;
    Ok(())
}

/// The columns of a CRD.
async fn columns(plane: &ControlPlane) -> Result<String> {
    let names = ".spec.versions[*].additionalPrinterColumns[*].name";
    field(plane, &["crd", "claims.concierge.dev"], names).await
}

/// Upgrades from the older chart in all ways, and rolls back.
async fn upgrades_and_a_rollback_leave_the_bundles(plane: &ControlPlane, new: &str) -> Result<()> {
    let bundle = write_bundles(plane).await?;
    let mut last = String::new();
    for (timeout, args) in [
        ("6", &["--set", "webhook.validating.timeoutSeconds=6"][..]),
        ("6", &["--reuse-values"]),
        // As Helm 3 did, and back again.
        ("7", &["--set", "webhook.validating.timeoutSeconds=7", "--server-side=false"]),
        (
            "8",
            &[
                "--set",
                "webhook.validating.timeoutSeconds=8,reconciler.placement=deployment",
                "--server-side=true",
            ],
        ),
        ("5", &["--set", "reconciler.placement=sidecar,crds.install=false"]),
    ] {
        helm(plane, "upgrade", &[&[new], args].concat()).await?;
        ensure!(bundles(plane).await? == bundle, "{args:?} changed a bundle");
        let validating = [CONFIGURATIONS[1], RELEASE];
        ensure!(field(plane, &validating, ".webhooks[0].timeoutSeconds").await? == timeout, "{args:?}");
        for kind in CONFIGURATIONS {
            ensure!(owners_of_bundle(plane, kind).await? == ["concierge-certs"], "{args:?}: {kind}");
        }
        let generation = field(plane, &validating, ".metadata.generation").await?;
        ensure!(args != ["--reuse-values"] || generation == last, "an upgrade of nothing wrote something");
        last = generation;
        ensure!(columns(plane).await?.contains("Age"), "{args:?}: the CRDs are the old ones");
    }
    helm(plane, "rollback", &["1"]).await?;
    ensure!(bundles(plane).await? == bundle, "a rollback changed a bundle");
    ensure!(columns(plane).await?.contains("Since"), "a rollback kept the new CRDs");
    Ok(())
}

/// Uninstalls the release.
async fn nothing_but_what_users_own_is_left(plane: &ControlPlane) -> Result<()> {
    helm(plane, "uninstall", &[]).await?;
    let admin = plane.kubectl();
    let kinds = "all,clusterroles,clusterrolebindings,roles,rolebindings,flowschemas";
    let get = ["get", kinds, "-A", "-o", "name", "-l", "app.kubernetes.io/part-of=concierge"];
    let left = admin.run(&get).await?.ok()?;
    ensure!(left.is_empty(), "left behind: {left}");
    let gone = admin.run(&["get", CONFIGURATIONS[1], RELEASE]).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    let name = field(plane, &["pet", "rex", "-n", NAMESPACE], ".spec.name").await?;
    ensure!(name == "Rex", "the pet is gone");
    Ok(())
}

#[tokio::test]
async fn a_certificate_from_elsewhere_takes_over_once_conflicts_are_forced() -> Result<()> {
    let (turn, helm_home) = tokio::try_join!(Turn::take(), Helm::new())?;
    let plane = turn.plane;
    let chart = path(&chart());
    helm(plane, "install", &[&chart, DEFINED]).await?;
    let ours = write_bundles(plane).await?;

    let issuer = rcgen::generate_simple_self_signed(["issuer".to_owned()])?.cert.pem();
    let certificates = json!({"mode": "directory", "secretName": "tls", "caBundle": issuer});
    let file = helm_home.file(&json!({"certificates": certificates}))?;
    let upgrade = ["upgrade", RELEASE, &chart, "--namespace", NAMESPACE, "--values", &file, DEFINED];
    let refused = plane.helm(&upgrade).await?;
    ensure!(refused.stderr.contains("conflict with \"concierge-certs\""), "{refused:?}");
    ensure!(bundles(plane).await? == ours, "the refused upgrade wrote a bundle");
    plane.helm(&[&upgrade[..], &["--force-conflicts"]].concat()).await?.ok()?;
    for kind in CONFIGURATIONS {
        let get = ["get", kind, RELEASE, "-o", "json"];
        let live: Value = serde_json::from_str(&plane.kubectl().run(&get).await?.ok()?)?;
        let bundle: k8s_openapi::ByteString =
            serde_json::from_value(live["webhooks"][0]["clientConfig"]["caBundle"].clone())?;
        ensure!(bundle.0 == issuer.as_bytes(), "{kind}");
    }

    helm(plane, "upgrade", &[&chart, "--reset-values", DEFINED]).await?;
    ensure!(bundles(plane).await.is_err(), "the issuer is still trusted");
    let again = write_bundles(plane).await?;
    helm(plane, "upgrade", &[&chart, DEFINED]).await?;
    ensure!(bundles(plane).await? == again);
    Ok(())
}

#[tokio::test]
async fn what_the_notes_say_to_try_works() -> Result<()> {
    let turn = Turn::take().await?;
    let values = vec!["crds.install=false".to_owned()];
    let stack = Stack::start_on(turn.plane, Plan { reconcilers: 0, values, ..Plan::default() }).await?;
    let notes = stack.plane.helm(&["get", "notes", RELEASE, "--namespace", NAMESPACE]).await?.ok()?;
    let example = notes.split_once("<<END\n").and_then(|(_, rest)| rest.split_once("END"));
    let (example, _) = example.with_context(|| format!("no example:\n{notes}"))?;
    let try_out = ["apply", "--dry-run=server", "-f", "-"];
    let refused = stack.plane.kubectl().run_with_input(&try_out, example).await?;
    ensure!(!refused.status.success(), "{refused:?}");
    ensure!(refused.stderr.contains("[pets.pet.store-exists]"), "{refused:?}");
    let mended = example.replace(", storeRef: {name: nowhere}", "");
    ensure!(mended != example, "the example names no store");
    stack.plane.kubectl().run_with_input(&try_out, &mended).await?.ok()?;
    Ok(())
}

/// Lets in only pods that keep to the strictest of the pod security standards.
fn restricted_namespace() -> String {
    let label = "pod-security.kubernetes.io/enforce: restricted";
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}, labels: {{{label}}}}}}}")
}

async fn pods_run(plane: &ControlPlane, component: &str, count: usize) -> Result<()> {
    let selector = format!("app.kubernetes.io/component={component}");
    let get = ["get", "pods", "-n", NAMESPACE, "-l", &selector, "-o", "name"];
    let events = ["get", "events", "-n", NAMESPACE, "--field-selector", "reason=FailedCreate"];
    settled(|| async {
        let pods = plane.kubectl().run(&get).await?.ok()?.lines().count();
        let events = plane.kubectl().run(&events).await?.ok()?;
        Ok(if pods == count { String::new() } else { format!("{pods} pods of {component}: {events}") })
    })
    .await
}
