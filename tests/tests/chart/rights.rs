//! What service accounts and users may do.

use anyhow::{Context, Result};
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::stack::{NAMESPACE, RELEASE, chart};
use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::helm::path;
use crate::shared::{DEFINED, Turn, helm, settled};

/// One thing that somebody might do.
#[derive(Clone, Debug)]
struct Deed {
    verb: &'static str,
    group: String,
    resource: String,
    subresource: &'static str,
    namespace: String,
    name: &'static str,
}

/// A [`Deed`] and whether the webhook and the reconciler may do it.
type Right = (Deed, bool, bool);

/// What is asked of the rights: which of the namespaces `cafe` and `default` are reconciled, and in which the
/// reconciler may use Secrets. `""` stands for all.
struct Grants {
    reconciled: &'static [&'static str],
    secrets: &'static [&'static str],
}

impl Grants {
    /// The RoleBindings of the namespaces that are named one by one outlast them, so the reconciler may mark them, and no others.
    fn kept_bindings(&self) -> Vec<Right> {
        let bindings = "rbac.authorization.k8s.io/rolebindings";
        let kept = self.reconciled.iter().chain(self.secrets).any(|namespace| !namespace.is_empty());
        let named = |name| deeds(&["get", "patch"], bindings, "", "cafe", name, false, kept);
        let all = ["get", "list", "watch", "create", "update", "patch", "delete", "bind"];
        let others = ["", "another"].map(|name| deeds(&all, bindings, "", "cafe", name, false, false));
        let more = deeds(&["update", "delete"], bindings, "", "cafe", "concierge-secrets", false, false);
        let named = ["concierge-reconciler", "concierge-secrets"].map(named);
        named.into_iter().chain(others).flatten().chain(more).collect()
    }

    /// Everything that must and must not be allowed.
    fn rights(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        for namespace in ["", "cafe", "default"] {
            let within = |list: &[&str]| list.contains(&"") || list.contains(&namespace);
            let (here, secrets) = (within(self.reconciled), within(self.secrets));
            for kind in KINDS {
                let mut add = |verbs: &[&'static str], subresource, webhook, reconciler| {
                    let resource = resource_of(kind);
                    rights.extend(deeds(verbs, &resource, subresource, namespace, "", webhook, reconciler));
                };
                add(&["get", "list", "watch"], "", true, here);
                add(&["update", "patch"], "", false, here);
                for verb in ["create", "delete"] {
                    add(&[verb], "", false, here && declared(&resource_of(kind), verb));
                }
                add(&["deletecollection"], "", false, false);
                add(&["get", "update", "patch"], "status", false, here);
                add(&["update"], "finalizers", false, here);
            }
            let mut add = |verbs: &[&'static str], resource, webhook, reconciler| {
                rights.extend(deeds(verbs, resource, "", namespace, "", webhook, reconciler));
            };
            add(&["create", "patch"], "/events", false, here);
            add(&["create", "patch"], "events.k8s.io/events", false, here);
            add(&["get", "list", "delete"], "/events", false, false);
            add(&["get", "create", "update", "patch"], "/secrets", false, secrets);
            add(&["list", "watch", "delete", "deletecollection"], "/secrets", false, false);
            for everything in ["/pods", "/configmaps", "/serviceaccounts", "apps/deployments", "*/*"] {
                add(&["get", "list", "create", "update", "patch", "delete", "*"], everything, false, false);
            }
            add(&["get", "create", "update"], "coordination.k8s.io/leases", false, false);
        }
        rights.extend(self.kept_bindings());
        rights.extend(cluster_rights());
        rights.extend(own_rights(self.secrets.contains(&"")));
        rights
    }
}

/// `petstore.example.com/pets`
fn resource_of(kind: &KindInfo) -> String {
    format!("{}/{}", (kind.group)(), (kind.plural)())
}

/// Whether a kind declares that the reconciler does this for it.
fn declared(resource: &str, verb: &str) -> bool {
    let mut all = KINDS.iter().flat_map(|kind| kind.access);
    all.any(|access| {
        format!("{}/{}", access.group, access.resource) == resource && access.verbs.contains(&verb)
    })
}

