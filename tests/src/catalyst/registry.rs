//! A real registry on loopback, without credentials and TLS: the one of go-containerregistry, which keeps images in memory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Url};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::controlplane;
use crate::process::Process;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A running registry. Dropping it ends it.
pub struct Registry {
    port: u16,
    http: Client,
    _process: Process,
    _folder: TempDir,
}

impl Registry {
    /// # Errors
    /// When it can't be built or does not start.
    pub async fn start() -> Result<Registry> {
        let [program] = controlplane::ensure(["registry"]).await?;
        let (folder, port) = (TempDir::new()?, controlplane::free_ports(1)?[0]);
        let log = folder.path().join("registry.log");
        let process =
            Process::spawn("registry", program, [format!("-port={port}")], [("HOME", folder.path())], &log)?;
        let http = Client::builder().no_proxy().timeout(START).build()?;
        let registry = Registry { port, http, _process: process, _folder: folder };
        let end = tokio::time::Instant::now() + START;
        while registry.http.get(registry.url("/v2/")?).send().await.is_err() {
            ensure!(tokio::time::Instant::now() < end, "the registry does not answer");
            // Nothing tells when.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(registry)
    }

    /// Such as `localhost:40123`, as images name it.
    pub fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    fn url(&self, path: &str) -> Result<Url> {
        Url::parse(&format!("http://{}{path}", self.name())).context("no address")
    }

    /// Stores an image that holds nothing.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push(&self, repository: &str, tag: &str) -> Result<()> {
        let config = b"{}";
        let digest: String = Sha256::digest(config).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{digest}");
        let upload = self.url(&format!("/v2/{repository}/blobs/uploads/?digest={digest}"))?;
        let stored = self.http.post(upload).body(config.to_vec()).send().await?;
        ensure!(stored.status().is_success(), "a blob was answered {}", stored.status());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2 },
            "layers": [],
        });
        let put = self.http.put(self.url(&format!("/v2/{repository}/manifests/{tag}"))?);
        let stored = put.header("content-type", MANIFEST).body(manifest.to_string()).send().await?;
        ensure!(stored.status().is_success(), "a manifest was answered {}", stored.status());
        Ok(())
    }
}
