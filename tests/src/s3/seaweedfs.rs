//! SeaweedFS, whose program comes in a Python wheel.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use concierge_reconciler::aws::Keys;
use serde_json::json;
use tempfile::TempDir;

use super::{START, Server, answers, endpoint, keys, shown};
use crate::controlplane;
use crate::process::Process;
use crate::python;

const REQUIREMENTS: &str = include_str!("seaweedfs_requirements.txt");

impl Server {
    /// SeaweedFS: S3 and IAM on one port, and what it needs behind them, in one process.
    ///
    /// # Errors
    /// When it can't be installed or does not start.
    pub async fn seaweedfs() -> Result<Server> {
        let python = python::ensure("SeaweedFS", REQUIREMENTS).await?;
        let (folder, ports) = (TempDir::new()?, controlplane::free_ports(8)?);
        let admin = keys("AKIAADMINADMINADMIN0");
        let args = arguments(folder.path(), &ports, &admin)?;
        let (log, env) = (folder.path().join("weed.log"), [("HOME", folder.path())]);
        let process = Process::spawn("SeaweedFS", python.with_file_name("weed"), args, env, &log)?;
        let url = format!("http://127.0.0.1:{}", ports[0]);
        answers(&format!("{url}/healthz"), &process).await?;
        let server = Server {
            endpoint: endpoint(&url, &url)?,
            admin,
            root: None,
            _processes: vec![process],
            _folder: folder,
        };
        server.until_listed().await?;
        Ok(server)
    }

    /// Waits until it lists its buckets: it answers before all of it is there.
    async fn until_listed(&self) -> Result<()> {
        let (s3, end) = (self.clients(&self.admin)?.s3, Instant::now() + START);
        while let Err(error) = s3.list_buckets().send().await {
            if Instant::now() > end {
                bail!("SeaweedFS lists no buckets: {error:?}");
            }
            // Nothing tells when.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// Of the ports, the first is that of S3.
fn arguments(folder: &Path, ports: &[u16], admin: &Keys) -> Result<Vec<String>> {
    let (data, config) = (folder.join("data"), folder.join("s3.json"));
    std::fs::create_dir(&data)?;
    let may = ["Admin", "Read", "Write", "List", "Tagging"];
    let credentials = json!([{ "accessKey": admin.id, "secretKey": admin.secret }]);
    let identity = json!({ "name": "admin", "credentials": credentials, "actions": may });
    std::fs::write(&config, json!({ "identities": [identity] }).to_string())?;
    let mut args =
        ["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"].map(str::to_owned).to_vec();
    args.push(format!("-dir={}", shown(&data)));
    args.push(format!("-s3.config={}", shown(&config)));
    let named = ["s3", "master", "volume", "filer"];
    for (name, ports) in named.iter().zip(ports.chunks(2)) {
        args.extend([format!("-{name}.port={}", ports[0]), format!("-{name}.port.grpc={}", ports[1])]);
    }
    for socket in ["s3", "filer"] {
        args.push(format!("-{socket}.localSocket={}", shown(&folder.join(format!("{socket}.sock")))));
    }
    // Writes to IAM, and what a bucket that is not empty says, as others have them.
    args.extend(["-s3.iam.readOnly=false", "-s3.allowDeleteBucketNotEmpty=false"].map(str::to_owned));
    let nothing_else = ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"];
    let small = ["-volume.max=0", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"];
    args.extend(nothing_else.into_iter().chain(small).map(str::to_owned));
    Ok(args)
}
