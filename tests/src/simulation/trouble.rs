//! What goes wrong at the API server.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not written, and nobody can tell.
    Lost,
    /// Written, and nobody can tell.
    Unanswered,
}

/// What goes wrong until it is mended.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Kinds whose objects may not be read or written.
    pub forbidden: BTreeSet<String>,
    /// The namespaces that are watched; all of them as a whole when there are none.
    pub namespaces: Vec<String>,
    /// Kinds whose objects may not be read in a namespace.
    pub forbidden_in: BTreeSet<(String, String)>,
    /// Kinds that are not installed.
    pub missing: BTreeSet<String>,
    /// Kinds that are said not to be there when their metadata is written.
    pub vanished: BTreeSet<String>,
    /// Verbs that are not allowed for a kind.
    pub forbidden_verbs: BTreeSet<(String, &'static str)>,
    /// Kinds whose objects may be made and read, and not changed.
    pub read_only: BTreeSet<String>,
    /// Kinds whose status may not be written.
    pub read_only_status: BTreeSet<String>,
    /// How long it takes to list all objects of a kind. What is stored meanwhile is not in the list.
    pub slow_lists: BTreeMap<String, Duration>,
    /// Kinds whose caches are not believed.
    pub blind: BTreeSet<String>,
}
