//! The Job itself.

use concierge_shared::catalyst::DeploymentMode;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            Container, EmptyDirVolumeSource, PodSpec, PodTemplateSpec, SecretVolumeSource, Volume,
            VolumeMount,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{
    ACCOUNT, LABEL, RunnerInput, RunnerSettings,
    git::{self, GitInput},
    named,
    pod::{ACCOUNT_PATH, account_volume, container, labels, mount, pod_security},
    values,
};
use crate::catalyst::attempt;

/// Where the work is done: a volume of all containers.
const WORK: (&str, &str) = ("work", "/workspace");
const VALUES: (&str, &str) = ("values", "/values");
const ACCOUNT_VOLUME: &str = "account";
/// The manifests that are applied.
const APPLIED: &str = "/workspace/applied.yaml";
/// How much longer the Job may take than what it waits for: tools have to be fetched.
const MARGIN: i64 = 60;

/// The program that is in our image, by the name of its file: the image has no shell.
const PROGRAM: &str = "concierge-reconciler";

/// The Job of this attempt; `secret` tells what is deployed.
pub(super) fn of(input: &RunnerInput<'_>, settings: &RunnerSettings, secret: &str) -> Job {
    let metadata = ObjectMeta { labels: labels(&[LABEL]), ..ObjectMeta::default() };
    let template = PodTemplateSpec { metadata: Some(metadata), spec: Some(pod(input, settings, secret)) };
    let spec = JobSpec {
        // Another attempt is another Job, when it is time for it.
        backoff_limit: Some(0),
        active_deadline_seconds: Some(seconds(settings.timeout) + MARGIN),
        template,
        ..JobSpec::default()
    };
    let name = attempt::name(secret, input.attempt);
    Job { metadata: named(input.namespace, &name), spec: Some(spec), ..Job::default() }
}

fn pod(input: &RunnerInput<'_>, settings: &RunnerSettings, secret: &str) -> PodSpec {
    let source = git_input(input, settings);
    let mut init = vec![git::clone_container(&source, &settings.git_image, WORK.0)];
    if input.mode == DeploymentMode::DockerCompose {
        init.push(compose(input, settings));
    }
    init.push(if input.mode == DeploymentMode::Helm {
        helm(input, settings)
    } else {
        apply(input, settings)
    });
    let mut volumes = vec![work(), values_volume(secret), account_volume(ACCOUNT_VOLUME, 3600)];
    volumes.extend(git::volumes(&source));
    PodSpec {
        service_account_name: Some(ACCOUNT.into()),
        // Those that need a token mount one of their own.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        // What takes its place must not meet it.
        termination_grace_period_seconds: Some(1),
        restart_policy: Some("Never".into()),
        security_context: Some(pod_security()),
        init_containers: Some(init),
        containers: vec![wait(input, settings)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn git_input<'a>(input: &RunnerInput<'a>, settings: &'a RunnerSettings) -> GitInput<'a> {
    GitInput {
        repository: input.repository,
        commit: input.commit,
        installation: input.installation,
        web_url: settings.web_url.as_deref(),
    }
}

/// Where what is deployed stands in the source.
fn in_source(input: &RunnerInput<'_>) -> String {
    format!("{}/{}", git::SOURCE, input.path.trim_start_matches('/'))
}

fn compose(input: &RunnerInput<'_>, settings: &RunnerSettings) -> Container {
    let (values, path) = (format!("{}/{}", VALUES.1, values::KEY), in_source(input));
    let command =
        [PROGRAM, "compose", "--values", &values, "--output", APPLIED, "--source", git::SOURCE, "--", &path];
    container("compose", &settings.concierge_image, &command, vec![home()], mounts(&[]))
}

fn helm(input: &RunnerInput<'_>, settings: &RunnerSettings) -> Container {
    let env = vec![
        home(),
        ("NAMESPACE", input.namespace.to_owned()),
        ("RELEASE", input.name.to_owned()),
        ("CHART", in_source(input)),
        ("CHART_PATH", input.path.to_owned()),
        ("VALUES", format!("{}/{}", VALUES.1, values::KEY)),
        ("TIMEOUT", format!("{}s", seconds(settings.timeout))),
    ];
    deploy(&settings.deploy_image, "/scripts/helm.sh", env)
}

fn apply(input: &RunnerInput<'_>, settings: &RunnerSettings) -> Container {
    let mode = match input.mode {
        DeploymentMode::Kustomize => "kustomize",
        DeploymentMode::Manifest => "manifest",
        _ => "compose",
    };
    let env = vec![
        home(),
        ("NAMESPACE", input.namespace.to_owned()),
        ("MODE", mode.to_owned()),
        ("WORK", WORK.1.to_owned()),
        ("MANIFESTS", in_source(input)),
        ("MANIFESTS_PATH", input.path.to_owned()),
        ("VALUES", format!("{}/{}", VALUES.1, values::KEY)),
        ("APPLIED", APPLIED.to_owned()),
    ];
    deploy(&settings.deploy_image, "/scripts/apply.sh", env)
}

fn deploy(image: &str, script: &str, env: Vec<(&str, String)>) -> Container {
    let more = [mount(git::SCRIPTS_VOLUME, "/scripts", true), mount(ACCOUNT_VOLUME, ACCOUNT_PATH, true)];
    container("deploy", image, &["sh", script], env, mounts(&more))
}

fn wait(input: &RunnerInput<'_>, settings: &RunnerSettings) -> Container {
    let [timeout, patience] = [settings.timeout, settings.patience].map(|time| format!("{}s", seconds(time)));
    let command =
        [PROGRAM, "wait", "--namespace", input.namespace, "--timeout", &timeout, "--patience", &patience];
    let account = mount(ACCOUNT_VOLUME, ACCOUNT_PATH, true);
    container("wait", &settings.concierge_image, &command, vec![], vec![account])
}

fn mounts(more: &[VolumeMount]) -> Vec<VolumeMount> {
    let all = [mount(WORK.0, WORK.1, false), mount(VALUES.0, VALUES.1, true)];
    all.into_iter().chain(more.iter().cloned()).collect()
}

fn home() -> (&'static str, String) {
    ("HOME", WORK.1.to_owned())
}

fn work() -> Volume {
    let size = Some(Quantity("2Gi".into()));
    let empty = EmptyDirVolumeSource { size_limit: size, ..EmptyDirVolumeSource::default() };
    Volume { name: WORK.0.into(), empty_dir: Some(empty), ..Volume::default() }
}

fn values_volume(secret: &str) -> Volume {
    let secret = SecretVolumeSource { secret_name: Some(secret.to_owned()), ..SecretVolumeSource::default() };
    Volume { name: VALUES.0.into(), secret: Some(secret), ..Volume::default() }
}

fn seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX - MARGIN).min(i64::MAX - MARGIN)
}
