//! Objects of Kubernetes' own kinds in another namespace: made, kept as they are wanted, and gone with their owner; nobody else's touched.

use concierge_reconciler::engine::ObjectKey;
use concierge_shared::child::{OWNER_ANNOTATION, OWNER_UID_LABEL};
use concierge_tests::simulation::{
    Actors, Interruption, LEASE, MINUTE, ProcessOptions, Server, Simulated, server::Fault,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

fn namespace() -> ObjectKey {
    ObjectKey::new("Namespace", "", "room-blue")
}

fn inside(kind: &'static str, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "room-blue", name)
}

fn quota() -> ObjectKey {
    inside("ResourceQuota", "quota")
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap()
}

/// Somebody changes an object, and bears the blame.
fn change(server: &Server, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
    let mut object = server.read(key).unwrap();
    change(&mut object);
    let managers = object["metadata"]["managedFields"].as_array_mut().unwrap();
    managers.retain(|one| one["manager"] != "kubectl-edit");
    managers.push(json!({ "manager": "kubectl-edit", "time": "2026-11-21T13:00:00Z" }));
    server.user_puts_whole(object);
}

fn told(server: &Server) -> Vec<String> {
    server.events().into_iter().map(|event| format!("{} {}", event.reason, event.message)).collect()
}

async fn room(world: &World, spec: Value) -> ObjectKey {
    let room = world.room("blue", spec);
    sleep(MINUTE).await;
    room
}

#[tokio::test(start_paused = true)]
async fn children_are_made_in_another_namespace_and_marked() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20" })).await;
    assert!(world.server.is_ready(&room), "{}", world.server.status(&room));
    let owner = world.server.read(&room).unwrap();
    for key in [namespace(), quota()] {
        let child = world.server.read(&key).unwrap();
        assert_eq!(child["metadata"]["labels"][OWNER_UID_LABEL], uid(&owner));
        assert_eq!(child["metadata"]["annotations"][OWNER_ANNOTATION], "Room default/blue");
        assert!(child["metadata"]["ownerReferences"].is_null(), "the garbage collector would delete it");
    }
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written_and_nothing_read() {
    let world = World::new();
    let _process = world.patient().await;
    let room = room(&world, json!({ "pods": "20", "image": "web:1" })).await;
    change(&world.server, &inside("Deployment", "web"), |web| {
        web["status"] =
            json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1 });
    });
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&room), "{}", world.server.status(&room));
    let (writes, events) = (world.server.writes(), told(&world.server).len());
    let namespace_reads = world.server.reads();
    sleep(4 * HOUR).await;
    assert_eq!((world.server.writes(), told(&world.server).len()), (writes, events));
    // Per resync a handful of looks into the cache, and no child.
    assert!(
        world.server.reads() - namespace_reads < 4 * 6 * 10,
        "{}",
        world.server.reads() - namespace_reads
    );
    // Another process finds all of it as it should be.
    let _other = world.start("other", ProcessOptions::default());
    drop(_process);
    sleep(HOUR).await;
    assert_eq!(world.server.writes(), writes, "after another has taken over");
}

#[tokio::test(start_paused = true)]
async fn what_others_add_and_defaults_are_left_alone_and_no_own_write_wakes_anybody() {
    let world = World::new();
    let process = world.healthy().await;
    room(&world, json!({ "pods": "20" })).await;
    change(&world.server, &quota(), |quota| {
        quota["spec"]["hard"]["limits.cpu"] = "4".into();
        quota["spec"]["hard"]["services"] = "9".into();
        quota["metadata"]["labels"]["mine"] = "yes".into();
    });
    let writes = world.server.writes();
    let runs = || {
        let family = &process.metrics.runs;
        let ok = concierge_reconciler::engine::metrics::RunLabels { kind: "Room", result: "ok".into() };
        family.get_or_create(&ok).get()
    };
    let before = runs();
    sleep(MINUTE).await;
    assert_eq!(
        (world.server.writes(), runs() - before),
        (writes, 1),
        "looked at once, because somebody changed it"
    );
}

#[tokio::test(start_paused = true)]
async fn drift_is_repaired_at_once_and_people_are_told_the_field_and_who_changed_it() {
    let world = World::new();
    let _process = world.healthy().await;
    room(&world, json!({ "pods": "20" })).await;
    change(&world.server, &quota(), |quota| quota["spec"]["hard"]["pods"] = "500".into());
    sleep(LEASE / 15).await;
    assert_eq!(world.server.read(&quota()).unwrap()["spec"]["hard"]["pods"], "20", "within a second");
    let expect = "DriftDetected corrected ResourceQuota room-blue/quota: spec.hard.pods 500 -> 20 (changed by kubectl-edit)";
    assert!(told(&world.server).contains(&expect.to_owned()), "{:?}", told(&world.server));
    change(&world.server, &namespace(), |namespace| {
        namespace["metadata"]["labels"].as_object_mut().unwrap().remove("enforce");
    });
    world.server.user_deletes(&quota());
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&namespace()).unwrap()["metadata"]["labels"]["enforce"], "baseline");
    assert!(world.server.read(&quota()).is_some(), "one that was deleted is made again");
}

