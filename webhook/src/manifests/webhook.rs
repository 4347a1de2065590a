//! What the API server asks about, and where.
//!
//! The names of the two entries are for ever: the webhook's own field manager owns `caBundle` of an entry of
//! that name, so an entry that is renamed would stay behind, broken, and make every upgrade fail.

use std::collections::BTreeMap;

use concierge_shared::kind::{COMMON_ANNOTATIONS, EVERY_LABEL, KINDS, KindInfo};
use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
        ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
};

use super::{fills::something_to_fill_in, names::Names};

const WRITES: [&str; 2] = ["CREATE", "UPDATE"];

/// Fills in defaults. While nobody answers, objects are stored as they are: the reconciler fills them in for
/// itself, and the validating webhook still decides.
///
/// It is not called when there is nothing to fill in. When it was called, it is called again if another webhook changed
/// the object after it, so that defaults (which trim and complete what others wrote, and do nothing the second time) see
/// the object that is stored. When it was not, the API server does not ask about what a later webhook writes: that is
/// filled in where it is judged, and by the reconciler.
pub(super) fn mutating(names: &Names) -> MutatingWebhookConfiguration {
    let webhook = MutatingWebhook {
        name: "mutate.concierge.dev".to_owned(),
        client_config: client_config(names, "/mutate"),
        rules: Some(mutating_rules()),
        match_conditions: Some(mutating_conditions(&names.namespace, names.reconciler())),
        admission_review_versions: vec!["v1".to_owned()],
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(namespace_selector(&names.namespace)),
        object_selector: Some(LabelSelector::default()),
        reinvocation_policy: Some("IfNeeded".to_owned()),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(3),
    };
    MutatingWebhookConfiguration { metadata: names.metadata(&names.service), webhooks: Some(vec![webhook]) }
}

/// Decides. Its only side effect is a claim, which a dry run does not make.
pub(super) fn validating(names: &Names) -> ValidatingWebhookConfiguration {
    let webhook = ValidatingWebhook {
        name: "validate.concierge.dev".to_owned(),
        client_config: client_config(names, "/validate"),
        rules: Some(validating_rules()),
        match_conditions: Some(match_conditions(&names.namespace, names.reconciler())),
        admission_review_versions: vec!["v1".to_owned()],
        failure_policy: Some("Fail".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(namespace_selector(&names.namespace)),
        object_selector: Some(LabelSelector::default()),
        side_effects: "NoneOnDryRun".to_owned(),
        timeout_seconds: Some(5),
    };
    ValidatingWebhookConfiguration { metadata: names.metadata(&names.service), webhooks: Some(vec![webhook]) }
}

pub(super) fn mutating_rules() -> Vec<RuleWithOperations> {
    rules(&|_| WRITES.to_vec())
}

/// Deletions only of what can be refused one: while nobody answers, everything else can go.
pub(super) fn validating_rules() -> Vec<RuleWithOperations> {
    rules(&|kind| WRITES.into_iter().chain(kind.asked_on_delete.then_some("DELETE")).collect())
}

/// What passes without a mutating call.
pub(super) fn mutating_conditions(namespace: &str, reconciler: &str) -> Vec<MatchCondition> {
    let mut conditions = match_conditions(namespace, reconciler);
    let name = "something-to-fill-in".to_owned();
    conditions.push(MatchCondition { name, expression: something_to_fill_in() });
    conditions
}

/// What passes without a call. The API server evaluates these without an object on DELETE and without an old
/// one on CREATE; an expression that fails would fail the request.
pub(super) fn match_conditions(namespace: &str, reconciler: &str) -> Vec<MatchCondition> {
    let condition = |name: &str, expression: String| MatchCondition { name: name.to_owned(), expression };
    vec![
        condition(
            "not-the-reconciler",
            format!("request.userInfo.username != 'system:serviceaccount:{namespace}:{reconciler}'"),
        ),
        condition(
            "not-terminating",
            "request.operation == 'CREATE' || !has(oldObject.metadata.deletionTimestamp)".to_owned(),
        ),
        condition(
            "spec-changes",
            format!(
                "request.operation != 'UPDATE' || has(object.spec) != has(oldObject.spec) || \
                 (has(object.spec) && object.spec != oldObject.spec){}",
                read_metadata_changes()
            ),
        ),
    ]
}

/// That a label or an annotation which rules read is set, removed or changed.
fn read_metadata_changes() -> String {
    let labels = KINDS.iter().flat_map(|kind| match kind.read_labels {
        EVERY_LABEL => vec![any_label_changes(kind)],
        labels => labels.iter().map(|key| entry_changes("labels", key)).collect(),
    });
    let annotations = KINDS.iter().flat_map(|kind| kind.read_annotations).chain(COMMON_ANNOTATIONS);
    labels.chain(annotations.map(|key| entry_changes("annotations", key))).collect()
}

fn entry_changes(map: &str, key: &str) -> String {
    let has = |object: &str| format!("(has({object}.metadata.{map}) && '{key}' in {object}.metadata.{map})");
    let (new, old) = (has("object"), has("oldObject"));
    format!(
        " || {new} != {old} || ({new} && object.metadata.{map}['{key}'] != oldObject.metadata.{map}['{key}'])"
    )
}

/// That any label of an object of this kind is set, removed or changed.
fn any_label_changes(kind: &KindInfo) -> String {
    let (group, name) = ((kind.group)(), kind.name);
    let (new, old) = ("object.metadata", "oldObject.metadata");
    format!(
        " || (request.kind.group == '{group}' && request.kind.kind == '{name}' && (has({new}.labels) != has({old}.labels) \
         || (has({new}.labels) && {new}.labels != {old}.labels)))"
    )
}

/// API group, version, scope and operations.
type Asked = (String, String, String, Vec<&'static str>);

/// One rule for each group, version, scope and set of operations, ordered.
fn rules(operations: &dyn Fn(&KindInfo) -> Vec<&'static str>) -> Vec<RuleWithOperations> {
    let mut plurals: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for kind in KINDS {
        let scope = (kind.crd)().spec.scope;
        let asked = ((kind.group)(), (kind.version)(), scope, operations(kind));
        plurals.entry(asked).or_default().push((kind.plural)());
    }
    plurals.into_iter().map(|(asked, plurals)| rule(asked, plurals)).collect()
}

fn rule((group, version, scope, operations): Asked, mut plurals: Vec<String>) -> RuleWithOperations {
    plurals.sort();
    RuleWithOperations {
        api_groups: Some(vec![group]),
        api_versions: Some(vec![version]),
        operations: Some(operations.into_iter().map(str::to_owned).collect()),
        resources: Some(plurals),
        scope: Some(scope),
    }
}

fn client_config(names: &Names, path: &str) -> WebhookClientConfig {
    let service = ServiceReference {
        name: names.service.clone(),
        namespace: names.namespace.clone(),
        path: Some(path.to_owned()),
        port: Some(names.port),
    };
    WebhookClientConfig { service: Some(service), ..WebhookClientConfig::default() }
}

/// All namespaces but those that we need ourselves to come up.
fn namespace_selector(own: &str) -> LabelSelector {
    let mut values = vec!["kube-system".to_owned(), own.to_owned()];
    values.dedup();
    let elsewhere = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(values),
    };
    LabelSelector { match_expressions: Some(vec![elsewhere]), ..LabelSelector::default() }
}
