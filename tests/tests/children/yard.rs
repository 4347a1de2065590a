//! A toy kind that owns one object of each kind of Kubernetes' own that can be owned.

use std::{collections::BTreeMap, sync::Arc};

use concierge_reconciler::engine::{
    Account, Context, Deletion, Failure, Guard, Outcome, Plan, Reconcile,
    children::{ChildStep, Compared, Wanted, plan_child_deletion, plan_children},
};
use concierge_shared::{
    admission::{defaults::Fill, problem::Problems, review::Review, rule::AdmissionRule},
    child::Child,
    kind::Kind,
    status,
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::{
        ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service,
        ServiceAccount,
    },
    networking::v1::{Ingress, NetworkPolicy},
    rbac::v1::RoleBinding,
};
use kube::CustomResource;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where the children are.
pub(crate) const PLACE: &str = "yard-one";

/// A yard.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "toys.example.com", version = "v1", kind = "Yard", namespaced, status = "YardStatus")]
pub(crate) struct YardSpec {}

status! {
    pub(crate) struct YardStatus() {}
}

concierge_shared::assemble!(Yard);

macro_rules! children {
    ($($kind:ty => $object:expr,)+) => {
        impl Kind for Yard {
            const NAME: &'static str = "Yard";
            const RULES: &'static [&'static AdmissionRule] = &[];
            const CHILDREN: &'static [Child] = &[$(Child::of::<$kind>()),+];

            fn fill_defaults(&mut self, _: &mut Fill) {}

            fn check(_: &Review<'_, Self>, _: &mut Problems) {}
        }

        fn wanted(yard: &Yard) -> Result<Vec<Wanted>, Failure> {
            Ok(vec![$(Wanted::new(yard, &serde_json::from_value::<$kind>(in_place($object)).unwrap())?),+])
        }
    };
}

fn in_place(mut object: Value) -> Value {
    if object["metadata"]["name"] != PLACE {
        object["metadata"]["namespace"] = PLACE.into();
    }
    object
}

fn pod() -> Value {
    json!({
        "serviceAccountName": "runner",
        "containers": [{
            "name": "app", "image": "registry.example.com/app:1", "ports": [{ "containerPort": 8080 }],
            "env": [{ "name": "EMPTY", "value": "" }, { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "login", "key": "password" } } }],
            "resources": { "limits": { "cpu": "0.5", "memory": "1024Mi" }, "requests": { "cpu": "100m", "memory": "0.125Gi" } },
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            "readinessProbe": { "httpGet": { "port": 8080 } },
        }],
        "volumes": [{ "name": "data", "emptyDir": { "sizeLimit": "1024Mi" } }],
        "hostNetwork": false,
    })
}

fn labelled(restart: &str) -> Value {
    let mut pod = pod();
    pod["restartPolicy"] = restart.into();
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": pod })
}

children! {
    Namespace => json!({ "metadata": { "name": PLACE, "labels": { "pod-security.kubernetes.io/enforce": "baseline" } } }),
    LimitRange => json!({ "metadata": { "name": "limits" }, "spec": { "limits": [{ "type": "Container",
        "default": { "cpu": "1000m", "memory": "512Mi" }, "defaultRequest": { "cpu": "0.1" } }] } }),
    ResourceQuota => json!({ "metadata": { "name": "quota" }, "spec": { "hard": { "pods": "20", "limits.cpu": "8000m", "limits.memory": "8192Mi" } } }),
    NetworkPolicy => json!({ "metadata": { "name": "default-deny" }, "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
        "egress": [{ "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53 }] },
                   { "to": [{ "ipBlock": { "cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"] } }] }] } }),
    ServiceAccount => json!({ "metadata": { "name": "runner" }, "automountServiceAccountToken": false }),
    RoleBinding => json!({ "metadata": { "name": "runner" }, "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "kind": "ServiceAccount", "name": "runner", "namespace": PLACE }] }),
    Secret => json!({ "metadata": { "name": "login" }, "data": { "password": "aHVudGVyMg==" } }),
    ConfigMap => json!({ "metadata": { "name": "scripts" }, "data": { "run.sh": "exit 0\n" } }),
    PersistentVolumeClaim => json!({ "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "1024Mi" } } } }),
    Service => json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] } }),
    Deployment => json!({ "metadata": { "name": "web" }, "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": labelled("Always") } }),
    StatefulSet => json!({ "metadata": { "name": "db" }, "spec": { "serviceName": "db", "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
        "template": labelled("Always"), "volumeClaimTemplates": [{ "metadata": { "name": "disk" }, "spec": { "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1024Mi" } } } }] } }),
    Ingress => json!({ "metadata": { "name": "web" }, "spec": { "rules": [{ "host": "web.example.com", "http": { "paths": [
        { "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }] } }),
    Job => json!({ "metadata": { "name": "build" }, "spec": { "backoffLimit": 0, "template": labelled("Never") } }),
    Pod => json!({ "metadata": { "name": "workspace" }, "spec": labelled("Always")["spec"] }),
}

/// Makes yards real.
pub(crate) struct Yards {
    /// What the last look found.
    pub(crate) last: Arc<Mutex<Vec<Compared>>>,
}

impl Yards {
    /// How many corrections are wanted, and which.
    pub(crate) fn differing(last: &[Compared]) -> BTreeMap<String, String> {
        let steps = plan_children(last).steps;
        steps.iter().map(|planned| (planned.step.to_string(), format!("{:?}", planned.drift))).collect()
    }
}

/// What there is of a yard.
pub(crate) struct Seen(Vec<Compared>, Deletion<ChildStep>);

impl Reconcile for Yards {
    type Kind = Yard;
    type Remote = ();
    type Observed = Seen;
    type Step = ChildStep;

    async fn connect(&self, _: &Context, _: &Yard) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), yard: &Yard) -> Result<Seen, Failure> {
        if yard.metadata.deletion_timestamp.is_some() {
            return Ok(Seen(Vec::new(), plan_child_deletion(&ctx.stored_children(yard).await?)));
        }
        let compared = ctx.compare_children(yard, wanted(yard)?).await?;
        *self.last.lock() = compared.clone();
        Ok(Seen(compared, Deletion::Gone))
    }

    fn plan(&self, _: &Yard, seen: &Seen, _: Timestamp) -> Plan<ChildStep> {
        plan_children(&seen.0)
    }

    async fn act(&self, guard: &Guard, (): &(), yard: &Yard, step: &ChildStep) -> Result<Outcome, Failure> {
        guard.take_child_step(yard, step).await
    }

    fn plan_deletion(&self, _: &Yard, seen: &Seen, _: Timestamp) -> Deletion<ChildStep> {
        seen.1.clone()
    }
}