#[tokio::test(start_paused = true)]
async fn a_changed_wish_is_no_drift_and_what_is_no_longer_wanted_goes() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20", "colour": "red", "password": "hunter2" })).await;
    assert!(world.server.read(&inside("Secret", "login")).is_some());
    world.room("blue", json!({ "pods": "30" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&quota()).unwrap()["spec"]["hard"]["pods"], "30");
    assert!(
        world.server.read(&namespace()).unwrap()["metadata"]["labels"]["colour"].is_null(),
        "a label that is not wanted any more"
    );
    assert!(world.server.read(&inside("Secret", "login")).is_none(), "a child that is not wanted any more");
    assert!(world.server.is_ready(&room));
    assert!(
        !told(&world.server).iter().any(|event| event.starts_with("DriftDetected")),
        "{:?}",
        told(&world.server)
    );
}

#[tokio::test(start_paused = true)]
async fn a_secrets_value_is_repaired_and_never_told() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20", "password": "hunter2" })).await;
    let login = inside("Secret", "login");
    let before = world.server.read(&login).unwrap()["data"].clone();
    change(&world.server, &login, |secret| secret["data"]["password"] = "aHVudGVyMw==".into());
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&login).unwrap()["data"], before);
    let all = format!("{:?} {}", told(&world.server), world.server.status(&room));
    assert!(all.contains("data.password (another value)"), "{all}");
    assert!(!all.contains("hunter") && !all.contains("aHVu"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_without_our_mark_is_neither_adopted_nor_changed_nor_deleted() {
    let world = World::new();
    let _process = world.healthy().await;
    let decoy =
        json!({ "kind": "Namespace", "metadata": { "name": "room-blue", "labels": { "team": "others" } } });
    world.server.user_puts(decoy);
    let before = world.server.read(&namespace()).unwrap();
    let room = room(&world, json!({ "pods": "20" })).await;
    assert_eq!(world.server.condition(&room, "Ready"), "False OwnedByOther");
    let message = world.server.message(&room, "Ready");
    assert_eq!(
        message,
        "Namespace room-blue exists and was not made for this object; delete it, or choose another name"
    );
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert!(world.server.read(&room).is_none());
    assert_eq!(world.server.read(&namespace()).unwrap(), before);
    assert!(world.server.read(&quota()).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_another_object_is_as_good_as_none() {
    let world = World::new();
    let _process = world.healthy().await;
    let labels = json!({ OWNER_UID_LABEL: "uid-of-another" });
    let annotations = json!({ OWNER_ANNOTATION: "Room default/blue" });
    let other = json!({ "kind": "Namespace", "metadata": { "name": "room-blue", "labels": labels, "annotations": annotations } });
    world.server.user_puts(other);
    let before = world.server.read(&namespace()).unwrap();
    let room = room(&world, json!({ "pods": "20" })).await;
    assert_eq!(world.server.condition(&room, "Ready"), "False OwnedByOther");
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&namespace()).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_makes_at_the_same_instant_is_let_go_of_again() {
    let world = World::new();
    let _process = world.healthy().await;
    let theirs =
        json!({ "kind": "Namespace", "metadata": { "name": "room-blue", "labels": { "team": "others" } } });
    world.server.user_puts(theirs);
    // It was not there yet when it was looked for.
    world.server.fail_next("get", Fault::Lost);
    let room = room(&world, json!({ "pods": "20" })).await;
    let left = world.server.read(&namespace()).unwrap();
    assert_eq!(left["metadata"]["labels"], json!({ "team": "others" }), "no mark is left");
    assert_eq!(world.server.condition(&room, "Ready"), "False OwnedByOther");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_lost_its_mark_is_let_go() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20" })).await;
    change(&world.server, &namespace(), |namespace| {
        namespace["metadata"]["labels"].as_object_mut().unwrap().remove(OWNER_UID_LABEL);
    });
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&room, "Ready"), "False OwnedByOther");
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert!(world.server.read(&room).is_none(), "{}", world.server.status(&room));
    assert!(world.server.read(&namespace()).is_some());
    assert!(world.server.read(&quota()).is_some(), "it went over with its namespace");
}

/// Whoever may label anything anywhere can write the mark.
#[tokio::test(start_paused = true)]
async fn a_mark_that_was_forged_elsewhere_holds_no_deletion_up() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20" })).await;
    let mark = |name: &str, namespace: &str| {
        json!({
            "name": name, "namespace": namespace, "finalizers": ["mallory/stays"],
            "labels": { OWNER_UID_LABEL: uid(&world.server.read(&room).unwrap()) },
            "annotations": { OWNER_ANNOTATION: "Room default/blue" },
        })
    };
    let forged = [
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": mark("forged", "mallory") }),
        json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": mark("forged", "mallory") }),
    ];
    let before = forged.map(|object| world.server.user_puts(object));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&room), "{}", world.server.status(&room));
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&room), world.server.read(&namespace())), (None, None));
    for (kind, object) in ["Secret", "Job"].into_iter().zip(before) {
        assert_eq!(world.server.read(&ObjectKey::new(kind, "mallory", "forged")), Some(object));
    }
}

