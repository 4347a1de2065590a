//! The control plane that all tests of this program share, one after the other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use concierge_shared::kind::KINDS;
use concierge_tests::PATIENCE;
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::kubectl::{ESTABLISHED, TIMEOUT};
use concierge_tests::stack::{NAMESPACE, RELEASE, chart};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::helm::path;

/// The control plane, for one test at a time. There is no release on it; our kinds are defined, and there are none of them.
pub(crate) struct Turn {
    pub(crate) plane: &'static ControlPlane,
    _alone: MutexGuard<'static, ()>,
}

impl Turn {
    pub(crate) async fn take() -> Result<Turn> {
        static ALONE: Mutex<()> = Mutex::const_new(());
        static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
        let alone = ALONE.lock().await;
        let plane = PLANE.get_or_try_init(Turn::start).await?;
        clear(plane).await?;
        Ok(Turn { plane, _alone: alone })
    }

    async fn start() -> Result<ControlPlane> {
        let plane = ControlPlane::start().await?;
        define(&plane).await?;
        Ok(plane)
    }

    /// Creates a namespace, unless an earlier test has.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
        self.plane.kubectl().apply_text(&namespace).await?.ok()?;
        Ok(())
    }
}

/// Leaves the definitions of our kinds to releases called [`RELEASE`], whoever had them.
async fn define(plane: &ControlPlane) -> Result<()> {
    helm(plane, "install", &[&path(&chart()), "--create-namespace", "--take-ownership"]).await?;
    helm(plane, "uninstall", &[]).await?;
    plane.kubectl().run(&["wait", ESTABLISHED, TIMEOUT, "crd", "--all"]).await?.ok().map(drop)
}

/// Removes what an earlier test has left: releases, and the objects that outlive them. The definitions stay: they take longest to
/// install and to remove, and most tests are not about them.
async fn clear(plane: &ControlPlane) -> Result<()> {
    let releases = plane.helm(&["list", "--namespace", NAMESPACE, "--short"]).await?.ok()?;
    for release in releases.lines() {
        plane.helm(&["uninstall", release, "--namespace", NAMESPACE]).await?.ok()?;
    }
    if releases.lines().any(|release| release != RELEASE) {
        define(plane).await?;
    }
    let admin = plane.kubectl();
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.crd_name()).collect();
    let get = ["get", &kinds.join(","), "-A", "-o", "json"];
    let mut left: Value = serde_json::from_str(&admin.run(&get).await?.ok()?)?;
    for object in left["items"].as_array_mut().into_iter().flatten() {
        // Nobody is there who would take them away.
        object["metadata"]["finalizers"] = json!([]);
        admin.run_with_input(&["replace", "-f", "-"], &object.to_string()).await?.ok()?;
    }
    if left["items"] != json!([]) {
        let delete = ["delete", "--ignore-not-found", TIMEOUT, "-f", "-"];
        admin.run_with_input(&delete, &left.to_string()).await?.ok()?;
    }
    Ok(())
}

/// For a test that is not about the definitions.
pub(crate) const DEFINED: &str = "--set=crds.install=false";

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
