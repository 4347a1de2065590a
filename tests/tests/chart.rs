//! The chart as users get it: rendered by real helm, and living on a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use concierge_certs::{Bundle, Cluster, KubeCluster, Options};
use concierge_shared::group::GROUPS;
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::controlplane::{ControlPlane, User, ensure_built};
use concierge_tests::kubectl::Output;
use concierge_tests::stack::{NAMESPACE, Plan, RELEASE, Stack, chart};
use concierge_webhook::manifests::{Names, objects};
use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds nothing to complain about.
async fn settled<F: Future<Output = Result<String>>>(mut look: impl FnMut() -> F) -> Result<()> {
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

/// Helm without a cluster.
struct Helm {
    program: PathBuf,
    home: TempDir,
}

impl Helm {
    async fn new() -> Result<Helm> {
        Ok(Helm { program: ensure_built().await?.helm, home: tempfile::tempdir()? })
    }

    async fn run(&self, args: &[&str]) -> Result<Output> {
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
    fn file(&self, values: &Value) -> Result<String> {
        let path = self.home.path().join(format!("{}.yaml", fastrand::u64(..)));
        std::fs::write(&path, serde_json::to_vec(values)?)?;
        Ok(path.to_str().context("odd path")?.to_owned())
    }

    async fn template(&self, values: &Value) -> Result<Output> {
        let (chart, file) = (path(&chart()), self.file(values)?);
        self.run(&["template", RELEASE, &chart, "--namespace", NAMESPACE, "--values", &file]).await
    }

    async fn render(&self, values: &Value) -> Result<Vec<Value>> {
        documents(&self.template(values).await?.ok()?)
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn documents(yaml: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    Ok(all.into_iter().filter(|it| !it.is_null()).collect())
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|it| it["kind"] == kind).collect()
}

fn id(object: &Value) -> String {
    let name = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!("{} {}/{}", name(&object["kind"]), name(&metadata["namespace"]), name(&metadata["name"]))
}

/// Sets of values that together turn every value of the chart.
fn combinations() -> Vec<(&'static str, Value)> {
    vec![
        ("defaults", json!({})),
        ("reconciler apart", json!({"reconciler": {"placement": "deployment", "replicas": 3}})),
        ("no reconciler", json!({"reconciler": {"enabled": false}})),
        (
            "certificate from elsewhere",
            json!({"certificates": {
                "mode": "directory",
                "secretName": "tls",
                "injectionAnnotations": {"cert-manager.io/inject-ca-from": "concierge-system/tls"},
            }}),
        ),
        ("one replica", json!({"webhook": {"replicas": 1}})),
        (
            "scraped",
            json!({"serviceMonitor": {"enabled": true, "interval": "1m", "labels": {"team": "door"}}}),
        ),
        ("elsewhere", elsewhere(9443)),
        (
            "some namespaces",
            json!({"reconciler": {"namespaces": ["cafe", "concierge-system"], "secretNamespaces": ["cafe"]}}),
        ),
        ("all secrets", json!({"reconciler": {"clusterWideSecrets": true, "placement": "deployment"}})),
        (
            "little",
            json!({
                "crds": {"install": false},
                "serviceAccount": {"create": false, "name": "porter"},
                "aggregateRoles": false,
                "priorityAndFairness": {"enabled": false},
                "networkPolicy": {"enabled": false},
                "webhook": {"podDisruptionBudget": {"enabled": false}},
                "runAsUser": null,
            }),
        ),
        ("much", much()),
    ]
}

fn elsewhere(port: u16) -> Value {
    json!({"deploy": false, "service": {"externalName": "localhost", "port": port}})
}

fn much() -> Value {
    let container = json!({
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {"initialDelaySeconds": 1, "periodSeconds": 3},
    });
    let mut values = json!({
        "fullnameOverride": "door",
        "nameOverride": "front",
        "commonLabels": {"team": "door"},
        "image": {
            "repository": "registry.example.com:5000/concierge",
            "tag": "1.2.3",
            "digest": format!("sha256:{}", "ab".repeat(32)),
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "webhook": container,
        "reconciler": container,
        "rules": {
            "enforcement": "pets=warn, pets.pet.name=deny",
            "coffee": {"maxQuantity": 5, "strictVariantIds": true, "defaultAccount": "shop/main"},
        },
        "logs": {"filter": "info,concierge_webhook=debug", "format": "text"},
        "service": {"port": 8443, "annotations": {"note": "x: y"}},
        "serviceAccount": {"name": "porter", "annotations": {"cloud/role": "a"}},
        "podAnnotations": {"note": "true"},
        "podLabels": {"zone": "inner"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"team": "door"}},
        }],
        "priorityAndFairness": {"nominalConcurrencyShares": 50, "matchingPrecedence": 500},
        "networkPolicy": {
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "metrics"}}}],
            "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
        },
    });
    values["reconciler"]["placement"] = json!("deployment");
    values["reconciler"]["serviceAccount"] = json!({"name": "clerk", "annotations": {"cloud/role": "b"}});
    values["webhook"]["excludedNamespaces"] = json!(["kube-public", "kube-system"]);
    values["webhook"]["extraArgs"] = json!(["--cluster-domain=example.org"]);
    values["reconciler"]["extraArgs"] = json!(["--concurrency=9"]);
    values["webhook"]["shutdownDelaySeconds"] = json!(30);
    values["webhook"]["podDisruptionBudget"] = json!({"maxUnavailable": "50%"});
    values["webhook"]["mutating"] = json!({"failurePolicy": "Fail", "timeoutSeconds": 1});
    values
}

