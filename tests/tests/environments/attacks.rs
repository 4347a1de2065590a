//! What one team could do to another at the operator before this one, at the API server as it is installed. Attacks 7 and 8 are what a source
//! does: `tests/tests/runner/attacks.rs`.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::world::{Team, World};

/// A project whose environments are workspaces.
async fn with_workspaces(name: &'static str) -> Result<Team> {
    let team = Team::new(name).await?;
    team.project(json!({ "type": "" })).await?;
    Ok(team)
}

fn workspace(team: &Team, name: &str) -> Value {
    team.environment(name, &json!({ "deploymentMode": "workspace" }))
}

/// It is refused by this rule.
async fn check(team: &Team, environment: &Value, rule: &str) -> Result<()> {
    let told = team.refused(environment).await?;
    ensure!(told.contains(rule), "{rule}: {told}");
    Ok(())
}

async fn uid(world: &World, namespace: &str) -> Result<String> {
    world
        .kubectl(&["get", "namespace", namespace, "-o=jsonpath={.metadata.uid}{.metadata.labels}"])
        .await?
        .ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_1_a_namespace_that_is_there_is_neither_taken_nor_deleted() -> Result<()> {
    let team = with_workspaces("atone").await?;
    let (plain, labelled) = (team.namespace("plain"), team.namespace("labelled"));
    let labels = json!({ "catalyst.dev/team": "atone", "catalyst.dev/environment": "labelled" });
    let decoys = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": plain } },
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": labelled, "labels": labels } },
    ] });
    team.world.stack.plane.kubectl().apply_text(&decoys.to_string()).await?.ok()?;
    for (name, namespace) in [("plain", plain), ("labelled", labelled)] {
        let before = uid(team.world, &namespace).await?;
        // The webhook may not have heard of the namespace yet: then the reconciler says no.
        match team.refused(&workspace(&team, name)).await {
            Ok(told) => ensure!(told.contains("catalyst.environment.target-free"), "{told}"),
            Err(_) => team.delete_alone(name).await?,
        }
        ensure!(uid(team.world, &namespace).await? == before, "{namespace} was touched");
        let inside = team
            .world
            .kubectl(&["get", "deployments,resourcequotas", "-n", &namespace, "-o=name"])
            .await?
            .ok()?;
        ensure!(inside.is_empty(), "{inside}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_2_an_environment_is_not_moved_by_its_labels() -> Result<()> {
    let team = with_workspaces("attwo").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    let before = uid(team.world, &team.namespace("pr-1")).await?;
    for label in [
        "catalyst.dev/team=acme",
        "catalyst.dev/project=other",
        "catalyst.dev/environment=pr-2",
        "catalyst.dev/team-",
    ] {
        let told = team
            .world
            .kubectl(&["label", "--overwrite", "environment", "pr-1", "-n", "attwo-shop", label])
            .await?;
        ensure!(
            told.stderr.contains("catalyst.environment.immutable")
                || told.stderr.contains("catalyst.environment.labels"),
            "{label}: {told:?}"
        );
    }
    ensure!(uid(team.world, &team.namespace("pr-1")).await? == before);
    team.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_3_two_teams_whose_names_join_to_the_same_have_no_namespace_in_common() -> Result<()> {
    let team = with_workspaces("atthree-x").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    // The team atthree has a project x-shop: its environments are called alike.
    let other = Team::new("atthree").await?;
    other.project_called("x-shop", json!({ "type": "" })).await?;
    let mut environment = workspace(&team, "pr-2");
    environment["spec"]["projectRef"]["name"] = "x-shop".into();
    environment["metadata"]["labels"]["catalyst.dev/team"] = "atthree".into();
    environment["metadata"]["labels"]["catalyst.dev/project"] = "x-shop".into();
    environment["metadata"]["name"] = "pr-1-other".into();
    environment["metadata"]["labels"]["catalyst.dev/environment"] = "pr-1-other".into();
    // Whoever has environments of one team may not have them of the other.
    check(&team, &environment, "catalyst.environment.project-exists").await?;
    // The administrator may read both.
    environment["metadata"]["name"] = "pr-1".into();
    environment["metadata"]["labels"]["catalyst.dev/environment"] = "pr-1".into();
    environment["metadata"]["namespace"] = "atthree".into();
    let told = team.world.stack.plane.kubectl().apply_text(&environment.to_string()).await?;
    ensure!(!told.status.success() && told.stderr.contains("catalyst.environment.target-"), "{told:?}");
    team.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_4_the_label_of_a_team_opens_neither_its_projects_nor_its_credentials() -> Result<()> {
    let (team, victim) = (with_workspaces("atfour").await?, with_workspaces("atfour-victim").await?);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": { "name": "registry-credentials", "namespace": victim.name },
        "data": { ".dockerconfigjson": "eyJhdXRocyI6e319" },
    });
    team.world.stack.plane.kubectl().apply_text(&secret.to_string()).await?.ok()?;
    let mut environment = workspace(&team, "pr-1");
    environment["metadata"]["labels"]["catalyst.dev/team"] = victim.name.into();
    check(&team, &environment, "catalyst.environment.project-exists").await?;
    let copies = team
        .world
        .kubectl(&[
            "get",
            "secrets",
            "-A",
            "-o=jsonpath={.items[?(@.metadata.name==\"registry-credentials\")].metadata.namespace}",
        ])
        .await?
        .ok()?;
    ensure!(copies == victim.name, "{copies}");
    // The victim's own environment has them.
    victim.create(&workspace(&victim, "pr-1")).await?.until_phase("Ready").await?;
    team.world
        .kubectl(&["get", "secret", "registry-credentials", "-n", &victim.namespace("pr-1")])
        .await?
        .ok()?;
    victim.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_5_nobody_takes_anothers_secrets_by_their_id() -> Result<()> {
    let team = with_workspaces("atfive").await?;
    let mut environment = workspace(&team, "pr-1");
    environment["metadata"]["annotations"] = json!({ "catalyst.dev/environment-id": "e-1" });
    check(&team, &environment, "catalyst.environment.id-setter").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    let set = ["annotate", "environment", "pr-1", "-n", "atfive-shop", "catalyst.dev/environment-id=e-1"];
    let told = team.kubectl(&set).await?;
    ensure!(!told.status.success() && told.stderr.contains("catalyst.environment.id-setter"), "{told:?}");
    team.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_6_no_address_path_or_commit_leads_out_of_a_repository() -> Result<()> {
    let team = Team::new("atsix").await?;
    let refuse = |url: &str, branch: &str, path: &str| {
        let source = json!({ "name": "main", "repositoryUrl": url, "branch": branch });
        let template = json!({ "type": "helm", "sourceRef": "main", "path": path });
        json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project", "metadata": { "name": "bad", "namespace": "atsix" },
            "spec": { "sources": [source], "templates": { "development": template } },
        })
    };
    let good = "https://github.com/acme/shop";
    for (project, rule) in [
        (refuse("file:///etc", "main", "chart"), "catalyst.project.repository-url"),
        (refuse("--upload-pack=id", "main", "chart"), "catalyst.project.repository-url"),
        (refuse("https://u:p@github.com/acme/shop", "main", "chart"), "catalyst.project.repository-url"),
        (refuse(good, "--upload-pack=id", "chart"), "catalyst.git.branch"),
        (refuse(good, "main", "../../etc"), "catalyst.project.path"),
    ] {
        let told = team.world.stack.plane.kubectl().apply_text(&project.to_string()).await?;
        ensure!(!told.status.success() && told.stderr.contains(rule), "{rule}: {told:?}");
    }
    team.project(json!({ "type": "helm", "sourceRef": "main", "path": "chart" })).await?;
    let source = json!({ "name": "main", "commitSha": "--upload-pack=id", "branch": "main" });
    check(&team, &team.environment("pr-1", &json!({ "sources": [source] })), "catalyst.environment.commit")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_9_no_two_environments_have_the_same_address() -> Result<()> {
    let (one, two) = (with_workspaces("atnine").await?, with_workspaces("atnine-b").await?);
    let with_host = |team: &Team| {
        team.environment("production", &json!({ "deploymentMode": "workspace", "host": "bank" }))
    };
    one.create(&with_host(&one)).await?.until_phase("Ready").await?;
    check(&two, &with_host(&two), "catalyst.environment.host-unique").await?;
    one.delete("production").await?;
    // Free again.
    two.create(&with_host(&two)).await?.until_phase("Ready").await?;
    two.delete("production").await
}

const STATEFUL_SETS: &str = "system:serviceaccount:kube-system:statefulset-controller";
const BINDER: &str = "system:serviceaccount:kube-system:persistent-volume-binder";

/// A Service that leads elsewhere leads the environment's address there; a volume that is there may be another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_10_services_and_volumes_that_lead_out_of_an_environment_are_refused() -> Result<()> {
    let team = Team::new("atten").await?;
    let service = |spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": spec });
    let out = service(
        json!({ "type": "ExternalName", "externalName": "concierge.concierge-system.svc.cluster.local" }),
    );
    team.commit(&[("k8s/web.json", &out.to_string())]).await?;
    team.project(json!({ "type": "manifest", "sourceRef": "main", "path": "k8s" })).await?;
    let mut watched = team.create(&team.environment("pr-1", &json!({}))).await?;
    let message = watched.until_false("DeploymentReady", "Forbidden").await?;
    ensure!(message.contains("of type ClusterIP") && message.contains("change that"), "{message}");
    let namespace = team.namespace("pr-1");
    let ports = json!([{ "port": 80 }]);
    let claim = |more: Value| {
        let mut spec =
            json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
        spec.as_object_mut()
            .into_iter()
            .for_each(|spec| spec.extend(more.as_object().cloned().unwrap_or_default()));
        json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" }, "spec": spec })
    };
    let send = async |by: &str, user: &str, object: &Value| {
        let dry_run = [by, "--dry-run=server", "-n", &namespace, "-f", "-"];
        let user = if user.is_empty() { Vec::new() } else { vec!["--as", user] };
        let kubectl = team.world.stack.plane.kubectl();
        kubectl.run_with_input(&[&dry_run[..], &user].concat(), &object.to_string()).await
    };
    let of_another = claim(json!({ "volumeName": "of-another" }));
    let mut annotated = claim(json!({}));
    annotated["metadata"]["annotations"] = json!({ "volume.beta.kubernetes.io/storage-class": "" });
    for (user, object, words) in [
        ("", service(json!({ "type": "NodePort", "ports": ports })), "is of type ClusterIP"),
        ("", service(json!({ "type": "LoadBalancer", "ports": ports })), "is of type ClusterIP"),
        ("", service(json!({ "externalIPs": ["8.8.8.8"], "ports": ports })), "has no externalIPs"),
        ("", of_another.clone(), "remove volumeName"),
        // A StatefulSet's template of a claim says so, and the control plane makes it.
        (STATEFUL_SETS, of_another.clone(), "remove volumeName"),
        ("", claim(json!({ "storageClassName": "" })), "name a storageClassName or none"),
        ("", annotated, "remove the annotation"),
        ("", claim(json!({ "resources": { "requests": { "storage": "51Gi" } } })), "exceeded quota"),
    ] {
        let told = send("apply", user, &object).await?;
        ensure!(!told.status.success() && told.stderr.contains(words), "{user} {object}: {told:?}");
    }
    for harmless in [service(json!({ "ports": ports })), claim(json!({}))] {
        send("apply", "", &harmless).await?.ok()?;
    }
    // A claim is bound by the control plane alone.
    team.world.kubectl(&["delete", "pvc", "data", "-n", &namespace, "--ignore-not-found"]).await?.ok()?;
    let create = ["create", "-n", &namespace, "-f", "-"];
    let kubectl = team.world.stack.plane.kubectl();
    kubectl.run_with_input(&create, &claim(json!({})).to_string()).await?.ok()?;
    let told = send("replace", "", &of_another).await?;
    ensure!(!told.status.success() && told.stderr.contains("remove volumeName"), "{told:?}");
    send("replace", BINDER, &of_another).await?.ok()?;
    team.delete("pr-1").await
}

/// Whoever may edit an Environment is not to leave its namespace to the cluster, nor to hold up another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_11_no_annotation_and_no_forged_mark_keeps_a_namespace() -> Result<()> {
    let team = with_workspaces("ateleven").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    let uid = ["get", "environment", "pr-1", "-n", "ateleven-shop", "-o=jsonpath={.metadata.uid}"];
    let uid = team.kubectl(&uid).await?.ok()?;
    let forged = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "forged", "namespace": "ateleven", "finalizers": ["example.com/stays"], "labels": { "concierge.dev/owner-uid": uid },
        "annotations": { "concierge.dev/owner": "Environment ateleven-shop/pr-1" },
    } });
    team.world.stack.plane.kubectl().apply_text(&forged.to_string()).await?.ok()?;
    let all = ["abandon", "paused", "observe-only"].map(|one| format!("concierge.dev/{one}=true"));
    let annotate = ["annotate", "environment", "pr-1", "-n", "ateleven-shop", &all[0], &all[1], &all[2]];
    team.kubectl(&annotate).await?.ok()?;
    team.delete("pr-1").await?;
    let kept = ["get", "configmap", "forged", "-n", "ateleven", "-o=jsonpath={.metadata.deletionTimestamp}"];
    let told = team.world.kubectl(&kept).await?.ok()?;
    ensure!(told.is_empty(), "{told}");
    let free = [
        "patch",
        "configmap",
        "forged",
        "-n",
        "ateleven",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ];
    team.world.kubectl(&free).await?.ok().map(drop)
}

