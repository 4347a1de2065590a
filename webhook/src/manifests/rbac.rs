//! Who may do what: as little as the work needs.
//!
//! | role | what for |
//! |---|---|
//! | [`webhook`] | looks things up, makes claims, asks whether a requester may know a holder's name |
//! | [`bundles`], [`authority`] | the life of the certificates (see the crate `concierge-certs`) |
//! | [`reconciler`] | watches objects, writes their status, finalizers and events |
//! | [`claims`] | releases them |
//! | [`kept_bindings`] | keeps RoleBindings in namespaces that are deleted (`concierge-reconciler`'s module `bindings`) |
//! | [`lease`] | one replica reconciles |
//! | [`secrets`] | credentials; bound to no one unless an operator says where |
//! | [`children`] | objects of Kubernetes' own kinds that a group's objects own; bound to no one unless an operator says so |
//! | [`bound`] | what children are bound to, each in one namespace: what deploys into an environment |
//! | [`view`], [`edit`] | users, by way of Kubernetes' own roles of these names |
//!
//! `create` can't be limited to a name: the API server does not know it yet when it decides.

use std::collections::{BTreeMap, BTreeSet};

use concierge_shared::{
    access::Access,
    child,
    kind::{KINDS, KindInfo},
};
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
};
use serde_json::Value;

use super::{ManifestsError, json, names::Names};

const READ: [&str; 3] = ["get", "list", "watch"];

/// Service accounts, roles and bindings.
pub(super) fn objects(names: &Names) -> Result<Vec<Value>, ManifestsError> {
    let (webhook_account, reconciler_account) = (&*names.service_account, names.reconciler());
    let mut all = vec![json(&service_account(names, webhook_account))?];
    if webhook_account != reconciler_account {
        all.push(json(&service_account(names, reconciler_account))?);
    }
    for (suffix, rules, account) in [
        ("webhook", [webhook(), bundles(&names.service)].concat(), webhook_account),
        ("reconciler", reconciler(), reconciler_account),
        ("claims", claims(), reconciler_account),
    ] {
        all.push(json(&cluster_role(names, suffix, rules))?);
        all.push(json(&cluster_binding(names, suffix, account))?);
    }
    for (suffix, rules, account) in [
        ("webhook", authority(&names.authority()), webhook_account),
        ("lease", lease(&names.lease()), reconciler_account),
    ] {
        all.push(json(&role(names, suffix, rules))?);
        all.push(json(&binding(names, suffix, account))?);
    }
    all.push(json(&cluster_role(names, "secrets", secrets()))?);
    for group in child::by_group(KINDS).keys() {
        let rules = children(KINDS, group, &names.with(""));
        all.push(json(&cluster_role(names, &format!("children-{group}"), rules))?);
        for (role, rules) in bound(KINDS, group) {
            all.push(json(&cluster_role(names, role, rules))?);
        }
    }
    all.push(json(&aggregated(cluster_role(names, "view", view()), &["view"]))?);
    all.push(json(&aggregated(cluster_role(names, "edit", edit()), &["edit", "admin"]))?);
    Ok(all)
}

/// All over the cluster.
pub(super) fn webhook() -> Vec<PolicyRule> {
    let mut rules = kinds("", &READ, &|_| true);
    rules.push(rule("", &["namespaces"], &READ));
    rules.push(on_claims(&["get", "create", "delete"]));
    rules.push(rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]));
    rules
}

/// The two configurations called `name`; a list or a watch of them asks for that name only.
pub(super) fn bundles(name: &str) -> Vec<PolicyRule> {
    let configurations = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
    let verbs = [&READ[..], &["patch"]].concat();
    vec![named(rule("admissionregistration.k8s.io", &configurations, &verbs), name)]
}

/// The Secret of the certificate authority, in our namespace.
pub(super) fn authority(secret: &str) -> Vec<PolicyRule> {
    let verbs = [&READ[..], &["update", "patch"]].concat();
    vec![rule("", &["secrets"], &["create"]), named(rule("", &["secrets"], &verbs), secret)]
}