#[tokio::test]
async fn every_set_of_values_lints_and_is_what_the_api_server_knows() -> Result<()> {
    let (helm, plane) = tokio::try_join!(Helm::new(), ControlPlane::start())?;
    let admin = plane.kubectl();
    for namespace in [NAMESPACE, "cafe"] {
        admin.run(&["create", "namespace", namespace]).await?.ok()?;
    }
    admin.apply_text(SERVICE_MONITORS).await?.ok()?;
    admin.run(&["wait", "--for=condition=Established", "crd", "--all"]).await?.ok()?;
    for (name, values) in combinations() {
        let file = helm.file(&values)?;
        helm.run(&["lint", "--strict", &path(&chart()), "--values", &file]).await?.ok().context(name)?;
        let yaml = helm.template(&values).await?.ok().context(name)?;
        let dry = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        admin.run_with_input(&dry, &yaml).await?.ok().context(name)?;
    }
    Ok(())
}

/// The kind of the Prometheus operator, as far as our chart uses it.
const SERVICE_MONITORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor, plural: servicemonitors}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [selector, endpoints]
              properties:
                selector:
                  type: object
                  properties: {matchLabels: {type: object, additionalProperties: {type: string}}}
                endpoints:
                  type: array
                  items: {type: object, properties: {port: {type: string}, interval: {type: string}}}
";

#[tokio::test]
async fn values_that_make_no_sense_are_refused() -> Result<()> {
    let helm = Helm::new().await?;
    for (values, complaint) in [
        (json!({"replicas": 2}), "additional properties 'replicas' not allowed"),
        (json!({"webhook": {"replcas": 2}}), "at '/webhook': additional properties 'replcas' not allowed"),
        (json!({"webhook": {"replicas": 0}}), "at '/webhook/replicas': minimum: got 0, want 1"),
        (json!({"webhook": {"replicas": "2"}}), "got string, want integer"),
        (json!({"webhook": {"validating": {"timeoutSeconds": 31}}}), "maximum: got 31, want 30"),
        (json!({"webhook": {"validating": {"failurePolicy": "Warn"}}}), "'Fail', 'Ignore'"),
        (json!({"webhook": {"readinessProbe": {"httpGet": {}}}}), "'httpGet' not allowed"),
        (json!({"webhook": {"resources": {"cpu": 1}}}), "'cpu' not allowed"),
        (json!({"webhook": {"extraEnv": [{"value": "1"}]}}), "missing property 'name'"),
        (json!({"reconciler": {"placement": "daemonset"}}), "'sidecar', 'deployment'"),
        (json!({"reconciler": {"namespaces": "cafe"}}), "got string, want array"),
        (json!({"reconciler": {"secretNamespaces": ["a", "a"]}}), "are equal"),
        (json!({"rules": {"enforcement": "pets=maybe"}}), "does not match pattern"),
        (json!({"rules": {"enforcement": "pets"}}), "does not match pattern"),
        (json!({"rules": {"coffee": {"maxQuantity": 0}}}), "minimum: got 0, want 1"),
        (json!({"rules": {"coffee": {"defaultAccount": "main"}}}), "does not match pattern"),
        (json!({"image": {"digest": "latest"}}), "does not match pattern"),
        (json!({"service": {"port": 70000}}), "maximum: got 70,000, want 65,535"),
        (json!({"runAsUser": 0}), "minimum: got 0, want 1"),
        (json!({"certificates": {"mode": "cert-manager"}}), "'self', 'directory'"),
        (json!({"certificates": {"mode": "directory"}}), "needs certificates.secretName"),
        (
            json!({"certificates": {"mode": "directory", "secretName": "tls"}}),
            "needs certificates.caBundle, or injectionAnnotations",
        ),
        (
            json!({"certificates": {"mode": "directory", "secretName": "tls", "caBundle": "/etc/ca"}}),
            "at '/certificates/caBundle'",
        ),
        (json!({"certificates": {"secretName": "tls"}}), "need certificates.mode: directory"),
        (json!({"deploy": false}), "deploy: false needs service.externalName"),
        (json!({"service": {"externalName": "localhost"}}), "needs deploy: false"),
        (json!({"serviceAccount": {"create": false}}), "needs serviceAccount.name"),
        (
            json!({"reconciler": {"placement": "deployment", "serviceAccount": {"create": false}}}),
            "needs reconciler.serviceAccount.name",
        ),
        (
            json!({"reconciler": {"placement": "deployment", "serviceAccount": {"name": "concierge"}}}),
            "must differ from serviceAccount.name",
        ),
    ] {
        let output = helm.template(&values).await?;
        ensure!(!output.status.success(), "{values} is accepted");
        ensure!(output.stderr.contains(complaint), "{values} is refused with\n{}", output.stderr);
    }
    Ok(())
}

