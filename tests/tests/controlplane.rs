//! The tests' own control plane keeps its promises.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use concierge_tests::PATIENCE;
use concierge_tests::balancer::{Backend, Balancer};
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::process::{Process, Signal};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const CONFIG_MAP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: menu, namespace: cafe}
data: {coffee: dark}
";

/// Waits for `holds` with a bound.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        ensure!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn rbac_applies_to_users_and_service_accounts_and_namespaces_go_away() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let admin = control_plane.kubectl();
    admin.run(&["create", "namespace", "cafe"]).await?.ok()?;

    let guest = control_plane.user("guest", &["guests", "people"])?;
    let refused = guest.kubectl().apply_text(CONFIG_MAP).await?;
    ensure!(!refused.status.success() && refused.stderr.contains("forbidden"), "{refused:?}");

    // The second group counts as much as the first.
    for group in ["guests", "people"] {
        let bind =
            ["create", "rolebinding", group, "-n", "cafe", "--clusterrole=edit", &format!("--group={group}")];
        admin.run(&bind).await?.ok()?;
        guest.kubectl().apply_text(CONFIG_MAP).await?.ok()?;
        admin.run(&["delete", "rolebinding", group, "-n", "cafe"]).await?.ok()?;
    }
    admin
        .run(&["create", "rolebinding", "g", "-n", "cafe", "--clusterrole=edit", "--user=guest"])
        .await?
        .ok()?;
    let get = ["get", "configmap", "menu", "-n", "cafe", "-o", "jsonpath={.data.coffee}"];
    eventually("guest may read", || async {
        guest.kubectl().run(&get).await.is_ok_and(|o| o.stdout == "dark")
    })
    .await?;

    let waiter = control_plane.service_account("cafe", "default").await?;
    let denied = Api::<ConfigMap>::namespaced(waiter.client().await?, "cafe").get("menu").await;
    ensure!(denied.is_err_and(|error| error.to_string().contains("system:serviceaccount:cafe:default")));

    admin.run(&["delete", "namespace", "cafe", TIMEOUT]).await?.ok()?;
    let gone = admin.run(&get).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    let helm = control_plane.helm(&["list", "-A"]).await?.ok()?;
    ensure!(helm.starts_with("NAME"), "{helm}");

    let dir = control_plane.dir().to_owned();
    drop(control_plane);
    ensure!(!dir.exists() && pids_of(&dir)?.is_empty(), "the control plane left something behind");
    Ok(())
}

#[tokio::test]
async fn two_api_servers_show_the_same_objects() -> Result<()> {
    let control_plane = ControlPlane::start_with_apiservers(2).await?;
    ensure!(control_plane.urls().len() == 2);
    let admin = control_plane.admin();
    let at = async |server| {
        Ok::<Api<ConfigMap>, anyhow::Error>(Api::default_namespaced(admin.client_at(server).await?))
    };
    let mut menu = ConfigMap::default();
    menu.metadata.name = Some("menu".to_owned());
    at(0).await?.create(&PostParams::default(), &menu).await?;
    at(1).await?.get("menu").await?;
    let again = at(1).await?.create(&PostParams::default(), &menu).await;
    ensure!(again.is_err_and(|error| error.to_string().contains("already exists")));
    Ok(())
}

#[tokio::test]
async fn nothing_outlives_a_process_that_is_killed() -> Result<()> {
    let mut up = tokio::process::Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("up")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(up.stdout.take().context("no output")?).lines();
    let line = lines.next_line().await?.context("`controlplane up` ended")?;
    let kubeconfig = line.strip_prefix("export KUBECONFIG=").context("no export line")?;
    let dir = Path::new(kubeconfig).parent().context("no folder")?.to_owned();
    ensure!(pids_of(&dir)?.len() >= 6, "three programs and their guards, not {:?}", pids_of(&dir)?);

    up.start_kill()?;
    up.wait().await?;
    eventually("all processes are gone", || async { pids_of(&dir).is_ok_and(|pids| pids.is_empty()) })
        .await?;
    eventually("the folder is gone", || async { !dir.exists() }).await
}