/// Whoever may edit an object is not to keep the namespace that the cluster bears.
#[tokio::test(start_paused = true)]
async fn no_annotation_keeps_a_namespace_whose_owner_is_deleted() {
    for annotation in ["abandon", "paused", "observe-only"] {
        let world = World::new();
        let _process = world.healthy().await;
        let room = room(&world, json!({ "pods": "20" })).await;
        assert!(world.server.read(&namespace()).is_some());
        world.server.user_annotates(&room, json!({ format!("concierge.dev/{annotation}"): "true" }));
        sleep(MINUTE).await;
        world.server.user_deletes(&room);
        sleep(MINUTE).await;
        assert_eq!(
            (world.server.read(&room), world.server.read(&namespace()), world.server.read(&quota())),
            (None, None, None),
            "{annotation}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_goes_after_its_namespace_with_all_that_is_in_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20", "image": "web:1" })).await;
    change(&world.server, &inside("Deployment", "web"), |web| {
        web["metadata"]["finalizers"] = json!(["somebody.else/waits"])
    });
    world.server.user_deletes(&room);
    sleep(10 * MINUTE).await;
    assert_eq!(world.server.condition(&room, "Deleting"), "True Deleting");
    assert_eq!(world.server.message(&room, "Deleting"), "waits until Namespace room-blue is gone");
    let (writes, reads) = (world.server.writes(), world.server.reads());
    sleep(HOUR).await;
    assert_eq!(world.server.writes(), writes);
    assert!(world.server.reads() - reads < 200, "every five minutes or so: {}", world.server.reads() - reads);
    world.server.user_removes(&inside("Deployment", "web"));
    world.server.user_removes(&namespace());
    sleep(LEASE / 15).await;
    assert!(world.server.read(&room).is_none(), "within a second");
}

#[tokio::test(start_paused = true)]
async fn a_new_object_waits_for_the_namespace_of_the_one_before_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let room_before = room(&world, json!({ "pods": "20" })).await;
    let mut terminating = world.server.read(&namespace()).unwrap();
    let old = uid(&terminating).to_owned();
    // Whoever deleted the object before did not wait.
    terminating["metadata"]["deletionTimestamp"] = "2026-11-21T12:30:00Z".into();
    world.server.user_puts_whole(terminating);
    world.server.user_removes(&room_before);
    sleep(MINUTE).await;
    let room = room(&world, json!({ "pods": "20" })).await;
    assert_eq!(world.server.condition(&room, "Ready"), "False Reconciling");
    let message = world.server.message(&room, "Ready");
    assert_eq!(message, "waits until Namespace room-blue, which is being deleted, is gone");
    world.server.user_removes(&quota());
    world.server.user_removes(&namespace());
    sleep(LEASE / 15).await;
    assert!(world.server.is_ready(&room), "within a second");
    assert_ne!(uid(&world.server.read(&namespace()).unwrap()), old);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_waited_for_without_a_look_and_what_follows_is_made_when_it_ends() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20", "job": "prepare:1", "image": "web:1" })).await;
    assert_eq!(world.server.message(&room, "Ready"), "waits for Job room-blue/prepare: it runs");
    assert_eq!(world.server.condition(&room, "Synced"), "True Reconciled");
    let reads = world.server.reads();
    sleep(9 * MINUTE).await;
    assert_eq!(world.server.reads(), reads, "not one look within nine minutes");
    let (job, web) = (inside("Job", "prepare"), inside("Deployment", "web"));
    assert!(world.server.read(&web).is_none());
    change(&world.server, &job, |job| {
        job["status"]["conditions"] = json!([{ "type": "Complete", "status": "True" }])
    });
    sleep(LEASE / 15).await;
    assert!(world.server.read(&web).is_some(), "within a second");
    let failure = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "exit 1" }]);
    change(&world.server, &job, |job| job["status"]["conditions"] = failure);
    sleep(LEASE / 15).await;
    assert_eq!(world.server.condition(&room, "Ready"), "False ChildFailed");
    assert_eq!(
        world.server.message(&room, "Ready"),
        "Job room-blue/prepare has failed: BackoffLimitExceeded: exit 1"
    );
}

