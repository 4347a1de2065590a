//! Admission, one module per stage, in the order a request passes through them.
//!
//! 1. [`envelope`]: the review's bytes, borrowed; the object stays raw.
//! 2. [`object`]: the raw object as its kind's type, with narrow metadata.
//! 3. [`defaults`]: fills fields and records the patch. The only stage that changes an object.
//! 4. [`problem`], [`rule`]: what the kind's rules find wrong, and at which level each rule is enforced.
//! 5. [`reference`](mod@reference), [`claim`]: what the object refers to and what it wants to be unique,
//!    resolved through a [`lookup`], [`fresh`] where it matters. What rules look up is [`seen`]: no denial rests on it unconfirmed.
//! 6. [`review`]: the stages joined: one pure function from a request to an evaluation.
//! 7. [`answer`], [`warnings`]: the evaluation as an `AdmissionReview`.

pub mod answer;
pub mod claim;
pub mod defaults;
#[cfg(test)]
mod differential;
pub mod envelope;
pub mod fresh;
pub mod lookup;
pub mod object;
pub mod problem;
mod quick;
pub mod reference;
pub mod resync;
pub mod review;
pub mod rule;
mod scan;
pub mod seen;
pub mod steering;
mod tolerance;
pub mod warnings;
