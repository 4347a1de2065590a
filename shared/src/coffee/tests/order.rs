use std::collections::BTreeSet;

use super::*;
use crate::admission::lookup::Nothing;

fn inline_card() -> Value {
    json!({"cardRef": null, "card": {"cardTokenSecretRef": {"name": "cards", "key": "visa"}}})
}

fn inline_address(changes: Value) -> Value {
    let mut address = home();
    json_patch::merge(&mut address, &changes);
    json!({"addressRef": null, "address": address})
}

#[test]
fn a_plain_order_is_admitted() {
    create(&order(), &[]);
}

#[test]
fn every_field_is_judged() {
    for (changes, expected) in [
        (json!({"quantity": 100}), &[][..]),
        (json!({"quantity": 0}), &["- variant.quantity spec.quantity"]),
        (json!({"quantity": 101}), &["- variant.quantity spec.quantity"]),
        (json!({"quantity": i64::MIN}), &["- variant.quantity spec.quantity"]),
        (json!({"productVariantId": "12oz"}), &["- variant.id spec.productVariantId"]),
        (json!({"productVariantId": "var_"}), &["- variant.id spec.productVariantId"]),
        (json!({"productVariantId": format!("{VARIANT} ")}), &["- variant.id spec.productVariantId"]),
        (
            json!({"productVariantId": "var_abc"}),
            &["- variant.exists spec.productVariantId", "~ variant.form spec.productVariantId"],
        ),
        (
            json!({"productVariantId": "var_01J1JFDMNBXB5GJCQF6C3AEBCR"}),
            &["- variant.exists spec.productVariantId"],
        ),
        (json!({"notes": "ring twice"}), &[]),
        (json!({"notes": "x".repeat(1001)}), &["- order.notes spec.notes"]),
        (json!({"notes": "pay with 4242 4242 4242 4242"}), &["- text.card-number spec.notes"]),
        (json!({"priority": "Standard"}), &[]),
        (json!({"priority": "Premium"}), &["~ order.not-sent spec.priority"]),
        (json!({"scheduling": {}}), &["~ order.not-sent spec.scheduling"]),
    ] {
        create(&with(order(), changes), expected);
    }
}

#[test]
fn exactly_one_address_and_one_card() {
    for (changes, expected) in [
        (json!({"addressRef": null}), &["- order.one-address spec.address"][..]),
        (json!({"address": home()}), &["- order.one-address spec.address"]),
        (json!({"cardRef": null}), &["- order.one-card spec.card"]),
        (json!({"card": {"cardTokenSecretRef": {"name": "a", "key": "b"}}}), &["- order.one-card spec.card"]),
        (inline_address(json!({})), &[]),
        (inline_card(), &[]),
        (json!({"cardRef": null, "card": {}}), &["- card.one-token spec.card"]),
    ] {
        create(&with(order(), changes), expected);
    }
}

#[test]
fn an_inline_address_and_card_are_judged_as_those_that_are_named() {
    for (changes, expected) in [
        (inline_address(json!({"zip": "3310"})), &["- address.zip spec.address.zip"][..]),
        (inline_address(json!({"country": "usa"})), &["- address.country spec.address.country"]),
        (inline_address(json!({"city": " "})), &["- address.text spec.address.city"]),
        (inline_address(json!({"phone": "call me"})), &["- address.phone spec.address.phone"]),
        (inline_address(json!({"province": null})), &["~ address.province spec.address.province"]),
        (
            inline_address(json!({"street2": "4242424242424242"})),
            &["- text.card-number spec.address.street2"],
        ),
        (
            json!({"cardRef": null, "card": {"cardToken": "tok_visa"}}),
            &["~ card.token-clear spec.card.cardToken"],
        ),
        (
            json!({"cardRef": null, "card": {"cardToken": "4242424242424242"}}),
            &["- text.card-number spec.card.cardToken"],
        ),
        (json!({"cardRef": null, "card": {"cardToken": "visa"}}), &["- card.token spec.card.cardToken"]),
    ] {
        create(&with(order(), changes), expected);
    }
}

#[test]
fn what_an_order_names_must_exist() {
    let found = create_among(&[account("dev"), product("none")], &order());
    expect(
        &found,
        &[
            "- reference.address-exists spec.addressRef.name",
            "- reference.card-exists spec.cardRef.name",
            "- reference.profile-exists spec.profileRef.name",
        ],
    );
    create(
        &with(order(), json!({"profileRef": {"name": "Not A Name"}, "cardRef": {"name": ""}})),
        &["- reference.card-exists spec.cardRef.name", "- reference.profile-exists spec.profileRef.name"],
    );
    create(
        &with(order(), json!({"accountRef": {"name": "other"}})),
        &[
            "- reference.account-exists spec.accountRef.name",
            "- reference.same-account spec.addressRef.name",
            "- reference.same-account spec.cardRef.name",
            "- reference.same-account spec.profileRef.name",
            "~ variant.products-unknown spec.productVariantId",
        ],
    );
}

