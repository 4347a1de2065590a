//! References that a rule implies across namespaces: no permission is asked for, and all else is as with others.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::MINUTE;
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

fn toy(world: &World) -> ObjectKey {
    world.server.user_puts(json!({ "apiVersion": "toys.example.com/v1", "kind": "Toy",
        "metadata": { "name": "bear", "namespace": "store" }, "spec": { "colour": "brown" } }));
    ObjectKey::new("Toy", "store", "bear")
}

#[tokio::test(start_paused = true)]
async fn an_object_waits_for_what_a_rule_relates_to_it_and_is_woken_when_it_is_ready() {
    let world = World::new();
    let _process = world.healthy().await;
    let room = world.room("blue", json!({ "pods": "1", "toy": "bear" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.message(&room, "ReferencesResolved"), "Toy store/bear does not exist; create it");
    toy(&world);
    sleep(MINUTE / 30).await;
    assert!(
        world.server.is_ready(&room),
        "without a permission, and at once: {}",
        world.server.status(&room)
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_in_another_namespace_is_kept_while_it_is_referred_to_without_its_permission() {
    let world = World::new();
    let _process = world.healthy().await;
    let (toy, room) = (toy(&world), world.room("blue", json!({ "pods": "1", "toy": "bear" })));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&room));
    world.server.user_deletes(&toy);
    sleep(MINUTE).await;
    assert!(world.server.read(&toy).is_some());
    assert!(world.server.message(&toy, "Deleting").contains("in use by an object in another namespace;"));
    // A cache that shows no referrer is not believed: those of other namespaces are read as well.
    world.server.user_deletes(&room);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&room), world.server.read(&toy)), (None, None));
}
