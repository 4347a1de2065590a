use std::collections::BTreeMap;

use super::*;

#[test]
fn names_are_unique_and_match_the_crds() {
    let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len());
    for kind in KINDS {
        assert_eq!((kind.crd)().spec.names.kind, kind.name);
        assert_eq!((kind.crd)().metadata.name, Some(kind.crd_name()));
    }
}

#[test]
fn short_names_collide_neither_with_each_other_nor_with_names() {
    let mut seen = BTreeSet::new();
    for kind in KINDS {
        let names = (kind.crd)().spec.names;
        let all = [Some(names.plural), names.singular].into_iter().flatten();
        for name in all.chain(names.short_names.into_iter().flatten()) {
            assert!(seen.insert(name.clone()), "{name} is taken twice");
        }
    }
}

#[test]
fn what_can_be_refused_on_deletion_is_asked_about() {
    let asked: Vec<_> = KINDS.iter().filter(|kind| kind.asked_on_delete).map(|kind| kind.name).collect();
    let protected = |kind: &&KindInfo| kind.rules.iter().any(|rule| rule.id.ends_with(".in-use"));
    for kind in KINDS.iter().filter(protected) {
        assert!(asked.contains(&kind.name), "{kind:?}");
    }
    for kind in ["Pet", "CoffeeApp", "CoffeeCart", "TerminalToken", "CoffeeProduct"] {
        assert!(!asked.contains(&kind), "{kind}");
    }
}

#[test]
fn fields_that_may_hold_a_secret_are_in_the_schema() {
    for kind in KINDS {
        let crd = serde_json::to_value((kind.crd)()).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for field in kind.secret_fields {
            let found = field.split('.').fold(schema, property);
            let is_any = found["x-kubernetes-preserve-unknown-fields"] == true;
            assert!(is_any || found["type"] == "string", "{field} of {kind:?}");
        }
    }
}

/// `name`, `name[]` or `name{}`
fn property<'a>(schema: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let found = &schema["properties"][name.trim_end_matches(['[', ']', '{', '}'])];
    match name {
        _ if name.ends_with("[]") => &found["items"],
        _ if name.ends_with("{}") => &found["additionalProperties"],
        _ => found,
    }
}

/// `coffee.address.country` is a rule of the kind CoffeeAddress, wherever else an address stands;
/// `coffee.variant.id` is one of a value that is no kind, and stands in several.
#[test]
fn rule_ids_begin_with_group_and_the_kind_or_value_that_is_judged() {
    let named = |kind: &str, word: &str| kind.to_lowercase().ends_with(word);
    let mut values: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (rule, kinds) in all_rules().into_iter().filter(|(rule, _)| !rule.id.starts_with("object.")) {
        let [group, judged, _] = rule.id.split('.').collect::<Vec<_>>()[..] else {
            panic!("{} is not of the form group.value.rule", rule.id)
        };
        if KINDS.iter().any(|kind| kind.group_name() == group && named(kind.name, judged)) {
            assert!(kinds.iter().any(|kind| named(kind, judged)), "{} of {kinds:?}", rule.id);
        } else {
            values.entry(format!("{group}.{judged}")).or_default().extend(kinds);
        }
    }
    for (value, kinds) in values {
        assert!(kinds.len() > 1, "{value} is no kind, and only {kinds:?} has it");
    }
}