/// In the whole cluster, or in each namespace that is reconciled. Updates of the finalizers subresource are what
/// owner references with blockOwnerDeletion need.
pub(super) fn reconciler() -> Vec<PolicyRule> {
    let mut rules = kinds("", &[&READ[..], &["update", "patch"]].concat(), &|_| true);
    rules.append(&mut kinds("/status", &["get", "update", "patch"], &|_| true));
    rules.append(&mut kinds("/finalizers", &["update"], &|_| true));
    rules.append(&mut declared(KINDS.iter(), &is_to_kinds));
    let events = |group| rule(group, &["events"], &["create", "patch"]);
    rules.extend([events(""), events("events.k8s.io")]);
    rules
}

/// All over the cluster, whichever namespaces are reconciled: claims have none.
pub(super) fn claims() -> Vec<PolicyRule> {
    vec![on_claims(&[&READ[..], &["create", "delete"]].concat()), rule("", &["namespaces"], &READ)]
}

/// Our RoleBindings, wherever namespaces are named one by one: a finalizer makes them last as long as our objects there.
pub(super) fn kept_bindings(names: &[&str]) -> Vec<PolicyRule> {
    let rule = rule("rbac.authorization.k8s.io", &["rolebindings"], &["get", "patch"]);
    let names = names.iter().map(ToString::to_string).collect();
    vec![PolicyRule { resource_names: Some(names), ..rule }]
}

/// The Lease of the replica that reconciles, in our namespace.
pub(super) fn lease(name: &str) -> Vec<PolicyRule> {
    let group = "coordination.k8s.io";
    vec![
        rule(group, &["leases"], &["create"]),
        named(rule(group, &["leases"], &["get", "update", "patch"]), name),
    ]
}

/// Credentials that objects name, and those made for them. Never `list` or `watch`: both would read all.
pub(super) fn secrets() -> Vec<PolicyRule> {
    declared(KINDS.iter(), &Access::is_to_secrets)
}

/// What the objects of a group own of Kubernetes' own kinds, all over the cluster. A RoleBinding may be made only by somebody who may bind the role
/// that it names: those of ours that the kinds name, which begin with `prefix`. Of ServiceAccounts, tokens are made of those of certain names alone.
pub(super) fn children(kinds: &[KindInfo], group: &str, prefix: &str) -> Vec<PolicyRule> {
    let verbs = [&READ[..], &["create", "patch", "delete"]].concat();
    let mut resources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for child in child::by_group(kinds).remove(group).unwrap_or_default() {
        resources.entry(child.group).or_default().push(child.plural);
    }
    let mut rules: Vec<_> =
        resources.into_iter().map(|(group, resources)| rule(group, &resources, &verbs)).collect();
    let is_looked_at = |access: &Access| !access.is_to_secrets() && !is_to_kinds(access);
    rules.append(&mut declared(of_group(kinds, group), &is_looked_at));
    let binds: Vec<_> = bound(kinds, group).keys().map(|role| format!("{prefix}{role}")).collect();
    if !binds.is_empty() {
        let bind = rule("rbac.authorization.k8s.io", &["clusterroles"], &["bind"]);
        rules.push(PolicyRule { resource_names: Some(binds), ..bind });
    }
    let accounts: BTreeSet<_> = of_group(kinds, group).flat_map(|kind| kind.acts_as).collect();
    if !accounts.is_empty() {
        let names = accounts.into_iter().map(ToString::to_string).collect();
        let token = rule("", &["serviceaccounts/token"], &["create"]);
        rules.push(PolicyRule { resource_names: Some(names), ..token });
    }
    rules
}

fn of_group<'a>(kinds: &'a [KindInfo], group: &'a str) -> impl Iterator<Item = &'a KindInfo> {
    kinds.iter().filter(move |kind| kind.group_name() == group)
}

/// What the ClusterRoles allow that children of a group's objects are bound to, by the last parts of their names.
pub(super) fn bound(kinds: &[KindInfo], group: &str) -> BTreeMap<&'static str, Vec<PolicyRule>> {
    let roles = of_group(kinds, group).flat_map(|kind| kind.binds);
    roles.map(|role| (role.name, (role.rights)())).collect()
}

/// What a user with Kubernetes' role `view` may do: as with Secrets, what is confidential takes the role `edit`.
pub(super) fn view() -> Vec<PolicyRule> {
    kinds("", &READ, &|kind| !kind.confidential)
}