#[tokio::test]
async fn a_process_can_be_frozen_and_ended_and_says_how_it_ended() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("log");
    let shell = |script: &str| Process::spawn("shell", "sh", ["-c", script], [("WORD", "hello")], &log);

    let process = shell("echo $WORD; exit 7")?;
    ensure!(process.wait().await?.code() == Some(7) && process.exited().is_some());
    ensure!(process.log_tail(1) == "hello");
    process.signal(Signal::Term)?;

    let process = shell("sleep 100")?;
    let state = || state_of(process.pid());
    process.signal(Signal::Stop)?;
    eventually("it is frozen", || async { state() == Some('T') }).await?;
    process.signal(Signal::Cont)?;
    eventually("it goes on", || async { state() == Some('S') }).await?;
    process.signal(Signal::Term)?;
    ensure!(!process.wait().await?.success());

    let process = shell("trap '' TERM; sleep 100 & wait; sleep 100")?;
    let pid = process.pid();
    drop(process);
    ensure!(state_of(pid).is_none(), "dropping ends a process that ignores SIGTERM");

    let missing = Process::spawn("missing", "/no/such/program", [""; 0], [("", ""); 0], &log);
    ensure!(missing.is_err_and(|error| error.to_string().contains("can't start missing")));
    Ok(())
}

/// A backend that answers every byte with `name`, ready while `ready` says so.
async fn backend(name: u8, ready: tokio::sync::watch::Receiver<bool>) -> Result<Backend> {
    let (data, admin) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let backend =
        Backend { addr: data.local_addr()?, readiness_url: format!("http://{}/readyz", admin.local_addr()?) };
    tokio::spawn(async move {
        while let Ok((mut client, _)) = data.accept().await {
            tokio::spawn(async move {
                while client.read_u8().await.is_ok() && client.write_u8(name).await.is_ok() {}
            });
        }
    });
    tokio::spawn(async move {
        while let Ok((mut client, _)) = admin.accept().await {
            let status = if *ready.borrow() { "200 OK" } else { "503 Service Unavailable" };
            let _ = client.read(&mut [0; 1024]).await;
            let _ =
                client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
        }
    });
    Ok(backend)
}

async fn ask(stream: &mut TcpStream) -> Result<u8> {
    stream.write_u8(b'?').await?;
    Ok(stream.read_u8().await?)
}

#[tokio::test]
async fn the_balancer_takes_turns_leaves_out_the_unready_and_cuts_no_live_connection() -> Result<()> {
    let (first_ready, second_ready) = (tokio::sync::watch::channel(true), tokio::sync::watch::channel(true));
    let (first, second) = (backend(b'1', first_ready.1).await?, backend(b'2', second_ready.1).await?);
    let balancer = Balancer::start(0)?;
    let connect = || TcpStream::connect(balancer.addr());
    // A reset that comes early is the connect's error already.
    let refused = async || match connect().await {
        Ok(mut stream) => ask(&mut stream).await.is_err(),
        Err(_) => true,
    };
    ensure!(refused().await, "no backend, no connection");

    balancer.set_backends(vec![first.clone(), second.clone()])?;
    balancer.wait_ready(2, PATIENCE).await?;
    let (mut a, mut b) = (connect().await?, connect().await?);
    let mut names = [ask(&mut a).await?, ask(&mut b).await?];
    names.sort_unstable();
    ensure!(names == *b"12", "one connection each, not {names:?}");
    let mut live = if ask(&mut a).await? == b'1' { a } else { b };

    first_ready.0.send(false)?;
    balancer.wait_ready(1, PATIENCE).await?;
    for _ in 0..4 {
        ensure!(ask(&mut connect().await?).await? == b'2', "the first is not ready");
    }
    ensure!(ask(&mut live).await? == b'1', "a live connection goes on");
    ensure!(balancer.connections() == [(first.addr, 1), (second.addr, 5)]);

    balancer.remove(first.addr);
    ensure!(ask(&mut live).await? == b'1', "also when its backend is removed");
    second_ready.0.send(false)?;
    balancer.wait_ready(0, PATIENCE).await?;
    ensure!(refused().await, "no ready backend, no connection");
    Ok(())
}

#[tokio::test]
async fn the_balancer_goes_on_to_the_next_backend_when_one_refuses() -> Result<()> {
    let (_keep, ready) = tokio::sync::watch::channel(true);
    let good = backend(b'g', ready.clone()).await?;
    // Ready by its admin address, but nobody listens any more where connections go.
    let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let refusing = Backend { addr: closed, ..backend(b'r', ready).await? };
    let balancer = Balancer::start(0)?;
    balancer.add(refusing)?;
    balancer.add(good.clone())?;
    balancer.wait_ready(2, PATIENCE).await?;
    for _ in 0..4 {
        ensure!(ask(&mut TcpStream::connect(balancer.addr()).await?).await? == b'g');
    }
    ensure!(balancer.connections() == [(closed, 0), (good.addr, 4)]);
    Ok(())
}

/// The processes that have `dir` in their command line.
fn pids_of(dir: &Path) -> Result<Vec<u32>> {
    let dir = dir.to_str().context("no text")?;
    let named = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(dir)
    };
    let pids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter(named).collect())
}

/// The letter of the process' state, `None` when there is no such process.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
