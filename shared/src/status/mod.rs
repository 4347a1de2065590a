//! The vocabulary that every kind's status uses: conditions, reasons and intents.

mod condition;
pub mod intent;

pub use condition::{Condition, ConditionReason, ConditionType, Conditions};
