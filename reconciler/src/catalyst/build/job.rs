//! The Job itself.

use std::time::Duration;

use concierge_shared::catalyst::{GIT_ACCOUNT, bounds::Amounts};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            Capabilities, Container, EmptyDirVolumeSource, KeyToPath, PodSecurityContext, PodSpec,
            PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext,
            Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::BuildInput;
use crate::catalyst::{
    attempt, convert,
    runner::{
        LABEL, container,
        git::{self, GitInput},
        labels, mount,
    },
};

/// The Secret with the credentials of the registry.
pub(in crate::catalyst) const CREDENTIALS: &str = "registry-credentials";

const WORK: (&str, &str) = ("work", "/workspace");
const CREDENTIALS_VOLUME: &str = "credentials";
/// Where kaniko looks for them, unless told otherwise.
const KANIKO_CONFIG: &str = "/kaniko/.docker";
const BUILDAH_CONFIG: &str = "/credentials";
/// Who fetches the source: nobody, with a group that the builder may read with.
const NOBODY: i64 = 65532;
/// How long the record of a build stays that has ended, with its log: a day.
const KEPT: i32 = 24 * 3600;

/// What builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::catalyst) enum Builder {
    Kaniko,
    Buildah,
}

/// With what, and for how long.
#[derive(Clone, Debug)]
pub(in crate::catalyst) struct BuildSettings {
    pub(in crate::catalyst) builder: Builder,
    /// The builder's image.
    pub(in crate::catalyst) image: String,
    /// An image with git, sh and wget.
    pub(in crate::catalyst) git_image: String,
    /// The web application that has the tokens of repositories.
    pub(in crate::catalyst) web_url: Option<String>,
    /// Whether the registry has no TLS.
    pub(in crate::catalyst) insecure: bool,
    pub(in crate::catalyst) timeout: Duration,
}

impl Builder {
    /// The builder of this name.
    pub(in crate::catalyst) fn named(name: &str) -> Option<Self> {
        match name {
            "kaniko" => Some(Self::Kaniko),
            "buildah" => Some(Self::Buildah),
            _ => None,
        }
    }

    /// The image that is used unless an operator names another. Of kaniko, the fork that lives on.
    pub(in crate::catalyst) fn usual_image(self) -> &'static str {
        match self {
            Self::Kaniko => {
                "ghcr.io/osscontainertools/kaniko:v1.28.2@sha256:4ea0e7301e3f6806de15150e4982c73018351e28c1dca6947bd3b4afb5ae3c60"
            }
            Self::Buildah => "quay.io/buildah/stable:v1.43.4",
        }
    }

    /// Where it looks for the credentials of the registry.
    fn config(self) -> &'static str {
        match self {
            Self::Kaniko => KANIKO_CONFIG,
            Self::Buildah => BUILDAH_CONFIG,
        }
    }
}

/// The Job of this attempt.
pub(in crate::catalyst) fn of(input: &BuildInput<'_>, settings: &BuildSettings, attempt: u32) -> Job {
    let metadata = ObjectMeta { labels: labels(&[LABEL]), ..ObjectMeta::default() };
    let spec = JobSpec {
        // Another attempt is another Job, when it is time for it.
        backoff_limit: Some(0),
        active_deadline_seconds: i64::try_from(settings.timeout.as_secs()).ok(),
        ttl_seconds_after_finished: Some(KEPT),
        template: PodTemplateSpec { metadata: Some(metadata), spec: Some(pod(input, settings)) },
        ..JobSpec::default()
    };
    let metadata = ObjectMeta {
        namespace: Some(input.namespace.to_owned()),
        name: Some(attempt::name(&input.base(), attempt)),
        ..ObjectMeta::default()
    };
    Job { metadata, spec: Some(spec), ..Job::default() }
}

