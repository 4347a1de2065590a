use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    admission::{
        defaults,
        envelope::Operation,
        lookup::{Found, Lookup, Namespace, Nothing, Selection, World},
        object::Raw,
        reference::{ALLOWED_NAMESPACES_ANNOTATION, DELETE_IN_USE_ANNOTATION},
        resync::RESYNC_ANNOTATION,
        review::{Context, Evaluation, Request, Stage},
        rule::{Enforcement, RULES_ANNOTATION},
    },
    group::Settings,
    kind::{KINDS, Kind, by_name},
};

fn pet(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "petstore.example.com/v1", "kind": "Pet",
           "metadata": {"name": name, "namespace": "zoo", "uid": name}, "spec": spec})
}

fn store(name: &str, config: Value) -> Value {
    json!({"apiVersion": "petstore.example.com/v1", "kind": "PetStore",
           "metadata": {"name": name, "namespace": "zoo"}, "spec": {"name": name, "config": config}})
}

fn world(objects: &[Value]) -> World {
    let mut world = World::default();
    for object in objects {
        let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
        world.insert((kind.store)(object.clone()).unwrap());
    }
    world
}

fn evaluate(
    lookup: &dyn Lookup,
    operation: Operation,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Evaluation {
    let kind = by_name(object.or(old).unwrap()["kind"].as_str().unwrap()).unwrap();
    let (object, old) = (object.map(Value::to_string), old.map(Value::to_string));
    let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
    let request = Request {
        stage: Stage::Validate,
        operation,
        namespace: "zoo",
        user: None,
        object: object.as_ref(),
        old: old.as_ref(),
    };
    let context = Context { lookup, enforcement: &Enforcement::default(), settings: &Settings::default() };
    (kind.evaluate)(&request, &context)
}

fn create(world: &World, object: Value) -> Vec<String> {
    denials(&evaluate(world, Operation::Create, Some(&object), None))
}

fn denials(evaluation: &Evaluation) -> Vec<String> {
    evaluation.denials.iter().map(|one| format!("{} {}", one.rule.id, one.field)).collect()
}

#[test]
fn all_problems_are_named_at_once() {
    let found = create(&World::default(), pet("rex", json!({"id": 0, "name": " ", "tag": "a\tb"})));
    assert_eq!(found, ["pets.pet.id spec.id", "pets.pet.name spec.name", "pets.pet.tag spec.tag"]);
}

#[test]
fn the_largest_id_is_exact_and_one_more_is_refused() {
    assert!(create(&World::default(), pet("rex", json!({"id": i64::MAX, "name": "Rex"}))).is_empty());
    let found =
        create(&World::default(), pet("rex", json!({"id": 9_223_372_036_854_775_808_u64, "name": "Rex"})));
    assert_eq!(found, ["object.schema spec.id"]);
}

#[test]
fn an_id_is_claimed_once() {
    let world = world(&[pet("rex", json!({"id": 7, "name": "Rex"}))]);
    assert_eq!(create(&world, pet("max", json!({"id": 7, "name": "Max"}))), ["pets.pet.unique-id spec.id"]);
    let free = evaluate(&world, Operation::Create, Some(&pet("max", json!({"id": 8, "name": "Max"}))), None);
    assert_eq!(free.claims.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>(), ["8"]);
}

#[test]
fn the_only_store_governs_pets_that_name_none() {
    let world = world(&[store("shop", json!({"allowedTags": ["cat"]}))]);
    let tagged = |tag: &str| create(&world, pet("rex", json!({"id": 7, "name": "Rex", "tag": tag})));
    assert!(tagged("cat").is_empty());
    assert!(create(&world, pet("rex", json!({"id": 7, "name": "Rex"}))).is_empty());
    assert_eq!(tagged("dog"), ["pets.pet.tag-allowed spec.tag"]);
    assert_eq!(tagged("Cat"), ["pets.pet.tag-allowed spec.tag"]);
}

#[test]
fn of_several_stores_one_must_allow_the_tag() {
    let world = world(&[
        store("a", json!({"allowedTags": ["cat"], "maxPets": 1})),
        store("b", json!({"allowedTags": ["dog"]})),
        pet("tom", json!({"id": 1, "name": "Tom", "tag": "cat"})),
    ]);
    let tagged = |tag: &str| create(&world, pet("rex", json!({"id": 7, "name": "Rex", "tag": tag})));
    assert!(tagged("dog").is_empty());
    assert_eq!(tagged("fish"), ["pets.pet.tag-allowed spec.tag"]);
    assert_eq!(tagged("cat"), ["pets.pet.capacity spec"]);
}

#[test]
fn a_named_store_must_exist_and_have_room() {
    let world = world(&[
        store("a", json!({"maxPets": 1})),
        pet("tom", json!({"id": 1, "name": "Tom", "storeRef": {"name": "a"}})),
    ]);
    let named =
        |name: &str| create(&world, pet("rex", json!({"id": 7, "name": "Rex", "storeRef": {"name": name}})));
    assert_eq!(named("a"), ["pets.pet.capacity spec.storeRef.name"]);
    assert_eq!(named("gone"), ["pets.pet.store-exists spec.storeRef.name"]);
}

#[test]
fn a_store_with_pets_is_not_deleted() {
    let shop = store("shop", json!({}));
    for spec in
        [json!({"id": 1, "name": "Tom"}), json!({"id": 1, "name": "Tom", "storeRef": {"name": "shop"}})]
    {
        let held = world(&[shop.clone(), pet("tom", spec)]);
        assert_eq!(
            denials(&evaluate(&held, Operation::Delete, None, Some(&shop))),
            ["pets.petstore.in-use metadata.name"]
        );
    }
    assert!(
        denials(&evaluate(&world(std::slice::from_ref(&shop)), Operation::Delete, None, Some(&shop)))
            .is_empty()
    );
}

#[test]
fn tightening_tags_warns_and_lists_pets() {
    let old = store("shop", json!({"allowedTags": ["cat", "dog"]}));
    let new = store("shop", json!({"allowedTags": ["dog"]}));
    let world = world(&[old.clone(), pet("tom", json!({"id": 1, "name": "Tom", "tag": "cat"}))]);
    let found = evaluate(&world, Operation::Update, Some(&new), Some(&old));
    assert!(found.denials.is_empty());
    assert!(found.warnings[0].message.contains("tom"), "{:?}", found.warnings);
}

#[test]
fn an_update_may_keep_an_old_problem_but_not_bring_a_new_one() {
    let old = pet("rex", json!({"id": 7, "name": "bad/name"}));
    let kept = evaluate(
        &World::default(),
        Operation::Update,
        Some(&pet("rex", json!({"id": 7, "name": "bad/name", "tag": "x"}))),
        Some(&old),
    );
    assert!(kept.denials.is_empty());
    assert_eq!(kept.warnings[0].rule.id, "pets.pet.name");
    let new = evaluate(
        &World::default(),
        Operation::Update,
        Some(&pet("rex", json!({"id": 8, "name": "Rex"}))),
        Some(&old),
    );
    assert_eq!(denials(&new), ["pets.pet.id-immutable spec.id"]);
}

#[test]
fn an_update_keeps_only_values_that_stay_as_they_are() {
    let around =
        [store("shop", json!({"allowedTags": ["cat"]})), store("spa", json!({"allowedTags": ["cat"]}))];
    let old = pet("polly", json!({"id": 7, "name": "Polly", "tag": "parrot", "storeRef": {"name": "shop"}}));
    let changed = |changes: Value| {
        let mut new = old.clone();
        json_patch::merge(&mut new["spec"], &changes);
        denials(&evaluate(&world(&around), Operation::Update, Some(&new), Some(&old)))
    };
    assert!(changed(json!({"name": "Pollux"})).is_empty());
    assert_eq!(changed(json!({"tag": "lion"})), ["pets.pet.tag-allowed spec.tag"]);
    assert_eq!(changed(json!({"storeRef": {"name": "spa"}})), ["pets.pet.tag-allowed spec.tag"]);
    let nowhere = pet("rex", json!({"id": 8, "name": "Rex", "storeRef": {"name": "nowhere"}}));
    let elsewhere = pet("rex", json!({"id": 8, "name": "Rex", "storeRef": {"name": "elsewhere"}}));
    let found = evaluate(&world(&around), Operation::Update, Some(&elsewhere), Some(&nowhere));
    assert_eq!(denials(&found), ["pets.pet.store-exists spec.storeRef.name"]);
}

#[test]
fn items_of_a_list_are_kept_wherever_they_come_to_stand() {
    let tags = |tags: &[&str]| store("shop", json!({"allowedTags": tags, "maxPets": 5, "defaultLimit": 5}));
    let check = |old: &[&str], new: &[&str], expect: &[&str]| {
        let found = evaluate(&World::default(), Operation::Update, Some(&tags(new)), Some(&tags(old)));
        let expect: Vec<_> = expect
            .iter()
            .map(|index| format!("pets.petstore.allowed-tags spec.config.allowedTags[{index}]"))
            .collect();
        assert_eq!(denials(&found), expect, "{old:?} {new:?}");
    };
    check(&["a/b", "c/d", "e"], &["c/d", "e"], &[]);
    check(&["a/b", "c/d"], &["c/d", "a/b"], &[]);
    check(&["a/b"], &["g", "a/b"], &[]);
    check(&["a/b"], &["a/c"], &["0"]);
    check(&["a/b", "c"], &["a/b", "a/c"], &["1"]);
    // One problem excuses one; the other is that the tag is there twice.
    check(&["a/b"], &["a/b", "a/b"], &["1", "1"]);
    // However many there are.
    let many: Vec<_> = (0..1000).map(|nth| format!("{nth}/ä")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    check(&many, &many[100..], &[]);
    let reversed: Vec<_> = many.iter().rev().copied().collect();
    check(&many, &reversed, &[]);
}

/// Counts the lists that it is asked for.
struct Counting {
    behind: World,
    asked: AtomicUsize,
}

impl Lookup for Counting {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        self.behind.find(kind, namespace, name)
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        self.asked.fetch_add(1, Relaxed);
        self.behind.select(kind, key)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }
}

#[test]
fn the_stored_object_is_examined_only_when_something_would_be_refused() {
    let asked = |annotation, name: &str| {
        let mut counting = Counting { behind: world(&[]), asked: AtomicUsize::new(0) };
        counting.behind.insert_namespace("zoo", Namespace::read(annotation, false));
        let old = pet("rex", json!({"id": 7, "name": "a/b"}));
        let new = pet("rex", json!({"id": 7, "name": name}));
        let found = evaluate(&counting, Operation::Update, Some(&new), Some(&old));
        let told = found.denials.iter().chain(&found.warnings).map(|one| one.rule.id.to_owned());
        (told.collect::<Vec<_>>(), counting.asked.into_inner())
    };
    let (nothing, once) = asked(None, "Rex");
    assert!(nothing.is_empty() && once > 0);
    assert_eq!(asked(Some("nonsense"), "Rex"), (vec!["object.namespace-rules".to_owned()], once));
    assert_eq!(asked(None, "a/c"), (vec!["pets.pet.name".to_owned()], 2 * once));
}

#[test]
fn metadata_only_updates_and_terminating_objects_pass() {
    let old = pet("rex", json!({"id": 0, "name": ""}));
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert!(denials(&evaluate(&World::default(), Operation::Update, Some(&labelled), Some(&old))).is_empty());
    let mut terminating = pet("rex", json!({"id": -1, "name": ""}));
    terminating["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(
        denials(&evaluate(&World::default(), Operation::Update, Some(&terminating), Some(&old))).is_empty()
    );
}

/// The level of a rule for the cluster and for the namespace, and what becomes of an object that breaks it.
#[test]
fn a_namespace_lowers_neither_what_the_cluster_set_nor_what_protects_others() {
    let around = [
        store("shop", json!({"allowedTags": ["cat"]})),
        pet("max", json!({"id": 7, "name": "Max", "tag": "cat"})),
    ];
    let verdict = |cluster: &str, local: &str, object: &Value| {
        let mut world = world(&around);
        world.insert_namespace("zoo", Namespace::read(Some(local), false));
        let object = object.to_string();
        let raw = Raw::from(&*object);
        let request = Request {
            stage: Stage::Validate,
            operation: Operation::Create,
            namespace: "zoo",
            user: None,
            object: Some(&raw),
            old: None,
        };
        let enforcement = cluster.parse().unwrap();
        let context = Context { lookup: &world, enforcement: &enforcement, settings: &Settings::default() };
        denials(&(by_name("Pet").unwrap().evaluate)(&request, &context)).len()
    };
    let dog = pet("rex", json!({"id": 8, "name": "Rex", "tag": "dog"}));
    let double = pet("rex", json!({"id": 7, "name": "Rex", "tag": "cat"}));
    for (cluster, local, object, denied) in [
        ("", "", &dog, 1),
        ("", "pets=warn", &dog, 0),
        ("pets=warn", "", &dog, 0),
        ("pets=warn", "pets.pet.tag-allowed=deny", &dog, 1),
        ("pets.pet.tag-allowed=deny", "pets=off", &dog, 1),
        ("", "pets.pet.unique-id=warn", &double, 1),
        ("", "pets=off", &double, 1),
        ("pets.pet.unique-id=warn", "", &double, 0),
    ] {
        assert_eq!(verdict(cluster, local, object), denied, "{cluster:?} {local:?}");
    }
}

#[test]
fn a_slip_in_the_annotation_of_a_namespace_is_warned_about_and_has_no_effect() {
    let mut world = world(&[store("shop", json!({"allowedTags": ["cat"]}))]);
    world.insert_namespace(
        "zoo",
        Namespace::read(Some("pets.pet.tag-alowed=warn, pets.pet.name=perhaps"), false),
    );
    let dog = pet("rex", json!({"id": 8, "name": "Rex", "tag": "dog"}));
    let found = evaluate(&world, Operation::Create, Some(&dog), None);
    assert_eq!(denials(&found), ["pets.pet.tag-allowed spec.tag"]);
    let told: Vec<_> = found.warnings.iter().map(|one| (one.rule.id, one.message.as_str())).collect();
    assert!(told.iter().all(|(rule, _)| *rule == "object.namespace-rules") && told.len() == 2, "{told:?}");
    assert!(
        told.iter().any(|(_, message)| message.contains("did you mean pets.pet.tag-allowed?")),
        "{told:?}"
    );
}

#[test]
fn a_label_that_moves_a_pet_is_judged_like_a_change_of_its_spec() {
    let world = world(&[
        store("tiny", json!({"allowedTags": ["cat"], "maxPets": 1})),
        store("zoo", json!({"allowedTags": ["parrot"]})),
        pet("tom", json!({"id": 1, "name": "Tom", "tag": "cat", "storeRef": {"name": "tiny"}})),
    ]);
    let polly = pet("polly", json!({"id": 7, "name": "Polly", "tag": "parrot", "storeRef": {"name": "zoo"}}));
    let moved = |store: &str| {
        let mut moved = polly.clone();
        moved["metadata"]["labels"] = json!({STORE_LABEL: store});
        denials(&evaluate(&world, Operation::Update, Some(&moved), Some(&polly)))
    };
    let label = format!("metadata.labels[{STORE_LABEL}]");
    assert_eq!(moved("tiny"), [format!("pets.pet.capacity {label}"), "pets.pet.tag-allowed spec.tag".into()]);
    assert_eq!(moved("none"), [format!("pets.pet.store-exists {label}")]);
    assert!(moved("zoo").is_empty());
}

#[test]
fn a_resync_out_of_bounds_is_refused_also_when_nothing_else_changes() {
    for kind in KINDS {
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.name,
                            "metadata": {"name": "a", "namespace": "zoo"}, "spec": {}});
        let annotated = |resync: &str| {
            let mut annotated = object.clone();
            annotated["metadata"]["annotations"] = json!({RESYNC_ANNOTATION: resync});
            annotated
        };
        let refused = |old: &Value, new: &Value| {
            let found = denials(&evaluate(&World::default(), Operation::Update, Some(new), Some(old)));
            !found.is_empty()
        };
        // A spec that does not fit the schema is refused too: what counts is that the update is judged.
        assert!(refused(&object, &annotated("25h")), "{kind:?}");
        assert!(!refused(&annotated("25h"), &annotated("25h")), "{kind:?}");
    }
    let rex = |resync: &str| {
        let mut rex = pet("rex", json!({"id": 7, "name": "Rex"}));
        rex["metadata"]["annotations"] = json!({RESYNC_ANNOTATION: resync});
        rex
    };
    let update = |old: &str, new: &str| {
        denials(&evaluate(&World::default(), Operation::Update, Some(&rex(new)), Some(&rex(old))))
    };
    assert_eq!(update("1h", "25h"), [format!("object.resync metadata.annotations[{RESYNC_ANNOTATION}]")]);
    assert!(update("25h", "1h").is_empty());
}