#[test]
fn the_readme_and_the_schema_name_every_value() -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(chart().join(name));
    let values: Value = serde_saphyr::from_str(&read("values.yaml")?)?;
    let schema: Value = serde_json::from_str(&read("values.schema.json")?)?;
    let readme = read("README.md")?;
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    ensure!(named.len() > 50, "the table of values is gone");
    for name in &named {
        let pointer = format!("/{}", name.replace('.', "/"));
        ensure!(values.pointer(&pointer).is_some(), "{name} is in README.md and not in values.yaml");
    }
    for leaf in leaves(&values, "") {
        let prefix = |name: &&str| leaf == *name || leaf.starts_with(&format!("{name}."));
        ensure!(named.iter().any(prefix), "{leaf} is in values.yaml and not in README.md");
        ensure!(describes(&schema, &schema, &leaf), "{leaf} is not in values.schema.json");
    }
    ensure!(loose(&schema).is_empty(), "these accept anything: {:?}", loose(&schema));
    Ok(())
}

/// The paths of everything in `values` that is not a map of further values.
fn leaves(values: &Value, at: &str) -> Vec<String> {
    match values.as_object().filter(|map| !map.is_empty()) {
        None => vec![at.to_owned()],
        Some(map) => {
            let child = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
            map.iter().flat_map(|(key, value)| leaves(value, &child(key))).collect()
        }
    }
}

fn describes(root: &Value, schema: &Value, path: &str) -> bool {
    let schema = match schema["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        Some(target) => root.pointer(target).unwrap_or(&Value::Null),
        None => schema,
    };
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let next = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
    path.is_empty() || next.is_some_and(|next| next.is_object() && describes(root, next, rest))
}

/// Objects with known properties that also take unknown ones.
fn loose(schema: &Value) -> Vec<&Value> {
    let children: Vec<&Value> = match schema {
        Value::Object(map) => map.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    let own = schema.get("properties").is_some_and(|it| it["type"].is_null() || it["type"].is_object())
        && schema["additionalProperties"] != json!(false);
    own.then_some(schema).into_iter().chain(children.into_iter().flat_map(loose)).collect()
}

#[tokio::test]
async fn the_chart_installs_what_the_command_prints() -> Result<()> {
    let helm = Helm::new().await?;
    for placement in ["sidecar", "deployment"] {
        let apart = (placement == "deployment").then(|| "concierge-reconciler".to_owned());
        let names = Names { reconciler_service_account: apart, ..Names::default() };
        let printed = by_id(&objects(None, &names)?);
        let values = json!({"reconciler": {"placement": placement}});
        let installed = by_id(&helm.render(&values).await?);
        let groups =
            ["apiextensions.k8s.io/v1", "admissionregistration.k8s.io/v1", "rbac.authorization.k8s.io/v1"];
        for (id, object) in &installed {
            let known = printed.contains_key(id) || !groups.iter().any(|it| object["apiVersion"] == **it);
            ensure!(known, "only the chart has {id}");
        }
        for (id, object) in printed {
            let mut same = installed.get(&id).with_context(|| format!("only the command has {id}"))?.clone();
            let labels = same["metadata"]["labels"].take();
            for (key, label) in object["metadata"]["labels"].as_object().context("no labels")? {
                ensure!(labels[key] == *label, "{id} has another label {key}");
            }
            same["metadata"]["labels"] = object["metadata"]["labels"].clone();
            ensure!(same == object, "{id} differs:\n{same:#}\n{object:#}");
        }
    }
    Ok(())
}

fn by_id(objects: &[Value]) -> BTreeMap<String, Value> {
    objects.iter().map(|object| (id(object), object.clone())).collect()
}

#[tokio::test]
async fn the_webhook_understands_its_arguments_and_has_time_to_leave() -> Result<()> {
    let helm = Helm::new().await?;
    let more = [0, 10, 300].map(|delay| ("delay", json!({"webhook": {"shutdownDelaySeconds": delay}})));
    for (name, values) in combinations().into_iter().chain(more) {
        let objects = helm.render(&values).await?;
        let deployments = of_kind(&objects, "Deployment");
        let Some(spec) = deployments
            .iter()
            .map(|it| &it["spec"]["template"]["spec"])
            .find(|spec| spec["containers"][0]["name"] == "webhook")
        else {
            ensure!(name == "elsewhere", "{name}: no webhook");
            continue;
        };
        let container = &spec["containers"][0];
        let args = container["args"].as_array().context("no arguments")?;
        let line = [json!("concierge-webhook")].into_iter().chain(args.iter().cloned());
        let line: Vec<String> =
            line.map(|it| it.as_str().map(str::to_owned)).collect::<Option<_>>().context("odd")?;
        concierge_webhook::Cli::try_parse_from(&line).with_context(|| format!("{name}: {line:?}"))?;

        let delay = line.iter().find_map(|it| it.strip_prefix("--shutdown-delay=")?.strip_suffix('s'));
        let delay: i64 = delay.context("no delay")?.parse()?;
        let grace = spec["terminationGracePeriodSeconds"].as_i64().context("no grace period")?;
        let timeouts =
            of_kind(&objects, "ValidatingWebhookConfiguration")[0]["webhooks"][0]["timeoutSeconds"].as_i64();
        ensure!(grace >= delay + timeouts.context("no timeout")? + 5, "{name}: {delay} s of {grace} s");
    }
    Ok(())
}

#[tokio::test]
async fn both_programs_understand_their_arguments_and_judge_alike() -> Result<()> {
    let helm = Helm::new().await?;
    for (name, values) in combinations() {
        let objects = helm.render(&values).await?;
        let mut rules = BTreeSet::new();
        for container in of_kind(&objects, "Deployment").into_iter().flat_map(containers) {
            let args: Vec<_> =
                container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let line = container["command"][0].as_str().into_iter().chain(args.iter().copied());
            match container["name"].as_str() {
                Some("webhook") => drop(concierge_webhook::Cli::try_parse_from(line)?),
                _ => drop(concierge_reconciler::Cli::try_parse_from(line)?),
            }
            let of_rules = |arg: &&str| {
                let mut groups = GROUPS.iter().map(|group| format!("--{}-", group.name));
                arg.starts_with("--enforcement") || groups.any(|flags| arg.starts_with(&flags))
            };
            rules.insert(
                args.iter().filter(|arg| of_rules(arg)).map(|arg| arg.to_string()).collect::<Vec<_>>(),
            );
        }
        ensure!(rules.len() <= 1, "{name}: {rules:?}");
        ensure!(rules.iter().all(|rules| !rules.is_empty()), "{name}: {rules:?}");
    }
    Ok(())
}

fn containers(deployment: &Value) -> Vec<&Value> {
    deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten().collect()
}

#[tokio::test]
async fn nothing_is_deployed_for_binaries_that_run_elsewhere() -> Result<()> {
    let helm = Helm::new().await?;
    let values = elsewhere(12345);
    let objects = helm.render(&values).await?;
    for kind in ["Deployment", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"] {
        ensure!(of_kind(&objects, kind).is_empty(), "{kind}");
    }
    let services = of_kind(&objects, "Service");
    ensure!(services.len() == 1 && services[0]["spec"]["type"] == "ExternalName");
    ensure!(services[0]["spec"]["externalName"] == "localhost");
    ensure!(services[0]["spec"]["ports"][0]["port"] == 12345);
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let port = &of_kind(&objects, kind)[0]["webhooks"][0]["clientConfig"]["service"]["port"];
        ensure!(*port == 12345, "{kind} calls port {port}");
    }
    Ok(())
}

