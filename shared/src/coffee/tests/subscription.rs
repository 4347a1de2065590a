use super::*;

fn around(subscription: &str) -> Vec<Value> {
    vec![profile(), address(), card(), account("dev"), product(subscription)]
}

fn subscribe(changes: Value) -> Evaluation {
    create_among(&around("allowed"), &with(subscription(), changes))
}

#[test]
fn the_schedule_is_one_of_the_shops() {
    for (schedule, expected) in [
        (json!({"type": "weekly", "interval": 1}), &[][..]),
        (json!({"type": "fixed", "interval": null}), &[]),
        (
            json!({"type": "fixed", "interval": 1}),
            &["~ subscription.interval-ignored spec.schedule.interval"],
        ),
        (json!({"type": "weekly", "interval": null}), &["- subscription.interval spec.schedule.interval"]),
        (json!({"type": "weekly", "interval": 0}), &["- subscription.interval spec.schedule.interval"]),
        (json!({"type": "monthly", "interval": 1}), &["- subscription.schedule spec.schedule.type"]),
        (json!({"type": "daily"}), &["- object.schema spec.schedule.type"]),
    ] {
        expect(&subscribe(json!({"schedule": schedule})), expected);
    }
}

#[test]
fn every_other_field_is_judged() {
    for (changes, expected) in [
        (json!({"quantity": null}), &[][..]),
        (json!({"quantity": 0}), &["- variant.quantity spec.quantity"]),
        (json!({"productVariantId": "x"}), &["- variant.id spec.productVariantId"]),
        (
            json!({"productVariantId": "var_x"}),
            &["- variant.exists spec.productVariantId", "~ variant.form spec.productVariantId"],
        ),
        (json!({"cardRef": {"name": "gone"}}), &["- reference.card-exists spec.cardRef.name"]),
        (json!({"addressRef": {"name": "gone"}}), &["- reference.address-exists spec.addressRef.name"]),
        (json!({"profileRef": {"name": "gone"}}), &["- reference.profile-exists spec.profileRef.name"]),
    ] {
        expect(&subscribe(changes), expected);
    }
}

#[test]
fn only_what_is_offered_by_subscription_is_subscribed_to() {
    let found = |offer: &str| create_among(&around(offer), &subscription());
    expect(&found("none"), &["- variant.not-offered spec.productVariantId"]);
    expect(&found("required"), &["~ subscription.fixed-only spec.schedule.type"]);
    let without: Vec<_> = around("none").into_iter().filter(|one| one["kind"] != "CoffeeProduct").collect();
    expect(&create_among(&without, &subscription()), &["~ variant.products-unknown spec.productVariantId"]);
}

#[test]
fn a_monthly_one_from_before_may_stay_and_change_its_card() {
    let monthly = with(subscription(), json!({"schedule": {"type": "monthly", "interval": 1}}));
    let mut lookup = around("allowed");
    lookup.push(monthly.clone());
    lookup.push(object(
        "CoffeeCard",
        "amex",
        json!({"cardTokenSecretRef": {"name": "cards", "key": "amex"}}),
    ));
    let change = |changes| {
        let object = with(monthly.clone(), changes);
        evaluate_with(Settings::default(), &world(&lookup), Operation::Update, Some(&object), Some(&monthly))
    };
    expect(&change(json!({"cardRef": {"name": "amex"}})), &["~ subscription.schedule spec.schedule.type"]);
    expect(&change(json!({"schedule": {"type": "weekly"}})), &[]);
}

#[test]
fn variant_and_quantity_never_change() {
    let old = subscription();
    let change = |changes| {
        let object = with(old.clone(), changes);
        let lookup = world(&around("allowed"));
        evaluate_with(Settings::default(), &lookup, Operation::Update, Some(&object), Some(&old))
    };
    expect(&change(json!({"quantity": 2})), &["- subscription.immutable spec.quantity"]);
    expect(&change(json!({"quantity": null})), &[]);
    expect(&change(json!({"schedule": {"interval": 3}})), &[]);
    expect(
        &change(json!({"productVariantId": "var_01J1JFDMNBXB5GJCQF6C3AEBCR"})),
        &["- subscription.immutable spec.productVariantId", "- variant.exists spec.productVariantId"],
    );
    expect(
        &change(json!({"accountRef": {"name": "default"}})),
        &["- subscription.immutable spec.accountRef"],
    );
}

#[test]
fn an_account_has_one_subscription_to_a_variant() {
    let mut lookup = around("allowed");
    lookup.push(subscription());
    let second = object("CoffeeSubscription", "second", subscription()["spec"].clone());
    expect(&create_among(&lookup, &second), &["- subscription.unique spec.productVariantId"]);
    lookup.pop();
    lookup.push(with_status(subscription(), json!({"phase": "Cancelled"})));
    let found = create_among(&lookup, &second);
    expect(&found, &[]);
    assert_eq!(found.claims[0].key, format!("bar/default/{VARIANT}"));
}

#[test]
fn a_cancelled_one_claims_and_protects_nothing() {
    let cancelled = with_status(subscription(), json!({"phase": "Cancelled", "subscriptionId": "sub_1"}));
    delete_among(std::slice::from_ref(&cancelled), &card(), &[]);
    delete_among(&[subscription()], &card(), &["- card.in-use metadata.name"]);
    let mut lookup = around("allowed");
    lookup.push(object("CoffeeSubscription", "second", subscription()["spec"].clone()));
    let object = with(cancelled.clone(), json!({"schedule": {"interval": 3}}));
    let found = evaluate_with(
        Settings::default(),
        &world(&lookup),
        Operation::Update,
        Some(&object),
        Some(&cancelled),
    );
    expect(&found, &[]);
    assert!(found.claims.is_empty());
}

#[test]
fn deleting_an_active_one_is_told_to_cancel_it() {
    let active = with_status(subscription(), json!({"phase": "Active", "subscriptionId": "sub_1"}));
    delete_among(&[], &active, &["~ subscription.active metadata.name"]);
    delete_among(&[], &subscription(), &[]);
}
