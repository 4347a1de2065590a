//! Objects made of their parts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{HasSpec, HasStatus};

/// A custom resource that can be made of its parts.
pub trait Assemble: HasSpec + HasStatus {
    /// The object made of these parts.
    fn assemble(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::Status>) -> Self;
}

/// Implements [`Assemble`] for what `CustomResource` derives.
#[macro_export]
macro_rules! assemble {
    ($($kind:ty),+ $(,)?) => {$(
        impl $crate::assemble::Assemble for $kind {
            fn assemble(
                metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
                spec: <Self as kube::core::object::HasSpec>::Spec,
                status: Option<<Self as kube::core::object::HasStatus>::Status>,
            ) -> Self {
                Self { metadata, spec, status }
            }
        }
    )+};
}
