//! The chapters about preview environments.

use super::script::{Chapter, Event, Step};

/// What another team has, which the user may not even look at; and what holds up a namespace that is being deleted.
pub(super) const OTHERS: &str = "
apiVersion: catalyst.catalyst.dev/v1alpha1
kind: Project
metadata: {name: vault, namespace: concierge-demo-bank}
spec:
  sources: [{name: main, repositoryUrl: 'https://github.com/concierge-demo-bank/vault', branch: main}]
  templates: {development: {type: manifest, config: {image: 'nginx:1.29'}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: held, namespace: concierge-demo-shop-pr-7, finalizers: [example.com/held]}
";

/// What lets go of that namespace, by kubectl.
pub(super) const LET_GO: [&str; 6] = [
    "patch",
    "configmap",
    "held",
    "--namespace=concierge-demo-shop-pr-7",
    "--type=merge",
    r#"--patch={"metadata":{"finalizers":null}}"#,
];

/// What someone who needs a preview of a branch sees.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Catalyst: a preview environment that comes up",
        steps: &[
            Step::well(
                "An administrator deletes a namespace that somebody made by hand. Something in it holds it up:",
                "kubectl --kubeconfig {admin} delete namespace concierge-demo-shop-pr-7 --wait=false && \\\n  \
                 kubectl --kubeconfig {admin} get namespace concierge-demo-shop-pr-7",
                &["Terminating"],
            ),
            Step::well(
                "A project says what runs, here the container of an image; an environment is one of it that runs. This one will have a namespace of that very \
                 name. It is Pending until the other one is gone, and says so:",
                "sed s#nginx:1.29#{image}# examples/catalyst/1-project.yaml | kubectl apply -f - && \\\n  \
                 kubectl wait project shop --for=condition=Ready --timeout=20s && \\\n  \
                 kubectl apply -f examples/catalyst/2-environment.yaml && \\\n  \
                 kubectl wait environment pr-7 -n concierge-demo-shop --for=jsonpath='{.status.phase}'=Pending --timeout=20s && \\\n  \
                 kubectl get environment pr-7 -n concierge-demo-shop \\\n    \
                 -o jsonpath='{.status.conditions[?(@.type==\"NamespaceReady\")].message}{\"\\n\"}'",
                &[
                    "project.catalyst.catalyst.dev/shop created",
                    "environment.catalyst.catalyst.dev/pr-7 created",
                    "pr-7 condition met",
                    "concierge-demo-shop-pr-7, which is being deleted, is gone",
                ],
            ),
            Step::well(
                "Then it comes up. A watch shows its phases:",
                "kubectl get environments -n concierge-demo-shop --watch & trap \"kill $!\" EXIT\n  \
                 kubectl wait environment pr-7 -n concierge-demo-shop --for=condition=Ready --timeout=120s",
                &["Pending", "Provisioning", "Deploying", "pr-7 condition met"],
            )
            .meanwhile(2, Event::NamespaceGoes),
            Step::well(
                "It says where it is, and until when:",
                "kubectl get environment pr-7 -n concierge-demo-shop -o wide",
                &["Ready", "https://concierge-demo-shop-pr-7.example.com/", "concierge-demo-shop-pr-7 "],
            ),
            Step::well(
                "Its namespace is the environment's, bounded before anything ran there. An administrator sees what is in it:",
                "kubectl --kubeconfig {admin} get deployments,ingresses,quota,limits,networkpolicies -n concierge-demo-shop-pr-7",
                &[
                    "deployment.apps/web",
                    "ingress.networking.k8s.io/web",
                    "resourcequota/default-quota",
                    "limitrange/default-limits",
                    "networkpolicy.networking.k8s.io/default-policy",
                ],
            ),
        ],
    },
    Chapter {
        title: "Catalyst: nobody gets into the namespace of another",
        steps: &[
            Step::refused(
                "Labels say which team an environment is of. Whoever writes another team's is told no more than if it did not exist:",
                "kubectl apply -f examples/refused/catalyst/environment.yaml",
                &["vault does not exist or does not allow", "catalyst.environment.project-exists"],
            ),
            Step::refused(
                "Somebody made a namespace that an environment of this name would have. It is not taken over, and so never deleted with one:",
                "sed s/pr-7/live/ examples/catalyst/2-environment.yaml | kubectl apply -f -",
                &["concierge-demo-shop-live", "which is there already", "catalyst.environment.target-free"],
            ),
            Step::refused(
                "Nor is an environment moved to another namespace later:",
                "kubectl label environment pr-7 -n concierge-demo-shop catalyst.dev/team=concierge-demo-bank --overwrite",
                &["catalyst.environment.immutable"],
            ),
        ],
    },
    Chapter {
        title: "Catalyst: an environment that goes away, and a project that waits for it",
        steps: &[
            Step::refused(
                "A project is deleted after its environments, in whichever namespaces they are:",
                "kubectl delete project shop",
                &["in use by an object in another namespace", "catalyst.project.in-use"],
            ),
            Step::well(
                "Once the environment is gone, so are its namespace and all that was in it. That of somebody else is still there:",
                "kubectl delete environment pr-7 -n concierge-demo-shop --timeout=120s && \\\n  \
                 kubectl --kubeconfig {admin} get namespaces concierge-demo-shop-live concierge-demo-shop-pr-7 --ignore-not-found",
                &["environment.catalyst.catalyst.dev \"pr-7\" deleted", "concierge-demo-shop-live   Active"],
            ),
        ],
    },
];
