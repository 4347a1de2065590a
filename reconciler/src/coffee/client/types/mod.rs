//! The shop's values, as far as the kinds need them. Money is integer US cents; unknown fields are ignored.

mod access;
mod account;
mod id;
mod overview;
mod products;
mod purchases;
mod time;

pub(super) use self::id::Id;
pub use self::{access::*, account::*, overview::*, products::*, purchases::*};
