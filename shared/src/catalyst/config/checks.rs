//! Images, ports, names, mounts and volumes.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{ContainerPort, VolumeMount};

use super::{
    DATABASE, ENV_VARS, EnvironmentConfig, IMAGE, IMAGE_LATEST, MOUNTS, NAMES, PORTS, STORAGE, Service,
    VolumeClaim,
};
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::{container::EnvVar, image::Image, quantity::Quantity},
    common::names::is_namespace,
    field::FieldPath,
};

/// The names of containers and Services that Concierge makes itself.
const OWN_NAMES: [&str; 5] = ["web", "app", "git-clone", "git-checkout", "git-scripts"];
/// The names of volumes that Concierge makes itself.
const OWN_VOLUMES: [&str; 3] = ["git-scripts", "git-source", "git-token"];

pub(super) fn check_image(image: Option<&str>, at: &FieldPath, problems: &mut Problems) {
    let Some(text) = image else { return };
    let field = at.clone().field("image");
    match Image::parse(text) {
        None => {
            let message = "is no reference to an image; write it as registry/name:tag, in small letters and without spaces";
            problems.add(&IMAGE, Cause::Invalid, field, message);
        }
        Some(image) if image.is_latest() => {
            let message = "means another image from day to day; name a tag other than latest, or a digest";
            problems.add(&IMAGE_LATEST, Cause::Invalid, field, message);
        }
        Some(_) => {}
    }
}

pub(super) fn check_ports(ports: Option<&[ContainerPort]>, at: &FieldPath, problems: &mut Problems) {
    let (mut numbers, mut names) = (HashSet::new(), HashSet::new());
    for (nth, port) in ports.into_iter().flatten().enumerate() {
        let field = at.clone().field("ports").index(nth);
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        if !(1..=65535).contains(&port.container_port) {
            let field = field.clone().field("containerPort");
            problems.add(&PORTS, Cause::Invalid, field, "is not between 1 and 65535");
        } else if !numbers.insert((port.container_port, protocol)) {
            let message = "is listed twice with this protocol; remove one";
            problems.add(&PORTS, Cause::Duplicate, field.clone().field("containerPort"), message);
        }
        if !["TCP", "UDP", "SCTP"].contains(&protocol) {
            let message = "is none of TCP, UDP and SCTP";
            problems.add(&PORTS, Cause::NotSupported, field.clone().field("protocol"), message);
        }
        if let Some(name) = &port.name
            && let Some((cause, message)) = wrong_port_name(name, &mut names)
        {
            problems.add(&PORTS, cause, field.clone().field("name"), message);
        }
        for (name, given) in [("hostPort", port.host_port.is_some()), ("hostIP", port.host_ip.is_some())] {
            if given {
                let message = "takes a port of the node, which environments may not; remove it";
                problems.add(&PORTS, Cause::Forbidden, field.clone().field(name), message);
            }
        }
    }
}

fn wrong_port_name<'a>(name: &'a str, seen: &mut HashSet<&'a str>) -> Option<(Cause, &'static str)> {
    let has_letter = name.bytes().any(|byte| byte.is_ascii_lowercase());
    match is_namespace(name) && name.len() <= 15 && has_letter && !name.contains("--") {
        false => Some((
            Cause::Invalid,
            "is no name of a port; use up to 15 small letters, digits and single '-', with a letter among them",
        )),
        true => (!seen.insert(name)).then_some((Cause::Duplicate, "is the name of two ports; rename one")),
    }
}

pub(super) fn check_names(config: &EnvironmentConfig, at: &FieldPath, problems: &mut Problems) {
    let inits = config.init_containers.iter().flatten().map(|one| &one.name);
    let services = config.services.iter().flatten().map(|one| &one.name);
    let volumes = config.volumes.iter().flatten().map(|one| &one.name);
    check_each(inits.collect(), &OWN_NAMES, &at.clone().field("initContainers"), problems);
    check_each(services.collect(), &OWN_NAMES, &at.clone().field("services"), problems);
    check_each(volumes.collect(), &OWN_VOLUMES, &at.clone().field("volumes"), problems);
}

fn check_each(names: Vec<&String>, own: &[&str], list: &FieldPath, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for (nth, name) in names.into_iter().enumerate() {
        let field = list.clone().index(nth).field("name");
        if !is_namespace(name) {
            let message = "can't be a name; use up to 63 small letters, digits and '-', with a letter or digit at both ends";
            problems.add(&NAMES, Cause::Invalid, field, message);
        } else if own.contains(&name.as_str()) {
            let message =
                format!("{name:?} is the name of something that Concierge makes itself; choose another");
            problems.add(&NAMES, Cause::Forbidden, field, message);
        } else if !seen.insert(name) {
            problems.add(&NAMES, Cause::Duplicate, field, "is listed twice; rename one");
        }
    }
}

