//! What all containers of an environment may use together.

use super::{
    bounds::{Amounts, CONTAINER, MAIN_CONTAINER},
    config::{EnvironmentConfig, InitContainer, Service},
    container::Resources,
    quantity::nanos,
};

/// Amounts in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) cpu: u128,
    pub(super) memory: u128,
}

impl Most {
    /// Of a container that may use `usual` when it says nothing, and the rest of [`CONTAINER`] when it says a part.
    fn of(resources: Option<&Resources>, usual: Amounts) -> Self {
        let amount = |text| nanos(text).unwrap_or_default();
        let most = |resource, part, all| match resources {
            Some(resources) => resources.most(resource, amount(part)),
            None => amount(all),
        };
        let Amounts { cpu, memory } = CONTAINER;
        Self { cpu: most("cpu", cpu, usual.cpu), memory: most("memory", memory, usual.memory) }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    fn or_more(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }
}

/// The most that the containers may use at a time, of an Environment's configuration and its template's. Init containers run before
/// the main one, each alone; services run beside it.
pub(super) fn most_of(own: Option<&EnvironmentConfig>, template: Option<&EnvironmentConfig>) -> Most {
    let resources = own.and_then(|own| own.resources.as_ref());
    let main = Most::of(resources.or_else(|| template?.resources.as_ref()), MAIN_CONTAINER);
    let inits = own.and_then(|own| own.init_containers.as_ref());
    let inits: &[InitContainer] = inits.or_else(|| template?.init_containers.as_ref()).map_or(&[], |all| all);
    let services = own.and_then(|own| own.services.as_ref());
    let services: &[Service] = services.or_else(|| template?.services.as_ref()).map_or(&[], |all| all);
    let pod =
        inits.iter().fold(main, |most, init| most.or_more(Most::of(init.resources.as_ref(), CONTAINER)));
    services.iter().fold(pod, |most, one| most.plus(Most::of(one.container.resources.as_ref(), CONTAINER)))
}
