//! What the reconcilers of every group share beside the engine.
//!
//! | module | what it holds |
//! |---|---|
//! | `clients` | clients that are made with the credentials in a Secret |
//! | `http` | one request is sent once, and what its answer means |
//! | `minted` | secrets that a service shows once, kept in a Secret |
//! | `rate_limit` | what a provider's spec says of its service |
//! | `recorded` | the ids that other objects have made |
//! | `redaction` | a service's words without what was sent |
//! | `refusals` | a call that was refused or given up is not made again by itself |
//! | `secret_text` | text that must not be seen |
//! | `standing` | what the conditions come to, and whether references' targets are ready |

pub(crate) mod clients;
pub(crate) mod http;
pub(crate) mod minted;
pub(crate) mod rate_limit;
pub(crate) mod recorded;
pub(crate) mod redaction;
pub(crate) mod refusals;
pub(crate) mod secret_text;
pub(crate) mod standing;
