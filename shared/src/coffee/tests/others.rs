use super::*;

#[test]
fn a_profile_has_a_name_and_an_address_for_mail() {
    for (changes, expected) in [
        (json!({"email": " ada@example.com "}), &[][..]),
        (json!({"email": "ada"}), &["- profile.email spec.email"]),
        (json!({"email": "ada@"}), &["- profile.email spec.email"]),
        (
            json!({"email": format!("ada@{}.com", "a".repeat(60).as_str().repeat(5))}),
            &["- profile.email spec.email", "- profile.email spec.email"],
        ),
        (json!({"name": " "}), &["- text.name spec.name"]),
        (json!({"name": "4242424242424242"}), &["- text.card-number spec.name"]),
        (json!({"accountRef": {"name": "gone"}}), &["- reference.account-exists spec.accountRef.name"]),
    ] {
        expect(&create_among(&[], &with(profile(), changes)), expected);
    }
    update(
        &profile(),
        &with(profile(), json!({"accountRef": {"name": "default"}})),
        &["- profile.immutable spec.accountRef"],
    );
    update(&profile(), &with(profile(), json!({"email": "ada@example.org"})), &[]);
}

#[test]
fn an_account_has_one_profile() {
    let second = object("CoffeeProfile", "second", profile()["spec"].clone());
    create(&second, &["- profile.unique spec.accountRef"]);
    create(&in_namespace("office", second), &[]);
}

#[test]
fn an_application_has_a_name_and_a_safe_way_back() {
    let app = |changes| {
        with(object("CoffeeApp", "app", json!({"name": "App", "redirectUri": "https://a/b"})), changes)
    };
    for (changes, expected) in [
        (json!({}), &[][..]),
        (json!({"redirectUri": "http://localhost:3000/back"}), &[]),
        (json!({"redirectUri": "http://127.0.0.1/back"}), &[]),
        (json!({"redirectUri": "https://a/b?c=d"}), &[]),
        (json!({"redirectUri": "http://a/b"}), &["- app.redirect-uri spec.redirectUri"]),
        (json!({"redirectUri": "/back"}), &["- app.redirect-uri spec.redirectUri"]),
        (json!({"redirectUri": "javascript:alert(1)"}), &["- app.redirect-uri spec.redirectUri"]),
        (json!({"redirectUri": "https://a/b#c"}), &["- app.redirect-uri spec.redirectUri"]),
        (json!({"redirectUri": "https://a/ b"}), &["- app.redirect-uri spec.redirectUri"]),
        (json!({"name": ""}), &["- text.name spec.name"]),
        (json!({"name": "4242424242424242"}), &["- text.card-number spec.name"]),
        (json!({"accountRef": {"name": "gone"}}), &["- reference.account-exists spec.accountRef.name"]),
    ] {
        create(&app(changes), expected);
    }
    update(&app(json!({})), &app(json!({"name": "Other"})), &["- app.immutable spec.name"]);
    update(&app(json!({})), &app(json!({"name": " App "})), &[]);
    update(
        &app(json!({})),
        &app(json!({"redirectUri": "https://a/c", "accountRef": {"name": "default"}})),
        &["- app.immutable spec.accountRef", "- app.immutable spec.redirectUri"],
    );
}

#[test]
fn a_token_never_changes() {
    let token = |spec| object("TerminalToken", "ci", spec);
    create(&token(json!({})), &[]);
    create(&token(json!({"description": "4242424242424242"})), &["- text.card-number spec.description"]);
    create(&token(json!({"description": "x".repeat(256)})), &["- text.description spec.description"]);
    create(
        &token(json!({"accountRef": {"name": "gone"}})),
        &["- reference.account-exists spec.accountRef.name"],
    );
    update(&token(json!({})), &token(json!({"description": "x"})), &["- token.immutable spec"]);
}

#[test]
fn a_product_lists_each_variant_once() {
    let variants =
        json!([{"id": "var_a", "name": "a", "price": 1}, {"id": "var_a", "name": "b", "price": 2}]);
    create(
        &with(product("none"), json!({"variants": variants})),
        &["- product.variants spec.variants[1].id"],
    );
}

#[test]
fn names_of_what_belongs_to_an_object_fit() {
    let token = |name: String| {
        let object: TerminalToken =
            serde_json::from_value(object("TerminalToken", &name, json!({}))).unwrap();
        object.secret_name()
    };
    assert_eq!(token("ci".into()), "ci-token");
    let (a, b) = (token("a".repeat(253)), token(format!("{}b", "a".repeat(252))));
    assert!(a.len() <= 253 && a != b && a.ends_with("-token"), "{a}");
    assert_eq!(CoffeeProduct::object_name("default", "prd_01J1"), "default-prd-01j1");
}
