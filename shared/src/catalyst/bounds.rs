//! What bounds an environment and its containers where neither they nor their Project say so.

/// CPUs and memory, as Kubernetes writes them.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    pub cpu: &'static str,
    pub memory: &'static str,
}

impl Amounts {
    pub const fn new(cpu: &'static str, memory: &'static str) -> Self {
        Self { cpu, memory }
    }
}

/// What a container may use that says nothing.
pub const CONTAINER: Amounts = Amounts::new("500m", "512Mi");
/// The same for the main container.
pub const MAIN_CONTAINER: Amounts = Amounts::new("1", "2Gi");
/// What all containers may use together.
pub const ALL_CONTAINERS: Amounts = Amounts::new("4", "8Gi");
