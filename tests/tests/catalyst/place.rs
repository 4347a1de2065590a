//! The namespace of an environment, and what bounds it.

use concierge_reconciler::engine::ObjectKey;
use concierge_shared::child::OWNER_UID_LABEL;
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{HOME, HOUR, World};

#[tokio::test(start_paused = true)]
async fn a_workspace_goes_from_pending_to_ready_and_away_with_its_namespace() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = world.environment(json!({ "deploymentMode": "workspace" }));
    sleep(MINUTE).await;
    assert_eq!(world.phase(&key), "Pending", "its Project is not there");
    world.project(json!({}));
    sleep(MINUTE).await;
    assert_eq!(world.phase(&key), "Deploying", "{}", world.server.status(&key));
    world.run("Deployment", "workspace");
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    assert_eq!(world.phases(), ["Pending", "Provisioning", "Deploying", "Ready"]);
    // Of each an event tells.
    let told = world.told();
    for word in ["ReferencesMissing", "made Namespace", "made Deployment", "Reconciled"] {
        assert!(told.iter().any(|told| told.contains(word)), "{word}: {told:?}");
    }

    let status = world.server.status(&key);
    assert_eq!(status["namespace"], HOME);
    assert_eq!(status["namespaceUid"], world.namespace().unwrap()["metadata"]["uid"]);
    for part in
        ["Namespace", "Policies", "Credentials", "Secrets", "Source", "Build", "Deployment", "Ingress"]
    {
        assert!(
            world.server.condition(&key, &format!("{part}Ready")).starts_with("True"),
            "{part}: {status}"
        );
    }
    world.server.user_deletes(&key);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&key), world.namespace()), (None, None));
    assert!(world.told().iter().any(|told| told.contains("deleted Namespace")), "{:?}", world.told());
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written() {
    let world = World::new();
    let process = world.healthy().await;
    let key = world.workspace().await;
    world.run("Deployment", "workspace");
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key));
    // Its claims are made by then, which the webhook makes elsewhere.
    sleep(HOUR).await;
    let writes = world.server.writes();
    sleep(4 * HOUR).await;
    assert_eq!(world.server.writes(), writes);
    drop(process);
    let _other = world.start("other", ProcessOptions::default());
    sleep(HOUR).await;
    assert_eq!(world.server.writes(), writes, "after another has taken over");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_was_not_made_for_it_is_never_touched() {
    let world = World::new();
    let theirs = world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": HOME, "labels": { "catalyst.dev/environment": "pr-1" } },
    }));
    let _process = world.healthy().await;
    let key = world.workspace().await;
    assert_eq!(world.phase(&key), "Failed", "{}", world.server.status(&key));
    assert!(world.server.condition(&key, "NamespaceReady").starts_with("False OwnedByOther"));
    assert_eq!(world.server.condition(&key, "PoliciesReady"), "False Waiting");
    assert_eq!(world.namespace(), Some(theirs.clone()));
    for (kind, name) in
        [("LimitRange", "default-limits"), ("NetworkPolicy", "default-policy"), ("Deployment", "workspace")]
    {
        assert_eq!(world.child(kind, name), None);
    }
    world.server.user_deletes(&key);
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&key), None, "it does not wait for what is not its own");
    assert_eq!(world.namespace(), Some(theirs));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_with_the_mark_of_another_environment_is_another_s() {
    let world = World::new();
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": HOME, "labels": { OWNER_UID_LABEL: "another" } },
    }));
    let _process = world.healthy().await;
    let key = world.workspace().await;
    assert!(world.server.condition(&key, "NamespaceReady").starts_with("False OwnedByOther"));
    assert_eq!(world.child("Deployment", "workspace"), None);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_its_name_that_is_going_is_waited_for() {
    let world = World::new();
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": HOME, "uid": "old", "deletionTimestamp": world.server.now().to_string() },
        "status": { "phase": "Terminating" },
    }));
    let _process = world.healthy().await;
    let key = world.workspace().await;
    assert_eq!(world.phase(&key), "Pending", "{}", world.server.status(&key));
    assert!(world.server.message(&key, "NamespaceReady").contains("which is being deleted"));
    assert_eq!(world.server.status(&key)["namespace"], json!(null));
    assert_eq!(world.child("LimitRange", "default-limits"), None);
    world.server.user_removes(&ObjectKey::new("Namespace", "", HOME));
    sleep(MINUTE).await;
    assert_eq!(world.phase(&key), "Deploying", "{}", world.server.status(&key));
    assert_ne!(world.namespace().unwrap()["metadata"]["uid"], "old");
    assert_eq!(world.phases(), ["Pending", "Provisioning", "Deploying"]);
}

/// Past the webhook, the environment gets labels that make the namespace acme-store-pr-1.
fn relabel(world: &World, key: &ObjectKey) {
    // A label that is not the Project's name is a warning; elsewhere than in `acme-store` the Project has to permit it.
    let project = ObjectKey::new("Project", "acme", "shop");
    let permit = json!({ "concierge.dev/allow-references-from": "acme-shop" });
    world.server.user_annotates(&project, permit);
    let mut environment = world.server.read(key).unwrap();
    environment["metadata"]["labels"]["catalyst.dev/project"] = "store".into();
    world.server.user_puts_whole(environment);
}

