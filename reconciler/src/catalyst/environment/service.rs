//! What runs beside the main container: a StatefulSet and a Service for each, with generated credentials.

use concierge_shared::{
    catalyst::{Service as Beside, bounds, is_postgres},
    common::words::hex,
};
use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec},
        core::v1::{
            Container, EnvVar, PersistentVolumeClaim, PodSpec, Secret, Service, ServicePort, ServiceSpec,
            VolumeMount,
        },
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};

use super::{
    place::Place,
    workload::{ASKED, Around, DATABASE_URL, of_secret, pod, selector},
};
use crate::{catalyst::convert, engine::Failure};

const PASSWORD: &str = "POSTGRES_PASSWORD";
const USER: &str = "POSTGRES_USER";
const DATABASE: &str = "POSTGRES_DB";
/// The first user in every image of PostgreSQL.
const FIRST_USER: &str = "postgres";
const PORT: i32 = 5432;

/// The name of the Secret with the credentials of a service.
pub(super) fn credentials_name(service: &Beside) -> String {
    format!("{}-credentials", service.name)
}

/// Whether credentials are generated for the service: it is a PostgreSQL, and its spec sets no password.
pub(super) fn needs_credentials(service: &Beside) -> bool {
    let said = service.container.env.iter().flatten();
    is_postgres(&service.container.image) && !said.into_iter().any(|variable| variable.name == PASSWORD)
}

fn said<'a>(service: &'a Beside, name: &str) -> Option<&'a str> {
    let variable = service.container.env.iter().flatten().find(|variable| variable.name == name)?;
    variable.value.as_deref().filter(|value| !value.is_empty())
}

/// The credentials of a service, with this password of letters and digits.
pub(super) fn credentials(place: &Place<'_>, service: &Beside, password: &str) -> Secret {
    let user = said(service, USER).unwrap_or(FIRST_USER);
    let database = service.database.as_deref().or_else(|| said(service, DATABASE)).unwrap_or(user);
    let url = format!("postgresql://{user}:{password}@{}:{PORT}/{database}", service.name);
    let data = [(USER, user), (PASSWORD, password), (DATABASE, database), (DATABASE_URL, &url)];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret { metadata: place.named(&credentials_name(service)), data: Some(data.into()), ..Secret::default() }
}

/// A new password, of digits and letters.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn new_password() -> Result<String, Failure> {
    let mut bytes = [0; 20];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| Failure::Transient("this machine has no randomness".into()))?;
    Ok(hex(&bytes))
}

/// The password in credentials that were made before.
pub(super) fn password_of(secret: &Secret) -> Option<String> {
    let ByteString(password) = secret.data.as_ref()?.get(PASSWORD)?;
    String::from_utf8(password.clone()).ok().filter(|password| !password.is_empty())
}

fn variables(service: &Beside) -> Vec<EnvVar> {
    let mut all = convert::variables(service.container.env.as_deref());
    if needs_credentials(service) {
        let secret = credentials_name(service);
        for name in [USER, PASSWORD, DATABASE] {
            if !all.iter().any(|variable| variable.name == name) {
                all.push(of_secret(name, &secret, name));
            }
        }
    }
    if is_postgres(&service.container.image) && !all.iter().any(|variable| variable.name == "PGDATA") {
        // The root of a volume may hold files already (lost+found), which PostgreSQL refuses.
        let value = Some(format!("{}/pgdata", folder(service)));
        all.push(EnvVar { name: "PGDATA".into(), value, value_from: None });
    }
    all
}

/// Where the data of a service is kept.
fn folder(service: &Beside) -> String {
    format!("/var/lib/{}", service.name)
}

/// One pod with its own volume.
pub(super) fn stateful_set(place: &Place<'_>, service: &Beside, around: &Around) -> StatefulSet {
    let usual = convert::needs(ASKED, bounds::CONTAINER);
    let mount = VolumeMount { name: "data".into(), mount_path: folder(service), ..VolumeMount::default() };
    let env = variables(service);
    let container = Container {
        name: service.name.clone(),
        image: Some(service.container.image.clone()),
        ports: service.container.ports.clone(),
        env: (!env.is_empty()).then_some(env),
        resources: Some(service.container.resources.as_ref().map_or(usual, convert::resources)),
        volume_mounts: service.storage.is_some().then(|| vec![mount]),
        ..Container::default()
    };
    let data = service.storage.as_ref().map(|claim| PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some("data".into()), ..ObjectMeta::default() },
        spec: Some(convert::claim(claim)),
        ..PersistentVolumeClaim::default()
    });
    let spec = PodSpec { containers: vec![container], ..PodSpec::default() };
    StatefulSet {
        metadata: place.named(&service.name),
        spec: Some(StatefulSetSpec {
            service_name: Some(service.name.clone()),
            replicas: Some(1),
            selector: selector(&service.name),
            template: pod(place, &service.name, around, spec),
            volume_claim_templates: data.map(|claim| vec![claim]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// Its name in the environment; none without a port.
pub(super) fn reached_by(place: &Place<'_>, service: &Beside) -> Option<Service> {
    let of = |port: &k8s_openapi::api::core::v1::ContainerPort| ServicePort {
        name: Some(port.name.clone().unwrap_or_else(|| format!("port-{}", port.container_port))),
        port: port.container_port,
        target_port: Some(IntOrString::Int(port.container_port)),
        protocol: port.protocol.clone(),
        ..ServicePort::default()
    };
    let mut ports: Vec<_> = service.container.ports.iter().flatten().map(of).collect();
    if ports.is_empty() && is_postgres(&service.container.image) {
        let target_port = Some(IntOrString::Int(PORT));
        ports.push(ServicePort { port: PORT, target_port, ..ServicePort::default() });
    }
    let spec = ServiceSpec {
        selector: Some([("app".to_owned(), service.name.clone())].into()),
        ports: Some(ports),
        ..ServiceSpec::default()
    };
    let has_port = spec.ports.as_ref().is_some_and(|ports| !ports.is_empty());
    has_port.then(|| Service { metadata: place.named(&service.name), spec: Some(spec), ..Service::default() })
}
