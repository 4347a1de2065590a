//! Parts of a spec of which every field may be missing: upstream has a value for it.

/// Declares such a part. Texts, lists and maps say themselves how long they may be.
macro_rules! block {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(
            Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
            validator::Validate,
        )]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$attr])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>,)*
        }
    };
}

pub(super) use block;
