//! What the command prints is complete, minimal, and the same as what the chart holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use concierge_shared::kind::KINDS;
use concierge_webhook::manifests::{File, Names, Part, chart_files, objects};
use serde_json::{Value, json};

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/concierge")
}

fn manifests(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_concierge-webhook");
    Command::new(program).arg("manifests").args(args).output().unwrap()
}

fn named(objects: &[Value], kind: &str, name: &str) -> Value {
    let found = objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}")).clone()
}

/// Everything, by the usual names.
fn all() -> &'static [Value] {
    static ALL: LazyLock<Vec<Value>> = LazyLock::new(|| objects(None, &Names::default()).unwrap());
    &ALL
}

/// The generated files of the chart.
fn generated() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| chart_files(&chart()).unwrap());
    &FILES
}

fn part(part: Part) -> Vec<Value> {
    objects(Some(part), &Names::default()).unwrap()
}

fn webhooks() -> Vec<Value> {
    part(Part::Webhook).iter().flat_map(|it| it["webhooks"].as_array().unwrap().clone()).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn the_chart_holds_what_the_kinds_say() {
    for file in generated() {
        let held = std::fs::read_to_string(chart().join(file.path)).unwrap_or_default();
        assert!(
            held == file.text,
            "charts/concierge/{} is stale. Write it anew with\n\n    \
             cargo run -p concierge-webhook -- manifests --chart charts/concierge\n",
            file.path
        );
    }
}

#[test]
fn the_command_writes_the_same_files_into_a_chart() {
    let dir = std::env::temp_dir().join(format!("concierge-manifests-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("templates")).unwrap();
    let files = generated();
    for file in files.iter().filter(|file| !file.path.starts_with("templates/")) {
        std::fs::copy(chart().join(file.path), dir.join(file.path)).unwrap();
    }
    let output = manifests(&["--chart", dir.to_str().unwrap()]);
    let written: Vec<_> = files.iter().map(|file| std::fs::read_to_string(dir.join(file.path))).collect();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    for (file, written) in files.iter().zip(written) {
        assert!(written.unwrap() == file.text, "{}", file.path);
    }

    let nowhere = manifests(&["--chart", "/no/such/chart"]);
    let error = String::from_utf8(nowhere.stderr).unwrap();
    assert!(!nowhere.status.success() && error.contains("can't read /no/such/chart"), "{error}");
}

#[test]
fn the_chart_has_the_version_of_the_programs() {
    let text = std::fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn yaml_reads_back_as_the_same_objects() {
    for (argument, part) in [
        (&["crds"][..], Some(Part::Crds)),
        (&["webhook"], Some(Part::Webhook)),
        (&["rbac"], Some(Part::Rbac)),
        (&[], None),
    ] {
        let output = manifests(argument);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let expected = part.map_or_else(|| all().to_vec(), self::part);
        assert!(read == expected, "{argument:?}");
    }
}

#[test]
fn every_kind_and_claims_have_a_definition_that_helm_keeps() {
    let crds = part(Part::Crds);
    let names: Vec<_> = crds.iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = KINDS.iter().map(|kind| kind.crd_name()).collect();
    expected.push("claims.concierge.dev".into());
    expected.sort();
    assert_eq!(names, expected);
    for crd in crds {
        assert_eq!(crd["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
        assert_eq!(crd["spec"]["conversion"], json!({"strategy": "None"}));
    }
}

/// An entry that is renamed would leave its `caBundle`, and with it a broken entry, behind.
#[test]
fn the_entries_keep_their_names() {
    let names: Vec<_> = webhooks().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["mutate.concierge.dev", "validate.concierge.dev"]);
}

#[test]
fn the_api_server_asks_about_our_kinds_and_nothing_else() {
    let expected: BTreeSet<_> =
        KINDS.iter().map(|kind| ((kind.group)(), (kind.version)(), (kind.plural)())).collect();
    for (webhook, validates) in webhooks().iter().zip([false, true]) {
        let mut asked = BTreeSet::new();
        for rule in webhook["rules"].as_array().unwrap() {
            let [[group], [version]] = [texts(&rule["apiGroups"]), texts(&rule["apiVersions"])]
                .map(|it| <[&str; 1]>::try_from(it).unwrap());
            for plural in texts(&rule["resources"]) {
                let new = asked.insert((group.to_owned(), version.to_owned(), plural.to_owned()));
                assert!(new, "{plural} is asked about twice");
                let crd = format!("{plural}.{group}");
                let kind = KINDS.iter().find(|kind| kind.crd_name() == crd).unwrap();
                assert_eq!(rule["scope"], named(all(), "CustomResourceDefinition", &crd)["spec"]["scope"]);
                let deletions = (validates && kind.asked_on_delete).then_some("DELETE");
                let operations: Vec<_> = ["CREATE", "UPDATE"].into_iter().chain(deletions).collect();
                assert_eq!(texts(&rule["operations"]), operations, "{plural}");
            }
        }
        assert_eq!(asked, expected);
    }
}

#[test]
fn nothing_writes_the_bundle_but_its_own_field_manager() {
    let all = serde_json::to_string(all()).unwrap();
    assert!(!all.contains("caBundle"));
    for file in generated().iter().filter(|file| file.path.starts_with("templates/")) {
        assert!(!file.text.contains("caBundle"), "{}", file.path);
    }
}

#[test]
fn names_go_where_they_belong() {
    let names = Names {
        service: "door".into(),
        namespace: "platform".into(),
        port: 8443,
        service_account: "porter".into(),
        reconciler_service_account: Some("clerk".into()),
    };
    let all = objects(None, &names).unwrap();
    let webhook = &named(&all, "ValidatingWebhookConfiguration", "door")["webhooks"][0];
    assert_eq!(
        webhook["clientConfig"]["service"],
        json!({"name": "door", "namespace": "platform", "path": "/validate", "port": 8443})
    );
    let selector = &webhook["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(selector["values"], json!(["kube-system", "platform"]));
    let condition = webhook["matchConditions"][0]["expression"].as_str().unwrap();
    assert_eq!(condition, "request.userInfo.username != 'system:serviceaccount:platform:clerk'");
    for (kind, role, account) in [
        ("ClusterRoleBinding", "door-webhook", "porter"),
        ("RoleBinding", "door-webhook", "porter"),
        ("ClusterRoleBinding", "door-reconciler", "clerk"),
        ("ClusterRoleBinding", "door-claims", "clerk"),
        ("RoleBinding", "door-lease", "clerk"),
    ] {
        let subjects = &named(&all, kind, role)["subjects"];
        let expected = json!([{"kind": "ServiceAccount", "name": account, "namespace": "platform"}]);
        assert_eq!(subjects, &expected, "{role}");
    }
    let text = serde_json::to_string(&all[KINDS.len() + 1..]).unwrap();
    assert!(!text.contains("concierge-system"));

    let accounts = |all: &[Value]| all.iter().filter(|it| it["kind"] == "ServiceAccount").count();
    assert_eq!((accounts(&part(Part::Rbac)), accounts(&all)), (1, 2));
    let output = manifests(&["rbac", "--namespace", "platform"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("namespace: platform"));
}

#[test]
fn what_is_confidential_is_seen_by_those_who_may_edit_and_not_by_those_who_may_view() {
    let all = part(Part::Rbac);
    for kind in KINDS {
        let may_read = |role: &str| {
            let role = named(&all, "ClusterRole", role);
            let rules = role["rules"].as_array().unwrap().clone();
            rules.iter().any(|rule| {
                texts(&rule["resources"]).contains(&(kind.plural)().as_str())
                    && texts(&rule["verbs"]).contains(&"get")
            })
        };
        assert_eq!(may_read("concierge-view"), !kind.confidential, "{kind:?}");
        assert_eq!(may_read("concierge-edit"), kind.confidential, "{kind:?}");
    }
    for kind in ["CoffeeCard", "CoffeeAddress", "CoffeeProfile", "CoffeeOrder"] {
        assert!(KINDS.iter().any(|one| one.name == kind && one.confidential), "{kind}");
    }
}

#[test]
fn nobody_may_touch_secrets_all_over_the_cluster() {
    let all = part(Part::Rbac);
    let bindings: Vec<_> = all.iter().filter(|it| it["kind"] == "ClusterRoleBinding").collect();
    assert_eq!(bindings.len(), 3);
    for binding in bindings {
        let role = named(&all, "ClusterRole", binding["roleRef"]["name"].as_str().unwrap());
        for rule in role["rules"].as_array().unwrap() {
            let parts = ["apiGroups", "resources", "verbs"].iter().flat_map(|it| texts(&rule[it]));
            assert!(!parts.clone().any(|it| it == "*" || it == "secrets"), "{rule}");
        }
    }
}

#[test]
fn a_namespace_is_not_excluded_twice() {
    let names = Names { namespace: "kube-system".into(), ..Names::default() };
    let all = objects(Some(Part::Webhook), &names).unwrap();
    let selector = &all[0]["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(selector["values"], json!(["kube-system"]));
}
