#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::{fs, path::PathBuf, time::Duration};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Container, Pod},
};
use serde_json::json;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPOSITORY: &str = "https://github.com/acme/shop.git";
const WHOSE: Hierarchy<'_> = Hierarchy { team: "acme", project: "shop", environment: "pr-1" };

fn build(path: Option<&str>, dockerfile: Option<&str>) -> Build {
    Build {
        name: "web".into(),
        source_ref: "main".into(),
        path: path.map(str::to_owned),
        dockerfile: dockerfile.map(str::to_owned),
        resources: None,
    }
}

fn named(build: &Build, repository: &str, commit: &str) -> ImageName {
    image("registry.example.com:5000/apps", &WHOSE, build, repository, commit)
}

fn settings(builder: Builder) -> BuildSettings {
    BuildSettings {
        builder,
        image: builder.usual_image().to_owned(),
        git_image: "git:1".into(),
        web_url: Some("http://web.svc:3000/".into()),
        insecure: builder == Builder::Kaniko,
        timeout: Duration::from_secs(1800),
    }
}

/// The Job of the first attempt, as it is made for `build`.
fn job(builder: Builder, build: &Build, credentials: bool) -> Job {
    let image = named(build, REPOSITORY, COMMIT);
    let input = BuildInput {
        namespace: "acme-shop-pr-1",
        build,
        repository: REPOSITORY,
        commit: COMMIT,
        installation: credentials.then_some("42"),
        image: &image,
        credentials,
    };
    of(&input, &settings(builder), 1)
}

#[test]
fn an_image_is_named_by_all_that_its_contents_depend_on() {
    let usual = build(None, None);
    let names = [
        named(&usual, REPOSITORY, COMMIT),
        named(&usual, REPOSITORY, &COMMIT.replace('7', "8")),
        named(&usual, "https://github.com/acme/other.git", COMMIT),
        named(&build(Some("api"), None), REPOSITORY, COMMIT),
        named(&build(None, Some("Dockerfile.dev")), REPOSITORY, COMMIT),
    ];
    let texts: std::collections::BTreeSet<_> = names.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), names.len());
    assert_eq!(
        (names[0].registry.as_str(), names[0].repository.as_str()),
        ("registry.example.com:5000", "apps/acme/shop/web")
    );
    let (shown, digest) = names[0].tag.split_once('-').unwrap();
    assert!(shown == &COMMIT[..SHOWN] && digest.len() == DIGITS, "{}", names[0].tag);
    // What means the same is the same.
    for same in [build(Some(""), Some("")), build(Some("/"), None), build(Some("./"), Some("Dockerfile"))] {
        assert_eq!(named(&same, REPOSITORY, COMMIT), names[0], "{same:?}");
    }
    assert_eq!(image("localhost:5000", &WHOSE, &usual, REPOSITORY, COMMIT).repository, "acme/shop/web");
}

#[test]
fn two_branches_with_names_alike_have_jobs_of_their_own_and_a_job_can_be_a_label() {
    let usual = build(None, None);
    let name = |commit: &str| {
        let image = named(&usual, REPOSITORY, commit);
        let input = BuildInput {
            namespace: "n",
            build: &usual,
            repository: REPOSITORY,
            commit,
            installation: None,
            image: &image,
            credentials: false,
        };
        of(&input, &settings(Builder::Kaniko), 999).metadata.name.unwrap()
    };
    let first = name(COMMIT);
    // They have the first seven digits in common.
    assert_ne!(first, name(&COMMIT.replace('f', "e")));
    assert!(first.len() <= 63 && first.ends_with("-999"), "{first}");
}

fn assert_golden(name: &str, job: &Job) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/catalyst/build/golden/{name}.json"));
    let found = format!("{:#}\n", serde_json::to_value(job).unwrap());
    if std::env::var_os("CONCIERGE_RENEW_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let expect = fs::read_to_string(&path).unwrap();
    assert!(found == expect, "{name}.json differs; CONCIERGE_RENEW_GOLDEN=1 writes it anew. Found:\n{found}");
}

