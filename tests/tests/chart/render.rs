//! What helm renders, without a cluster.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use concierge_shared::group::GROUPS;
use concierge_tests::stack::{NAMESPACE, chart};
use concierge_webhook::manifests::{Names, objects};
use serde_json::{Value, json};

use crate::helm::{Helm, by_id, of_kind};
use crate::values::{combinations, elsewhere};

/// Values that make no sense, each with what is said of it.
fn nonsense() -> Vec<(Value, &'static str)> {
    vec![
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
        (json!({"reconciler": {"podVolumes": ["csi) || has(v.nfs"]}}), "does not match pattern"),
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
        (
            json!({"podLabels": {"app.kubernetes.io/name": "x"}}),
            "the label app.kubernetes.io/name is the chart's own",
        ),
        (json!({"commonLabels": {"helm.sh/chart": "x"}}), "the label helm.sh/chart is the chart's own"),
        (json!({"webhook": {"adminPort": 8081}}), "webhook.adminPort and reconciler.adminPort must differ"),
        (json!({"webhook": {"port": 8080}}), "webhook.port and webhook.adminPort must differ"),
        (
            json!({"webhook": {"clientCA": {"names": ["x"]}}}),
            "needs webhook.clientCA.configMapName or secretName",
        ),
        (json!({"webhook": {"clientCA": {"configMapName": "a", "secretName": "b"}}}), "set one of them"),
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
    ]
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused() -> Result<()> {
    let helm = Helm::new().await?;
    for (values, complaint) in nonsense() {
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
        let installed = by_id(&helm.render(&values).await?.objects);
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

#[tokio::test]
async fn the_webhook_understands_its_arguments_and_has_time_to_leave() -> Result<()> {
    let helm = Helm::new().await?;
    let more = [0, 10, 300].map(|delay| ("delay", json!({"webhook": {"shutdownDelaySeconds": delay}})));
    for (name, values) in combinations().into_iter().chain(more) {
        let rendered = helm.render(&values).await?;
        let objects = &rendered.objects;
        let deployments = of_kind(objects, "Deployment");
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
            of_kind(objects, "ValidatingWebhookConfiguration")[0]["webhooks"][0]["timeoutSeconds"].as_i64();
        ensure!(grace >= delay + timeouts.context("no timeout")? + 5, "{name}: {delay} s of {grace} s");
    }
    Ok(())
}

#[tokio::test]
async fn both_programs_understand_their_arguments_and_judge_alike() -> Result<()> {
    let helm = Helm::new().await?;
    for (name, values) in combinations() {
        let rendered = helm.render(&values).await?;
        let mut rules = BTreeSet::new();
        for container in of_kind(&rendered.objects, "Deployment").into_iter().flat_map(containers) {
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
        // No environment takes the namespace of the release.
        let own = format!("--catalyst-reserved-namespaces={NAMESPACE}");
        ensure!(rules.iter().all(|rules| rules.contains(&own)), "{name}: {rules:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_leads_out_of_environments_is_refused_where_there_are_environments() -> Result<()> {
    let helm = Helm::new().await?;
    for (children, expect) in [(json!([]), 0), (json!(["catalyst"]), 3)] {
        let rendered = helm.render(&json!({"reconciler": {"children": children}})).await?;
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            ensure!(of_kind(&rendered.objects, kind).len() == expect, "{children}: {kind}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn pods_of_environments_have_volumes_of_the_types_that_are_named() -> Result<()> {
    let helm = Helm::new().await?;
    for (further, csi) in [(json!([]), false), (json!(["csi"]), true)] {
        let values = json!({"reconciler": {"children": ["catalyst"], "podVolumes": further}});
        let rendered = helm.render(&values).await?;
        let policies = of_kind(&rendered.objects, "ValidatingAdmissionPolicy");
        let of_pods = policies
            .iter()
            .find(|it| it["spec"]["matchConstraints"]["resourceRules"][0]["resources"][0] == "pods");
        let rules = &of_pods.context("no policy for pods")?["spec"]["validations"];
        let rule = rules[0]["expression"].as_str().unwrap_or_default();
        // A pod that is there is left alone.
        let start = "oldObject != null || !has(object.spec.volumes) || object.spec.volumes.all(v, has(v.configMap) || ";
        ensure!(rule.contains(start), "{rule}");
        ensure!(!rule.contains("has(v.nfs)") && rule.contains("has(v.csi)") == csi, "{further}: {rule}");
        let told = rules[0]["message"].as_str().unwrap_or_default();
        ensure!(told.contains("csi") == csi, "{further}: {told}");
    }
    Ok(())
}

fn containers(deployment: &Value) -> Vec<&Value> {
    deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten().collect()
}

#[tokio::test]
async fn nothing_is_deployed_for_binaries_that_run_elsewhere() -> Result<()> {
    let helm = Helm::new().await?;
    let rendered = helm.render(&elsewhere(12345)).await?;
    let objects = &rendered.objects;
    for kind in ["Deployment", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"] {
        ensure!(of_kind(objects, kind).is_empty(), "{kind}");
    }
    let services = of_kind(objects, "Service");
    ensure!(services.len() == 1 && services[0]["spec"]["type"] == "ExternalName");
    ensure!(services[0]["spec"]["externalName"] == "localhost");
    ensure!(services[0]["spec"]["ports"][0]["port"] == 12345);
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let port = &of_kind(objects, kind)[0]["webhooks"][0]["clientConfig"]["service"]["port"];
        ensure!(*port == 12345, "{kind} calls port {port}");
    }
    Ok(())
}
