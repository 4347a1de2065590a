use super::*;

/// A token as Stripe makes them.
const TOKEN: &str = "tok_1N3T00LkdIwHu7ixt44h1F8k";

fn clear(token: &str) -> Value {
    object("CoffeeCard", "visa", json!({"cardToken": token}))
}

#[test]
fn a_card_has_one_token_and_it_is_never_a_card_number() {
    for (spec, expected) in [
        (json!({"cardTokenSecretRef": {"name": "cards", "key": "new"}}), &[][..]),
        (json!({"cardToken": TOKEN}), &["~ card.token-clear spec.cardToken"]),
        (json!({}), &["- card.one-token spec"]),
        (
            json!({"cardToken": TOKEN, "cardTokenSecretRef": {"name": "cards", "key": "visa"}}),
            &["- card.one-token spec", "~ card.token-clear spec.cardToken"],
        ),
        (json!({"cardToken": ""}), &["- card.token spec.cardToken"]),
        (json!({"cardToken": "tok_"}), &["- card.token spec.cardToken"]),
        (json!({"cardToken": "tok_a b"}), &["- card.token spec.cardToken"]),
        (json!({"cardToken": "4242-4242-4242-4242"}), &["- text.card-number spec.cardToken"]),
        (json!({"cardToken": "tok_4242424242424242"}), &["- text.card-number spec.cardToken"]),
        (
            json!({"cardToken": TOKEN, "description": "my 378282246310005"}),
            &["- text.card-number spec.description", "~ card.token-clear spec.cardToken"],
        ),
        (
            json!({"cardTokenSecretRef": {"name": "Cards", "key": "a b"}}),
            &["- card.token spec.cardTokenSecretRef.key", "- card.token spec.cardTokenSecretRef.name"],
        ),
        (
            json!({"cardTokenSecretRef": {"name": "cards", "key": "b"}, "description": "x".repeat(256)}),
            &["- text.description spec.description"],
        ),
    ] {
        create(&object("CoffeeCard", "new", spec), expected);
    }
}

#[test]
fn no_answer_repeats_a_card_number_or_a_token() {
    let secret = "4242424242424242";
    for spec in [
        json!({"cardToken": secret}),
        json!({"cardToken": 4_242_424_242_424_242_u64}),
        json!({"cardToken": [secret]}),
        json!({"cardToken": format!("tok_{secret}"), "description": secret}),
        json!({"cardToken": TOKEN, "description": 4_242_424_242_424_242_u64}),
        json!({"cardToken": TOKEN}),
    ] {
        let around = [clear(TOKEN)];
        let found = create_among(&around, &object("CoffeeCard", "new", spec));
        let said = format!("{found:?}");
        assert!(!found.denials.is_empty(), "{said}");
        assert!(!said.contains(secret) && !said.contains(TOKEN), "{said}");
    }
    let card: CoffeeCard = serde_json::from_value(clear(TOKEN)).unwrap();
    assert!(!format!("{card:?}").contains(TOKEN));
    assert_eq!(serde_json::to_value(&card).unwrap()["spec"]["cardToken"], TOKEN);
}

#[test]
fn a_production_account_takes_no_test_token() {
    for (environment, token, refused) in [
        ("dev", "tok_visa", false),
        ("production", "tok_visa", true),
        ("production", "tok_mastercard_debit", true),
        ("production", "tok_threeDSecure2Required", true),
        ("production", TOKEN, false),
    ] {
        let found = create_among(&[account(environment)], &clear(token));
        let denied = told(&found).contains(&"- card.test-token spec.cardToken".to_owned());
        assert_eq!(denied, refused, "{environment} {token}");
    }
    let elsewhere = with(account("production"), json!({"baseUrl": "http://localhost:8080/"}));
    expect(&create_among(&[elsewhere], &clear("tok_visa")), &["~ card.token-clear spec.cardToken"]);
}

#[test]
fn a_token_changes_only_its_place() {
    let secret = object("CoffeeCard", "visa", json!({"cardTokenSecretRef": {"name": "a", "key": "b"}}));
    update(
        &clear(TOKEN),
        &clear("tok_other"),
        &["- card.immutable spec.cardToken", "~ card.token-clear spec.cardToken"],
    );
    update(&clear(TOKEN), &secret, &["~ card.moved spec.cardTokenSecretRef"]);
    update(&secret, &clear(TOKEN), &["- card.immutable spec.cardToken", "~ card.token-clear spec.cardToken"]);
    let other = with(secret.clone(), json!({"cardTokenSecretRef": {"key": "c"}}));
    update(&secret, &other, &["- card.immutable spec.cardTokenSecretRef"]);
    update(&secret, &with(secret.clone(), json!({"description": "mine"})), &[]);
    let moved = with(secret.clone(), json!({"accountRef": {"name": "default"}}));
    update(&secret, &moved, &["- card.immutable spec.accountRef"]);
}

#[test]
fn equal_tokens_are_claimed_once_per_account() {
    let second = |spec| object("CoffeeCard", "second", spec);
    let found = create_among(&[clear(TOKEN)], &second(json!({"cardToken": TOKEN})));
    expect(&found, &["- card.unique spec.cardToken", "~ card.token-clear spec.cardToken"]);
    assert!(found.denials[0].message.contains("another CoffeeCard"), "{}", found.denials[0].message);

    let free = create_among(&[clear(TOKEN)], &second(json!({"cardToken": "tok_visa"})));
    assert_eq!(free.claims.len(), 1);
    let claim = &free.claims[0];
    assert!(claim.key.starts_with("bar/default/") && !claim.key.contains("visa"), "{}", claim.key);
    assert!(!claim.contended_message().contains(&claim.key));

    let elsewhere = json!({"cardToken": TOKEN, "accountRef": {"name": "default", "namespace": "shop"}});
    assert!(
        !told(&create_among(&[clear(TOKEN)], &second(elsewhere))).iter().any(|one| one.contains("unique"))
    );

    let entry = json!({"cardTokenSecretRef": {"name": "cards", "key": "visa"}});
    create(&second(entry), &["- card.unique spec.cardTokenSecretRef"]);
    // What may be a card number is not kept, not even as a digest.
    assert!(create_among(&[], &second(json!({"cardToken": "4242424242424242"}))).claims.is_empty());
}
