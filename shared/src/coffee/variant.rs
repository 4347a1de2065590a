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
};

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

/// The rules of a kind that names variants.
pub(super) struct VariantRules {
    /// The id's shape.
    pub(super) id: &'static AdmissionRule,
    /// The id looks as ids do today.
    pub(super) form: &'static AdmissionRule,
    /// The quantity.
    pub(super) quantity: &'static AdmissionRule,
    /// The shop has the variant.
    pub(super) exists: &'static AdmissionRule,
    /// The shop sells it this way.
    pub(super) sold: &'static AdmissionRule,
    /// The products are known.
    pub(super) unknown: &'static AdmissionRule,
    /// This way.
    pub(super) way: Way,
}

/// Checks the variant at `field`, of which the object under review wants `quantity`.
pub(super) fn check<K: UsesAccount>(
    review: &Review<'_, K>,
    rules: &VariantRules,
    root: &FieldPath,
    id: &str,
    quantity: Option<i64>,
    problems: &mut Problems,
) {
    let field = root.clone().field("productVariantId");
    check_quantity(review, rules, root, quantity, problems);
    let strict = review.settings.coffee.strict_variant_ids;
    match shape(id) {
        Shape::Wrong => problems.add(rules.id, Cause::Invalid, field, ID_MESSAGE),
        Shape::Strange if strict => problems.add(rules.id, Cause::Invalid, field, FORM_MESSAGE),
        Shape::Strange => {
            problems.add(rules.form, Cause::Invalid, field.clone(), FORM_MESSAGE);
            check_product(review, rules, field, id, problems);
        }
        Shape::Usual => check_product(review, rules, field, id, problems),
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
    rules: &VariantRules,
    root: &FieldPath,
    quantity: Option<i64>,
    problems: &mut Problems,
) {
    let max = review.settings.coffee.max_quantity;
    if quantity.is_some_and(|quantity| !(1..=max).contains(&quantity)) {
        let message = format!("must be from 1 to {max}");
        problems.add(rules.quantity, Cause::Invalid, root.clone().field("quantity"), message);
    }
}

fn check_product<K: UsesAccount>(
    review: &Review<'_, K>,
    rules: &VariantRules,
    field: FieldPath,
    id: &str,
    problems: &mut Problems,
) {
    let found = [rules.exists, rules.sold, rules.unknown];
    product(review, id).check(problems, field.clone(), &found, |product, problems| {
        let Some(product) = product else {
            let message =
                "could not be looked up: the shop's products are not known here yet; the shop decides";
            return problems.add(rules.unknown, Cause::NotFound, field, message);
        };
        let Some(product) = product else {
            let message = "is none of the shop's variants; `kubectl get coffeeproducts` lists them";
            return problems.add(rules.exists, Cause::NotFound, field, message);
        };
        let message = match (rules.way, product.spec.subscription.unwrap_or_default()) {
            (Way::Order, SubscriptionPolicy::Required) => {
                "comes only by subscription; create a CoffeeSubscription"
            }
            (Way::Subscription, SubscriptionPolicy::None) => "can't be subscribed to; create a CoffeeOrder",
            _ => return,
        };
        problems.add(rules.sold, Cause::NotSupported, field, message);
    });
}

/// The product with this variant that the object's account can buy, if there is one; `None` when none of its products are
/// known.
pub(super) fn product<K: UsesAccount>(
    review: &Review<'_, K>,
    id: &str,
) -> Seen<Option<Option<Arc<CoffeeProduct>>>> {
    review.look(|lookup| {
        let account = Shop::of_reviewed(review, lookup).account?;
        let (namespace, _) = account.split_once('/')?;
        let found = lookup.first_as::<CoffeeProduct>(namespace, &variant_key(&account, id), 1).pop();
        let any = || lookup.count_in(CoffeeProduct::NAME, namespace, &products_key(&account)) != Some(0);
        (found.is_some() || any()).then_some(found)
    })
}
