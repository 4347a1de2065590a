//! What a bridge does with its configuration.

use crate::orasi::block::block;

block! {
    /// What the bridge does with its configuration.
    pub struct Advanced {
        /// Whether what follows is in use; not when absent.
        enabled: bool,
        /// The file that the configuration is in.
        #[schemars(length(max = 1024))]
        config_file: String,
        /// Whether a changed file is read again; not when absent.
        hot_reload: bool,
        /// Whether what is read is checked; so when absent.
        validation: bool,
        /// Whether the file is encrypted; not when absent.
        encryption: bool,
        /// Whether a copy is kept of what was before; so when absent.
        backup: bool,
        /// Whether all versions are kept; so when absent.
        versioning: bool,
        /// Whether ${NAME} stands for an environment variable; so when absent.
        env_substitution: bool,
    }
}