#[test]
fn the_jobs_are_those_of_the_golden_files() {
    assert_golden("kaniko", &job(Builder::Kaniko, &build(Some("/api/"), Some("Dockerfile.prod")), true));
    assert_golden("buildah", &job(Builder::Buildah, &build(None, None), false));
}

fn containers(job: &Job) -> Vec<Container> {
    let pod = job.spec.clone().unwrap().template.spec.unwrap();
    pod.init_containers.unwrap().into_iter().chain(pod.containers).collect()
}

#[test]
fn nothing_of_a_project_is_part_of_a_shells_command_and_no_builder_has_a_token() {
    let bad = build(Some("$(id)"), Some("`id`; rm -rf"));
    for builder in [Builder::Kaniko, Builder::Buildah] {
        let job = job(builder, &bad, true);
        for container in containers(&job) {
            let command = container.command.clone().unwrap();
            let is_script = command[0] == "sh" && command.len() == 2 && command[1].starts_with("/scripts/");
            assert!(is_script || command[0] == "/kaniko/executor", "{command:?}");
            let mounts: Vec<_> =
                container.volume_mounts.iter().flatten().map(|one| one.name.as_str()).collect();
            assert_eq!(mounts.contains(&"git-token"), container.name == "git", "{mounts:?}");
            assert_eq!(mounts.contains(&"credentials"), container.name == "build", "{mounts:?}");
        }
        let pod = job.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.automount_service_account_token, Some(false));
    }
}

/// A failed Job, and its pod whose container `name` ended like this.
fn failed(name: &str, code: i32, words: &str) -> (Job, Vec<Pod>) {
    let condition = json!({ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" });
    let job = json!({ "metadata": { "name": "build-1-1" }, "status": { "conditions": [condition] } });
    let state = json!({ "terminated": { "exitCode": code, "message": words } });
    let status = json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    let field = if name == "git" { "initContainerStatuses" } else { "containerStatuses" };
    let pod = json!({ "metadata": {}, "status": { field: [status] } });
    (serde_json::from_value(job).unwrap(), vec![serde_json::from_value(pod).unwrap()])
}

#[test]
fn each_failure_has_a_reason_and_a_remedy_and_tells_no_token() {
    for (name, code, words, reason, remedy) in [
        ("git", 128, "fatal: remote error: upload-pack: not our ref abc", "CommitNotFound", "was it pushed"),
        ("git", 128, "fatal: Authentication failed", "RepositoryDenied", "githubInstallationId"),
        (
            "build",
            1,
            "error building image: RUN npm ci: exit status 1",
            "BuildFailed",
            "correct the Dockerfile",
        ),
        (
            "build",
            1,
            "error pushing image: UNAUTHORIZED: authentication required",
            "RegistryDenied",
            "registry-credentials",
        ),
        (
            "build",
            1,
            "Error: error resolving dockerfile path: please provide a valid path",
            "DockerfileMissing",
            "path in the Project",
        ),
        ("build", 1, "dial tcp: lookup registry: no such host", "RegistryUnavailable", "within reach"),
        ("build", 137, "", "ContainerKilled", "raise limits.memory"),
        ("build", 1, "", "BuildFailed", "exit code 1"),
        ("build", 1, "fatal: ghs_0123456789 is wrong", "BuildFailed", "build-1-1"),
    ] {
        let (job, pods) = failed(name, code, words);
        let why = outcome("web", &job, &pods);
        assert_eq!(why.reason, reason, "{words}: {}", why.message);
        assert!(why.message.contains(remedy) && why.message.contains("build web"), "{}", why.message);
        assert!(!why.message.contains("ghs_0123"), "{}", why.message);
    }
    let late = json!({ "metadata": { "name": "build-1-1" }, "status": { "conditions": [
        { "type": "Failed", "status": "True", "reason": "DeadlineExceeded" },
    ] } });
    let why = outcome("web", &serde_json::from_value(late).unwrap(), &[]);
    assert!(why.reason == "DeadlineExceeded" && why.message.contains("quota large enough"), "{why:?}");
}