fn cluster_rights() -> Vec<Right> {
    let mut rights = Vec::new();
    let mut add = |verbs: &[&'static str], resource, name, webhook, reconciler| {
        rights.extend(deeds(verbs, resource, "", "", name, webhook, reconciler));
    };
    add(&["get", "list", "watch"], "/namespaces", "", true, true);
    add(&["create", "update", "patch", "delete"], "/namespaces", "", false, false);
    add(&["get", "create", "delete"], "concierge.dev/claims", "", true, true);
    add(&["list", "watch"], "concierge.dev/claims", "", false, true);
    add(&["update", "deletecollection", "patch"], "concierge.dev/claims", "", false, false);
    add(&["create"], "authorization.k8s.io/subjectaccessreviews", "", true, false);
    for resource in [
        "admissionregistration.k8s.io/mutatingwebhookconfigurations",
        "admissionregistration.k8s.io/validatingwebhookconfigurations",
    ] {
        add(&["get", "list", "watch", "patch"], resource, RELEASE, true, false);
        add(&["create", "update", "delete"], resource, RELEASE, false, false);
        add(&["get", "list", "watch", "patch"], resource, "another", false, false);
        add(&["list", "watch", "deletecollection"], resource, "", false, false);
    }
    add(&["get", "list", "patch"], "apiextensions.k8s.io/customresourcedefinitions", "", false, false);
    add(&["create", "bind", "escalate"], "rbac.authorization.k8s.io/clusterroles", "", false, false);
    add(&["impersonate"], "/users", "", false, false);
    add(&["get", "list"], "/nodes", "", false, false);
    rights
}

/// In our own namespace.
fn own_rights(all_secrets: bool) -> Vec<Right> {
    let mut rights = Vec::new();
    let mut add = |verbs: &[&'static str], resource, name, webhook, reconciler| {
        rights.extend(deeds(verbs, resource, "", NAMESPACE, name, webhook, reconciler));
    };
    add(&["create"], "/secrets", "", true, all_secrets);
    add(&["get", "update", "patch"], "/secrets", "concierge-ca", true, all_secrets);
    add(&["list", "watch"], "/secrets", "concierge-ca", true, false);
    add(&["get", "update", "patch"], "/secrets", "another", false, all_secrets);
    add(&["list", "watch", "delete", "deletecollection"], "/secrets", "", false, false);
    add(&["create"], "coordination.k8s.io/leases", "", false, true);
    add(&["get", "update", "patch"], "coordination.k8s.io/leases", "concierge-reconciler", false, true);
    add(&["delete"], "coordination.k8s.io/leases", "concierge-reconciler", false, false);
    add(&["get", "update", "patch"], "coordination.k8s.io/leases", "another", false, false);
    add(&["create", "patch"], "apps/deployments", RELEASE, false, false);
    add(&["get", "list"], "/pods", "", false, false);
    rights
}

fn deeds(
    verbs: &[&'static str],
    resource: &str,
    subresource: &'static str,
    namespace: &str,
    name: &'static str,
    webhook: bool,
    reconciler: bool,
) -> Vec<Right> {
    let (group, resource) = resource.split_once('/').unwrap_or(("", resource));
    let deed = |verb: &&'static str| Deed {
        verb,
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource,
        namespace: namespace.to_owned(),
        name,
    };
    verbs.iter().map(|verb| (deed(verb), webhook, reconciler)).collect()
}

/// Whether the service account of this name may do it.
async fn may(client: &Client, account: &str, deed: &Deed) -> Result<bool> {
    let groups =
        ["system:serviceaccounts", &format!("system:serviceaccounts:{NAMESPACE}"), "system:authenticated"];
    let groups = groups.map(str::to_owned).to_vec();
    allowed(client, &format!("system:serviceaccount:{NAMESPACE}:{account}"), groups, deed).await
}

