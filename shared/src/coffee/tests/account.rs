use super::*;
use crate::admission::{lookup::Namespace, reference::ALLOWED_NAMESPACES_ANNOTATION};

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
    let named = in_namespace("office", named);
    let open = annotated(account("dev"), ALLOWED_NAMESPACES_ANNOTATION, "office");
    delete_among(std::slice::from_ref(&named), &open, used);
    // A reference that is not permitted holds nobody up.
    delete_among(&[named], &account("dev"), &[]);
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

#[test]
fn a_refused_deletion_names_only_what_is_in_the_own_namespace() {
    let shared = json!({"accountRef": {"name": "default", "namespace": "bar"}});
    let open = annotated(account("dev"), ALLOWED_NAMESPACES_ANNOTATION, "*");
    let foreign =
        [in_namespace("office", with(profile(), shared.clone())), in_namespace("pub", with(card(), shared))];
    let message = |around: &[Value]| {
        let found = evaluate_with(Settings::default(), &world(around), Operation::Delete, None, Some(&open));
        found.denials[0].message.clone()
    };
    assert!(message(&foreign).contains("in use by 2 objects in other namespaces;"), "{}", message(&foreign));
    let own = with(address(), json!({"accountRef": {"name": "default"}}));
    let around = [foreign.as_slice(), &[own]].concat();
    let told = message(&around);
    assert!(told.contains("in use by CoffeeAddress bar/home and 2 in other namespaces;"), "{told}");
    assert!(!told.contains("office") && !told.contains("pub"), "{told}");
}

#[test]
fn the_account_of_the_whole_cluster_is_protected_from_all_namespaces_that_fall_back_to_it() {
    let settings = || Settings { default_account: Some("bar/main".into()), ..Settings::default() };
    let mut main = account("dev");
    main["metadata"]["name"] = json!("main");
    let delete = |around: &[Value]| {
        evaluate_with(settings(), &world(around), Operation::Delete, None, Some(&main)).denials.len()
    };
    let office = in_namespace("office", profile());
    assert_eq!(delete(&[]), 0);
    assert_eq!(delete(std::slice::from_ref(&office)), 1);
    assert_eq!(delete(&[profile()]), 1);
    assert_eq!(delete(&[office, in_namespace("office", account("dev"))]), 0);
    let crowd = (0..600).map(|number| {
        let mut one = in_namespace("office", profile());
        one["metadata"]["name"] = json!(format!("one-{number}"));
        one
    });
    let served: Vec<_> = crowd.chain([in_namespace("office", account("dev"))]).collect();
    assert_eq!(delete(&served), 0, "however many have another");
    assert_eq!(delete(&[served, vec![in_namespace("pub", profile())]].concat()), 1);
}

/// Whatever another namespace has: who may not refer to its account is told the same.
#[test]
fn nothing_is_learned_through_an_account_that_is_not_permitted() {
    let there = |object: Value| in_namespace("office", object);
    let account_ref = json!({"accountRef": {"name": "default", "namespace": "office"}});
    let clear = json!({"cardTokenSecretRef": null, "cardToken": "tok_visa"});
    let office = [
        there(account("production")),
        there(product("required")),
        there(profile()),
        there(with(card(), clear.clone())),
        there(cart()),
        there(subscription()),
    ];
    let around = [bar(), office.to_vec()].concat();
    for object in [order(), profile(), with(card(), clear), address(), cart(), subscription()] {
        let object = with(object, account_ref.clone());
        let mut other = object.clone();
        other["metadata"]["name"] = json!("other");
        let (with_it, without) = (create_among(&around, &other), create_among(&bar(), &other));
        assert_eq!(told(&with_it), told(&without), "{}", object["kind"]);
        let messages =
            |found: &Evaluation| found.denials.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
        assert_eq!(messages(&with_it), messages(&without), "{}", object["kind"]);
        assert!(told(&with_it).iter().any(|line| line.contains("account-exists")), "{:?}", told(&with_it));
        assert!(with_it.claims.is_empty() && with_it.taken.is_empty(), "{}", object["kind"]);
    }
}

/// A namespace can't let itself onto another's account.
#[test]
fn a_foreign_reference_that_is_not_permitted_is_refused_at_the_level_of_the_cluster() {
    let around = [in_namespace("office", account("dev"))];
    let foreign = with(profile(), json!({"accountRef": {"name": "default", "namespace": "office"}}));
    let own = with(profile(), json!({"accountRef": {"name": "default"}}));
    let denied = |cluster: &str, local: &str, object: &Value| {
        let mut lookup = world(&around);
        lookup.insert_namespace("bar", Namespace::read(Some(local), false));
        let json = object.to_string();
        let raw = Raw::from(&*json);
        let request = Request {
            stage: Stage::Validate,
            operation: Operation::Create,
            namespace: "bar",
            user: None,
            object: Some(&raw),
            old: None,
        };
        let settings = crate::group::Settings::default();
        let context =
            Context { lookup: &lookup, enforcement: &cluster.parse().unwrap(), settings: &settings };
        (by_name("CoffeeProfile").unwrap().evaluate)(&request, &context).denials.len()
    };
    let warn = "coffee.reference.account-exists=warn";
    assert_eq!(denied("", warn, &foreign), 1);
    assert_eq!(denied("", warn, &own), 0);
    assert_eq!(denied(warn, "", &foreign), 0);
}
