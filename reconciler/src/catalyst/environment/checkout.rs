//! The source in mode development: on the first volume of the main container, before anything else runs.
//!
//! | container | does |
//! |---|---|
//! | `git-clone` | fetches the commit into a folder of the pod |
//! | `git-checkout` | puts it onto the volume, unless somebody has worked there |
//!
//! They are two because only the first has a token: on the volume is what runs in the environment, and git obeys what it finds there.

use concierge_shared::{
    catalyst::{GIT_ACCOUNT, SECRET_PREFIXES},
    status::ConditionReason,
};
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerStateTerminated, EmptyDirVolumeSource, Pod, PodTemplateSpec, Volume,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    basis::Basis,
    part::{Part, Trouble},
    source::At,
};
use crate::{
    catalyst::{
        obstacle,
        runner::{
            LABEL, container,
            git::{self, GitInput},
            git_failure, mount,
        },
    },
    common::redaction::{Prefixes, Redaction},
};

const CLONE: &str = "git-clone";
const CHECKOUT: &str = "git-checkout";
/// The volume with what was fetched.
const FETCHED: &str = "git-source";
/// Where the second container sees the volume.
const VOLUME: &str = "/volume";

/// What is put where.
pub(super) struct Checkout<'a> {
    source: GitInput<'a>,
    image: &'a str,
    volume: String,
}

impl<'a> Checkout<'a> {
    pub(super) fn new(basis: &Basis<'a>, at: &'a At<'a>, volume: &str) -> Self {
        let source = GitInput {
            repository: at.repository,
            commit: &at.commit,
            installation: basis.installation(),
            web_url: basis.means.remotes.web_address(),
        };
        Self { source, image: &basis.place.settings.git_image, volume: volume.to_owned() }
    }

    /// Lets these pods have the source.
    pub(super) fn put_into(&self, pods: &mut PodTemplateSpec) {
        let (Some(spec), Some(metadata)) = (&mut pods.spec, &mut pods.metadata) else { return };
        let own: Vec<_> = [fetched()].into_iter().chain(git::volumes(&self.source)).collect();
        let mut others = spec.init_containers.take().unwrap_or_default();
        for container in others.iter_mut().chain(&mut spec.containers) {
            // Whoever lowers the rule about mounts gets no token by one.
            let Some(mounts) = &mut container.volume_mounts else { continue };
            mounts.retain(|mount| own.iter().all(|volume| volume.name != mount.name));
        }
        spec.init_containers = Some([self.fetch(), self.checkout()].into_iter().chain(others).collect());
        spec.volumes.get_or_insert_default().extend(own);
        if self.source.has_token() {
            spec.service_account_name = Some(GIT_ACCOUNT.into());
            // The web application is within its reach then.
            metadata.labels.get_or_insert_default().insert(LABEL.0.into(), LABEL.1.into());
        }
    }

    fn fetch(&self) -> Container {
        Container { name: CLONE.into(), ..git::clone_container(&self.source, self.image, FETCHED) }
    }

    fn checkout(&self) -> Container {
        let env = vec![
            ("HOME", "/workspace".to_owned()),
            ("SOURCE", git::SOURCE.to_owned()),
            ("REPOSITORY", self.source.repository.to_owned()),
            ("VOLUME", VOLUME.to_owned()),
        ];
        let mounts = vec![
            mount(FETCHED, "/workspace", true),
            mount(git::SCRIPTS_VOLUME, "/scripts", true),
            mount(&self.volume, VOLUME, false),
        ];
        container(CHECKOUT, self.image, &["sh", "/scripts/checkout.sh"], env, mounts)
    }
}

fn fetched() -> Volume {
    let size = Some(Quantity("2Gi".into()));
    let empty = EmptyDirVolumeSource { size_limit: size, ..EmptyDirVolumeSource::default() };
    Volume { name: FETCHED.into(), empty_dir: Some(empty), ..Volume::default() }
}

/// Why a pod does not get its source, if it does not.
pub(super) fn trouble(pod: &Pod) -> Option<Trouble> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let all = pod.status.as_ref()?.init_container_statuses.as_ref()?;
    let mut own = all.iter().filter(|one| [CLONE, CHECKOUT].contains(&one.name.as_str()));
    let (name, ended) = own.find_map(|one| Some((&one.name, obstacle::ended(one)?)))?;
    let words = words(ended);
    let (reason, remedy) = match name.as_str() {
        CLONE => git_failure(&words),
        _ => (
            "CheckoutFailed",
            "is there another thing on the volume? Take it away, or mount another volume first",
        ),
    };
    let message = format!("container {name}: {words}; {remedy}");
    Some(Trouble::new(Part::Source, ConditionReason::ChildFailed, reason, message))
}

fn words(ended: &ContainerStateTerminated) -> String {
    let prefixes = Prefixes { secrets: SECRET_PREFIXES, ids: &[] };
    let words = Redaction::new(prefixes, "", None).apply(ended.message.as_deref().unwrap_or_default());
    if words.is_empty() { format!("exit code {}", ended.exit_code) } else { words }
}
