//! Product variants: what their ids look like, how many, and whether the shop sells them that way.

use std::sync::Arc;

use super::{
    CoffeeProduct, Shop, SubscriptionPolicy, UsesAccount,
    product::{products_key, variant_key},
};
use crate::{
    admission::{
        lookup::LookupExt,
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
        seen::Seen,
    },
    field::FieldPath,
    kind::Kind,
    rules,
};

rules! {
    ID = Deny "coffee.variant.id", "A productVariantId is 'var_' and letters and digits.";
    FORM = Warn "coffee.variant.form", "A productVariantId looks as the shop's ids do today.";
    QUANTITY = Deny "coffee.variant.quantity", "The quantity of a variant is from 1 to the operator's maximum, 100 unless set.";
    EXISTS = Deny "coffee.variant.exists", "The shop has the variant that is asked for.";
    SUBSCRIPTION_ONLY = Deny "coffee.variant.subscription-only", "A variant that is ordered does not come only by subscription.";
    NOT_OFFERED = Deny "coffee.variant.not-offered", "A variant that is subscribed to comes by subscription.";
    PRODUCTS_UNKNOWN = Warn "coffee.variant.products-unknown", "The shop's products are known when one is asked for.";
}

/// The rules of a variant that is ordered.
pub(super) const ORDERED: &[&AdmissionRule] =
    &[&ID, &FORM, &QUANTITY, &EXISTS, &SUBSCRIPTION_ONLY, &PRODUCTS_UNKNOWN];
/// The rules of a variant that is subscribed to.
pub(super) const SUBSCRIBED: &[&AdmissionRule] =
    &[&ID, &FORM, &QUANTITY, &EXISTS, &NOT_OFFERED, &PRODUCTS_UNKNOWN];

/// The longest id that is believed.
const MAX_LENGTH: usize = 64;

/// The shape of ids, for the API server. A rule rather than a pattern, for the sake of its message.
pub(super) fn id_rule() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^var_[A-Za-z0-9]+$')").message(ID_MESSAGE)
}

/// How a kind gets coffee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Once.
    Order,
    /// Again and again.
    Subscription,
}

/// Checks the variant at `field`, of which the object under review wants `quantity`.
pub(super) fn check<K: UsesAccount>(
    review: &Review<'_, K>,
    way: Way,
    root: &FieldPath,
    id: &str,
    quantity: Option<i64>,
    problems: &mut Problems,
) {
    let field = root.clone().field("productVariantId");
    check_quantity(review, root, quantity, problems);
    let strict = review.settings.coffee.strict_variant_ids;
    match shape(id) {
        Shape::Wrong => problems.add(&ID, Cause::Invalid, field, ID_MESSAGE),
        Shape::Strange if strict => problems.add(&ID, Cause::Invalid, field, FORM_MESSAGE),
        Shape::Strange => {
            problems.add(&FORM, Cause::Invalid, field.clone(), FORM_MESSAGE);
            check_product(review, way, field, id, problems);
        }
        Shape::Usual => check_product(review, way, field, id, problems),
    }
}

const ID_MESSAGE: &str = "is no variant id; it is 'var_' and letters and digits, as `kubectl get \
                          coffeeproducts` shows them";
const FORM_MESSAGE: &str = "does not look like the shop's variant ids, which are 'var_' and 26 digits and \
                            capital letters without I, L, O and U; check it for typing errors";

/// What an id looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As ids do today: `var_` and a ULID.
    Usual,
    /// As ids may look one day.
    Strange,
    /// As no id does.
    Wrong,
}

/// What `id` looks like.
pub(super) fn shape(id: &str) -> Shape {
    let rest = id.strip_prefix("var_").unwrap_or_default();
    let alphanumeric = !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_alphanumeric());
    let crockford = |c: u8| c.is_ascii_digit() || (c.is_ascii_uppercase() && !b"ILOU".contains(&c));
    match () {
        () if !alphanumeric || id.len() > MAX_LENGTH => Shape::Wrong,
        () if rest.len() == 26 && rest.bytes().all(crockford) => Shape::Usual,
        () => Shape::Strange,
    }
}

fn check_quantity<K: UsesAccount>(
    review: &Review<'_, K>,
    root: &FieldPath,
    quantity: Option<i64>,
    problems: &mut Problems,
) {
    let max = review.settings.coffee.max_quantity;
    if quantity.is_some_and(|quantity| !(1..=max).contains(&quantity)) {
        let message = format!("must be from 1 to {max}");
        problems.add(&QUANTITY, Cause::Invalid, root.clone().field("quantity"), message);
    }
}

fn check_product<K: UsesAccount>(
    review: &Review<'_, K>,
    way: Way,
    field: FieldPath,
    id: &str,
    problems: &mut Problems,
) {
    let sold = match way {
        Way::Order => &SUBSCRIPTION_ONLY,
        Way::Subscription => &NOT_OFFERED,
    };
    let found = [&EXISTS, sold, &PRODUCTS_UNKNOWN];
    product(review, id).check(problems, field.clone(), &found, |product, problems| {
        let Some(product) = product else {
            let message =
                "could not be looked up: the shop's products are not known here yet; the shop decides";
            return problems.add(&PRODUCTS_UNKNOWN, Cause::NotFound, field, message);
        };
        let Some(product) = product else {
            let message = "is none of the shop's variants; `kubectl get coffeeproducts` lists them";
            return problems.add(&EXISTS, Cause::NotFound, field, message);
        };
        let message = match (way, product.spec.subscription.unwrap_or_default()) {
            (Way::Order, SubscriptionPolicy::Required) => {
                "comes only by subscription; create a CoffeeSubscription"
            }
            (Way::Subscription, SubscriptionPolicy::None) => "can't be subscribed to; create a CoffeeOrder",
            _ => return,
        };
        problems.add(sold, Cause::NotSupported, field, message);
    });
}

/// The product with this variant that the object's account can buy, if there is one; `None` when none of its products are
/// known.
pub(super) fn product<K: UsesAccount>(
    review: &Review<'_, K>,
    id: &str,
) -> Seen<Option<Option<Arc<CoffeeProduct>>>> {
    review.look_up(|lookup| {
        let account = Shop::of_reviewed(review, lookup).account?;
        let (namespace, _) = account.split_once('/')?;
        let found = lookup.first_as::<CoffeeProduct>(namespace, &variant_key(&account, id), 1).pop();
        let any = || lookup.count_in(CoffeeProduct::NAME, namespace, &products_key(&account)) != Some(0);
        (found.is_some() || any()).then_some(found)
    })
}
