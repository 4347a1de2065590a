//! What an operator may set about the rules of a group, beside their levels.

/// Something that an operator may set. Its flag (`--coffee-max-quantity`), its environment variable, its value of the
/// chart (`rules.coffee.maxQuantity`), the schema of that value and its row in the docs derive from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The field of the group's `Settings`: `max_quantity`.
    pub field: &'static str,
    /// What it does, in a phrase.
    pub help: &'static str,
    /// Which values it takes.
    pub form: Form,
}

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole number, not below `least`.
    Number {
        /// The smallest that is allowed.
        least: i64,
        /// What it is when nobody sets it.
        default: i64,
    },
    /// Off unless it is set.
    Switch,
    /// `namespace/name` of an object; none unless it is set.
    ObjectName,
    /// Names, separated by commas; none unless they are set.
    Names,
    /// One word.
    Text {
        /// What it is when nobody sets it.
        default: &'static str,
    },
}

/// What a setting was set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a [`Form::Number`].
    Number(i64),
    /// Of a [`Form::Switch`].
    Switch(bool),
    /// Of a [`Form::ObjectName`].
    ObjectName(Option<String>),
    /// Of [`Form::Names`].
    Names(Vec<String>),
    /// Of a [`Form::Text`].
    Text(String),
}

/// Declares a group's `Settings`: for each field its form and what it does.
#[macro_export]
macro_rules! settings {
    ($($field:ident: $form:ident $({ $($option:tt)* })?, $help:literal;)*) => {
        /// What an operator may set about the rules of this group. The default is what an installation gets.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = $help] pub $field: $crate::settings!(@type $form),)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $crate::settings!(@default $form $({ $($option)* })?),)* }
            }
        }

        impl Settings {
            /// Every setting.
            pub const LIST: &'static [$crate::settings::Setting] = &[$($crate::settings::Setting {
                field: stringify!($field),
                help: $help,
                form: $crate::settings!(@form $form $({ $($option)* })?),
            }),*];

            /// Sets a field. False when there is none of this name and form.
            #[allow(clippy::match_single_binding, reason = "a group may have no settings")]
            pub fn set(&mut self, field: &str, value: $crate::settings::Value) -> bool {
                match (field, value) {
                    $((stringify!($field), $crate::settings::Value::$form(value)) => {
                        self.$field = value;
                        true
                    })*
                    _ => false,
                }
            }
        }
    };
    (@type Number) => { i64 };
    (@type Switch) => { bool };
    (@type ObjectName) => { Option<String> };
    (@type Names) => { Vec<String> };
    (@type Text) => { String };
    (@default Number { least: $least:literal, default: $default:literal }) => { $default };
    (@default Text { default: $default:literal }) => { $default.to_owned() };
    (@default Switch) => { false };
    (@default ObjectName) => { None };
    (@default Names) => { Vec::new() };
    (@form Number { least: $least:literal, default: $default:literal }) => {
        $crate::settings::Form::Number { least: $least, default: $default }
    };
    (@form Text { default: $default:literal }) => { $crate::settings::Form::Text { default: $default } };
    (@form $form:ident) => { $crate::settings::Form::$form };
}

impl Setting {
    /// `--coffee-max-quantity`, without the dashes in front.
    pub fn flag(&self, group: &str) -> String {
        format!("{group}-{}", self.field.replace('_', "-"))
    }

    /// `CONCIERGE_COFFEE_MAX_QUANTITY`
    pub fn variable(&self, group: &str) -> String {
        format!("CONCIERGE_{group}_{}", self.field).to_uppercase()
    }

    /// `maxQuantity`, in the chart's `rules.coffee`.
    pub fn chart_value(&self) -> String {
        let mut words = self.field.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let (initial, rest) = word.split_at(1);
            name + &initial.to_uppercase() + rest
        })
    }
}
