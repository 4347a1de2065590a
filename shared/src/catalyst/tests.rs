use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    admission::{
        envelope::{Operation, UserInfo},
        lookup::{Namespace, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    common::names::is_namespace,
    group::Settings as AllSettings,
    kind::by_name,
};

/// As Python's hashlib and regular expressions make them.
#[test]
fn names_of_namespaces_are_those_of_the_operator_before() {
    for (parts, expect) in [
        (["acme", "shop", "pr-1"], "acme-shop-pr-1"),
        (["Acme Corp", "web_app", "feature/a"], "acme-corp-web-app-feature-a"),
        (["a-b", "c", "d"], "a-b-c-d"),
        (["a", "b-c", "d"], "a-b-c-d"),
        (["", "shop", "pr.1"], "shop-pr-1"),
        (["--x--", "..", "y"], "x-y"),
        (
            ["my-super-long-team-name", "my-super-long-project-name", "feature-branch-of-a-bot"],
            "my-super-long-team-name-my-super-long-project-name-featur-1ad22",
        ),
        (
            ["tttttttttttttttttttttttttttttt", "pppppppppppppppppppppppppp", "-exxxxxxxxxxxxxxxxxxxx"],
            "tttttttttttttttttttttttttttttt-pppppppppppppppppppppppppp-8735c",
        ),
        (
            ["tttttttttttttttttttttttttttttt", "ppppppppppppppppppppppppp", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeee"],
            "tttttttttttttttttttttttttttttt-ppppppppppppppppppppppppp-9792b",
        ),
        (
            ["tttttttttttttttttttt", "pppppppppppppppppppp", "eeeeeeeeeeeeeeeeeeeee"],
            "tttttttttttttttttttt-pppppppppppppppppppp-eeeeeeeeeeeeeeeeeeeee",
        ),
        (
            ["tttttttttttttttttttt", "pppppppppppppppppppp", "eeeeeeeeeeeeeeeeeeeeee"],
            "tttttttttttttttttttt-pppppppppppppppppppp-eeeeeeeeeeeeeee-b17aa",
        ),
    ] {
        assert_eq!(namespace_of(&parts), expect, "{parts:?}");
    }
}

/// The algorithm once more, byte by byte from the end.
fn by_another_way(parts: [&str; 3]) -> String {
    let mut name = Vec::new();
    for part in parts.iter().rev() {
        let start = name.len();
        for byte in part.to_ascii_lowercase().bytes().rev() {
            let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit();
            if plain {
                name.push(byte);
            } else if name.len() > start && name.last() != Some(&b'-') {
                name.push(b'-');
            }
        }
        if name.len() > start && name.last() == Some(&b'-') {
            name.pop();
        }
        if name.len() > start {
            name.push(b'-');
        }
    }
    name.pop();
    name.reverse();
    let name = String::from_utf8(name).unwrap();
    if name.len() < 64 {
        return name;
    }
    let digest: String = Sha256::digest(&name).iter().map(|byte| format!("{byte:02X}")).collect();
    let mut cut = name[..57].to_owned();
    while cut.ends_with('-') {
        cut.pop();
    }
    cut + "-" + &digest[..5].to_lowercase()
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    /// What a label can be.
    fn part(&mut self) -> String {
        let alphabet = b"abcxyzABC0189----__..";
        let length = self.below(64);
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

#[test]
fn a_thousand_names_of_namespaces_are_the_same_by_another_way() {
    let (mut chance, mut long, mut taken) = (Chance(7), 0, std::collections::HashMap::new());
    for _ in 0..1000 {
        let parts: [String; 3] = std::array::from_fn(|_| chance.part());
        let parts = [&*parts[0], &*parts[1], &*parts[2]];
        let name = namespace_of(&parts);
        assert_eq!(name, by_another_way(parts), "{parts:?}");
        assert!(name.is_empty() || is_namespace(&name), "{name}");
        long += usize::from(name.len() > 57);
        let plain: Vec<_> =
            parts.iter().map(|part| sanitised(part)).filter(|part| !part.is_empty()).collect();
        let before = taken.insert(name.clone(), plain.join("-"));
        assert!(before.is_none_or(|before| before == plain.join("-")), "{name} is of two environments");
    }
    assert!(long > 300, "only {long} long names");
}

fn project(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "sources": [{"name": "main", "branch": "main", "repositoryUrl": format!("https://github.com/{namespace}/{name}")}],
            "templates": {"development": {"type": "manifest", "config": {"image": "node:22", "ports": [{"containerPort": 3000}]}}},
        },
    })
}

fn environment(team: &str, project: &str, name: &str) -> Value {
    json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Environment",
        "metadata": {
            "namespace": namespace_of(&[team, project]), "name": name, "uid": "u-1",
            "labels": {TEAM_LABEL: team, PROJECT_LABEL: project, ENVIRONMENT_LABEL: name},
        },
        "spec": {"projectRef": {"name": project}, "type": "development"},
    })
}

