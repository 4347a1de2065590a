//! The vocabulary that every kind's status uses: conditions, reasons and intents.

mod condition;
pub mod intent;

pub use condition::{Condition, ConditionReason, ConditionType, Conditions};

/// The longest text that a status of a kind holds, in characters.
pub const LONGEST_STATUS_TEXT: usize = 2048;

/// Bounds a list of conditions and its texts, as the API machinery's own types are.
pub fn bound_conditions(conditions: &mut schemars::Schema) {
    conditions.insert("maxItems".to_owned(), 64.into());
    for (field, max) in [("type", 316), ("status", 16), ("reason", 1024), ("message", 32_768)] {
        if let Some(text) = conditions.pointer_mut(&format!("/items/properties/{field}")) {
            text["maxLength"] = max.into();
        }
    }
}

/// Declares a kind's status: its own fields, and the tail that every kind has (`conditions`, `observedGeneration`,
/// `reconciledAt`), with `message`, `account: Type` and `intent` where the kind has them. Texts and lists are bounded.
///
/// ```text
/// status! {
///     /// What Concierge found out about a card.
///     pub struct CoffeeCardStatus(message, account: UsedAccount, intent) {
///         /// Its brand.
///         pub brand: Option<String>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! status {
    ($(#[$about:meta])* $vis:vis struct $name:ident($($tail:tt)*) { $($own:tt)* }) => {
        $crate::status!(@own {$(#[$about])* $vis $name} {} {$($own)*} {$($tail)*});
    };
    (@own $head:tt {$($done:tt)*} {$(#[$attr:meta])* $vis:vis $field:ident: Option<String>, $($rest:tt)*} $tail:tt) => {
        $crate::status!(@own $head {
            $($done)*
            $(#[$attr])*
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = $crate::status::LONGEST_STATUS_TEXT))]
            $vis $field: Option<String>,
        } {$($rest)*} $tail);
    };
    (@own $head:tt {$($done:tt)*} {$(#[$attr:meta])* $vis:vis $field:ident: Option<$type:ty>, $($rest:tt)*} $tail:tt) => {
        $crate::status!(@own $head {
            $($done)*
            $(#[$attr])*
            #[serde(skip_serializing_if = "Option::is_none")]
            $vis $field: Option<$type>,
        } {$($rest)*} $tail);
    };
    (@own $head:tt {$($done:tt)*} {$(#[$attr:meta])* $vis:vis $field:ident: Vec<String>, $($rest:tt)*} $tail:tt) => {
        $crate::status!(@own $head {
            $($done)*
            $(#[$attr])*
            #[serde(skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 1000), inner(length(max = $crate::status::LONGEST_STATUS_TEXT)))]
            $vis $field: Vec<String>,
        } {$($rest)*} $tail);
    };
    (@own $head:tt $done:tt {} $tail:tt) => {
        $crate::status!(@tail $head $done {} $tail);
    };
    (@tail $head:tt {$($done:tt)*} $methods:tt {message $(, $($rest:tt)*)?}) => {
        $crate::status!(@tail $head {
            $($done)*
            /// What is wrong or being waited for, in a sentence.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = $crate::status::LONGEST_STATUS_TEXT))]
            pub message: Option<String>,
        } $methods {$($($rest)*)?});
    };
    (@tail $head:tt {$($done:tt)*} $methods:tt {account: $type:ty $(, $($rest:tt)*)?}) => {
        $crate::status!(@tail $head {
            $($done)*
            /// The account at which the remote thing was made.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub account: Option<$type>,
        } $methods {$($($rest)*)?});
    };
    (@tail $head:tt {$($done:tt)*} {$($methods:tt)*} {intent $(, $($rest:tt)*)?}) => {
        $crate::status!(@tail $head {
            $($done)*
            /// The call that may be sent at most once and is under way.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub intent: Option<$crate::status::intent::Intent>,
        } {
            $($methods)*

            fn intent(&self) -> Option<&$crate::status::intent::Intent> {
                self.intent.as_ref()
            }

            fn intent_mut(&mut self) -> Option<&mut Option<$crate::status::intent::Intent>> {
                Some(&mut self.intent)
            }
        } {$($($rest)*)?});
    };
    (@tail {$(#[$about:meta])* $vis:vis $name:ident} {$($fields:tt)*} {$($methods:tt)*} {}) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        $vis struct $name {
            $($fields)*
            /// Where the object stands, in detail.
            #[schemars(
                extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
                transform = $crate::status::bound_conditions
            )]
            pub conditions: Vec<$crate::status::Condition>,
            /// The generation that this status describes.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub observed_generation: Option<i64>,
            /// The last token of the annotation concierge.dev/reconcile-at that was acted on.
            // As long as annotations may be, since it repeats one.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = 262_144))]
            pub reconciled_at: Option<String>,
        }

        impl $crate::status::Conditions for $name {
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
            $($methods)*
        }
    };
}
