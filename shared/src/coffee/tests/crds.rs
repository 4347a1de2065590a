use super::*;

fn crd(kind: &str) -> Value {
    serde_json::to_value((by_name(kind).unwrap().crd)()).unwrap()
}

fn schema<'a>(crd: &'a Value, part: &str) -> &'a Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
}

#[test]
fn short_names_stay_with_their_first_owner() {
    for (kind, names) in [
        ("CoffeeProfile", json!(["cprofile", "cp"])),
        ("CoffeeAddress", json!(["caddress", "ca"])),
        ("CoffeeCard", json!(["ccard", "cc"])),
        ("CoffeeOrder", json!(["corder", "co"])),
        ("CoffeeSubscription", json!(["csub", "cs"])),
        ("CoffeeCart", json!(["ccart"])),
        ("TerminalToken", json!(["ttoken", "tt"])),
        ("CoffeeApp", json!(["capp"])),
    ] {
        assert_eq!(crd(kind)["spec"]["names"]["shortNames"], names, "{kind}");
    }
}

#[test]
fn phases_are_those_of_before() {
    for (kind, phases) in [
        ("CoffeeProfile", "Pending Synced Failed"),
        ("CoffeeAddress", "Pending Verified Failed"),
        ("CoffeeCard", "Pending Registered Failed"),
        ("CoffeeOrder", "Pending Processing Ordered Shipped Delivered Cancelled Failed"),
        ("CoffeeSubscription", "Pending Active Cancelled Failed"),
        ("CoffeeCart", "Empty ItemsAdded AddressSet CardSet Ready Converting Converted Failed"),
        ("TerminalToken", "Pending Active Failed"),
        ("CoffeeApp", "Pending Active Failed"),
    ] {
        let phases: Vec<_> = phases.split(' ').collect();
        assert_eq!(schema(&crd(kind), "status")["properties"]["phase"]["enum"], json!(phases), "{kind}");
    }
}

#[test]
fn no_default_breaks_the_schema_it_is_in_and_no_secret_has_a_rule_of_its_own() {
    for kind in ["CoffeeOrder", "CoffeeCart", "CoffeeCard"] {
        let text = crd(kind).to_string();
        assert!(!text.contains(r#""default":"""#), "{kind}");
    }
    let card = crd("CoffeeCard");
    let token = &schema(&card, "spec")["properties"]["cardToken"];
    assert!(token["pattern"].is_null() && token["x-kubernetes-validations"].is_null(), "{token:#}");
    assert_eq!(schema(&card, "spec")["required"], Value::Null);
}

#[test]
fn an_order_is_immutable_without_us_too() {
    let order = crd("CoffeeOrder");
    let rules = schema(&order, "spec")["x-kubernetes-validations"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["rule"] == "self == oldSelf"), "{rules:?}");
    assert_eq!(schema(&order, "spec")["properties"]["quantity"]["default"], 1);
    assert_eq!(schema(&order, "spec")["required"], json!(["productVariantId", "profileRef"]));
    assert_eq!(schema(&order, "spec")["properties"]["profileRef"]["required"], json!(["name"]));
}
