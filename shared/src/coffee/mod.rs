//! The group `coffee.terminal.sh`: orders at the Terminal shop, and what they are made of.
//!
//! Field names, phases and status fields are those of the operator that served this group before, so that
//! its objects go on; what is new is optional. `docs/decisions/0003-coffee.md` says why rules differ.

pub mod account;
pub mod account_ref;
pub mod address;
pub mod app;
pub mod card;
pub mod card_token;
pub mod cart;
mod country;
pub mod fingerprint;
pub mod order;
pub mod postal;
pub mod product;
pub mod profile;
pub mod shop;
pub mod subscription;
pub mod token;
pub mod variant;

pub use account::{Environment, TerminalAccount, TerminalAccountSpec, TerminalAccountStatus};
pub use account_ref::{UsedAccount, UsesAccount};
pub use address::{AddressPhase, CoffeeAddress, CoffeeAddressSpec, CoffeeAddressStatus};
pub use app::{AppPhase, CoffeeApp, CoffeeAppSpec, CoffeeAppStatus};
pub use card::{CardPhase, CoffeeCard, CoffeeCardSpec, CoffeeCardStatus};
pub use card_token::{CardToken, InlineCard, TokenSource};
pub use cart::{CartItem, CartPhase, CoffeeCart, CoffeeCartSpec, CoffeeCartStatus};
pub use order::{
    CoffeeOrder, CoffeeOrderSpec, CoffeeOrderStatus, DeliveryWindow, OrderPhase, Priority, Scheduling,
};
pub use postal::{InlineAddress, Postal};
pub use product::{
    CoffeeProduct, CoffeeProductSpec, CoffeeProductStatus, ProductVariant, SubscriptionPolicy,
};
pub use profile::{CoffeeProfile, CoffeeProfileSpec, CoffeeProfileStatus, ProfilePhase};
pub use shop::Shop;
pub use subscription::{
    CoffeeSubscription, CoffeeSubscriptionSpec, CoffeeSubscriptionStatus, Schedule, ScheduleType,
    SubscriptionPhase,
};
pub use token::{TerminalToken, TerminalTokenSpec, TerminalTokenStatus, TokenPhase};

/// What an operator may set about the rules of this group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The largest quantity of one variant in an order, a subscription or a cart.
    pub max_quantity: i64,
    /// Whether a variant id must look as the shop's ids look today; otherwise one that does not is a warning.
    pub strict_variant_ids: bool,
    /// The TerminalAccount, `namespace/name`, of objects that name none in namespaces that have no default.
    pub default_account: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_quantity: 100, strict_variant_ids: false, default_account: None }
    }
}

crate::conditions!(
    CoffeeAddressStatus[intent],
    CoffeeAppStatus[intent],
    CoffeeCardStatus[intent],
    CoffeeCartStatus[intent],
    CoffeeOrderStatus[intent],
    CoffeeProductStatus,
    CoffeeProfileStatus,
    CoffeeSubscriptionStatus[intent],
    TerminalAccountStatus,
    TerminalTokenStatus[intent]
);

#[cfg(test)]
mod tests;