fn world(objects: &[Value]) -> World {
    let mut world = World::default();
    for object in objects {
        let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
        world.insert((kind.store)(object.clone()).unwrap());
    }
    world
}

struct Asked<'a> {
    world: &'a World,
    settings: Settings,
    user: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(world: &'a World) -> Self {
        Self { world, settings: Settings::default(), user: Some("jane") }
    }

    fn evaluate(&self, new: &Value, old: Option<&Value>) -> Evaluation {
        let user = self.user.map(|name| UserInfo { username: name.into(), ..UserInfo::default() });
        let (new, old) = (new.to_string(), old.map(Value::to_string));
        let (new, old) = (Raw::from(&*new), old.as_deref().map(Raw::from));
        let name = if old.is_some() { Operation::Update } else { Operation::Create };
        let request = Request {
            stage: Stage::Validate,
            operation: name,
            namespace: "acme-shop",
            user: user.as_ref(),
            object: Some(&new),
            old: old.as_ref(),
        };
        let settings = AllSettings { catalyst: self.settings.clone(), ..AllSettings::default() };
        let context =
            Context { lookup: self.world, enforcement: &Enforcement::default(), settings: &settings };
        (by_name("Environment").unwrap().evaluate)(&request, &context)
    }

    /// The rules that are broken, in alphabetical order.
    fn denied(&self, new: &Value, old: Option<&Value>) -> Vec<&'static str> {
        let mut rules: Vec<_> = self.evaluate(new, old).denials.iter().map(|one| one.rule.id).collect();
        rules.sort_unstable();
        rules
    }
}

/// The same words whether the Project is there or not.
#[test]
fn whoever_may_not_read_a_project_does_not_learn_whether_it_is_there() {
    let with = world(&[project("acme", "shop")]);
    assert!(Asked::of(&with).denied(&environment("acme", "shop", "pr-1"), None).is_empty());
    let told = |mut world: World| {
        world.hide("Project", "acme");
        let found = Asked::of(&world).evaluate(&environment("acme", "shop", "pr-1"), None);
        let told: Vec<_> = found.denials.iter().chain(&found.warnings).cloned().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].rule.id, "catalyst.environment.project-exists");
        told
    };
    assert_eq!(told(with), told(world(&[])));
}

#[test]
fn a_stored_environment_is_judged_again_without_asking_for_anybodys_rights() {
    let mut world = world(&[project("acme", "shop")]);
    world.hide("Project", "acme");
    let asked = Asked { user: None, ..Asked::of(&world) };
    assert!(asked.denied(&environment("acme", "shop", "pr-1"), None).is_empty());
}

#[test]
fn an_environment_keeps_the_namespace_that_was_made_for_it_and_no_other() {
    let mut world = world(&[project("acme", "shop")]);
    let mut stored = environment("acme", "shop", "pr-1");
    stored["spec"]["ttl"] = json!("1d");
    let mut changed = stored.clone();
    changed["spec"]["ttl"] = json!("2d");
    let mut check = |namespace: Namespace, created: &[&str], updated: &[&str]| {
        world.insert_namespace("acme-shop-pr-1", namespace);
        let asked = Asked::of(&world);
        assert_eq!(asked.denied(&stored, None), created);
        // What an update finds wrong was wrong before, and is a warning.
        let found = asked.evaluate(&changed, Some(&stored));
        let warned: Vec<_> = found.warnings.iter().map(|one| one.rule.id).collect();
        assert_eq!((found.denials.len(), &*warned), (0, updated));
    };
    let free = "catalyst.environment.target-free";
    check(Namespace::default(), &[free], &[free]);
    check(Namespace { owner: Some("u-2".into()), ..Namespace::default() }, &[free], &[free]);
    check(Namespace { owner: Some("u-1".into()), ..Namespace::default() }, &[], &[]);
    check(Namespace { terminating: true, ..Namespace::default() }, &[], &[]);
}

#[test]
fn names_of_two_teams_that_make_one_namespace_are_refused() {
    let mut stored = environment("a-b", "c", "d");
    stored["metadata"]["namespace"] = json!("elsewhere");
    let around = [project("a-b", "c"), project("a", "b-c"), stored];
    let mut other = environment("a", "b-c", "d");
    other["spec"]["host"] = json!("other");
    assert_eq!(Asked::of(&world(&around)).denied(&other, None), ["catalyst.environment.target-unique"]);
    other["metadata"]["name"] = json!("e");
    other["metadata"]["labels"][ENVIRONMENT_LABEL] = json!("e");
    assert!(Asked::of(&world(&around)).denied(&other, None).is_empty());
}

