//! Ceph's object gateway, with a monitor and a store in memory behind it, from Debian's packages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::{START, Server, answers, endpoint, keys, shown};
use crate::controlplane;
use crate::process::Process;
use crate::python::{cache, lock, succeed};

const PACKAGES: [&str; 4] = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"];
const VERSION: &str = "16.2.15";
const REMEDY: &str = "radosgw 16 is taken from the packages of Debian 12, once per machine and without installing them, which needs apt-get, \
                      its lists (apt-get update) and dpkg-deb";

/// Where Ceph's programs and libraries are.
struct Ceph {
    root: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// radosgw 16, without IAM.
    ///
    /// # Errors
    /// When it can't be fetched or does not start.
    pub async fn radosgw() -> Result<Server> {
        let folder = TempDir::new()?;
        let ports = controlplane::free_ports(2)?;
        let ceph = Ceph { root: fetched().await?, folder: folder.path().to_owned() };
        let id = ceph.configure(ports[0], ports[1])?;
        let monitor = ceph.monitor(&id, ports[1]).await?;
        let store = ceph.store().await?;
        let gateway = ceph.start("radosgw", &["-n", "client.rgw", "-f"])?;
        let url = format!("http://127.0.0.1:{}", ports[0]);
        answers(&url, &gateway).await?;
        let admin = keys("AKIAADMINADMINADMIN0");
        let (key, secret) = (format!("--access-key={}", admin.id), format!("--secret-key={}", admin.secret));
        let make = [
            "-n",
            "client.rgw",
            "user",
            "create",
            "--uid=concierge",
            "--display-name=Concierge",
            &key,
            &secret,
        ];
        ceph.run("radosgw-admin", &make).await?;
        let endpoint = endpoint(&url, &url)?;
        Ok(Server { endpoint, admin, root: None, _processes: vec![gateway, store, monitor], _folder: folder })
    }
}

/// The packages' contents in the cache, fetched unless they are there.
async fn fetched() -> Result<PathBuf> {
    let cache = cache("ceph")?;
    let root = cache.join(VERSION);
    let _lock = lock(&cache).await?;
    if root.exists() {
        return Ok(root);
    }
    let (debs, part) = (cache.join("debs"), cache.join("part"));
    for path in [&debs, &part] {
        let _ = std::fs::remove_dir_all(path);
        std::fs::create_dir_all(path)?;
    }
    // These, and what they need and this machine has not.
    let mut list = Command::new("apt-get");
    list.args(["install", "--reinstall", "--print-uris", "-qq", "-y", "--no-install-recommends"])
        .args(PACKAGES);
    let uris = succeed(REMEDY, &mut list).await?;
    let names: Vec<_> = uris.lines().filter_map(|line| line.split(' ').nth(1)?.split('_').next()).collect();
    ensure!(uris.contains(VERSION), "this machine's packages have no radosgw {VERSION}: {REMEDY}");
    succeed(REMEDY, Command::new("apt-get").arg("download").args(&names).current_dir(&debs)).await?;
    for deb in std::fs::read_dir(&debs)? {
        succeed(REMEDY, Command::new("dpkg-deb").arg("-x").arg(deb?.path()).arg(&part)).await?;
    }
    std::fs::remove_dir_all(&debs)?;
    std::fs::rename(&part, &root)?;
    Ok(root)
}

impl Ceph {
    fn file(&self, name: &str) -> String {
        shown(&self.folder.join(name))
    }

    /// Where `lib` is `usr/lib` or `lib`.
    fn libraries(&self, lib: &str) -> PathBuf {
        self.root.join(format!("{lib}/{}-linux-gnu", std::env::consts::ARCH))
    }

    /// Writes the configuration; the cluster's id.
    fn configure(&self, gateway: u16, monitor: u16) -> Result<String> {
        for name in ["mon", "osd", "run"] {
            std::fs::create_dir(self.folder.join(name))?;
        }
        let id = uuid();
        let (folder, libraries) = (shown(&self.folder), shown(&self.libraries("usr/lib")));
        let text = include_str!("radosgw.conf")
            .replace("{id}", &id)
            .replace("{folder}", &folder)
            .replace("{libraries}", &libraries)
            .replace("{gateway}", &gateway.to_string())
            .replace("{monitor}", &monitor.to_string());
        std::fs::write(self.folder.join("ceph.conf"), text)?;
        Ok(id)
    }

    async fn monitor(&self, id: &str, port: u16) -> Result<Process> {
        let (map, at) = (self.file("monmap"), format!("[v1:127.0.0.1:{port}]"));
        self.run("monmaptool", &["--create", "--addv", "a", &at, "--fsid", id, &map]).await?;
        self.run("ceph-mon", &["-i", "a", "--mkfs", "--monmap", &map]).await?;
        self.start("ceph-mon", &["-i", "a", "-f"])
    }

    /// A store for objects, in memory.
    async fn store(&self) -> Result<Process> {
        self.run("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", &uuid()]).await?;
        // It picks an id of its own.
        let id = std::fs::read_to_string(self.folder.join("osd/fsid"))?;
        self.run("ceph", &["--connect-timeout", "20", "osd", "new", id.trim(), "0"]).await?;
        self.run("ceph", &["osd", "crush", "add", "osd.0", "1.0", "root=default", "host=local"]).await?;
        let store = self.start("ceph-osd", &["-i", "0", "-f"])?;
        let end = Instant::now() + START;
        // Asked too early, the monitor knows no commands yet.
        while !self.run("ceph", &["osd", "stat"]).await.is_ok_and(|stat| stat.contains("1 up")) {
            ensure!(Instant::now() < end, "ceph-osd does not come up:\n{}", store.log_tail(20));
            // The monitor has no event that tells when.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(store)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let (libraries, conf) = (self.libraries("usr/lib"), self.file("ceph.conf"));
        let folders = [&libraries.join("ceph"), &self.libraries("lib"), &libraries];
        let paths = folders.map(|folder| shown(folder)).join(":");
        vec![
            ("LD_LIBRARY_PATH", paths),
            ("PYTHONPATH", shown(&self.root.join("usr/lib/python3/dist-packages"))),
            ("CEPH_ARGS", format!("-c {conf}")),
            ("CEPH_CONF", conf),
        ]
    }

    fn program(&self, name: &str) -> PathBuf {
        self.root.join("usr/bin").join(name)
    }

    fn start(&self, name: &str, args: &[&str]) -> Result<Process> {
        let log = self.folder.join(format!("{name}.out"));
        Process::spawn(name, self.program(name), args, self.environment(), &log)
    }

    async fn run(&self, name: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(self.program(name));
        command.args(args).envs(self.environment()).current_dir(&self.folder);
        let told = || format!("{name} failed, and the monitor says:\n{}", Self::tail(&self.folder));
        // Ceph's programs wait for a monitor for as long as it takes.
        let output = timeout(START, succeed("this is a part of starting Ceph", &mut command)).await;
        output.with_context(told)?.with_context(told)
    }

    /// The end of the monitor's log, which mostly tells why.
    fn tail(folder: &Path) -> String {
        let text = std::fs::read_to_string(folder.join("mon.a.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn uuid() -> String {
    let mut digits = (0..32).map(|_| fastrand::digit(16));
    let groups = [8, 4, 4, 4, 12].map(|count| digits.by_ref().take(count).collect::<String>());
    groups.join("-")
}
