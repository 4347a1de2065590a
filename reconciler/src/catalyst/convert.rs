//! Parts of containers as Kubernetes has them. What is written as a number where Kubernetes takes an amount is one.

use std::collections::BTreeMap;

use concierge_shared::catalyst::{EnvVar, Quantity, Resources, VolumeClaim, bounds::Amounts};
use k8s_openapi::{
    api::core::v1::{
        self as core, EnvVarSource, PersistentVolumeClaimSpec, ResourceFieldSelector, ResourceRequirements,
        VolumeResourceRequirements,
    },
    apimachinery::pkg::api::resource,
};

fn amount(quantity: &Quantity) -> resource::Quantity {
    resource::Quantity(match quantity {
        Quantity::Number(number) => number.to_string(),
        Quantity::Text(text) => text.clone(),
    })
}

fn amounts(all: Option<&BTreeMap<String, Quantity>>) -> Option<BTreeMap<String, resource::Quantity>> {
    Some(all?.iter().map(|(name, quantity)| (name.clone(), amount(quantity))).collect())
}

pub(super) fn resources(resources: &Resources) -> ResourceRequirements {
    ResourceRequirements {
        limits: amounts(resources.limits.as_ref()),
        requests: amounts(resources.requests.as_ref()),
        claims: resources.claims.clone(),
    }
}

/// What a container asks for and may use that says nothing itself.
pub(super) fn needs(requests: Amounts, limits: Amounts) -> ResourceRequirements {
    let amounts = |Amounts { cpu, memory }: Amounts| {
        let all = [("cpu", cpu), ("memory", memory)];
        Some(all.map(|(name, amount)| (name.to_owned(), resource::Quantity(amount.to_owned()))).into())
    };
    ResourceRequirements { requests: amounts(requests), limits: amounts(limits), claims: None }
}

pub(super) fn variable(variable: &EnvVar) -> core::EnvVar {
    let value_from = variable.value_from.as_ref().map(|from| EnvVarSource {
        secret_key_ref: from.secret_key_ref.clone(),
        config_map_key_ref: from.config_map_key_ref.clone(),
        field_ref: from.field_ref.clone(),
        resource_field_ref: from.resource_field_ref.as_ref().map(|of| ResourceFieldSelector {
            container_name: of.container_name.clone(),
            resource: of.resource.clone(),
            divisor: of.divisor.as_ref().map(amount),
        }),
    });
    core::EnvVar { name: variable.name.clone(), value: variable.value.clone(), value_from }
}

pub(super) fn variables(all: Option<&[EnvVar]>) -> Vec<core::EnvVar> {
    all.unwrap_or_default().iter().map(variable).collect()
}

pub(super) fn claim(claim: &VolumeClaim) -> PersistentVolumeClaimSpec {
    let VolumeClaim { access_modes, storage_class_name, volume_mode, volume_name, selector, .. } =
        claim.clone();
    PersistentVolumeClaimSpec {
        access_modes,
        resources: claim.resources.as_ref().map(|resources| VolumeResourceRequirements {
            limits: amounts(resources.limits.as_ref()),
            requests: amounts(resources.requests.as_ref()),
        }),
        storage_class_name,
        volume_mode,
        volume_name,
        selector,
        data_source: claim.data_source.clone(),
        data_source_ref: claim.data_source_ref.clone(),
        volume_attributes_class_name: claim.volume_attributes_class_name.clone(),
    }
}