pub(super) fn check_mounts(config: &EnvironmentConfig, at: &FieldPath, problems: &mut Problems) {
    let volumes: HashSet<_> = config.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    // Volumes may stand in the template alone.
    let volumes = config.volumes.is_some().then_some(&volumes);
    check_mounts_of(config.volume_mounts.as_deref(), volumes, at, problems);
    for (nth, init) in config.init_containers.iter().flatten().enumerate() {
        let at = at.clone().field("initContainers").index(nth);
        check_mounts_of(init.volume_mounts.as_deref(), volumes, &at, problems);
    }
}

fn check_mounts_of(
    mounts: Option<&[VolumeMount]>,
    volumes: Option<&HashSet<&str>>,
    at: &FieldPath,
    problems: &mut Problems,
) {
    let climbs = |path: &str| path.split('/').any(|part| part == "..");
    let mut seen = HashSet::new();
    for (nth, mount) in mounts.into_iter().flatten().enumerate() {
        let field = at.clone().field("volumeMounts").index(nth);
        let path = field.clone().field("mountPath");
        if !mount.mount_path.starts_with('/') || mount.mount_path.contains(':') || climbs(&mount.mount_path) {
            let message = "is no path in a container; begin it with '/', without ':' and '..'";
            problems.add(&MOUNTS, Cause::Invalid, path, message);
        } else if !seen.insert(mount.mount_path.trim_end_matches('/')) {
            problems.add(&MOUNTS, Cause::Duplicate, path, "is mounted twice; remove one");
        }
        if OWN_VOLUMES.contains(&mount.name.as_str())
            || volumes.is_some_and(|volumes| !volumes.contains(mount.name.as_str()))
        {
            let message = "names none of the volumes; add it to volumes, or correct the name";
            problems.add(&MOUNTS, Cause::NotFound, field.clone().field("name"), message);
        }
        if mount.sub_path.as_deref().is_some_and(|path| climbs(path) || path.starts_with('/')) {
            let message = "leads out of the volume; use a relative path without '..'";
            problems.add(&MOUNTS, Cause::Invalid, field.field("subPath"), message);
        }
    }
}

/// `at` is where the claim is.
pub(super) fn check_claim(claim: Option<&VolumeClaim>, at: &FieldPath, problems: &mut Problems) {
    let Some(claim) = claim else {
        let message = "is required; say how large the volume is and how it may be used";
        return problems.add(&STORAGE, Cause::Required, at.clone(), message);
    };
    let asked = claim.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("storage"));
    if asked.and_then(Quantity::nanos).is_none_or(|amount| amount == 0) {
        let field = at.clone().field("resources").field("requests").key("storage");
        problems.add(&STORAGE, Cause::Required, field, "is not an amount of storage; write for instance 1Gi");
    }
    let known = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    let modes = claim.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() || modes.iter().any(|mode| !known.contains(&mode.as_str())) {
        let message =
            "is required, and each is one of ReadWriteOnce, ReadWriteOncePod, ReadWriteMany and ReadOnlyMany";
        problems.add(&STORAGE, Cause::Required, at.clone().field("accessModes"), message);
    }
    let of_the_cluster = [
        ("volumeName", claim.volume_name.as_deref().is_some_and(|name| !name.is_empty())),
        ("selector", claim.selector.is_some()),
        ("storageClassName", claim.storage_class_name.as_deref() == Some("")),
    ];
    for (field, _) in of_the_cluster.into_iter().filter(|(_, given)| *given) {
        let message = "chooses among volumes that are there, which may hold what is another's or a node's; remove it, and a new one is made";
        problems.add(&STORAGE, Cause::Forbidden, at.clone().field(field), message);
    }
}

pub(super) fn check_database(service: &Service, at: &FieldPath, problems: &mut Problems) {
    let image = Image::parse(&service.container.image);
    if service.database.is_some() && image.is_some_and(|image| !image.is_postgres()) {
        let message = "is made in PostgreSQL only, and the image is of something else; remove it";
        problems.add(&DATABASE, Cause::NotSupported, at.clone().field("database"), message);
    }
}

pub(super) fn check_env_vars(given: Option<&[EnvVar]>, at: &FieldPath, problems: &mut Problems) {
    if given.is_some_and(|given| !given.is_empty()) {
        let message = "is no longer used, and its values reach no container; write them into env";
        problems.add(&ENV_VARS, Cause::NotSupported, at.clone().field("envVars"), message);
    }
}
