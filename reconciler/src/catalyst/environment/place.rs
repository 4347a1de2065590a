//! What every environment has before anything runs in it: its namespace, and what bounds those in it.

use std::collections::BTreeMap;

use concierge_shared::catalyst::{
    ENVIRONMENT_LABEL, Environment, Hierarchy, PROJECT_LABEL, Quota, Settings, TEAM_LABEL,
    bounds::{self, Amounts},
};
use k8s_openapi::{
    api::core::v1::{
        LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

/// Where an environment is, and whose.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) hierarchy: Hierarchy<'a>,
    pub(super) environment: &'a Environment,
    pub(super) settings: &'a Settings,
}

impl Place<'_> {
    /// The metadata of something in it.
    pub(super) fn named(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(self.namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        }
    }

    /// The first part of its address.
    pub(super) fn host(&self) -> &str {
        self.environment.spec.host.as_deref().unwrap_or(self.namespace)
    }

    /// Its address, where environments have one.
    pub(super) fn address(&self) -> Option<String> {
        let domain = self.settings.preview_domain.as_str();
        (!domain.is_empty()).then(|| format!("{}.{domain}", self.host()))
    }

    /// The uid of the Environment, by which its pods are found.
    pub(super) fn uid(&self) -> &str {
        self.environment.metadata.uid.as_deref().unwrap_or_default()
    }
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const WARN: &str = "pod-security.kubernetes.io/warn";

/// The namespace. Pods that could reach out of it to their node are refused.
pub(super) fn namespace(place: &Place<'_>) -> Namespace {
    let Hierarchy { team, project, environment } = place.hierarchy;
    let labels = [
        (TEAM_LABEL, team),
        (PROJECT_LABEL, project),
        (ENVIRONMENT_LABEL, environment),
        ("catalyst.dev/namespace-type", "environment"),
        (ENFORCE, "baseline"),
        (WARN, "restricted"),
    ];
    let metadata = ObjectMeta {
        name: Some(place.namespace.to_owned()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..ObjectMeta::default()
    };
    Namespace { metadata, ..Namespace::default() }
}

fn amounts(of: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    of.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
}

/// What a container asks for and may use that says nothing of it: where there is a quota, it would be refused.
pub(super) fn limit_range(place: &Place<'_>) -> LimitRange {
    let Amounts { cpu, memory } = bounds::CONTAINER;
    let item = LimitRangeItem {
        type_: "Container".into(),
        default: Some(amounts(&[("cpu", cpu), ("memory", memory)])),
        default_request: Some(amounts(&[("cpu", "100m"), ("memory", "128Mi")])),
        ..LimitRangeItem::default()
    };
    LimitRange { metadata: place.named("default-limits"), spec: Some(LimitRangeSpec { limits: vec![item] }) }
}

/// What all of it may use together. A project's quota is for requests and limits alike.
pub(super) fn resource_quota(place: &Place<'_>, quota: Option<&Quota>) -> ResourceQuota {
    let of = |get: fn(&Quota) -> Option<&String>| quota.and_then(get).map(String::as_str);
    let (cpu, memory) = (of(|quota| quota.cpu.as_ref()), of(|quota| quota.memory.as_ref()));
    let Amounts { cpu: usual_cpu, memory: usual_memory } = bounds::ALL_CONTAINERS;
    let (volumes, storage) =
        (place.settings.max_volumes.to_string(), format!("{}Gi", place.settings.max_storage_gib));
    let hard = amounts(&[
        ("requests.cpu", cpu.unwrap_or("2")),
        ("requests.memory", memory.unwrap_or("4Gi")),
        ("limits.cpu", cpu.unwrap_or(usual_cpu)),
        ("limits.memory", memory.unwrap_or(usual_memory)),
        ("pods", "20"),
        ("persistentvolumeclaims", &volumes),
        ("requests.storage", &storage),
        ("services.loadbalancers", "0"),
        ("services.nodeports", "0"),
    ]);
    ResourceQuota {
        metadata: place.named("default-quota"),
        spec: Some(ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() }),
        ..ResourceQuota::default()
    }
}