const CONFIGURATIONS: [&str; 2] = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];

/// Runs `helm VERB RELEASE ARGS` in our namespace.
async fn helm(plane: &ControlPlane, verb: &str, args: &[&str]) -> Result<String> {
    let line = [&[verb, RELEASE, "--namespace", NAMESPACE], args].concat();
    plane.helm(&line).await?.ok().with_context(|| format!("helm {line:?}"))
}

/// A field of an object, as text.
async fn field(plane: &ControlPlane, object: &[&str], path: &str) -> Result<String> {
    let path = format!("jsonpath={{{path}}}");
    plane.kubectl().run(&[&["get"], object, &["-o", &path]].concat()).await?.ok()
}

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
    let plane = ControlPlane::start().await?;
    let admin = plane.kubectl();
    admin.apply_text(&restricted_namespace()).await?.ok()?;
    let (old, new) = (older_chart()?, path(&chart()));
    helm(&plane, "install", &[&path(old.path())]).await?;
    pods_run(&plane, "webhook", 2).await?;
    let column = ".spec.versions[*].additionalPrinterColumns[*].name";
    let crd = ["crd", "claims.concierge.dev"];
    ensure!(field(&plane, &crd, column).await?.contains("Since"));
    let drifted = drift(&plane).await?;
    ensure!(drifted.is_empty(), "the API server adds to\n{}", drifted.join("\n"));
    // Our own namespace is not looked at, so it needs no webhook that answers.
    let pet = format!(
        "{{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {{name: rex, namespace: {NAMESPACE}}}, spec: {{id: 1, name: Rex}}}}"
    );
    admin.apply_text(&pet).await?.ok()?;

    let bundle = write_bundles(&plane).await?;
    let mut last = String::new();
    for (timeout, args) in [
        ("6", &["--set", "webhook.validating.timeoutSeconds=6"][..]),
        ("6", &["--reuse-values"]),
        // As Helm 3 did, and back again.
        ("7", &["--set", "webhook.validating.timeoutSeconds=7", "--server-side=false"]),
        ("8", &["--set", "webhook.validating.timeoutSeconds=8", "--server-side=true"]),
        ("5", &["--set", "reconciler.placement=deployment"]),
        ("5", &["--set", "reconciler.placement=sidecar,crds.install=false"]),
    ] {
        helm(&plane, "upgrade", &[&[&*new], args].concat()).await?;
        ensure!(bundles(&plane).await? == bundle, "{args:?} changed a bundle");
        let validating = [CONFIGURATIONS[1], RELEASE];
        ensure!(field(&plane, &validating, ".webhooks[0].timeoutSeconds").await? == timeout, "{args:?}");
        for kind in CONFIGURATIONS {
            ensure!(owners_of_bundle(&plane, kind).await? == ["concierge-certs"], "{args:?}: {kind}");
        }
        let generation = field(&plane, &validating, ".metadata.generation").await?;
        ensure!(args != ["--reuse-values"] || generation == last, "an upgrade of nothing wrote something");
        last = generation;
        ensure!(field(&plane, &crd, column).await?.contains("Age"), "{args:?}: the CRDs are the old ones");
    }
    helm(&plane, "rollback", &["1"]).await?;
    ensure!(bundles(&plane).await? == bundle, "a rollback changed a bundle");
    ensure!(field(&plane, &crd, column).await?.contains("Since"), "a rollback kept the new CRDs");

    helm(&plane, "uninstall", &[]).await?;
    let left = admin
        .run(&[
            "get",
            "all,clusterroles,clusterrolebindings,roles,rolebindings,flowschemas",
            "-A",
            "-o",
            "name",
            "-l",
            "app.kubernetes.io/part-of=concierge",
        ])
        .await?
        .ok()?;
    ensure!(left.is_empty(), "left behind: {left}");
    let gone = admin.run(&["get", CONFIGURATIONS[1], RELEASE]).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    let name = field(&plane, &["pet", "rex", "-n", NAMESPACE], ".spec.name").await?;
    ensure!(name == "Rex", "the pet is gone");

    helm(&plane, "install", &[&new]).await?;
    ensure!(field(&plane, &crd, column).await?.contains("Age"));
    helm(&plane, "uninstall", &[]).await?;
    let other = ["install", "door", &*new, "--namespace", NAMESPACE];
    let refused = plane.helm(&other).await?;
    ensure!(refused.stderr.contains("invalid ownership metadata"), "{refused:?}");
    plane.helm(&[&other[..], &["--take-ownership"]].concat()).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_from_elsewhere_takes_over_once_conflicts_are_forced() -> Result<()> {
    let (plane, helm_home) = tokio::try_join!(ControlPlane::start(), Helm::new())?;
    let chart = path(&chart());
    helm(&plane, "install", &[&chart, "--create-namespace"]).await?;
    let ours = write_bundles(&plane).await?;

    let issuer = rcgen::generate_simple_self_signed(["issuer".to_owned()])?.cert.pem();
    let certificates = json!({"mode": "directory", "secretName": "tls", "caBundle": issuer});
    let file = helm_home.file(&json!({"certificates": certificates}))?;
    let upgrade = ["upgrade", RELEASE, &chart, "--namespace", NAMESPACE, "--values", &file];
    let refused = plane.helm(&upgrade).await?;
    ensure!(refused.stderr.contains("conflict with \"concierge-certs\""), "{refused:?}");
    ensure!(bundles(&plane).await? == ours, "the refused upgrade wrote a bundle");
    plane.helm(&[&upgrade[..], &["--force-conflicts"]].concat()).await?.ok()?;
    for kind in CONFIGURATIONS {
        let get = ["get", kind, RELEASE, "-o", "json"];
        let live: Value = serde_json::from_str(&plane.kubectl().run(&get).await?.ok()?)?;
        let bundle: k8s_openapi::ByteString =
            serde_json::from_value(live["webhooks"][0]["clientConfig"]["caBundle"].clone())?;
        ensure!(bundle.0 == issuer.as_bytes(), "{kind}");
    }

    helm(&plane, "upgrade", &[&chart, "--reset-values"]).await?;
    ensure!(bundles(&plane).await.is_err(), "the issuer is still trusted");
    let again = write_bundles(&plane).await?;
    helm(&plane, "upgrade", &[&chart]).await?;
    ensure!(bundles(&plane).await? == again);
    Ok(())
}

