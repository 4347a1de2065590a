#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use serde_json::json;

use super::*;

fn settings() -> RunnerSettings {
    RunnerSettings {
        git_image: "git".into(),
        deploy_image: "deploy".into(),
        concierge_image: "concierge".into(),
        web_url: Some("http://web:3000".into()),
        role: "concierge-environment-runner".into(),
        timeout: Duration::from_secs(300),
        patience: Duration::from_secs(60),
    }
}

/// An input whose texts are as bad as admission lets through, and worse.
fn with<T>(mode: DeploymentMode, then: impl FnOnce(&RunnerInput<'_>) -> T) -> T {
    let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let (variables, images) = (map("API_TOKEN", "hunter2"), map("web", "registry:5000/shop/web:abc"));
    let values = json!({ "replicas": 2, "db": { "password": "swordfish" } });
    then(&RunnerInput {
        namespace: "acme-shop-main",
        name: "main",
        mode,
        repository: "https://git.example.com/acme/shop.git; rm -rf /",
        commit: "$(id)",
        path: "/deploy/`id`",
        installation: Some("42"),
        values: Some(&values),
        variables: &variables,
        images: &images,
        attempt: 1,
    })
}

const MODES: [DeploymentMode; 4] = [
    DeploymentMode::Helm,
    DeploymentMode::DockerCompose,
    DeploymentMode::Manifest,
    DeploymentMode::Kustomize,
];

fn pod(objects: &RunnerObjects) -> PodSpec {
    objects.job.spec.clone().unwrap().template.spec.unwrap()
}

fn containers(pod: &PodSpec) -> Vec<&Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers).collect()
}

#[test]
fn nothing_of_the_input_is_part_of_a_shells_command() {
    for mode in MODES {
        let objects = with(mode, |input| objects(input, &settings()));
        for container in containers(&pod(&objects)) {
            let command = container.command.clone().unwrap();
            let is_script = command[0] == "sh" && command.len() == 2 && command[1].starts_with("/scripts/");
            assert!(is_script || command[0] == "concierge-reconciler", "{command:?}");
        }
    }
    for script in scripts("x").data.unwrap().values() {
        assert!(!script.contains("eval"), "{script}");
    }
}

#[test]
fn every_container_has_resources_no_rights_and_a_token_only_where_it_needs_one() {
    for mode in MODES {
        let objects = with(mode, |input| objects(input, &settings()));
        let pod = pod(&objects);
        assert_eq!(pod.automount_service_account_token, Some(false));
        for container in containers(&pod) {
            let resources = container.resources.clone().unwrap();
            assert_eq!((resources.requests.unwrap().len(), resources.limits.unwrap().len()), (2, 2));
            let security = container.security_context.clone().unwrap();
            assert_eq!(security.capabilities.unwrap().drop.unwrap(), ["ALL"]);
            let paths: Vec<_> =
                container.volume_mounts.iter().flatten().map(|one| one.mount_path.as_str()).collect();
            let has_account = paths.contains(&pod::ACCOUNT_PATH);
            assert_eq!(
                has_account,
                ["deploy", "wait"].contains(&container.name.as_str()),
                "{}",
                container.name
            );
            assert_eq!(paths.contains(&"/var/run/git-token"), container.name == "git");
        }
    }
}

