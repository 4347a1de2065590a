//! The profile, address and card that an object names.

use super::{CoffeeAddress, CoffeeCard, CoffeeProfile, Shop, UsesAccount};
use crate::{
    admission::{
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    rules,
};

rules! {
    PROFILE_EXISTS = Deny "coffee.reference.profile-exists", "The CoffeeProfile that an object names exists and permits its namespace.";
    ADDRESS_EXISTS = Deny "coffee.reference.address-exists", "The CoffeeAddress that an object names exists and permits its namespace.";
    CARD_EXISTS = Deny "coffee.reference.card-exists", "The CoffeeCard that an object names exists and permits its namespace.";
    SAME_ACCOUNT = Deny "coffee.reference.same-account", "What an object names belongs to the object's own account.";
}

/// A kind that objects of other kinds name.
pub(super) trait Target: UsesAccount {
    /// The rule that naming a missing one breaks.
    const EXISTS: &'static AdmissionRule;
}

impl Target for CoffeeProfile {
    const EXISTS: &'static AdmissionRule = &PROFILE_EXISTS;
}

impl Target for CoffeeAddress {
    const EXISTS: &'static AdmissionRule = &ADDRESS_EXISTS;
}

impl Target for CoffeeCard {
    const EXISTS: &'static AdmissionRule = &CARD_EXISTS;
}

/// The reference from `field` to the object that it names, if it does.
pub(super) fn reference<T: Target>(
    field: &str,
    target: Option<&ObjectRef>,
    protects: bool,
) -> Option<Reference> {
    target?.reference(field, T::NAME, T::EXISTS, protects)
}

/// Adds what is wrong with `field`, which names an object, if it does.
pub(super) fn check<T: Target, K: UsesAccount>(
    review: &Review<'_, K>,
    field: &str,
    target: Option<&ObjectRef>,
    problems: &mut Problems,
) {
    let Some(target) = target else { return };
    target.check(field, T::EXISTS, problems);
    check_same_account::<K, T>(review, field, target, problems);
}

/// Adds a problem when an object that the one under review names belongs to another account.
fn check_same_account<K: UsesAccount, T: UsesAccount>(
    review: &Review<'_, K>,
    field: &str,
    target: &ObjectRef,
    problems: &mut Problems,
) {
    let accounts = review.look_up(|lookup| {
        let target = target.visible::<T>(lookup, review.namespace)?;
        let namespace = target.meta().namespace.as_deref().unwrap_or_default();
        let other = Shop::permitted(lookup, &review.settings.coffee, namespace, target.account_ref());
        Some((Shop::of_reviewed(review, lookup).account?, other.account?))
    });
    accounts.check(problems, field, &[&SAME_ACCOUNT], |accounts, problems| {
        let Some((own, other)) = accounts.filter(|(own, other)| own != other) else { return };
        let message = format!(
            "names a {} of account {}, but this {} belongs to account {}; use one account for both",
            T::NAME,
            named(&other),
            K::NAME,
            named(&own)
        );
        problems.add(&SAME_ACCOUNT, Cause::Invalid, at(field).field("name"), message);
    });
}

fn named(account: &str) -> &str {
    if account.is_empty() { "of the whole cluster" } else { account }
}
