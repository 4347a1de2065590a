//! The image that the chart names, run by containerd.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use concierge_tests::controlplane::{ControlPlane, free_ports};
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::soak::is_full;
use concierge_tests::stack::{NAMESPACE, RELEASE};
use serde_json::{Value, json};

use super::{
    VERSION,
    node::{Confined, Node},
    project, release, run,
};

/// The folder that `DIST` names: what is in it is about to be published.
fn dist() -> Option<String> {
    std::env::var("DIST").ok().filter(|folder| !folder.is_empty())
}

/// Where everything is. What is made for these tests leaves alone what `make image` makes.
fn out() -> String {
    dist().unwrap_or_else(|| "target/dist-tested".to_owned())
}

/// Makes everything that a release has, unless it is there to be published; the image's file.
fn made() -> String {
    match dist() {
        Some(folder) => println!("what is tested is what is in {folder}"),
        None => make(),
    }
    let folder = project().join(out());
    run(Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&folder));
    folder.join(format!("concierge-{VERSION}.oci.tar")).display().to_string()
}

fn make() {
    let made_of = if is_full() { ["amd64,arm64", "release"] } else { ["amd64", "quick"] };
    let [architectures, profile] = made_of;
    println!("{}", release(&["all", "--arch", architectures, "--profile", profile, "--out", &out()]));
    if !is_full() {
        println!(
            "for amd64 only, and optimised less than a release: make soak FULL=1 builds all of it as it is published"
        );
    }
}

/// `skopeo ARGS`, for an architecture of an image.
fn skopeo(architecture: &str, args: &[&str]) -> String {
    run(Command::new("skopeo").args(["--override-os", "linux", "--override-arch", architecture]).args(args))
}

/// What an architecture's image says of itself.
fn inspect(image: &str, architecture: &str) -> Value {
    let config = skopeo(architecture, &["inspect", "--config", &format!("oci-archive:{image}:{VERSION}")]);
    serde_json::from_str(&config).unwrap()
}

/// The files of an architecture's image, from its layers.
fn unpacked(image: &str, architecture: &str) -> PathBuf {
    let folder = project().join("target/image-tested").join(architecture);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let [blobs, root] = ["blobs", "root"].map(|name| folder.join(name));
    fs::create_dir_all(&root).unwrap();
    let to = format!("dir:{}", blobs.display());
    skopeo(architecture, &["copy", &format!("oci-archive:{image}:{VERSION}"), &to]);
    let manifest: Value = serde_json::from_slice(&fs::read(blobs.join("manifest.json")).unwrap()).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        let blob = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
        run(Command::new("tar").arg("-xf").arg(blobs.join(blob)).arg("-C").arg(&root));
    }
    root
}

/// The pod of the chart that is in the release, with these values.
async fn pod(plane: &ControlPlane, values: &str) -> Result<Value> {
    let chart = project().join(format!("{}/concierge-chart-{VERSION}.tgz", out())).display().to_string();
    let args = ["template", RELEASE, &chart, "--namespace", NAMESPACE, "--set", values];
    let objects: Vec<Value> = serde_saphyr::from_multiple(&plane.helm(&args).await?.ok()?)?;
    let deployment = objects.into_iter().find(|one| one["kind"] == "Deployment").context("no Deployment")?;
    Ok(deployment["spec"]["template"]["spec"].clone())
}

/// What the image says of itself, beside what the chart expects.
fn fits(config: &Value, architecture: &str, pod: &Value) -> Result<()> {
    ensure!(config["architecture"] == architecture && config["os"] == "linux", "{config}");
    let config = &config["config"];
    ensure!(config["User"] == format!("{0}:{0}", pod["securityContext"]["runAsUser"]), "{config}");
    ensure!(config["Entrypoint"] == json!(["concierge-webhook"]), "{config}");
    let labels = &config["Labels"];
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str().unwrap_or_default();
    ensure!((label("version"), label("licenses")) == (VERSION, "Apache-2.0"), "{labels}");
    ensure!(label("source").starts_with("https://") && label("created").ends_with('Z'), "{labels}");
    ensure!(label("revision").len() == 40, "{labels}");
    for container in pod["containers"].as_array().context("no containers")? {
        ensure!(container["image"] == format!("ghcr.io/concierge-dev/concierge:{VERSION}"), "{container}");
    }
    Ok(())
}

