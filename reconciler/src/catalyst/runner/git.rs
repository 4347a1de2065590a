//! The container that fetches a source: one commit, by a script that takes all input from variables.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, Container, Volume};

use super::pod::{container, mount, token_volume};

/// The ConfigMap with the [scripts](super::scripts).
pub(in crate::catalyst) const SCRIPTS: &str = "runner-scripts";
/// Where the source is after it was fetched.
pub(in crate::catalyst) const SOURCE: &str = "/workspace/source";

/// The volume with the scripts, which are at `/scripts`.
pub(in crate::catalyst) const SCRIPTS_VOLUME: &str = "git-scripts";
const TOKEN_VOLUME: &str = "git-token";
const TOKEN_PATH: &str = "/var/run/git-token";
/// How long the web application may believe the pod's token, in seconds: the shortest that there is.
const TOKEN_SECONDS: i64 = 600;

/// What is fetched.
#[derive(Clone, Copy, Debug)]
pub(in crate::catalyst) struct GitInput<'a> {
    pub(in crate::catalyst) repository: &'a str,
    /// All 40 digits.
    pub(in crate::catalyst) commit: &'a str,
    /// The GitHub App's installation whose token the repository is read with, if it is asked for one.
    pub(in crate::catalyst) installation: Option<&'a str>,
    /// The web application that has these tokens.
    pub(in crate::catalyst) web_url: Option<&'a str>,
}

impl GitInput<'_> {
    /// Whether the pod's own token takes part, and so its ServiceAccount.
    pub(in crate::catalyst) fn has_token(&self) -> bool {
        self.token_url().is_some()
    }

    fn token_url(&self) -> Option<String> {
        let installation = self.installation.filter(|id| !id.is_empty())?;
        Some(format!("{}/api/git-token/{installation}", self.web_url?.trim_end_matches('/')))
    }

    /// `https://github.com` of `https://github.com/acme/shop.git`
    fn origin(&self) -> &str {
        let start = self.repository.find("://").map_or(0, |at| at + 3);
        let end = self.repository[start..].find('/').map_or(self.repository.len(), |at| start + at);
        &self.repository[..end]
    }
}

/// The container; it puts the source into `work`, the name of a volume of the pod.
pub(in crate::catalyst) fn clone_container(input: &GitInput<'_>, image: &str, work: &str) -> Container {
    let mut env = vec![
        ("HOME", "/workspace".to_owned()),
        ("SOURCE", SOURCE.to_owned()),
        ("SCRIPTS", "/scripts".to_owned()),
        ("REPOSITORY", input.repository.to_owned()),
        ("COMMIT", input.commit.to_owned()),
    ];
    let mut mounts = vec![mount(work, "/workspace", false), mount(SCRIPTS_VOLUME, "/scripts", true)];
    if let Some(url) = input.token_url() {
        env.push(("ORIGIN", input.origin().to_owned()));
        env.push(("TOKEN_URL", url));
        env.push(("TOKEN_FILE", format!("{TOKEN_PATH}/token")));
        mounts.push(mount(TOKEN_VOLUME, TOKEN_PATH, true));
    }
    container("git", image, &["sh", "/scripts/git.sh"], env, mounts)
}

/// The volumes that the container mounts beside `work`.
pub(in crate::catalyst) fn volumes(input: &GitInput<'_>) -> Vec<Volume> {
    let source = ConfigMapVolumeSource { name: SCRIPTS.into(), ..ConfigMapVolumeSource::default() };
    let scripts = Volume { name: SCRIPTS_VOLUME.into(), config_map: Some(source), ..Volume::default() };
    let token = input.has_token().then(|| token_volume(TOKEN_VOLUME, TOKEN_SECONDS));
    [scripts].into_iter().chain(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_token_is_mounted_only_where_a_repository_has_one() {
        let input = GitInput {
            repository: "https://git.example.com/acme/shop.git",
            commit: "0",
            installation: None,
            web_url: Some("http://web:3000/"),
        };
        assert_eq!(volumes(&input).len(), 1);
        let with = GitInput { installation: Some("42"), ..input };
        let git = clone_container(&with, "git", "work");
        let env: Vec<_> =
            git.env.iter().flatten().map(|one| (one.name.as_str(), one.value.as_deref())).collect();
        assert!(env.contains(&("TOKEN_URL", Some("http://web:3000/api/git-token/42"))), "{env:?}");
        assert!(env.contains(&("ORIGIN", Some("https://git.example.com"))), "{env:?}");
        assert_eq!((volumes(&with).len(), git.volume_mounts.map_or(0, |mounts| mounts.len())), (2, 3));
        assert_eq!(GitInput { installation: Some(""), ..with }.token_url(), None);
    }
}