#[test]
fn another_namespace_must_permit_it_and_share_the_account() {
    let shared = json!({"accountRef": {"name": "default", "namespace": "bar"}});
    let allow = "concierge.dev/allow-references-from";
    let foreign = |card: Value| {
        let mut around = bar();
        around.push(in_namespace("office", card));
        let cards = json!({"cardRef": {"name": "visa", "namespace": "office"}});
        create_among(&around, &with(order(), cards))
    };
    expect(&foreign(card()), &["- reference.card-exists spec.cardRef.name"]);
    // Without an account of its own, the office's card is at the one for the whole cluster.
    expect(&foreign(annotated(card(), allow, "bar")), &["- reference.same-account spec.cardRef.name"]);
    expect(&foreign(annotated(with(card(), shared), allow, "*")), &[]);
}

#[test]
fn without_a_product_list_the_variant_is_only_warned_about() {
    let unknown = &["~ variant.products-unknown spec.productVariantId"];
    let around: Vec<_> = bar().into_iter().filter(|one| one["kind"] != "CoffeeProduct").collect();
    expect(&create_among(&around, &order()), unknown);
    let found = evaluate_with(Settings::default(), &Nothing, Operation::Create, Some(&order()), None);
    expect(&found, &[]);
    let unresolved: BTreeSet<_> = found.unresolved.iter().map(|one| one.field.to_string()).collect();
    let targets = ["addressRef", "cardRef", "profileRef"].map(|one| format!("spec.{one}"));
    let names = targets.iter().map(|target| format!("{target}.name"));
    let fields: BTreeSet<_> = names.chain(targets.clone()).chain(["spec.productVariantId".into()]).collect();
    assert_eq!(unresolved, fields);
}

#[test]
fn what_comes_only_by_subscription_is_not_ordered() {
    let around = |subscription| [profile(), address(), card(), account("dev"), product(subscription)];
    expect(&create_among(&around("allowed"), &order()), &[]);
    expect(
        &create_among(&around("required"), &order()),
        &["- variant.subscription-only spec.productVariantId"],
    );
}

#[test]
fn operators_set_the_largest_quantity_the_strictness_and_the_default_account() {
    let create = |settings, around: &[Value], changes| {
        let object = with(order(), changes);
        evaluate_with(settings, &world(around), Operation::Create, Some(&object), None)
    };
    let few = Settings { max_quantity: 2, ..Settings::default() };
    expect(&create(few.clone(), &bar(), json!({"quantity": 2})), &[]);
    expect(&create(few, &bar(), json!({"quantity": 3})), &["- variant.quantity spec.quantity"]);
    let strict = Settings { strict_variant_ids: true, ..Settings::default() };
    expect(
        &create(strict, &bar(), json!({"productVariantId": "var_abc"})),
        &["- variant.id spec.productVariantId"],
    );
    let everywhere = Settings { default_account: Some("shop/default".into()), ..Settings::default() };
    let around: Vec<_> = [profile(), address(), card()]
        .into_iter()
        .chain([account("dev"), product("required")].map(|one| in_namespace("shop", one)))
        .collect();
    expect(&create(everywhere, &around, json!({})), &["- variant.subscription-only spec.productVariantId"]);
}

#[test]
fn an_order_never_changes() {
    for changes in [
        json!({"quantity": 2}),
        json!({"notes": "x"}),
        json!({"accountRef": {"name": "default"}}),
        json!({"profileRef": {"name": "ada", "namespace": "bar"}}),
    ] {
        update(&order(), &with(order(), changes), &["- order.immutable spec"]);
    }
    // What a default would have added is no change.
    update(&order(), &with(order(), json!({"quantity": 1, "priority": "Standard"})), &[]);
    update(&order(), &annotated(order(), "a", "b"), &[]);
}

#[test]
fn deleting_a_placed_order_is_told_not_to_cancel_it() {
    let placed = |phase: &str| with_status(order(), json!({"phase": phase, "orderId": "ord_1"}));
    delete_among(&bar(), &order(), &[]);
    delete_among(&bar(), &placed("Ordered"), &["~ order.placed metadata.name"]);
    delete_among(&bar(), &placed("Delivered"), &[]);
}

#[test]
fn an_order_protects_what_it_names_until_it_is_final() {
    for (phase, refused) in [("Pending", true), ("Ordered", true), ("Delivered", false), ("Failed", false)] {
        let around = [order()].map(|one| with_status(one, json!({"phase": phase})));
        for (target, rule) in
            [(profile(), "profile.in-use"), (address(), "address.in-use"), (card(), "card.in-use")]
        {
            let denial = format!("- {rule} metadata.name");
            let expected = if refused { vec![denial.as_str()] } else { vec![] };
            delete_among(&around, &target, &expected);
        }
    }
    let kept = annotated(card(), "concierge.dev/delete-in-use", "true");
    delete_among(&[order()], &kept, &[]);
}