#[tokio::test]
async fn what_the_notes_say_to_try_works() -> Result<()> {
    let stack = Stack::start(Plan { reconcilers: 0, ..Plan::default() }).await?;
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

/// One thing that somebody might do.
#[derive(Clone, Debug)]
struct Deed {
    verb: &'static str,
    group: String,
    resource: String,
    subresource: &'static str,
    namespace: String,
    name: &'static str,
}

/// A [`Deed`] and whether the webhook and the reconciler may do it.
type Right = (Deed, bool, bool);

/// What is asked of the rights: which of the namespaces `cafe` and `default` are reconciled, and in which the
/// reconciler may use Secrets. `""` stands for all.
struct Grants {
    reconciled: &'static [&'static str],
    secrets: &'static [&'static str],
}

impl Grants {
    /// Everything that must and must not be allowed.
    fn rights(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        for namespace in ["", "cafe", "default"] {
            let within = |list: &[&str]| list.contains(&"") || list.contains(&namespace);
            let (here, secrets) = (within(self.reconciled), within(self.secrets));
            for kind in KINDS {
                let mut add = |verbs: &[&'static str], subresource, webhook, reconciler| {
                    let resource = resource_of(kind);
                    rights.extend(deeds(verbs, &resource, subresource, namespace, "", webhook, reconciler));
                };
                add(&["get", "list", "watch"], "", true, here);
                add(&["update", "patch"], "", false, here);
                for verb in ["create", "delete"] {
                    add(&[verb], "", false, here && declared(&resource_of(kind), verb));
                }
                add(&["deletecollection"], "", false, false);
                add(&["get", "update", "patch"], "status", false, here);
                add(&["update"], "finalizers", false, here);
            }
            let mut add = |verbs: &[&'static str], resource, webhook, reconciler| {
                rights.extend(deeds(verbs, resource, "", namespace, "", webhook, reconciler));
            };
            add(&["create", "patch"], "/events", false, here);
            add(&["create", "patch"], "events.k8s.io/events", false, here);
            add(&["get", "list", "delete"], "/events", false, false);
            add(&["get", "create", "update", "patch"], "/secrets", false, secrets);
            add(&["list", "watch", "delete", "deletecollection"], "/secrets", false, false);
            for everything in ["/pods", "/configmaps", "/serviceaccounts", "apps/deployments", "*/*"] {
                add(&["get", "list", "create", "update", "patch", "delete", "*"], everything, false, false);
            }
            add(&["get", "create", "update"], "coordination.k8s.io/leases", false, false);
        }
        rights.extend(cluster_rights());
        rights.extend(own_rights(self.secrets.contains(&"")));
        rights
    }
}

