//! Helm without a cluster, and what it renders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result};
use concierge_tests::controlplane::ensure;
use concierge_tests::kubectl::Output;
use concierge_tests::stack::{NAMESPACE, RELEASE, chart};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Helm without a cluster.
pub(crate) struct Helm {
    program: PathBuf,
    home: TempDir,
}

impl Helm {
    pub(crate) async fn new() -> Result<Helm> {
        let [program] = ensure(["helm"]).await?;
        Ok(Helm { program, home: tempfile::tempdir()? })
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Result<Output> {
        let output = tokio::process::Command::new(&self.program)
            .args(args)
            .envs(["CACHE", "CONFIG", "DATA"].map(|it| (format!("HELM_{it}_HOME"), self.home.path())))
            .env("KUBECONFIG", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// A file with `values`, for `--values`: JSON is YAML.
    pub(crate) fn file(&self, values: &Value) -> Result<String> {
        let path = self.home.path().join(format!("{}.yaml", fastrand::u64(..)));
        std::fs::write(&path, serde_json::to_vec(values)?)?;
        Ok(path.to_str().context("odd path")?.to_owned())
    }

    pub(crate) async fn template(&self, values: &Value) -> Result<Output> {
        let (chart, file) = (path(&chart()), self.file(values)?);
        self.run(&["template", RELEASE, &chart, "--namespace", NAMESPACE, "--values", &file]).await
    }

    /// What comes of these values, which several tests look at.
    pub(crate) async fn render(&self, values: &Value) -> Result<Arc<Rendered>> {
        static RENDERED: Mutex<BTreeMap<String, Arc<Rendered>>> = Mutex::const_new(BTreeMap::new());
        let mut rendered = RENDERED.lock().await;
        if let Some(known) = rendered.get(&values.to_string()) {
            return Ok(known.clone());
        }
        let yaml = self.template(values).await?.ok()?;
        let new = Arc::new(Rendered { objects: documents(&yaml)?, yaml });
        rendered.insert(values.to_string(), new.clone());
        Ok(new)
    }
}

/// What helm makes of the chart.
pub(crate) struct Rendered {
    pub(crate) yaml: String,
    pub(crate) objects: Vec<Value>,
}

pub(crate) fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn documents(yaml: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    Ok(all.into_iter().filter(|it| !it.is_null()).collect())
}

pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|it| it["kind"] == kind).collect()
}

pub(crate) fn id(object: &Value) -> String {
    let name = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!("{} {}/{}", name(&object["kind"]), name(&metadata["namespace"]), name(&metadata["name"]))
}

pub(crate) fn by_id(objects: &[Value]) -> BTreeMap<String, Value> {
    objects.iter().map(|object| (id(object), object.clone())).collect()
}