#[test]
fn another_commit_value_or_attempt_is_another_job() {
    with(DeploymentMode::Helm, |input| {
        let name = |input: &RunnerInput<'_>| objects(input, &settings()).job.metadata.name.unwrap();
        let (none, empty) = (json!({}), BTreeMap::new());
        let others = [
            RunnerInput { commit: "1", ..*input },
            RunnerInput { values: Some(&none), ..*input },
            RunnerInput { images: &empty, ..*input },
            RunnerInput { attempt: 2, ..*input },
            RunnerInput { mode: DeploymentMode::Kustomize, ..*input },
        ];
        let mut names: Vec<_> = others.iter().map(name).collect();
        names.push(name(input));
        assert_eq!(name(input), name(&input.clone()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6);
    });
}

#[test]
fn a_chart_gets_its_values_with_the_environments_variables_and_images() {
    let text = with(DeploymentMode::Helm, values::of);
    let expect = json!({
        "replicas": 2, "db": { "password": "swordfish" }, "env": { "API_TOKEN": "hunter2" },
        "global": { "images": { "web": { "repository": "registry:5000/shop/web", "tag": "abc" } } },
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expect);
    let text = with(DeploymentMode::Kustomize, values::of);
    let overlay: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(overlay["resources"], json!(["../source/deploy/`id`"]));
    assert_eq!(
        overlay["images"],
        json!([{ "name": "web", "newName": "registry:5000/shop/web", "newTag": "abc" }])
    );
}

fn failed(container: &str, code: i32, message: &str) -> (Job, Vec<Pod>) {
    let job = json!({ "metadata": { "name": "runner-1" }, "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }] } });
    let state = json!({ "terminated": { "exitCode": code, "message": message } });
    let status = json!({ "name": container, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    let field = if container == "wait" { "containerStatuses" } else { "initContainerStatuses" };
    let pod = json!({ "metadata": {}, "status": { field: [status] } });
    (serde_json::from_value(job).unwrap(), vec![serde_json::from_value(pod).unwrap()])
}

/// The step, the reason, and what has to be in the message.
#[test]
fn each_failure_has_a_reason_and_a_remedy_and_tells_no_secret() {
    for (container, code, words, step, reason, remedy) in [
        (
            "git",
            128,
            "fatal: remote error: upload-pack: not our ref abc",
            Step::Git,
            "CommitNotFound",
            "was it pushed",
        ),
        (
            "git",
            128,
            "fatal: Authentication failed for 'https://x'",
            Step::Git,
            "RepositoryDenied",
            "githubInstallationId",
        ),
        (
            "git",
            128,
            "fatal: unable to access: Could not resolve host",
            Step::Git,
            "SourceUnavailable",
            "within reach",
        ),
        (
            "compose",
            1,
            "compose.yaml:1:1: services.web.ports[0] is no port",
            Step::Compose,
            "InvalidComposeFile",
            "correct the compose file",
        ),
        (
            "deploy",
            1,
            "Error: clusterrolebindings is forbidden: User \"system:serviceaccount:a:runner\" cannot",
            Step::Deploy,
            "Forbidden",
            "take that out",
        ),
        (
            "deploy",
            1,
            "pods \"x\" is forbidden: violates PodSecurity \"baseline\"",
            Step::Deploy,
            "PodRefused",
            "take that out",
        ),
        (
            "deploy",
            1,
            "Error: template: shop: hunter2 swordfish ghp_abc",
            Step::Deploy,
            "ChartFailed",
            "correct the chart",
        ),
        ("deploy", 137, "", Step::Deploy, "ContainerKilled", "too large"),
        (
            "wait",
            11,
            "the image a can't be pulled; correct its name",
            Step::Wait,
            "ImageNotPulled",
            "correct its name",
        ),
        ("wait", 1, "", Step::Wait, "NotReadyInTime", "exit code 1"),
    ] {
        let (job, pods) = failed(container, code, words);
        let JobOutcome::Failed { step: at, reason: why, message } =
            with(DeploymentMode::Helm, |input| outcome(input, &job, &pods))
        else {
            panic!("{words}");
        };
        assert_eq!((at, why), (step, reason), "{words}: {message}");
        assert!(message.contains(remedy), "{message}");
        assert!(!["hunter2", "swordfish", "ghp_"].iter().any(|secret| message.contains(secret)), "{message}");
    }
}

#[test]
fn a_job_runs_until_it_says_otherwise() {
    let with_condition = |kind: &str, reason: &str| -> Job {
        let condition = json!({ "type": kind, "status": "True", "reason": reason });
        serde_json::from_value(
            json!({ "metadata": { "name": "j" }, "status": { "conditions": [condition] } }),
        )
        .unwrap()
    };
    with(DeploymentMode::Helm, |input| {
        assert_eq!(outcome(input, &Job::default(), &[]), JobOutcome::Running);
        assert_eq!(outcome(input, &with_condition("Complete", ""), &[]), JobOutcome::Deployed);
        let late = outcome(input, &with_condition("Failed", "DeadlineExceeded"), &[]);
        assert!(
            matches!(&late, JobOutcome::Failed { reason: "DeadlineExceeded", message, .. } if message.contains("in time"))
        );
    });
}