/// The node mounts such a volume, past the NetworkPolicy and with nobody's rights but its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_12_pods_have_no_volumes_of_a_server_that_they_name() -> Result<()> {
    let team = with_workspaces("attwelve").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    let namespace = team.namespace("pr-1");
    let send = async |volumes: Value| {
        let container = json!({ "name": "app", "image": "namespace" });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "mounts", "namespace": namespace },
            "spec": { "containers": [container], "volumes": volumes },
        });
        let kubectl = team.world.stack.plane.kubectl();
        kubectl.run_with_input(&["create", "--dry-run=server", "-f", "-"], &pod.to_string()).await
    };
    for volume in [
        json!({ "name": "a", "nfs": { "server": "10.0.0.1", "path": "/" } }),
        json!({ "name": "a", "iscsi": { "targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0 } }),
        json!({ "name": "a", "csi": { "driver": "nfs.csi.k8s.io", "volumeAttributes": { "server": "10.0.0.1" } } }),
    ] {
        let told = send(json!([{ "name": "own", "emptyDir": {} }, volume])).await?;
        let refused =
            told.stderr.contains("-environment-pods'") && told.stderr.contains("no volumes of other types");
        ensure!(!told.status.success() && refused, "{volume}: {told:?}");
    }
    let claim =
        json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let harmless = json!([
        { "name": "a", "emptyDir": {} }, { "name": "b" }, { "name": "c", "configMap": { "name": "x" } },
        { "name": "d", "secret": { "secretName": "x" } }, { "name": "e", "persistentVolumeClaim": { "claimName": "x" } },
        { "name": "f", "ephemeral": { "volumeClaimTemplate": { "spec": claim } } },
        { "name": "g", "projected": { "sources": [{ "configMap": { "name": "x" } }] } },
        { "name": "i", "image": { "reference": "docker.io/library/alpine:3.22" } },
        { "name": "h", "downwardAPI": { "items": [{ "path": "name", "fieldRef": { "fieldPath": "metadata.name" } }] } },
    ]);
    send(harmless).await?.ok()?;
    send(json!([])).await?.ok()?;
    team.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_13_no_pod_takes_the_place_of_others_by_a_priority_of_the_cluster() -> Result<()> {
    let team = with_workspaces("atthirteen").await?;
    team.create(&workspace(&team, "pr-1")).await?.until_phase("Ready").await?;
    let namespace = team.namespace("pr-1");
    let send = async |priority: Value| {
        let container = json!({ "name": "app", "image": "namespace" });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "first", "namespace": namespace },
            "spec": { "containers": [container], "priorityClassName": priority },
        });
        let kubectl = team.world.stack.plane.kubectl();
        kubectl.run_with_input(&["create", "--dry-run=server", "-f", "-"], &pod.to_string()).await
    };
    for priority in ["system-node-critical", "system-cluster-critical"] {
        let told = send(priority.into()).await?;
        let refused =
            told.stderr.contains("-environment-pods'") && told.stderr.contains("remove priorityClassName");
        ensure!(!told.status.success() && refused, "{priority}: {told:?}");
    }
    send(Value::Null).await?.ok()?;
    team.delete("pr-1").await
}

/// What it needs for environments gives it no way to other accounts and roles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reconciler_takes_tokens_of_one_account_and_binds_one_role() -> Result<()> {
    let world = World::get().await?;
    for (verb, resource, subresource, expect) in [
        ("create", "serviceaccounts/concierge-git", "token", "yes"),
        ("create", "serviceaccounts/runner", "token", "no"),
        ("create", "serviceaccounts/default", "token", "no"),
        ("bind", "clusterroles/concierge-catalyst-runner", "", "yes"),
        ("bind", "clusterroles/cluster-admin", "", "no"),
        ("escalate", "clusterroles", "", "no"),
        ("create", "clusterrolebindings", "", "no"),
        ("impersonate", "serviceaccounts", "", "no"),
        ("create", "pods", "exec", "no"),
    ] {
        let subresource = format!("--subresource={subresource}");
        let account = "--as=system:serviceaccount:concierge-system:concierge";
        let ask = ["auth", "can-i", verb, resource, &subresource, account, "-n", "kube-system"];
        let answer = world.kubectl(&ask).await?;
        ensure!(answer.stdout.trim() == expect, "{ask:?}: {answer:?}");
    }
    Ok(())
}