/// Whether this user may do it.
async fn allowed(client: &Client, user: &str, groups: Vec<String>, deed: &Deed) -> Result<bool> {
    let text = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
    let attributes = ResourceAttributes {
        verb: text(deed.verb),
        group: text(&deed.group),
        resource: text(&deed.resource),
        subresource: text(deed.subresource),
        namespace: text(&deed.namespace),
        name: text(deed.name),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        user: Some(user.to_owned()),
        groups: Some(groups),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|it| it.allowed))
}

/// Waits until every service account may do exactly what `grants` gives it.
async fn exact(client: &Client, accounts: &[&str], grants: &Grants) -> Result<()> {
    let rights = grants.rights();
    settled(|| async {
        let questions = accounts.iter().flat_map(|account| rights.iter().map(move |right| (account, right)));
        let wrong =
            futures::stream::iter(questions).map(|(account, (deed, webhook, reconciler))| async move {
                let expected = match *account {
                    "concierge" if accounts.len() == 1 => *webhook || *reconciler,
                    "concierge" => *webhook,
                    _ => *reconciler,
                };
                let allowed = may(client, account, deed).await?;
                let complaint = format!("{account} may{} {deed:?}\n", if allowed { "" } else { " not" });
                Ok(if allowed == expected { String::new() } else { complaint })
            });
        let wrong: Vec<Result<String>> = wrong.buffer_unordered(16).collect().await;
        wrong.into_iter().collect::<Result<String>>()
    })
    .await
}

#[tokio::test]
async fn service_accounts_may_do_what_they_need_and_nothing_else() -> Result<()> {
    let turn = Turn::take().await?;
    let plane = turn.plane;
    turn.namespace("cafe").await?;
    let (client, chart) = (plane.client().await?, path(&chart()));
    let (shared, apart) = (&["concierge"][..], &["concierge", "concierge-reconciler"][..]);
    helm(plane, "install", &[&chart, DEFINED]).await?;
    exact(&client, shared, &Grants { reconciled: &[""], secrets: &[] }).await.context("sidecar")?;

    let split =
        "reconciler.placement=deployment,reconciler.namespaces={cafe},reconciler.secretNamespaces={cafe}";
    helm(plane, "upgrade", &[&chart, DEFINED, "--set", split]).await?;
    let cafe = Grants { reconciled: &["cafe"], secrets: &["cafe"] };
    exact(&client, apart, &cafe).await.context("apart, in one namespace")?;

    let wide = "reconciler.placement=deployment,reconciler.clusterWideSecrets=true";
    helm(plane, "upgrade", &[&chart, DEFINED, "--set", wide]).await?;
    let all = Grants { reconciled: &[""], secrets: &[""] };
    exact(&client, apart, &all).await.context("apart, in all namespaces")?;
    Ok(())
}

#[tokio::test]
async fn users_roles_of_kubernetes_cover_our_kinds() -> Result<()> {
    let turn = Turn::take().await?;
    let plane = turn.plane;
    let admin = plane.kubectl();
    helm(plane, "install", &[&path(&chart()), DEFINED]).await?;
    for role in ["view", "edit", "admin"] {
        let user = format!("--user={role}");
        admin.run(&["create", "rolebinding", role, "--clusterrole", role, &user]).await?.ok()?;
    }
    let client = plane.client().await?;
    settled(|| async {
        let mut wrong = String::new();
        for kind in KINDS {
            for (role, verb, expected) in [
                ("view", "list", !kind.confidential),
                ("edit", "list", true),
                ("view", "create", false),
                ("edit", "create", true),
                ("edit", "deletecollection", true),
                ("admin", "patch", true),
            ] {
                let deed = deeds(&[verb], &resource_of(kind), "", "default", "", false, false).remove(0).0;
                if allowed(&client, role, Vec::new(), &deed).await? != expected {
                    wrong += &format!("{role} {verb} {}: not {expected}\n", kind.crd_name());
                }
            }
        }
        Ok(wrong)
    })
    .await
}
