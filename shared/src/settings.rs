//! What an operator may set about the rules of a group, beside their levels.

/// Bounds that rules read. The default is what an installation without settings gets.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Coffee.
    pub coffee: crate::coffee::Settings,
}
