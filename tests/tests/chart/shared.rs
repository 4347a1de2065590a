//! The control plane that all tests of this program share, one after the other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use concierge_tests::PATIENCE;
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::stack::{NAMESPACE, RELEASE};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The control plane, for one test at a time. There is no release on it, and no definition of ours.
pub(crate) struct Turn {
    pub(crate) plane: &'static ControlPlane,
    _alone: MutexGuard<'static, ()>,
}

impl Turn {
    pub(crate) async fn take() -> Result<Turn> {
        static ALONE: Mutex<()> = Mutex::const_new(());
        static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
        let alone = ALONE.lock().await;
        let plane = PLANE.get_or_try_init(ControlPlane::start).await?;
        clear(plane).await?;
        Ok(Turn { plane, _alone: alone })
    }

    /// Creates a namespace, unless an earlier test has.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
        self.plane.kubectl().apply_text(&namespace).await?.ok()?;
        Ok(())
    }
}

/// Removes what an earlier test has left: releases, the objects that outlive them, and their definitions.
async fn clear(plane: &ControlPlane) -> Result<()> {
    let releases = plane.helm(&["list", "--namespace", NAMESPACE, "--short"]).await?.ok()?;
    for release in releases.lines() {
        plane.helm(&["uninstall", release, "--namespace", NAMESPACE]).await?.ok()?;
    }
    let admin = plane.kubectl();
    let ours = ["--selector", "app.kubernetes.io/part-of=concierge"];
    let crds = admin.run(&[&["get", "crd", "-o", "name"], &ours[..]].concat()).await?.ok()?;
    let kinds = crds.lines().filter_map(|crd| crd.split_once('/').map(|(_, name)| name)).collect::<Vec<_>>();
    if kinds.is_empty() {
        return Ok(());
    }
    let get = ["get", &kinds.join(","), "-A", "-o", "json"];
    let left: Value = serde_json::from_str(&admin.run(&get).await?.ok()?)?;
    for mut object in left["items"].as_array().cloned().unwrap_or_default() {
        // Nobody is there who would take them away.
        object["metadata"]["finalizers"] = json!([]);
        admin.run_with_input(&["replace", "-f", "-"], &object.to_string()).await?.ok()?;
    }
    admin.run(&[&["delete", "crd", TIMEOUT], &ours[..]].concat()).await?.ok()?;
    Ok(())
}

/// Waits until `look` finds nothing to complain about.
pub(crate) async fn settled<F: Future<Output = Result<String>>>(mut look: impl FnMut() -> F) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let complaint = look().await?;
        if complaint.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < end, "not within {PATIENCE:?}: {complaint}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) const CONFIGURATIONS: [&str; 2] =
    ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];

/// Runs `helm VERB RELEASE ARGS` in our namespace.
pub(crate) async fn helm(plane: &ControlPlane, verb: &str, args: &[&str]) -> Result<String> {
    let line = [&[verb, RELEASE, "--namespace", NAMESPACE], args].concat();
    plane.helm(&line).await?.ok().with_context(|| format!("helm {line:?}"))
}

/// A field of an object, as text.
pub(crate) async fn field(plane: &ControlPlane, object: &[&str], path: &str) -> Result<String> {
    let path = format!("jsonpath={{{path}}}");
    plane.kubectl().run(&[&["get"], object, &["-o", &path]].concat()).await?.ok()
}
