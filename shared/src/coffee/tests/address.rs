use super::*;

#[test]
fn every_field_is_judged() {
    for (changes, expected) in [
        (json!({}), &[][..]),
        (json!({"street2": "c/o Babbage", "phone": "+1 (415) 555-2671"}), &[]),
        (json!({"name": " "}), &["- address.text spec.name"]),
        (json!({"street1": ""}), &["- address.text spec.street1"]),
        (json!({"city": "x".repeat(256)}), &["- address.text spec.city"]),
        (json!({"street2": "a\u{7}b"}), &["- address.text spec.street2"]),
        (json!({"name": "4242 4242 4242 4242"}), &["- text.card-number spec.name"]),
        (json!({"country": "us"}), &[]),
        (json!({"country": " Us "}), &[]),
        (json!({"country": "USA"}), &["- address.country spec.country"]),
        (json!({"country": "U1"}), &["- address.country spec.country"]),
        (json!({"country": "UK", "zip": "SW1Y 4JH"}), &["~ address.country-known spec.country"]),
        (json!({"country": "GB", "zip": "SW1Y 4JH", "province": null}), &[]),
        (json!({"country": "GB", "zip": "SW1Y_4JH"}), &["- address.zip spec.zip"]),
        (json!({"country": "GB", "zip": "1".repeat(17)}), &["- address.zip spec.zip"]),
        (json!({"zip": "33101-1234"}), &[]),
        (json!({"zip": " 33101 "}), &[]),
        (json!({"zip": "3310"}), &["- address.zip spec.zip"]),
        (json!({"zip": "33101-12"}), &["- address.zip spec.zip"]),
        (json!({"zip": "٣٣١٠١"}), &["- address.zip spec.zip"]),
        (json!({"zip": ""}), &["- address.text spec.zip"]),
        (json!({"province": null}), &["~ address.province spec.province"]),
        (json!({"province": null, "state": "FL"}), &[]),
        (json!({"province": "FL", "state": "FL"}), &[]),
        (json!({"province": "FL", "state": "Florida"}), &["- address.one-province spec.state"]),
        (json!({"phone": "1234"}), &["- address.phone spec.phone"]),
        (json!({"phone": "ask Ada 12345"}), &["- address.phone spec.phone"]),
        (json!({"accountRef": {"name": "none"}}), &["- reference.account-exists spec.accountRef.name"]),
    ] {
        create(&object("CoffeeAddress", "new", with(address(), changes)["spec"].clone()), expected);
    }
}

#[test]
fn an_edit_while_in_use_names_the_referrers() {
    let moved = with(address(), json!({"street1": "2 Main St"}));
    update(&address(), &moved, &[]);
    let around = [address(), order(), subscription()];
    let lookup = world(&around);
    let change = |object: &Value| {
        evaluate_with(Settings::default(), &lookup, Operation::Update, Some(object), Some(&address()))
    };
    let found = change(&moved);
    expect(&found, &["~ address.used spec"]);
    let message = &found.warnings[0].message;
    assert!(message.contains("CoffeeOrder bar/monday, CoffeeSubscription bar/weekly"), "{message}");
    expect(
        &change(&with(moved, json!({"accountRef": {"name": "default"}}))),
        &[
            "- address.immutable spec.accountRef",
            "- reference.account-exists spec.accountRef.name",
            "~ address.used spec",
        ],
    );
}
