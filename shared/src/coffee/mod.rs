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
mod target;
pub mod texts;
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

/// How secrets of the shop and of its payment service begin.
pub const SECRET_PREFIXES: &[&str] = &["trm_", "tok_", "sec_", "pm_", "sk_", "pk_", "whsec_"];

crate::settings! {
    max_quantity: Number { least: 1, default: 100 },
        "The largest quantity of one variant in an order, a subscription or a cart";
    strict_variant_ids: Switch,
        "Refuse variant ids that do not look as the shop's do today, instead of warning";
    default_account: ObjectName,
        "The TerminalAccount of objects that name none, in namespaces that have none called default";
}

#[cfg(test)]
mod tests;