/// `petstore.example.com/pets`
fn resource_of(kind: &KindInfo) -> String {
    format!("{}/{}", (kind.group)(), (kind.plural)())
}

/// Whether a kind declares that the reconciler does this for it.
fn declared(resource: &str, verb: &str) -> bool {
    let mut all = KINDS.iter().flat_map(|kind| kind.access);
    all.any(|access| {
        format!("{}/{}", access.group, access.resource) == resource && access.verbs.contains(&verb)
    })
}

fn cluster_rights() -> Vec<Right> {
    let mut rights = Vec::new();
    let mut add = |verbs: &[&'static str], resource, name, webhook, reconciler| {
        rights.extend(deeds(verbs, resource, "", "", name, webhook, reconciler));
    };
    add(&["get", "list", "watch"], "/namespaces", "", true, true);
    add(&["create", "update", "patch", "delete"], "/namespaces", "", false, false);
    add(&["get", "create", "update", "delete"], "concierge.dev/claims", "", true, true);
    add(&["list", "watch"], "concierge.dev/claims", "", false, true);
    add(&["deletecollection", "patch"], "concierge.dev/claims", "", false, false);
    add(&["create"], "authorization.k8s.io/subjectaccessreviews", "", true, false);
    for resource in [
        "admissionregistration.k8s.io/mutatingwebhookconfigurations",
        "admissionregistration.k8s.io/validatingwebhookconfigurations",
    ] {
        add(&["get", "list", "watch", "patch"], resource, RELEASE, true, false);
        add(&["create", "update", "delete"], resource, RELEASE, false, false);
        add(&["get", "list", "watch", "patch"], resource, "another", false, false);
        add(&["list", "watch", "deletecollection"], resource, "", false, false);
    }
    add(&["get", "list", "patch"], "apiextensions.k8s.io/customresourcedefinitions", "", false, false);
    add(&["create", "bind", "escalate"], "rbac.authorization.k8s.io/clusterroles", "", false, false);
    add(&["impersonate"], "/users", "", false, false);
    add(&["get", "list"], "/nodes", "", false, false);
    rights
}

/// In our own namespace.
fn own_rights(all_secrets: bool) -> Vec<Right> {
    let mut rights = Vec::new();
    let mut add = |verbs: &[&'static str], resource, name, webhook, reconciler| {
        rights.extend(deeds(verbs, resource, "", NAMESPACE, name, webhook, reconciler));
    };
    add(&["create"], "/secrets", "", true, all_secrets);
    add(&["get", "update", "patch"], "/secrets", "concierge-ca", true, all_secrets);
    add(&["list", "watch"], "/secrets", "concierge-ca", true, false);
    add(&["get", "update", "patch"], "/secrets", "another", false, all_secrets);
    add(&["list", "watch", "delete", "deletecollection"], "/secrets", "", false, false);
    add(&["create"], "coordination.k8s.io/leases", "", false, true);
    add(&["get", "update", "patch"], "coordination.k8s.io/leases", "concierge-reconciler", false, true);
    add(&["delete"], "coordination.k8s.io/leases", "concierge-reconciler", false, false);
    add(&["get", "update", "patch"], "coordination.k8s.io/leases", "another", false, false);
    add(&["create", "patch"], "apps/deployments", RELEASE, false, false);
    add(&["get", "list"], "/pods", "", false, false);
    rights
}

fn deeds(
    verbs: &[&'static str],
    resource: &str,
    subresource: &'static str,
    namespace: &str,
    name: &'static str,
    webhook: bool,
    reconciler: bool,
) -> Vec<Right> {
    let (group, resource) = resource.split_once('/').unwrap_or(("", resource));
    let deed = |verb: &&'static str| Deed {
        verb,
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource,
        namespace: namespace.to_owned(),
        name,
    };
    verbs.iter().map(|verb| (deed(verb), webhook, reconciler)).collect()
}

/// Whether the service account of this name may do it.
async fn may(client: &Client, account: &str, deed: &Deed) -> Result<bool> {
    let text = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
    let attributes = ResourceAttributes {
        verb: text(deed.verb),
        group: text(&deed.group),
        resource: text(&deed.resource),
        subresource: text(deed.subresource),
        namespace: text(&deed.namespace),
        name: text(deed.name),
        ..ResourceAttributes::default()
    };
    let groups =
        ["system:serviceaccounts", &format!("system:serviceaccounts:{NAMESPACE}"), "system:authenticated"];
    let spec = SubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        user: Some(format!("system:serviceaccount:{NAMESPACE}:{account}")),
        groups: Some(groups.map(str::to_owned).to_vec()),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|it| it.allowed))
}

/// Waits until every service account may do exactly what `grants` gives it.
async fn exact(client: &Client, accounts: &[&str], grants: &Grants) -> Result<()> {
    let rights = grants.rights();
    settled(|| async {
        let questions = accounts.iter().flat_map(|account| rights.iter().map(move |right| (account, right)));
        let wrong =
            futures::stream::iter(questions).map(|(account, (deed, webhook, reconciler))| async move {
                let expected = match *account {
                    "concierge" if accounts.len() == 1 => *webhook || *reconciler,
                    "concierge" => *webhook,
                    _ => *reconciler,
                };
                let allowed = may(client, account, deed).await?;
                let complaint = format!("{account} may{} {deed:?}\n", if allowed { "" } else { " not" });
                Ok(if allowed == expected { String::new() } else { complaint })
            });
        let wrong: Vec<Result<String>> = wrong.buffer_unordered(16).collect().await;
        wrong.into_iter().collect::<Result<String>>()
    })
    .await
}