/// The owner of an object may always take a permission back, and nobody's update is held up by such an annotation.
#[test]
fn annotations_are_changed_without_being_judged() {
    for (key, value) in [
        (ALLOWED_NAMESPACES_ANNOTATION, "zoo"),
        (DELETE_IN_USE_ANNOTATION, "true"),
        (RULES_ANNOTATION, "zoo"),
    ] {
        let plain = pet("rex", json!({"id": 0, "name": ""}));
        let mut annotated = plain.clone();
        annotated["metadata"]["annotations"] = json!({key: value});
        for (old, new) in [(&plain, &annotated), (&annotated, &plain)] {
            let found = evaluate(&World::default(), Operation::Update, Some(new), Some(old));
            assert!(found.denials.is_empty() && found.warnings.is_empty(), "{key}: {found:?}");
        }
    }
}

#[test]
fn an_annotation_without_effect_is_warned_about_when_it_is_set_whatever_else_is_wrong() {
    let plain = pet("rex", json!({"id": 0, "name": ""}));
    let mut annotated = plain.clone();
    annotated["metadata"]["annotations"] = json!({"concierge.dev/abandon": "yes"});
    let mut labelled = annotated.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    let warnings = |old: &Value, new: &Value| {
        let found = evaluate(&World::default(), Operation::Update, Some(new), Some(old));
        assert!(found.denials.is_empty(), "{found:?}");
        found.warnings.iter().map(|problem| problem.field.to_string()).collect::<Vec<_>>()
    };
    let named = ["metadata.annotations[concierge.dev/abandon]"];
    assert_eq!(warnings(&plain, &annotated), named);
    assert_eq!(warnings(&annotated, &labelled), [""; 0], "it was told before");
    for object in [&mut annotated, &mut labelled] {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    assert_eq!(warnings(&plain, &annotated), named);
}

#[test]
fn what_cannot_be_looked_up_is_unresolved_and_needs_a_live_read() {
    let found =
        evaluate(&Nothing, Operation::Create, Some(&pet("rex", json!({"id": 7, "name": "Rex"}))), None);
    assert!(found.denials.is_empty());
    assert!(!found.unresolved.is_empty());
    assert!(!found.needs.is_empty());
}

#[test]
fn defaults_of_a_store_apply_as_a_patch() {
    for spec in [
        json!({"name": " Shop "}),
        json!({"name": "Shop", "config": null}),
        json!({"name": "Shop", "config": {"maxPets": null, "allowedTags": [" a", "b"], "unknown": {"kept": 1}}}),
    ] {
        let raw = json!({"metadata": {"name": "shop"}, "spec": spec}).to_string();
        let object = Raw::from(&*raw).decode::<PetStore>().unwrap();
        let (defaulted, patch) = defaults::Defaulted::new(object);
        let patched = defaults::apply(&raw, &patch).unwrap();
        let again = Raw::from(&*patched.to_string()).decode::<PetStore>().unwrap();
        assert_eq!(again.spec, defaulted.spec);
        assert!(defaults::Defaulted::new(again).1.is_empty(), "defaulting twice changes nothing");
        assert_eq!(patched["spec"]["config"]["maxPets"], 100);
    }
}

#[test]
fn base_urls_and_origins_are_judged() {
    let verdict = |spec: Value| {
        let mut object = store("shop", json!({}));
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        create(&World::default(), object)
    };
    assert!(verdict(json!({"endpoints": {"baseUrl": "http://localhost:8080/api/v3"}})).is_empty());
    for bad in ["ftp://x", "http://", "https://u:p@x/", "https://x/#f", "https://x/?q", "/api"] {
        let found = verdict(json!({"endpoints": {"baseUrl": bad}}));
        assert_eq!(found, ["pets.petstore.base-url spec.endpoints.baseUrl"], "{bad}");
    }
    assert!(verdict(json!({"security": {"allowedOrigins": ["https://a.example:8443"]}})).is_empty());
    assert!(
        verdict(json!({"security": {"requireAuthentication": false, "allowedOrigins": ["*"]}})).is_empty()
    );
    for bad in ["*", "https://a/", "a", "https://a/b"] {
        let found = verdict(json!({"security": {"allowedOrigins": [bad]}}));
        assert_eq!(found, ["pets.petstore.allowed-origins spec.security.allowedOrigins[0]"], "{bad}");
    }
}

#[test]
fn the_crds_carry_bounds_immutability_and_defaults() {
    let crd = serde_json::to_value((by_name(Pet::NAME).unwrap().crd)()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    assert_eq!(spec["id"]["minimum"], 1.0, "{spec:#}");
    assert_eq!(spec["id"]["format"], "int64");
    assert_eq!(spec["id"]["x-kubernetes-validations"][0]["rule"], "self == oldSelf");
    assert_eq!(spec["name"]["maxLength"], 255);
    let crd = serde_json::to_value((by_name(PetStore::NAME).unwrap().crd)()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    assert_eq!(spec["config"]["properties"]["maxPets"]["default"], 100);
    assert_eq!(spec["config"]["default"], json!({}), "{spec:#}");
}