/// What a user with Kubernetes' role `edit` or `admin` may do besides.
pub(super) fn edit() -> Vec<PolicyRule> {
    let mut rules = kinds("", &READ, &|kind| kind.confidential);
    rules.append(&mut kinds("", &["create", "update", "patch", "delete", "deletecollection"], &|_| true));
    rules
}

/// What the webhook asks the API server for while somebody waits for its answer.
pub(super) fn urgent() -> Vec<PolicyRule> {
    let mut rules = kinds("", &["get", "list"], &|_| true);
    rules.push(rule("", &["namespaces"], &["get"]));
    rules.push(on_claims(&["get", "create", "delete"]));
    rules.push(rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]));
    rules
}

/// Whether it is to objects of kinds of ours.
fn is_to_kinds(access: &Access) -> bool {
    KINDS.iter().any(|kind| (kind.group)() == access.group)
}

/// What `kinds` declare that the reconciler touches for them, as far as it is `wanted`: one rule for each resource.
fn declared<'a>(
    kinds: impl Iterator<Item = &'a KindInfo>,
    wanted: &dyn Fn(&Access) -> bool,
) -> Vec<PolicyRule> {
    let mut verbs: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for access in kinds.flat_map(|kind| kind.access).filter(|access| wanted(access)) {
        verbs.entry((access.group, access.resource)).or_default().extend(access.verbs);
    }
    let of_resource = |((group, resource), verbs): ((&str, &str), BTreeSet<&str>)| {
        rule(group, &[resource], &verbs.into_iter().collect::<Vec<_>>())
    };
    verbs.into_iter().map(of_resource).collect()
}

/// One rule for each group of the `wanted` kinds, ordered.
fn kinds(subresource: &str, verbs: &[&str], wanted: &dyn Fn(&KindInfo) -> bool) -> Vec<PolicyRule> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in KINDS.iter().filter(|kind| wanted(kind)) {
        groups.entry((kind.group)()).or_default().push(resource(kind, subresource));
    }
    let of_group = |(group, mut resources): (String, Vec<String>)| {
        resources.sort();
        let resources: Vec<_> = resources.iter().map(String::as_str).collect();
        rule(&group, &resources, verbs)
    };
    groups.into_iter().map(of_group).collect()
}

fn resource(kind: &KindInfo, subresource: &str) -> String {
    format!("{}{subresource}", (kind.plural)())
}

fn on_claims(verbs: &[&str]) -> PolicyRule {
    rule("concierge.dev", &["claims"], verbs)
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn named(rule: PolicyRule, name: &str) -> PolicyRule {
    PolicyRule { resource_names: Some(vec![name.to_owned()]), ..rule }
}

fn service_account(names: &Names, name: &str) -> ServiceAccount {
    ServiceAccount {
        metadata: names.namespaced(name),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn cluster_role(names: &Names, suffix: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    let metadata = names.metadata(names.with(suffix));
    ClusterRole { metadata, rules: Some(rules), ..ClusterRole::default() }
}

/// The role, added to what Kubernetes' own `roles` allow.
fn aggregated(mut role: ClusterRole, roles: &[&str]) -> ClusterRole {
    let label = |role| (format!("rbac.authorization.k8s.io/aggregate-to-{role}"), "true".to_owned());
    role.metadata.labels.get_or_insert_default().extend(roles.iter().map(label));
    role
}

fn role(names: &Names, suffix: &str, rules: Vec<PolicyRule>) -> Role {
    Role { metadata: names.namespaced(names.with(suffix)), rules: Some(rules) }
}

fn cluster_binding(names: &Names, suffix: &str, account: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: names.metadata(names.with(suffix)),
        role_ref: role_ref("ClusterRole", names.with(suffix)),
        subjects: Some(vec![subject(names, account)]),
    }
}

fn binding(names: &Names, suffix: &str, account: &str) -> RoleBinding {
    RoleBinding {
        metadata: names.namespaced(names.with(suffix)),
        role_ref: role_ref("Role", names.with(suffix)),
        subjects: Some(vec![subject(names, account)]),
    }
}

fn role_ref(kind: &str, name: String) -> RoleRef {
    RoleRef { api_group: "rbac.authorization.k8s.io".to_owned(), kind: kind.to_owned(), name }
}

fn subject(names: &Names, account: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: account.to_owned(),
        namespace: Some(names.namespace.clone()),
        api_group: None,
    }
}