#[test]
fn the_id_is_set_by_whom_an_operator_names() {
    let world = world(&[project("acme", "shop")]);
    let setters = vec!["system:serviceaccount:web:web".to_owned(), "platform".to_owned()];
    let settings = || Settings { environment_id_setters: setters.clone(), ..Settings::default() };
    let plain = environment("acme", "shop", "pr-1");
    let mut with = plain.clone();
    with["metadata"]["annotations"] = json!({ID_ANNOTATION: "0b7d8a4e-3c52"});
    let denied = |user: Option<&str>, old: Option<&Value>| {
        Asked { world: &world, settings: settings(), user }.denied(&with, old)
    };
    for old in [None, Some(&plain)] {
        assert_eq!(denied(Some("jane"), old), ["catalyst.environment.id-setter"]);
        assert!(denied(Some("system:serviceaccount:web:web"), old).is_empty());
        assert!(denied(Some("platform"), old).is_empty());
        assert!(denied(None, old).is_empty());
    }
    // It is there already.
    assert!(denied(Some("jane"), Some(&with)).is_empty());
}

#[test]
fn namespaces_that_an_operator_names_are_reserved() {
    let world = world(&[project("acme", "shop")]);
    let mut asked = Asked::of(&world);
    asked.settings.reserved_namespaces = vec!["acme-shop-pr-1".into()];
    assert_eq!(
        asked.denied(&environment("acme", "shop", "pr-1"), None),
        ["catalyst.environment.target-name"]
    );
    let mut asked = Asked::of(&world);
    asked.settings.ingress_namespace = "acme-shop-pr-1".into();
    assert_eq!(
        asked.denied(&environment("acme", "shop", "pr-1"), None),
        ["catalyst.environment.target-name"],
        "the ingress controller's"
    );
    let kube = [project("kube", "node")];
    let refused = Asked::of(&self::world(&kube)).denied(&environment("kube", "node", "lease"), None);
    assert_eq!(refused, ["catalyst.environment.target-name"]);
}

#[test]
fn the_namespace_of_an_environment_is_its_host_and_nobody_elses() {
    let around = [project("acme", "shop"), environment("acme", "shop", "pr-1")];
    let mut other = environment("acme", "shop", "pr-2");
    other["spec"]["host"] = json!("acme-shop-pr-1");
    assert_eq!(Asked::of(&world(&around)).denied(&other, None), ["catalyst.environment.host-unique"]);
    other["spec"]["host"] = json!("acme-shop-pr-11");
    assert!(Asked::of(&world(&around)).denied(&other, None).is_empty());
}

#[test]
fn hosts_that_an_operator_reserves_are_nobodys() {
    let world = world(&[project("acme", "shop")]);
    let mut asked = Asked::of(&world);
    asked.settings.preview_domain = "example.com".into();
    asked.settings.reserved_hosts = vec!["www".into(), "Login.example.com.".into(), "acme-shop-pr-1".into()];
    let with = |host: &str| {
        let mut environment = environment("acme", "shop", "pr-1");
        environment["spec"]["host"] = json!(host);
        environment
    };
    for host in ["www", "login", "acme-shop-pr-1"] {
        assert_eq!(asked.denied(&with(host), None), ["catalyst.environment.host-free"], "{host}");
    }
    for host in ["www2", "example", "login-example-com"] {
        assert!(asked.denied(&with(host), None).is_empty(), "{host}");
    }
    // It is the host that it has without another one.
    let found = asked.evaluate(&environment("acme", "shop", "pr-1"), None);
    assert_eq!(found.denials.len(), 1, "{:?}", found.denials);
    assert!(found.denials[0].message.contains("rules.catalyst.reservedHosts"), "{:?}", found.denials);
}

/// Also where it names none, or calls the only one by another name.
#[test]
fn a_source_is_needed_by_what_the_template_takes_from_it() {
    let project = |template: Value| -> ProjectSpec {
        let source = |name: &str| json!({"name": name, "branch": "main", "repositoryUrl": "https://github.com/acme/shop"});
        serde_json::from_value(
            json!({"sources": [source("app"), source("lib")], "templates": {"development": template}}),
        )
        .unwrap()
    };
    let needed = |template: Value, more: Value| -> Vec<String> {
        let mut spec = json!({"projectRef": {"name": "shop"}, "type": "development"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let spec: EnvironmentSpec = serde_json::from_value(spec).unwrap();
        spec.needed_sources(&project(template)).into_iter().map(str::to_owned).collect()
    };
    let mounted =
        json!({"volumeMounts": [{"name": "code", "mountPath": "/code"}], "volumes": [{"name": "code"}]});
    let builds = json!([{"name": "web", "sourceRef": "lib"}]);
    assert!(needed(json!({"type": ""}), json!({})).is_empty());
    assert_eq!(needed(json!({"type": "", "config": mounted}), json!({})), ["app"]);
    assert_eq!(needed(json!({"type": "", "sourceRef": "lib"}), json!({"config": mounted})), ["lib"]);
    assert_eq!(
        needed(json!({"type": "helm", "sourceRef": "app", "builds": builds}), json!({})),
        ["app", "lib"]
    );
    let workspace = json!({"deploymentMode": "workspace"});
    assert!(needed(json!({"type": "helm", "sourceRef": "app", "builds": builds}), workspace).is_empty());
}
