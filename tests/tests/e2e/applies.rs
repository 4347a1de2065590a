//! Objects that a tool applies again and again, as Argo CD and Flux do: server-side.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use concierge_shared::kind::KINDS;
use concierge_tests::kubectl::{Kubectl, TIMEOUT};
use concierge_tests::stack::{Plan, Stack};
use serde_json::{Value, json};

use crate::world::{namespaces, with_others};

/// Each folder of examples, and the namespace that it is applied to; without one, its objects name theirs.
const APPLIED: [(&str, Option<&str>); 5] = [
    ("pets", Some("zoo")),
    ("coffee", Some("cafe")),
    ("s3", Some("store")),
    ("orasi", Some("data")),
    ("catalyst", None),
];
const NAMESPACES: [&str; 6] = ["zoo", "cafe", "store", "data", "concierge-demo", "concierge-demo-shop"];
/// The example with a value that is stored otherwise than it is written.
const REWRITTEN: &str = "happy-tails";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// Runs a server-side `verb` over a folder, file after file.
async fn server_side(kubectl: &Kubectl, verb: &str, name: &str, namespace: Option<&str>) -> Result<String> {
    let mut files =
        std::fs::read_dir(folder(name))?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let namespace = namespace.map(|namespace| format!("--namespace={namespace}"));
    let mut told = String::new();
    for file in files {
        let file = file.to_str().context("odd path")?;
        let args = [verb, "--server-side", "--force-conflicts", "--filename", file].into_iter();
        let output = kubectl.run(&args.chain(namespace.as_deref()).collect::<Vec<_>>()).await?;
        // `diff` ends with 1 when there is one.
        ensure!(output.status.success() || (verb == "diff" && output.status.code() == Some(1)), "{output:?}");
        told += &output.stdout;
    }
    Ok(told)
}

/// What users own of all objects: the spec, how often it changed, and the fields that belong to who applies.
async fn stored(kubectl: &Kubectl) -> Result<Vec<Value>> {
    let kinds = KINDS.iter().map(|kind| kind.crd_name()).collect::<Vec<_>>().join(",");
    let get = ["get", &kinds, "--all-namespaces", "--show-managed-fields", "--output", "json"];
    let list: Value = serde_json::from_str(&kubectl.run(&get).await?.ok()?)?;
    let item = |one: &Value| {
        let metadata = &one["metadata"];
        let managers = metadata["managedFields"].as_array().into_iter().flatten();
        let ours: Vec<_> = managers.filter(|entry| entry["manager"] == "kubectl").collect();
        json!([one["kind"], metadata["name"], metadata["generation"], one["spec"], ours, one["apiVersion"]])
    };
    Ok(list["items"].as_array().context("no items")?.iter().map(item).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_side_apply_changes_nothing_and_drift_is_shown_and_mended() -> Result<()> {
    let _turn = with_others().await;
    // But of pets only what is stored is looked at: nobody may call the services that the examples name.
    let reconciler_args = ["--namespaces", "zoo"].map(str::to_owned).to_vec();
    let stack = Stack::start(Plan { reconciler_args, ..Plan::default() }).await?;
    namespaces(&stack, &NAMESPACES.map(str::to_owned)).await?;
    let kubectl = stack.plane.kubectl();
    for (name, namespace) in APPLIED {
        server_side(&kubectl, "apply", name, namespace).await?;
    }
    // Defaults, finalizers and status are there before anybody compares.
    let wait = ["wait", "--for=condition=Ready", "pets,petstores", "--all", "-n", "zoo", TIMEOUT];
    kubectl.run(&wait).await?.ok()?;
    let before = stored(&kubectl).await?;
    let applied: BTreeSet<_> = before.iter().filter_map(|one| one[5].as_str()).collect();
    let groups: BTreeSet<_> =
        KINDS.iter().map(|kind| format!("{}/{}", (kind.group)(), (kind.version)())).collect();
    ensure!(groups.iter().all(|group| applied.contains(group.as_str())), "{applied:?} of {groups:?}");
    for (name, namespace) in APPLIED {
        let found = server_side(&kubectl, "diff", name, namespace).await?;
        ensure!(found.is_empty(), "{name}:\n{found}");
        server_side(&kubectl, "apply", name, namespace).await?;
    }
    let after = stored(&kubectl).await?;
    ensure!(before.len() == after.len());
    for (before, after) in before.iter().zip(&after).filter(|(before, after)| before != after) {
        // Its name is written with spaces around it, and stored without: each apply is a write, of the time alone.
        ensure!(after[1] == REWRITTEN, "the second apply changed {before:#}\n{after:#}");
        ensure!(before[2] == after[2] && before[3] == after[3], "{before:#}\n{after:#}");
    }

    let edit = ["patch", "pet", "rex", "-n", "zoo", "--type=merge", "-p", r#"{"spec": {"tag": "cat"}}"#];
    kubectl.run(&edit).await?.ok()?;
    let found = server_side(&kubectl, "diff", "pets", Some("zoo")).await?;
    let changed: Vec<_> =
        found.lines().filter(|line| line.starts_with("-  ") || line.starts_with("+  ")).collect();
    ensure!(changed.contains(&"-  tag: cat") && changed.contains(&"+  tag: dog"), "{found}");
    server_side(&kubectl, "apply", "pets", Some("zoo")).await?;
    ensure!(server_side(&kubectl, "diff", "pets", Some("zoo")).await?.is_empty());
    Ok(())
}
