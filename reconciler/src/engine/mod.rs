//! One loop for every kind. Knows no kind.
//!
//! A group's file implements [`Reconcile`]: *connect* finds the credentials, *observe* looks at the remote side, *plan*
//! says as data what follows from spec and observation, *act* takes one step. Calls that change nothing go through
//! [`Context::read`], all others through [`Guard::write`]; both classify what comes of them as a [`Failure`].
//! The rest is done here, in this order, in each run over an object:
//!
//! 1. Paused by annotation? A call whose outcome is unknown is looked for all the same; then said so, and stop.
//! 2. Restored without its status? Held until a person says what became of it.
//! 3. Deleting? Then the way out, before anything that could fail because a dependency is gone already.
//! 4. What predecessors left is removed; a call whose outcome is unknown is looked for, whatever else is wrong.
//! 5. Re-validated with the admission rules: the door can be bypassed.
//! 6. References there and ready, else wait to be woken.
//! 7. Connect, observe, whose is it?
//! 8. Plan; only looking: stop. Finalizer, on the object and on the Secrets that it needs.
//! 9. Guard, act, step by step; then observe and plan once more, so that the status tells what is.
//! 10. Status, if it changed.
//! 11. Again later: by failure class, by the plan's hint, by the kind's resync.
//!
//! # At most once
//!
//! A call that can't be repeated safely is planned with [`Plan::once`]. The engine
//!
//! 1. makes sure that no other object has the same call in flight at the same account,
//! 2. writes an intent into the status, under the condition that nobody wrote meanwhile: no write, no send,
//! 3. lets the step send one call,
//! 4. records the id that came back ([`Reconcile::record`]) until it is recorded, or drops the intent when the call had no effect;
//! 5. if nobody knows, waits ([`Settings::settle`]), looks ([`Reconcile::find_effects`]) and adopts the one effect if it is certain, or holds until
//!    the annotation `concierge.dev/resolve-unknown` says `retry`, `adopt=<id>` or `abandon`.
//!
//! So a kind with such calls has `status.intent` (see [`Conditions::intent_mut`](concierge_shared::status::Conditions::intent_mut)),
//! plans the call only while no id is recorded, takes a recorded id that a list does not show yet for *late*, not for
//! absent, and never calls the service outside the guard.

pub mod account;
pub mod annotation;
pub mod children;
pub mod cluster;
mod context;
mod kinds;
pub mod lease;
pub mod metrics;
mod once;
pub mod retry;
mod run;
mod schedule;
pub mod seams;
mod shared;

pub(crate) use account::note_status;
pub use account::{Account, Limits};
pub use cluster::objects::ObjectKey;
pub use context::{
    Context, Secret,
    guard::{Guard, Owned},
    secrets::{OwnedSecret, SecretSpec},
    token_request,
};
pub(crate) use kinds::digest;
pub use kinds::{
    Kinds,
    checks::Checks,
    plan::{
        Deletion, DeletionPolicy, Drift, Effect, ExtraCondition, IfFound, IfNotFound, Once, Outcome, Owner,
        Plan, Planned, Readiness, UnknownPolicy,
    },
    reconcile::{ImplicitUsers, Reconcile, Refusal, StatusOf},
};
pub use retry::{Failure, Requeue};
pub use schedule::Engine;
pub use shared::{Dependencies, Settings};
