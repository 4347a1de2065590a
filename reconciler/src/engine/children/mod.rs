//! Objects of Kubernetes' own kinds that are made for an object of ours, in any namespace, and Namespaces themselves.
//!
//! A kind declares them ([`Kind::CHILDREN`](concierge_shared::kind::Kind::CHILDREN)) and says in each run how it
//! [wants](Wanted) them. What there is of them is [compared](Context::compare_children) with that; a [plan](plan_children) follows,
//! whose steps [take](Guard::take_child_step) themselves; and when a child changes, its owner is woken.
//!
//! * **Whose it is.** A child bears its owner's uid as a label and its name as an annotation ([`concierge_shared::child`]). What exists
//!   without that mark is another's: it is neither changed nor deleted. Whoever takes the mark off takes the object over, and of a Namespace
//!   all that is in it. What bears the mark elsewhere than [in the owner's Namespaces](concierge_shared::kind::Kind::child_namespaces)
//!   is not looked at, and wakes nobody.
//! * **No writes at rest.** A child is left alone while all that is wanted is there: quantities are compared as numbers, lists as the API
//!   server merges them, and what is not wanted expressly, such as defaults, is not looked at. While neither the child (as its watch shows
//!   it) nor what is wanted has changed since, it is not even read.
//! * **Drift.** What is declared is ours, and set back by force, whoever changed it; what others may set is not to be declared. People are told which
//!   field it was and who changed it, but no values of Secrets, ConfigMaps and variables. Two that correct each other for ever would
//!   never stop: the fourth correction of a child within an hour waits, and each further one waits for twice as long, up to ten minutes.
//! * **Waiting.** Nothing is polled: a plan without steps that is not ready, because a Job runs or a Namespace goes, is made again when
//!   a watch tells of the child, and at the kind's resync.
//! * **Leadership.** Every write passes the [`Guard`], and ends within the lease.

mod compare;
mod diff;
mod known;
mod plan;
mod quantity;
mod wanted;
mod write;

#[cfg(doc)]
use super::{Context, Guard};
pub use compare::{Compared, FoundChild};
pub use concierge_runtime::cache::{ChildChange, ChildHealth, ChildKey, ChildSeen};
pub use diff::Difference;
pub use known::ChildCache;
pub(crate) use known::{Remembered, can_be_of, owner_of, owns_namespaces};
pub use plan::{ChildStep, plan_child_deletion, plan_children, unwanted_children};
pub use wanted::Wanted;