/// An architecture that is not this machine's runs in an emulator.
fn starts_emulated(root: &Path) {
    for program in ["concierge-webhook", "concierge-reconciler"] {
        let said = run(Command::new("qemu-aarch64-static")
            .arg(root.join("usr/local/bin").join(program))
            .arg("--version"));
        assert_eq!(said.trim(), format!("{program} {VERSION}"));
    }
}

/// Root authorities are there, for the services that the reconciler calls.
fn holds_authorities(root: &Path) {
    let bundle = fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100);
}

/// Built by somebody else, or elsewhere, the programs would differ.
fn tells_nothing_of_the_machine(root: &Path) {
    let homes = [project().display().to_string(), "/.cargo/".to_owned(), "/.rustup/".to_owned()];
    for program in ["concierge-webhook", "concierge-reconciler"] {
        let bytes = fs::read(root.join("usr/local/bin").join(program)).unwrap();
        for home in &homes {
            let found = bytes.windows(home.len()).filter(|window| *window == home.as_bytes()).count();
            assert_eq!(found, 0, "{program} names {home}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn the_image_runs_as_the_chart_says() -> Result<()> {
    let image = made();
    let plane = ControlPlane::start().await?;
    let ports = free_ports(3)?;
    let [https, webhook, reconciler] = [ports[0], ports[1], ports[2]];
    let ports = format!("webhook.port={https},webhook.adminPort={webhook},reconciler.adminPort={reconciler}");
    let pod = pod(&plane, &format!("{ports},webhook.shutdownDelaySeconds=0")).await?;
    let architectures: &[&str] = if is_full() { &["amd64", "arm64"] } else { &["amd64"] };
    for architecture in architectures {
        fits(&inspect(&image, architecture), architecture, &pod)?;
        let root = unpacked(&image, architecture);
        holds_authorities(&root);
        tells_nothing_of_the_machine(&root);
        if *architecture == "arm64" {
            starts_emulated(&root);
        }
    }

    let service = format!("deploy=false,service.externalName=localhost,service.port={https}");
    let chart = project().join("charts/concierge").display().to_string();
    let install =
        ["install", RELEASE, &chart, "--namespace", NAMESPACE, "--create-namespace", "--set", &service];
    plane.helm(&install).await?.ok()?;
    let mut node = Node::start().await?;
    run(node.ctr().args(["images", "import", &image]));
    node.account(&plane.service_account_kubeconfig(NAMESPACE, RELEASE).await?, NAMESPACE)?;
    for (container, port) in
        pod["containers"].as_array().context("no containers")?.iter().zip([webhook, reconciler])
    {
        let admin = SocketAddr::from(([127, 0, 0, 1], port));
        let took = node.run(container, plane.url(), admin).await?;
        let name = container["name"].as_str().context("no name")?;
        println!("{name}: {} ms from start to ready", took.as_millis());
        let user = "65532 65532 65532 65532".to_owned();
        let expected = Confined { user, capabilities: "0".repeat(16), read_only: true };
        ensure!(node.confined(name)? == expected, "{:?}", node.confined(name)?);
    }

    let admin = plane.kubectl();
    let example = |name: &str| project().join("examples").join(name).display().to_string();
    let refused =
        admin.run(&["apply", "--dry-run=server", "-f", &example("refused/pets/store.yaml")]).await?;
    ensure!(
        refused.stderr.contains("[pets.petstore.") || refused.stderr.contains("(pets.petstore."),
        "{refused:?}"
    );
    admin.run(&["apply", "-f", &example("pets")]).await?.ok()?;
    admin.run(&["wait", "--for=condition=Ready", "pets", "--all", TIMEOUT]).await?.ok()?;
    node.end().await
}
