use super::*;

#[test]
fn items_are_judged_one_by_one() {
    let item = |id: &str, quantity: i64| json!({"productVariantId": id, "quantity": quantity});
    let other = "var_01J1JFDMNBXB5GJCQF6C3AEBCR";
    for (items, expected) in [
        (json!([]), &[][..]),
        (Value::Null, &[]),
        (json!([{"productVariantId": VARIANT}]), &[]),
        (json!([item(VARIANT, 1), item(VARIANT, 2)]), &["- cart.items spec.items[1].productVariantId"]),
        (
            json!([item(VARIANT, 0), item("x", 101), item(other, 1), item("var_y", 1)]),
            &[
                "- variant.quantity spec.items[0].quantity",
                "- variant.id spec.items[1].productVariantId",
                "- variant.quantity spec.items[1].quantity",
                "- variant.exists spec.items[2].productVariantId",
                "- variant.exists spec.items[3].productVariantId",
                "~ variant.form spec.items[3].productVariantId",
            ],
        ),
        (json!(vec![item(VARIANT, 1); 101]), &["- cart.items spec.items"]),
    ] {
        create(&with(cart(), json!({"items": items})), expected);
    }
}

#[test]
fn what_comes_only_by_subscription_is_not_put_in_a_cart() {
    let around = [address(), card(), account("dev"), product("required")];
    expect(&create_among(&around, &cart()), &["- variant.subscription-only spec.items[0].productVariantId"]);
    expect(
        &create_among(&around[..3], &cart()),
        &["~ variant.products-unknown spec.items[0].productVariantId"],
    );
}

#[test]
fn references_need_a_name_that_exists() {
    create(
        &with(cart(), json!({"addressRef": {"name": null}, "cardRef": {"name": "gone"}})),
        &["- reference.address-exists spec.addressRef.name", "- reference.card-exists spec.cardRef.name"],
    );
}

#[test]
fn an_order_needs_all_of_it() {
    let convert = |changes| with(with(cart(), changes), json!({"convertToOrder": true}));
    create(&convert(json!({})), &[]);
    create(
        &convert(json!({"items": [], "addressRef": null, "cardRef": null})),
        &["- cart.convert spec.addressRef", "- cart.convert spec.cardRef", "- cart.convert spec.items"],
    );
    create(&with(cart(), json!({"addressRef": null, "convertToOrder": false})), &[]);
}

#[test]
fn a_cart_that_is_an_order_never_changes() {
    for (phase, expected) in [
        ("Ready", &[][..]),
        ("Converting", &["- cart.immutable spec"]),
        ("Converted", &["- cart.immutable spec"]),
    ] {
        let old = with_status(cart(), json!({"phase": phase}));
        update(&old, &with(old.clone(), json!({"convertToOrder": true})), expected);
        update(&old, &with(old.clone(), json!({"convertToOrder": false})), &[]);
    }
    let other = with(cart(), json!({"accountRef": {"name": "default"}}));
    update(&cart(), &other, &["- cart.immutable spec.accountRef"]);
}

#[test]
fn an_account_has_one_cart_at_a_time() {
    let second = object("CoffeeCart", "second", cart()["spec"].clone());
    let mut around = bar();
    around.push(cart());
    expect(&create_among(&around, &second), &["- cart.unique spec.accountRef"]);
    around.pop();
    around.push(with_status(cart(), json!({"phase": "Converted"})));
    expect(&create_among(&around, &second), &[]);
    delete_among(&around, &card(), &[]);
    delete_among(&[cart()], &card(), &["- card.in-use metadata.name"]);
}