fn pod(input: &BuildInput<'_>, settings: &BuildSettings) -> PodSpec {
    let source = GitInput {
        repository: input.repository,
        commit: input.commit,
        installation: input.installation,
        web_url: settings.web_url.as_deref(),
    };
    let mut fetch = git::clone_container(&source, &settings.git_image, WORK.0);
    // Of the pod, only the builder is root.
    if let Some(security) = &mut fetch.security_context {
        security.run_as_non_root = Some(true);
        security.run_as_user = Some(NOBODY);
        security.run_as_group = Some(NOBODY);
    }
    let mut volumes = vec![work()];
    volumes.extend(git::volumes(&source));
    volumes.extend(input.credentials.then(credentials));
    PodSpec {
        service_account_name: Some(GIT_ACCOUNT.into()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Never".into()),
        // Root in there is nobody on the node.
        host_users: (settings.builder == Builder::Buildah).then_some(false),
        security_context: Some(PodSecurityContext {
            fs_group: Some(NOBODY),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        init_containers: Some(vec![fetch]),
        containers: vec![build(input, settings)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn build(input: &BuildInput<'_>, settings: &BuildSettings) -> Container {
    let mut mounts = vec![mount(WORK.0, WORK.1, false)];
    mounts.extend(input.credentials.then(|| mount(CREDENTIALS_VOLUME, settings.builder.config(), true)));
    let mut made = match settings.builder {
        Builder::Kaniko => kaniko(input, settings, mounts),
        Builder::Buildah => buildah(input, settings, mounts),
    };
    made.resources = Some(input.build.resources.as_ref().map_or_else(usual_resources, convert::resources));
    made
}

/// Where the folder is that is built of.
fn context(input: &BuildInput<'_>) -> String {
    format!("{}/{}", git::SOURCE, input.folder()).trim_end_matches('/').to_owned()
}

/// It unpacks images over its own root, as root, and runs Dockerfiles there.
fn kaniko(input: &BuildInput<'_>, settings: &BuildSettings, mounts: Vec<VolumeMount>) -> Container {
    let mut command = vec![
        "/kaniko/executor".to_owned(),
        format!("--context=dir://{}", context(input)),
        format!("--dockerfile={}", input.dockerfile()),
        format!("--destination={}", input.image),
        "--cache=true".to_owned(),
    ];
    if settings.insecure {
        command.push("--insecure".to_owned());
    }
    let words: Vec<_> = command.iter().map(String::as_str).collect();
    let security = SecurityContext { run_as_user: Some(0), ..SecurityContext::default() };
    Container {
        security_context: Some(security),
        ..container("build", &settings.image, &words, Vec::new(), mounts)
    }
}

fn buildah(input: &BuildInput<'_>, settings: &BuildSettings, mut mounts: Vec<VolumeMount>) -> Container {
    mounts.push(mount(git::SCRIPTS_VOLUME, "/scripts", true));
    let mut env = vec![
        ("HOME", WORK.1.to_owned()),
        ("CONTEXT", context(input)),
        ("DOCKERFILE", input.dockerfile().to_owned()),
        ("IMAGE", input.image.to_string()),
        ("TLS_VERIFY", (!settings.insecure).to_string()),
    ];
    if input.credentials {
        env.push(("REGISTRY_AUTH_FILE", format!("{BUILDAH_CONFIG}/config.json")));
    }
    let security = SecurityContext {
        run_as_user: Some(0),
        capabilities: Some(Capabilities {
            add: Some(["SETUID", "SETGID"].map(str::to_owned).into()),
            ..Capabilities::default()
        }),
        ..SecurityContext::default()
    };
    Container {
        security_context: Some(security),
        ..container("build", &settings.image, &["sh", "/scripts/buildah.sh"], env, mounts)
    }
}

fn usual_resources() -> ResourceRequirements {
    convert::needs(Amounts::new("100m", "1Gi"), Amounts::new("1", "4Gi"))
}

fn work() -> Volume {
    let size = Some(Quantity("8Gi".into()));
    let empty = EmptyDirVolumeSource { size_limit: size, ..EmptyDirVolumeSource::default() };
    Volume { name: WORK.0.into(), empty_dir: Some(empty), ..Volume::default() }
}

fn credentials() -> Volume {
    let item = KeyToPath { key: ".dockerconfigjson".into(), path: "config.json".into(), mode: None };
    let secret = SecretVolumeSource {
        secret_name: Some(CREDENTIALS.into()),
        items: Some(vec![item]),
        ..SecretVolumeSource::default()
    };
    Volume { name: CREDENTIALS_VOLUME.into(), secret: Some(secret), ..Volume::default() }
}