#[tokio::test]
async fn service_accounts_may_do_what_they_need_and_nothing_else() -> Result<()> {
    let plane = ControlPlane::start().await?;
    plane.kubectl().run(&["create", "namespace", "cafe"]).await?.ok()?;
    let (client, chart) = (plane.client().await?, path(&chart()));
    let (shared, apart) = (&["concierge"][..], &["concierge", "concierge-reconciler"][..]);
    helm(&plane, "install", &[&chart, "--create-namespace"]).await?;
    exact(&client, shared, &Grants { reconciled: &[""], secrets: &[] }).await.context("sidecar")?;

    let split =
        "reconciler.placement=deployment,reconciler.namespaces={cafe},reconciler.secretNamespaces={cafe}";
    helm(&plane, "upgrade", &[&chart, "--set", split]).await?;
    let cafe = Grants { reconciled: &["cafe"], secrets: &["cafe"] };
    exact(&client, apart, &cafe).await.context("apart, in one namespace")?;

    let wide = "reconciler.placement=deployment,reconciler.clusterWideSecrets=true";
    helm(&plane, "upgrade", &[&chart, "--set", wide]).await?;
    let all = Grants { reconciled: &[""], secrets: &[""] };
    exact(&client, apart, &all).await.context("apart, in all namespaces")?;
    Ok(())
}

#[tokio::test]
async fn users_roles_of_kubernetes_cover_our_kinds() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let admin = plane.kubectl();
    helm(&plane, "install", &[&path(&chart()), "--create-namespace"]).await?;
    for role in ["view", "edit", "admin"] {
        let user = format!("--user={role}");
        admin.run(&["create", "rolebinding", role, "--clusterrole", role, &user]).await?.ok()?;
    }
    settled(|| async {
        let mut wrong = String::new();
        for kind in KINDS {
            for (role, verb, expected) in [
                ("view", "list", if kind.confidential { "no" } else { "yes" }),
                ("edit", "list", "yes"),
                ("view", "create", "no"),
                ("edit", "create", "yes"),
                ("edit", "deletecollection", "yes"),
                ("admin", "patch", "yes"),
            ] {
                let answer = admin.run(&["auth", "can-i", verb, &kind.crd_name(), "--as", role]).await?;
                if answer.stdout.trim() != expected {
                    wrong += &format!("{role} {verb} {}: {}\n", kind.crd_name(), answer.stdout);
                }
            }
        }
        Ok(wrong)
    })
    .await
}

/// The name of the FlowSchema that the API server put a GET of `path` in.
async fn flow_schema(plane: &ControlPlane, user: &User, path: &str) -> Result<String> {
    let request = axum::http::Request::get(path).body(Body::empty())?;
    let answer = user.client().await?.send(request).await?;
    let uid = answer
        .headers()
        .get("x-kubernetes-pf-flowschema-uid")
        .context("no flow schema")?
        .to_str()?
        .to_owned();
    let names = format!(".items[?(@.metadata.uid==\"{uid}\")].metadata.name");
    field(plane, &["flowschemas"], &names).await
}

#[tokio::test]
async fn what_an_admission_waits_for_has_a_priority_level_of_its_own() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let values = "reconciler.placement=deployment";
    helm(&plane, "install", &[&path(&chart()), "--create-namespace", "--set", values]).await?;
    let webhook = plane.service_account(NAMESPACE, "concierge").await?;
    let reconciler = plane.service_account(NAMESPACE, "concierge-reconciler").await?;
    let guest = plane.user("guest", &[])?;
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/concierge-reconciler");
    let claim = "/apis/concierge.dev/v1/claims/0";
    let pet = "/apis/petstore.example.com/v1/namespaces/default/pets/rex";
    let expected = [
        (&webhook, claim, "concierge-webhook"),
        (&webhook, pet, "concierge-webhook"),
        (&webhook, "/api/v1/namespaces/default", "concierge-webhook"),
        (&webhook, "/api/v1/namespaces/default/pods", "service-accounts"),
        (&reconciler, claim, "service-accounts"),
        (&reconciler, &*lease, "concierge-lease"),
        (&guest, claim, "global-default"),
    ];
    settled(|| async {
        let mut wrong = String::new();
        for (user, path, expected) in expected {
            let found = flow_schema(&plane, user, path).await?;
            if found != expected {
                wrong += &format!("{path} is in {found}, not in {expected}\n");
            }
        }
        Ok(wrong)
    })
    .await?;
    let level = field(&plane, &["flowschema", "concierge-lease"], ".status.conditions[*].status").await?;
    ensure!(level == "False", "the priority level of the lease is missing: {level}");
    Ok(())
}

const PETS: &str = "
{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: rex, namespace: cafe}, spec: {id: 1, name: Rex}}
---
{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: ann, namespace: cafe}, spec: {id: 3, name: Ann}}
---
{apiVersion: petstore.example.com/v1, kind: PetStore, metadata: {name: tiny, namespace: cafe}, spec: {name: Tiny}}
---
apiVersion: petstore.example.com/v1
kind: Pet
metadata: {name: tom, namespace: cafe, finalizers: [example.com/hold]}
spec: {id: 2, name: Tom}
";

