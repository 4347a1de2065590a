//! What a source may not do: be it refused as a whole, with nothing left behind.

use anyhow::{Result, bail, ensure};
use concierge_reconciler::catalyst::runner::JobOutcome;
use concierge_shared::catalyst::{DeploymentMode, RUNNER_ROLE};
use serde_json::json;

use crate::world::{Environment, World};
use crate::{CHART, config_map, deployment};

/// A manifest of each that leads out of an environment, by the name of the attack.
fn trespasses() -> [(&'static str, String); 4] {
    let all = [
        (
            "binding",
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "takeover" },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
                "subjects": [{ "kind": "ServiceAccount", "name": "runner", "namespace": "default" }],
            }),
        ),
        (
            "elsewhere",
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "takeover", "namespace": "default" } }),
        ),
        (
            "allow-all",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "takeover" },
                "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}] },
            }),
        ),
        (
            "host",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "takeover" },
                "spec": { "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } }, "rules": [{ "host": "bank.example.com" }] },
            }),
        ),
    ];
    all.map(|(name, object)| (name, object.to_string()))
}

/// The outcome is a refusal with a remedy, and nothing of the source is there.
async fn check_refused(environment: &Environment, outcome: JobOutcome) -> Result<()> {
    let JobOutcome::Failed { reason: "Forbidden", message, .. } = &outcome else { bail!("{outcome:?}") };
    ensure!(
        message.contains("has its own namespace alone") && message.contains("take that out"),
        "{message}"
    );
    let kubectl = environment.world.plane.kubectl();
    let all = "clusterrolebindings,networkpolicies,ingresses,configmaps,secrets,deployments";
    let found = kubectl
        .run(&[
            "get",
            all,
            "-A",
            "-o=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{'\\n'}{end}",
        ])
        .await?
        .ok()?;
    let namespace = format!("{}/", environment.namespace);
    let is_left = |line: &&str| {
        line.contains("takeover")
            || (line.starts_with(&namespace) && (line.contains("harmless") || line.contains("helm.release")))
    };
    let left: Vec<_> = found.lines().filter(is_left).collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Each alone, since the first of several may hide the others.
async fn chart(name: &str, manifest: &str) -> Result<()> {
    let environment = Environment::new(&format!("attack-7-{name}"), DeploymentMode::Helm, "chart").await?;
    let files = [
        ("chart/Chart.yaml", CHART),
        ("chart/templates/a.yaml", &config_map("harmless")),
        ("chart/templates/b.yaml", &deployment("harmless", "run")),
        ("chart/templates/c.yaml", manifest),
    ];
    let outcome = environment.deploy(&files).await?;
    check_refused(&environment, outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_7_a_chart_that_leads_out_of_its_namespace_is_refused_and_leaves_nothing() -> Result<()> {
    let all = trespasses();
    futures::future::try_join_all(all.iter().map(|(name, manifest)| chart(name, manifest))).await?;
    Ok(())
}

/// A hook comes before what is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_7_what_a_hook_made_is_gone_with_the_release_that_was_refused() -> Result<()> {
    let environment = Environment::new("attack-7-hook", DeploymentMode::Helm, "chart").await?;
    let [(_, binding), ..] = trespasses();
    let annotations = "\"annotations\":{\"helm.sh/hook\":\"post-install\"},\"name\"";
    let hook = binding.replacen("\"name\":\"takeover\"", &format!("{annotations}:\"takeover\""), 1);
    ensure!(hook.contains("post-install"), "{hook}");
    let files = [
        ("chart/Chart.yaml", CHART),
        ("chart/templates/a.yaml", &config_map("harmless")),
        ("chart/templates/c.yaml", &hook),
    ];
    let outcome = environment.deploy(&files).await?;
    check_refused(&environment, outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_7_manifests_that_lead_out_of_their_namespace_are_refused_and_leave_nothing() -> Result<()> {
    let each = |(name, manifest): (&'static str, String)| async move {
        let environment =
            Environment::new(&format!("attack-7-plain-{name}"), DeploymentMode::Manifest, "k8s").await?;
        let files = [("k8s/a.yaml", config_map("harmless")), ("k8s/b.yaml", manifest)];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let outcome = environment.deploy(&files).await?;
        check_refused(&environment, outcome).await
    };
    futures::future::try_join_all(trespasses().map(each)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runner_acts_as_nobody_else_and_enters_no_pod() -> Result<()> {
    let world = World::get().await?;
    let namespace = "rights";
    let kubectl = world.plane.kubectl();
    kubectl.run(&["create", "namespace", namespace]).await?.ok()?;
    kubectl.run(&["create", "serviceaccount", "runner", "-n", namespace]).await?.ok()?;
    let (role, account) =
        (format!("--clusterrole={RUNNER_ROLE}"), format!("--serviceaccount={namespace}:runner"));
    kubectl.run(&["create", "rolebinding", "runner", "-n", namespace, &role, &account]).await?.ok()?;
    let runner = world.plane.service_account(namespace, "runner").await?;
    for (verb, resource, expect) in [
        ("create", "deployments.apps", "yes"),
        ("create", "secrets", "yes"),
        ("impersonate", "serviceaccounts", "no"),
        ("create", "serviceaccounts/token", "no"),
        ("create", "pods/exec", "no"),
        ("create", "pods/attach", "no"),
        ("create", "pods/portforward", "no"),
        ("create", "pods/ephemeralcontainers", "no"),
        ("get", "ingresses.networking.k8s.io", "no"),
        ("create", "networkpolicies.networking.k8s.io", "no"),
        ("create", "rolebindings.rbac.authorization.k8s.io", "no"),
        ("patch", "resourcequotas", "no"),
        ("patch", "limitranges", "no"),
        ("patch", "namespaces", "no"),
        ("create", "endpoints", "no"),
        ("create", "environments.catalyst.catalyst.dev", "no"),
    ] {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let part = format!("--subresource={part}");
        for (namespace, expect) in [(namespace, expect), ("default", "no")] {
            let ask = ["auth", "can-i", verb, resource, &part, "-n", namespace];
            let answer = runner.kubectl().run(&ask).await?;
            ensure!(answer.stdout.trim() == expect, "{ask:?}: {answer:?}");
        }
    }
    Ok(())
}

/// What reaches for the node, by the name of the attack: a pod's spec.
fn of_the_host() -> [(&'static str, serde_json::Value); 3] {
    let container = json!({ "name": "app", "image": "run" });
    let mut privileged = container.clone();
    privileged["securityContext"] = json!({ "privileged": true });
    [
        ("privileged", json!({ "containers": [privileged] })),
        (
            "hostpath",
            json!({ "containers": [container], "volumes": [{ "name": "host", "hostPath": { "path": "/" } }] }),
        ),
        ("hostnetwork", json!({ "containers": [container], "hostNetwork": true })),
    ]
}

/// A pod is refused when it is applied; a Deployment's when it makes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_8_pods_that_reach_for_the_host_are_refused() -> Result<()> {
    let each = |(name, spec): (&'static str, serde_json::Value), is_pod: bool| async move {
        let kind = if is_pod { "pod" } else { "deployment" };
        let environment =
            Environment::new(&format!("attack-8-{name}-{kind}"), DeploymentMode::Manifest, "k8s").await?;
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "app" }, "spec": spec });
        let mut deployment: serde_json::Value = serde_json::from_str(&deployment("app", "run"))?;
        deployment["spec"]["template"]["spec"] = spec;
        let manifest = if is_pod { pod } else { deployment };
        let outcome = environment.deploy(&[("k8s/app.yaml", &manifest.to_string())]).await?;
        let JobOutcome::Failed { reason: "PodRefused", message, .. } = &outcome else {
            bail!("{name} {kind}: {outcome:?}")
        };
        ensure!(message.contains("take"), "{message}");
        let pods = environment.world.get_all(&environment.namespace, &["pods", "-o=name"]).await?;
        ensure!(!pods.contains("app"), "{pods}");
        Ok(())
    };
    let all = [true, false].into_iter().flat_map(|is_pod| of_the_host().map(|one| each(one, is_pod)));
    futures::future::try_join_all(all).await?;
    Ok(())
}
