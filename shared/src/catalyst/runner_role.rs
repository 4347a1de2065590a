//! What may be done in an environment's namespace by what deploys into it.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// The ClusterRole, as the chart calls it behind its own name.
pub const RUNNER_ROLE: &str = "catalyst-runner";

/// The ServiceAccount in an environment's namespace in whose name tokens for repositories are asked for. The web application looks at its
/// namespace to tell whose installation it is, so that nobody gets another one's. It has no rights.
pub const GIT_ACCOUNT: &str = "concierge-git";

const WRITE: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const READ: [&str; 3] = ["get", "list", "watch"];

/// Kubernetes' own role `edit`, without what leads out of the namespace or undoes what keeps it apart: NetworkPolicies (they add up, so one
/// that allows all undoes ours), Ingresses (one can claim anybody's host), acting as other accounts, and commands in running pods.
const RIGHTS: [(&str, &[&str], &[&str]); 8] = [
    (
        "",
        &[
            "configmaps",
            "persistentvolumeclaims",
            "pods",
            "replicationcontrollers",
            "secrets",
            "serviceaccounts",
            "services",
        ],
        &WRITE,
    ),
    ("", &["endpoints", "events", "limitranges", "pods/log", "resourcequotas"], &READ),
    (
        "apps",
        &[
            "daemonsets",
            "deployments",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
        &WRITE,
    ),
    ("apps", &["controllerrevisions"], &READ),
    ("autoscaling", &["horizontalpodautoscalers"], &WRITE),
    ("batch", &["cronjobs", "jobs"], &WRITE),
    ("discovery.k8s.io", &["endpointslices"], &READ),
    ("policy", &["poddisruptionbudgets"], &WRITE),
];

/// What the ClusterRole allows.
pub fn runner_rights() -> Vec<PolicyRule> {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let rule = |(group, resources, verbs): (&str, &[&str], &[&str])| PolicyRule {
        api_groups: Some(owned(&[group])),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    };
    RIGHTS.into_iter().map(rule).collect()
}