#[tokio::test(start_paused = true)]
async fn two_that_correct_each_other_do_so_ever_more_slowly_and_people_are_told() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20" })).await;
    let corrections =
        || told(&world.server).iter().filter(|event| event.starts_with("DriftDetected corrected")).count();
    for minute in 0..120 {
        if world.server.read(&quota()).unwrap()["spec"]["hard"]["pods"] == "20" {
            change(&world.server, &quota(), |quota| quota["spec"]["hard"]["pods"] = "21".into());
        }
        sleep(MINUTE).await;
        let waits = world.server.message(&room, "Synced");
        let told = waits.contains("is changed again and again (spec.hard.pods 21 -> 20 (changed by kubectl-edit)); stop whoever changes it");
        assert!(minute < 8 || told || waits.is_empty(), "{minute}: {waits}");
    }
    assert!((8..=24).contains(&corrections()), "{}", corrections());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_not_believed_is_no_reason_to_delete_or_to_make_anything_twice() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20", "password": "x" })).await;
    world.server.trouble(|trouble| trouble.blind.extend(["Secret".to_owned()]));
    world.room("blue", json!({ "pods": "20" }));
    sleep(MINUTE).await;
    assert!(world.server.read(&inside("Secret", "login")).is_some(), "nobody knows what else there is");
    assert!(world.server.message(&room, "Synced").contains("the Secret objects can't be looked up now"));
    world.server.trouble(|trouble| trouble.blind.clear());
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&inside("Secret", "login")).is_none());
    // Deletion asks the API server itself.
    world
        .server
        .trouble(|trouble| trouble.blind.extend(["Namespace".to_owned(), "ResourceQuota".to_owned()]));
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&room), world.server.read(&namespace())), (None, None));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_nothing_is_let_go_and_it_is_said_what_is_missing() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = room(&world, json!({ "pods": "20" })).await;
    world.server.trouble(|trouble| trouble.forbidden.extend(["Namespace".to_owned()]));
    world.server.user_deletes(&room);
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&room).is_some() && world.server.read(&namespace()).is_some());
    let message = world.server.message(&room, "Deleting");
    assert!(message.contains("forbid"), "{message}");
    world.server.trouble(|trouble| trouble.forbidden.clear());
    sleep(10 * MINUTE).await;
    assert_eq!((world.server.read(&room), world.server.read(&namespace())), (None, None));
}

#[tokio::test(start_paused = true)]
async fn whoever_no_longer_leads_writes_no_child() {
    let world = World::new();
    let at = concierge_reconciler::engine::seams::CrashPoint::Planned;
    let options = ProcessOptions { crash_at: Some((at, 1)), with: Some("Room"), ..ProcessOptions::default() };
    let mut actors = Actors::new(&world, Interruption::Freeze, options);
    let room = world.room("blue", json!({ "pods": "20" }));
    assert!(actors.until(10 * MINUTE, || {}, || world.server.is_ready(&room)).await);
    actors.pass(5 * MINUTE, || {}).await;
    assert!(actors.interrupted);
    let made = told(&world.server).into_iter().filter(|event| event.contains("made Namespace")).count();
    assert_eq!(made, 1, "{:?}", told(&world.server));
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_behind_makes_nothing_twice_and_deletes_nothing_new() {
    let world = World::new();
    let behind = ProcessOptions { lag: MINUTE / 12, ..ProcessOptions::default() };
    let _process = world.start("behind", behind);
    sleep(3 * LEASE).await;
    let room = room(&world, json!({ "pods": "20", "password": "x" })).await;
    sleep(5 * MINUTE).await;
    assert!(world.server.is_ready(&room), "{}", world.server.status(&room));
    let made: Vec<_> = told(&world.server).into_iter().filter(|event| event.starts_with("Created")).collect();
    assert_eq!(made.len(), 3, "{made:?}");
    world.server.user_deletes(&room);
    sleep(5 * MINUTE).await;
    assert_eq!((world.server.read(&room), world.server.read(&namespace())), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_apply_is_no_harm() {
    for fault in [Fault::Lost, Fault::Unanswered] {
        let world = World::new();
        let _process = world.healthy().await;
        world.server.fail_next("apply", fault);
        let room = room(&world, json!({ "pods": "20" })).await;
        sleep(5 * MINUTE).await;
        assert!(world.server.is_ready(&room), "{fault:?}: {}", world.server.status(&room));
    }
}
