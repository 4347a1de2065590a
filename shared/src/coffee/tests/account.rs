use super::*;

#[test]
fn the_address_of_the_shop_is_judged() {
    for (url, expected) in [
        ("https://shop.example/api/", &[][..]),
        ("http://localhost:8080", &[]),
        ("http://[::1]:8080", &[]),
        ("http://shop.coffee.svc:80", &[]),
        ("http://shop.example", &["~ account.base-url-plain spec.baseUrl"]),
        ("ftp://shop.example", &["- account.base-url spec.baseUrl"]),
        ("shop.example", &["- account.base-url spec.baseUrl"]),
        ("https://u:p@shop.example", &["- account.base-url spec.baseUrl"]),
        ("https://shop.example/?a=b", &["- account.base-url spec.baseUrl"]),
        ("https://shop.example/#a", &["- account.base-url spec.baseUrl"]),
        ("https://", &["- account.base-url spec.baseUrl"]),
    ] {
        create(&with(account("dev"), json!({"baseUrl": url})), expected);
    }
    create(
        &with(account("dev"), json!({"tokenSecretRef": {"name": "", "key": ""}})),
        &[
            "- account.token-secret spec.tokenSecretRef.key",
            "- account.token-secret spec.tokenSecretRef.name",
        ],
    );
}

#[test]
fn environment_and_address_never_change() {
    let old = account("dev");
    update(&old, &account("production"), &["- account.immutable spec.environment"]);
    update(&old, &with(old.clone(), json!({"baseUrl": "https://x"})), &["- account.immutable spec.baseUrl"]);
    update(&old, &with(old.clone(), json!({"tokenSecretRef": {"key": "new"}})), &[]);
    update(&old, &with(old.clone(), json!({"environment": null})), &[]);
}

#[test]
fn an_account_is_deleted_after_its_users_named_or_not() {
    let used = &["- account.in-use metadata.name"];
    delete_among(&[], &account("dev"), &[]);
    delete_among(&[profile()], &account("dev"), used);
    delete_among(&[in_namespace("office", profile())], &account("dev"), &[]);
    let named = with(profile(), json!({"accountRef": {"name": "default", "namespace": "bar"}}));
    delete_among(&[in_namespace("office", named)], &account("dev"), used);
    delete_among(&[with_status(order(), json!({"phase": "Delivered"}))], &account("dev"), &[]);
    let mut other = account("dev");
    other["metadata"]["name"] = json!("other");
    delete_among(&[profile()], &other, &[]);
}

#[test]
fn the_shop_of_an_object_follows_from_its_account() {
    let lookup = world(&[account("production")]);
    let settings = Settings::default();
    let shop = Shop::of(&lookup, &settings, "bar", None);
    assert_eq!(shop.account.as_deref(), Some("bar/default"));
    assert!(shop.is_production());
    let none = Shop::of(&lookup, &settings, "office", None);
    assert_eq!((none.account.as_deref(), none.base_url), (Some(""), None));
}