/// Its name in the status is the only way to it: the mark alone may be forged.
#[tokio::test(start_paused = true)]
async fn the_namespace_of_other_labels_goes_before_another_is_made() {
    for deleted_meanwhile in [false, true] {
        let world = World::new();
        let _process = world.healthy().await;
        let key = world.workspace().await;
        let slow = world.hold_up();
        let images = world.server.status(&key)["images"].clone();
        relabel(&world, &key);
        sleep(HOUR).await;
        let other = ObjectKey::new("Namespace", "", "acme-store-pr-1");
        let leaving = world.namespace().unwrap()["metadata"]["deletionTimestamp"].clone();
        assert!(leaving.is_string(), "{}", world.server.status(&key));
        assert_eq!(world.server.read(&other), None);
        assert_eq!(world.server.status(&key)["namespace"], HOME);
        assert!(images.is_object() && world.server.status(&key)["images"] == images, "{images}");
        assert_eq!(world.phase(&key), "Pending");
        let message = world.server.message(&key, "NamespaceReady");
        assert_eq!(message, "waits until Namespace acme-shop-pr-1, which it had under other labels, is gone");
        if deleted_meanwhile {
            world.server.user_deletes(&key);
            sleep(HOUR).await;
            assert!(world.server.read(&key).is_some(), "it waits for the namespace of before");
        }
        world.server.user_removes(&slow);
        world.server.user_removes(&ObjectKey::new("Namespace", "", HOME));
        sleep(MINUTE).await;
        assert_eq!(world.server.read(&key).is_none(), deleted_meanwhile);
        assert_eq!(world.server.read(&other).is_none(), deleted_meanwhile);
        if !deleted_meanwhile {
            assert_eq!(world.server.status(&key)["namespace"], "acme-store-pr-1");
            world.server.user_deletes(&key);
            sleep(MINUTE).await;
            assert_eq!((world.server.read(&key), world.server.read(&other)), (None, None));
        }
    }
}

/// Its volumes would go with it, and it would get no other.
#[tokio::test(start_paused = true)]
async fn the_namespace_of_other_labels_stays_while_the_new_name_is_another_s() {
    let world = World::new();
    let other = ObjectKey::new("Namespace", "", "acme-store-pr-1");
    let theirs = world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "acme-store-pr-1" },
    }));
    let _process = world.healthy().await;
    let key = world.workspace().await;
    let (home, before) = (world.namespace(), world.server.status(&key));
    relabel(&world, &key);
    sleep(HOUR).await;
    let status = world.server.status(&key);
    assert!(world.server.condition(&key, "NamespaceReady").starts_with("False OwnedByOther"), "{status}");
    assert!(world.server.message(&key, "NamespaceReady").contains("acme-store-pr-1"), "{status}");
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False Waiting");
    assert_eq!((world.namespace(), world.server.read(&other)), (home, Some(theirs)));
    assert!(world.child("Deployment", "workspace").is_some());
    for field in ["namespace", "images", "url"] {
        assert_eq!(status[field], before[field], "{field}");
    }
    // Once the name is free, it moves.
    world.server.user_removes(&other);
    sleep(HOUR).await;
    assert_eq!(world.namespace(), None);
    assert!(world.server.read(&other).is_some(), "{}", world.server.status(&key));
    assert_eq!(world.server.status(&key)["namespace"], "acme-store-pr-1");
}

#[tokio::test(start_paused = true)]
async fn credentials_beside_the_project_are_copied_and_follow_it() {
    let world = World::new();
    let secret = |text: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": { "name": "registry-credentials", "namespace": "acme" },
            "data": { ".dockerconfigjson": text, "more": "bm8=" },
        })
    };
    world.server.user_puts_whole(secret("e30="));
    let _process = world.healthy().await;
    let key = world.workspace().await;
    let copy = world.child("Secret", "registry-credentials").unwrap();
    assert_eq!(
        (&copy["data"], &copy["type"]),
        (&json!({ ".dockerconfigjson": "e30=" }), &json!("kubernetes.io/dockerconfigjson"))
    );
    let pod = &world.child("Deployment", "workspace").unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry-credentials" }]));
    assert_eq!(world.server.condition(&key, "CredentialsReady"), "True Ready");
    world.server.user_puts_whole(secret("e30K"));
    sleep(HOUR).await;
    assert_eq!(world.child("Secret", "registry-credentials").unwrap()["data"][".dockerconfigjson"], "e30K");
}

#[tokio::test(start_paused = true)]
async fn the_quota_is_the_project_s_and_follows_it() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(json!({ "resources": { "defaultQuota": { "cpu": "3", "memory": "6Gi" } } }));
    world.environment(json!({ "deploymentMode": "workspace" }));
    sleep(MINUTE).await;
    let hard = || world.child("ResourceQuota", "default-quota").unwrap()["spec"]["hard"].clone();
    assert_eq!((&hard()["limits.cpu"], &hard()["requests.memory"]), (&json!("3"), &json!("6Gi")));
    world.project(json!({ "resources": { "defaultQuota": { "cpu": "5", "memory": "6Gi" } } }));
    sleep(MINUTE).await;
    assert_eq!(hard()["limits.cpu"], "5");
}

#[tokio::test(start_paused = true)]
async fn from_a_namespace_that_is_not_the_project_s_its_team_must_permit_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let project = world.project(json!({}));
    let labels = json!({
        "catalyst.dev/team": "acme", "catalyst.dev/project": "shop", "catalyst.dev/environment": "pr-1",
    });
    world.server.user_puts(json!({
        "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Environment",
        "metadata": { "name": "pr-1", "namespace": "mallory", "labels": labels },
        "spec": { "projectRef": { "name": "shop" }, "type": "development", "deploymentMode": "workspace" },
    }));
    let key = ObjectKey::new("Environment", "mallory", "pr-1");
    sleep(MINUTE).await;
    assert!(
        world.server.condition(&key, "ReferencesResolved").starts_with("False"),
        "{}",
        world.server.status(&key)
    );
    assert_eq!(world.namespace(), None);
    // Nor does it keep the project from being deleted.
    world.server.user_deletes(&project);
    sleep(LEASE).await;
    assert_eq!(world.server.read(&project), None);
}
