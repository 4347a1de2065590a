//! The product list of an account, as objects for rules and people.

use concierge_shared::{
    admission::lookup::LookupExt,
    coffee::{
        CoffeeProduct, CoffeeProductSpec, ProductVariant, SubscriptionPolicy, TerminalAccount,
        product::products_key,
    },
    common::words::first_chars,
};
use std::sync::Arc;

use super::client::{Product, SubscriptionRule};
use crate::engine::Context;

/// The longest texts and lists that the kind allows.
const LONGEST_NAME: usize = 255;
const MOST_VARIANTS: usize = 100;

/// What is to be done so that the objects are as the shop's list.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) write: Vec<CoffeeProduct>,
    pub(super) delete: Vec<Arc<CoffeeProduct>>,
}

/// Compares `listed` with the objects that there are.
pub(super) fn compare(ctx: &Context, account: &TerminalAccount, listed: &[Product]) -> Differences {
    let namespace = account.metadata.namespace.clone().unwrap_or_default();
    let name = account.metadata.name.clone().unwrap_or_default();
    let key = products_key(&format!("{namespace}/{name}"));
    let existing = ctx.lookup().select_as::<CoffeeProduct>(&namespace, &key);
    let wanted: Vec<_> = listed.iter().map(|product| wanted(&namespace, &name, product)).collect();
    let is = |one: &CoffeeProduct, other: &CoffeeProduct| one.metadata.name == other.metadata.name;
    let stale = |new: &&CoffeeProduct| !existing.iter().any(|old| is(old, new) && old.spec == new.spec);
    let left = |old: &&Arc<CoffeeProduct>| !wanted.iter().any(|new| is(old, new));
    Differences {
        write: wanted.iter().filter(stale).cloned().collect(),
        // A shop that lists nothing at all is more likely out of order than sold out.
        delete: match wanted.is_empty() {
            true => Vec::new(),
            false => existing.iter().filter(left).cloned().collect(),
        },
    }
}

fn wanted(namespace: &str, account: &str, product: &Product) -> CoffeeProduct {
    let variants = product.variants.iter().take(MOST_VARIANTS).map(|variant| ProductVariant {
        id: variant.id.clone(),
        name: first_chars(&variant.name, LONGEST_NAME),
        price: variant.price,
    });
    let spec = CoffeeProductSpec {
        account: account.to_owned(),
        product_id: product.id.clone(),
        name: first_chars(&product.name, LONGEST_NAME),
        description: None,
        subscription: Some(match product.subscription {
            Some(SubscriptionRule::Required) => SubscriptionPolicy::Required,
            Some(SubscriptionRule::Allowed) => SubscriptionPolicy::Allowed,
            Some(SubscriptionRule::Other) | None => SubscriptionPolicy::None,
        }),
        variants: variants.collect(),
    };
    let mut object = CoffeeProduct::new(&CoffeeProduct::object_name(account, &product.id), spec);
    object.metadata.namespace = Some(namespace.to_owned());
    object
}
