//! Objects as the operator that served this group before wrote them.

use super::*;

/// Kinds, each with a spec and a status.
fn stored() -> [(&'static str, Value, Value); 8] {
    let reference = json!({"name": "x", "namespace": "bar"});
    [
        (
            "CoffeeProfile",
            profile()["spec"].clone(),
            json!({"phase": "Synced", "message": "", "observedGeneration": 1, "lastSyncTime": "2025-04-01T00:00:00Z"}),
        ),
        (
            "CoffeeAddress",
            json!({"name": "A", "street1": "B", "city": "C", "state": "FL", "zip": "1", "country": "usa"}),
            json!({"phase": "Verified", "addressId": "shp_1", "observedGeneration": 2}),
        ),
        (
            "CoffeeCard",
            json!({"cardToken": "tok_visa", "description": "d"}),
            json!({"phase": "Registered", "cardId": "crd_1", "lastUsed": "2025-04-01T00:00:00Z"}),
        ),
        (
            "CoffeeOrder",
            json!({"productVariantId": "var_1", "quantity": 500, "profileRef": reference, "addressRef": reference,
                "cardRef": reference, "priority": "Premium", "notes": "n",
                "scheduling": {"deliveryWindow": "afternoon"}}),
            json!({"phase": "Ordered", "orderId": "ord_1", "trackingNumber": "1", "trackingUrl": "u",
                "trackingService": "USPS", "profileReadyStatus": true, "addressReadyStatus": true,
                "cardReadyStatus": true, "lastStatusCheck": "2025-04-01T00:00:00Z"}),
        ),
        (
            "CoffeeSubscription",
            json!({"productVariantId": "var_1", "quantity": 1, "profileRef": reference, "addressRef": reference,
                "cardRef": reference, "schedule": {"type": "monthly", "interval": 1}}),
            json!({"phase": "Active", "subscriptionId": "ok", "nextDelivery": "2025-04-01T00:00:00Z"}),
        ),
        (
            "CoffeeCart",
            json!({"items": [{"productVariantId": "var_1", "quantity": 1}], "addressRef": {}, "cardRef": {"namespace": "x"}}),
            json!({"phase": "ItemsAdded", "subtotal": 1, "shipping": 2, "total": 3, "orderId": "ord_1"}),
        ),
        (
            "TerminalToken",
            json!({"description": "d"}),
            json!({"phase": "Active", "tokenId": "pat_1", "created": "2025-04-01T00:00:00Z"}),
        ),
        (
            "CoffeeApp",
            json!({"name": "a", "redirectUri": "http://a"}),
            json!({"phase": "Active", "appId": "cli_1", "secretRef": {"name": "a-credentials", "namespace": "bar"}}),
        ),
    ]
}

#[test]
fn objects_of_before_are_read_whole() {
    for (kind, spec, status) in stored() {
        let old = with_status(object(kind, "old", spec), status.clone());
        let info = by_name(kind).unwrap();
        (info.store)(old.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        // Nothing of the status is lost on the way through our types.
        let again = match kind {
            "CoffeeOrder" => round_trip::<CoffeeOrder>(&old),
            "CoffeeSubscription" => round_trip::<CoffeeSubscription>(&old),
            "CoffeeCart" => round_trip::<CoffeeCart>(&old),
            "CoffeeCard" => round_trip::<CoffeeCard>(&old),
            "CoffeeAddress" => round_trip::<CoffeeAddress>(&old),
            "CoffeeProfile" => round_trip::<CoffeeProfile>(&old),
            "TerminalToken" => round_trip::<TerminalToken>(&old),
            _ => round_trip::<CoffeeApp>(&old),
        };
        for (field, value) in status.as_object().unwrap() {
            assert_eq!(&again["status"][field], value, "{kind} {field}");
        }
        // An update of something else than the spec is never held up.
        let found = evaluate_with(
            Settings::default(),
            &World::default(),
            Operation::Update,
            Some(&annotated(old.clone(), "a", "b")),
            Some(&old),
        );
        expect(&found, &[]);
    }
}

fn round_trip<K: crate::kind::Kind>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<K>(object.clone()).unwrap()).unwrap()
}

#[test]
fn what_the_shop_has_already_is_not_judged_again() {
    let monthly = with(subscription(), json!({"quantity": 500, "schedule": {"type": "monthly"}}));
    let large = with(order(), json!({"quantity": 500, "cardRef": {"name": "gone"}, "card": {}}));
    let full = with(cart(), json!({"items": [{"productVariantId": "var_gone", "quantity": 500}]}));
    for (object, made) in [
        (monthly, json!({"subscriptionId": "sub_1", "phase": "Active"})),
        (large, json!({"orderId": "ord_1", "phase": "Shipped"})),
        (full, json!({"orderId": "ord_1", "phase": "Converted"})),
    ] {
        let again = |object: &Value| {
            let lookup = world(&[profile(), address(), card(), account("dev"), product("allowed")]);
            evaluate_with(Settings::default(), &lookup, Operation::Update, Some(object), None)
        };
        assert!(!again(&object).denials.is_empty(), "{object}");
        let rules = |found: &Evaluation| told(found).iter().all(|one| one.contains("card-exists"));
        let found = again(&with_status(object, made));
        assert!(rules(&found), "{:?}", told(&found));
    }
}
