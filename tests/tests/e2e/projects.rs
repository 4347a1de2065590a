//! Who may have environments of which project, on a real API server with its RBAC.

use std::time::Instant;

use concierge_tests::PATIENCE;
use concierge_tests::stack::{Plan, Stack};
use kube::Client;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::world::{Created, api, create, namespaces, with_others};

const EXISTS: &str = "catalyst.environment.project-exists";
const FREE: &str = "catalyst.environment.target-free";

/// Everybody of `developers` may have environments in acme-shop; who is of `readers` too may read the Project shop, and no other.
const RIGHTS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: environments, namespace: acme-shop}
rules: [{apiGroups: [catalyst.catalyst.dev], resources: [environments], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: environments, namespace: acme-shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: environments}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: shop, namespace: acme}
rules: [{apiGroups: [catalyst.catalyst.dev], resources: [projects], resourceNames: [shop], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: shop, namespace: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: shop}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
";

fn project(name: &str) -> Value {
    let source =
        json!({"name": "main", "branch": "main", "repositoryUrl": format!("https://github.com/acme/{name}")});
    let metadata = json!({"namespace": "acme", "name": name});
    json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project", "metadata": metadata,
        "spec": {"sources": [source]},
    })
}

/// A workspace in acme-shop, whichever project it is of.
fn environment(project: &str, name: &str) -> Value {
    let labels = json!({
        "catalyst.dev/team": "acme", "catalyst.dev/project": project, "catalyst.dev/environment": name,
    });
    let spec = json!({"projectRef": {"name": project}, "type": "development", "deploymentMode": "workspace"});
    json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Environment",
        "metadata": {"namespace": "acme-shop", "name": name, "labels": labels}, "spec": spec,
    })
}

/// What the API server says to a create that is refused.
async fn told(client: &Client, object: &Value) -> String {
    let environments = api(client, "Environment", Some("acme-shop"));
    let object = serde_json::from_value(object.clone()).unwrap();
    environments.create(&kube::api::PostParams::default(), &object).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_for_whoever_may_read_their_project() {
    let _with_others = with_others().await;
    let stack = Stack::start(Plan { reconcilers: 0, ..Plan::default() }).await.unwrap();
    namespaces(&stack, &["acme".to_owned(), "acme-shop".to_owned()]).await.unwrap();
    stack.plane.kubectl().apply_text(RIGHTS).await.unwrap().ok().unwrap();
    let admin = stack.plane.client().await.unwrap();
    for name in ["shop", "blog"] {
        let made = create(&admin, &project(name), "none", false).await;
        assert!(matches!(made, Created::Stored), "{made:?}");
    }
    let reader = stack.plane.user("ann", &["developers", "readers"]).unwrap().client().await.unwrap();
    let stranger = stack.plane.user("bob", &["developers"]).unwrap().client().await.unwrap();

    let of_shop = create(&reader, &environment("shop", "pr-1"), "none", false).await;
    assert!(matches!(of_shop, Created::Stored), "{of_shop:?}");
    // There, not there, and the same words.
    for client in [&stranger, &reader] {
        let there = told(client, &environment("blog", "pr-2")).await;
        let missing = told(client, &environment("wiki", "pr-2")).await;
        assert!(there.contains(EXISTS), "{there}");
        assert_eq!(there.replace("blog", "wiki"), missing);
    }
    let of_shop = create(&stranger, &environment("shop", "pr-2"), EXISTS, false).await;
    assert!(matches!(of_shop, Created::Refused), "{of_shop:?}");

    foreign_namespace(&stack, &reader).await;

    let shop = api(&admin, "Project", Some("acme"));
    let refused = shop.delete("shop", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(refused.contains("catalyst.project.in-use") && !refused.contains("acme-shop"), "{refused}");
    let environments = api(&reader, "Environment", Some("acme-shop"));
    environments.delete("pr-1", &DeleteParams::default()).await.unwrap();
    shop.delete("shop", &DeleteParams::default()).await.unwrap();
}

/// Somebody's namespace is not an environment's, whatever the labels say.
async fn foreign_namespace(stack: &Stack, reader: &Client) {
    namespaces(stack, &["acme-shop-payroll".to_owned()]).await.unwrap();
    let began = Instant::now();
    loop {
        match create(reader, &environment("shop", "payroll"), FREE, true).await {
            Created::Refused => return,
            made => assert!(began.elapsed() < PATIENCE, "{made:?}"),
        }
    }
}
