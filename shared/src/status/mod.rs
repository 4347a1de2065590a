//! The vocabulary that every kind's status uses: conditions, reasons and intents.

mod condition;
pub mod intent;

pub use condition::{Condition, ConditionReason, ConditionType, Conditions};

/// Implements `Conditions` for statuses with the usual fields; `[intent]` for those with `intent` too.
#[macro_export]
macro_rules! conditions {
    ($($status:ident $([$intent:ident])?),+) => {$(
        impl $crate::status::Conditions for $status {
            fn conditions(&self) -> &[$crate::status::Condition] {
                &self.conditions
            }

            fn conditions_mut(&mut self) -> &mut Vec<$crate::status::Condition> {
                &mut self.conditions
            }

            fn observed_generation_mut(&mut self) -> &mut Option<i64> {
                &mut self.observed_generation
            }

            fn reconciled_at_mut(&mut self) -> Option<&mut Option<String>> {
                Some(&mut self.reconciled_at)
            }

            $(fn intent(&self) -> Option<&$crate::status::intent::Intent> {
                self.$intent.as_ref()
            }

            fn intent_mut(&mut self) -> Option<&mut Option<$crate::status::intent::Intent>> {
                Some(&mut self.$intent)
            })?
        }
    )+};
}