/// Nobody listens where the Service leads, so that what is asked fails and what is not asked passes.
#[tokio::test]
async fn only_what_needs_a_decision_is_asked() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let admin = plane.kubectl();
    admin.run(&["create", "namespace", "cafe"]).await?.ok()?;
    // A port that is taken, and does not listen.
    let silent = tokio::net::TcpSocket::new_v4()?;
    silent.bind("127.0.0.1:0".parse()?)?;
    let port = silent.local_addr()?.port();
    let chart = path(&chart());
    let values = format!(
        "deploy=false,service.externalName=localhost,service.port={port},reconciler.placement=deployment,\
         webhook.mutating.failurePolicy=Fail"
    );
    let closed = format!("{values},webhook.excludedNamespaces={{cafe}}");
    helm(&plane, "install", &[&chart, "--create-namespace", "--set", &closed]).await?;
    admin.run(&["wait", "--for=condition=Established", "crd", "--all"]).await?.ok()?;
    admin.apply_text(PETS).await?.ok()?;
    admin.run(&["delete", "pet", "tom", "-n", "cafe", "--wait=false"]).await?.ok()?;
    helm(&plane, "upgrade", &[&chart, "--set", &values]).await?;

    let rename = r#"{"spec": {"name": "Max"}}"#;
    let create = ["create", "-f", "-"];
    let new = PETS.replace("rex", "new").replace("tom", "other");
    settled(|| async {
        let refused = admin.run_with_input(&create, &new).await?;
        Ok(if refused.stderr.contains("failed calling webhook") { String::new() } else { refused.stderr })
    })
    .await?;

    let asked = |output: Output, entry: &str| -> Result<()> {
        let failed = format!("failed calling webhook \"{entry}.concierge.dev\"");
        ensure!(!output.status.success() && output.stderr.contains(&failed), "{entry}: {output:?}");
        ensure!(output.stderr.contains("connection refused"), "{output:?}");
        Ok(())
    };
    let pet = |name: &'static str, args: &[&'static str]| {
        let line = [&[args[0], "pet", name, "-n", "cafe"], &args[1..]].concat();
        let kubectl = admin.clone();
        async move { kubectl.run(&line).await }
    };
    asked(admin.run_with_input(&create, &new).await?, "mutate")?;
    asked(pet("rex", &["patch", "--type=merge", "-p", rename]).await?, "mutate")?;
    asked(pet("rex", &["patch", "--type=merge", "-p", rename, "--dry-run=server"]).await?, "mutate")?;
    asked(admin.run(&["delete", "petstore", "tiny", "-n", "cafe"]).await?, "validate")?;
    let all = "/apis/petstore.example.com/v1/namespaces/cafe/petstores";
    asked(admin.run(&["delete", "--raw", all]).await?, "validate")?;
    // No rule is about the deletion of a pet: while nobody answers, it goes, and its namespace could.
    pet("ann", &["delete"]).await?.ok()?;

    // Metadata and status.
    pet("rex", &["label", "tag=good"]).await?.ok()?;
    let finalizer = r#"{"metadata": {"finalizers": ["example.com/hold"]}}"#;
    pet("rex", &["patch", "--type=merge", "-p", finalizer]).await?.ok()?;
    pet(
        "rex",
        &["patch", "--subresource=status", "--type=merge", "-p", r#"{"status": {"phase": "Active"}}"#],
    )
    .await?
    .ok()?;
    // What terminates already, to its end.
    pet("tom", &["patch", "--type=merge", "-p", rename]).await?.ok()?;
    pet("tom", &["delete", "--wait=false"]).await?.ok()?;
    pet("tom", &["patch", "--type=merge", "-p", r#"{"metadata": {"finalizers": null}}"#]).await?.ok()?;
    let gone = pet("tom", &["get"]).await?;
    ensure!(gone.stderr.contains("not found"), "{gone:?}");
    // Namespaces that we need ourselves.
    for namespace in ["kube-system", NAMESPACE] {
        let here = new.replace("namespace: cafe", &format!("namespace: {namespace}"));
        admin.apply_text(&here).await?.ok()?;
    }
    // The reconciler, and no other service account with the same rights.
    let reconciler = plane.service_account(NAMESPACE, "concierge-reconciler").await?.kubectl();
    let patch = ["patch", "pet", "rex", "-n", "cafe", "--type=merge", "-p", rename];
    reconciler.run(&patch).await?.ok()?;
    let double = [
        "create",
        "clusterrolebinding",
        "double",
        "--clusterrole=concierge-reconciler",
        "--serviceaccount=cafe:concierge-reconciler",
    ];
    admin.run(&double).await?.ok()?;
    admin.run(&["create", "serviceaccount", "concierge-reconciler", "-n", "cafe"]).await?.ok()?;
    let double = plane.service_account("cafe", "concierge-reconciler").await?.kubectl();
    let back = ["patch", "pet", "rex", "-n", "cafe", "--type=merge", "-p", r#"{"spec": {"name": "Rex"}}"#];
    settled(|| async {
        let answer = double.run(&back).await?;
        Ok(if answer.stderr.contains("forbidden") { answer.stderr } else { String::new() })
    })
    .await?;
    asked(double.run(&back).await?, "mutate")?;
    drop(silent);
    Ok(())
}
