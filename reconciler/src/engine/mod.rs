//! One loop for every kind. Knows no kind.
//!
//! A group's file implements [`Reconcile`]: *connect* finds the credentials, *observe* looks at the remote side, *plan*
//! says as data what follows from spec and observation, *act* takes one step. Calls that change nothing go through
//! [`Pass::read`], all others through [`Guard::write`]; both classify what comes of them as a [`Failure`].
//! The rest is done here, in this order, in each pass over an object:
//!
//! 1. Paused by annotation? Said so, and stop.
//! 2. Re-validated with the admission rules: the door can be bypassed.
//! 3. Deleting? Then the way out, before anything that could fail because a dependency is gone already.
//! 4. References there and ready, else wait to be woken.
//! 5. Finalizer; what predecessors left is removed.
//! 6. Connect, observe, whose is it?
//! 7. Plan; none, or only looking: stop.
//! 8. Guard, act, step by step; then observe and plan once more, so that the status tells what is.
//! 9. Status, if it changed.
//! 10. Again later: by failure class, by the plan's hint, by the kind's resync.
//!
//! # At most once
//!
//! A call that can't be repeated safely is planned with [`Plan::once`]. The engine
//!
//! 1. makes sure that no other object has the same call in flight at the same account,
//! 2. writes an intent into the status, under the condition that nobody wrote meanwhile: no write, no send,
//! 3. lets the step send one call,
//! 4. records the id that came back ([`Reconcile::record`]) until it is recorded, or drops the intent when the call had no effect;
//! 5. if nobody knows, waits ([`Settings::settle`]), looks ([`Reconcile::look`]) and adopts the one effect, or holds until
//!    the annotation `concierge.dev/resolve-unknown` says `retry`, `adopt=<id>` or `abandon`.
//!
//! So a kind with such calls has `status.intent` (see [`Conditions::intent_mut`](concierge_shared::status::Conditions::intent_mut)),
//! plans the call only while no id is recorded, takes a recorded id that a list does not show yet for *late*, not for
//! absent, and never calls the service outside the guard.

pub mod account;
pub mod annotation;
pub mod backoff;
mod belongings;
mod calls;
mod checks;
pub mod clock;
pub mod cluster;
mod converge;
pub mod crash;
mod delete;
mod driver;
#[allow(clippy::module_inception)]
mod engine;
pub mod failure;
pub mod guard;
mod held;
pub mod http;
mod hub;
pub mod key;
pub mod kubernetes;
mod latest;
pub mod lease;
mod metadata;
pub mod metrics;
mod next;
pub mod objects;
mod once;
pub mod pass;
pub mod plan;
pub mod queue;
pub mod reconcile;
mod settle;
mod sweep;
pub mod term;
mod wake;
mod work;

pub use account::{Account, Limits};
pub use belongings::OwnedSecret;
pub use driver::Kinds;
pub use engine::Engine;
pub use failure::Failure;
pub use guard::Guard;
pub use hub::{Outside, Settings};
pub use key::ObjectKey;
pub use pass::{Pass, Secret};
pub use plan::{
    Deletion, DeletionPolicy, Effect, OnNone, OnOne, Once, Outcome, Owner, Plan, Readiness, UnknownPolicy,
};
pub use reconcile::{Reconcile, Refusal, StatusOf};
