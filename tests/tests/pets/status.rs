//! What a pet's status says.

use std::time::Duration;

use concierge_tests::simulation::{ProcessOptions, Simulated};
use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_tag_that_a_store_with_sixty_allowed_tags_refuses_is_said_to_be_refused() {
    let world = World::new();
    let tags: Vec<_> = (0..60).map(|n| format!("a-tag-of-some-length-{n:02}")).collect();
    world.put("PetStore", "zoo", json!({ "name": "Zoo", "config": { "allowedTags": tags } }));
    let refused = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex", "tag": "another" }));
    let allowed = world.put("Pet", "tom", json!({ "id": 2, "name": "Tom", "tag": tags[59] }));
    let _process = world.start("a", ProcessOptions::default());
    tokio::time::sleep(Duration::from_secs(60)).await;

    let condition = |key, kind| world.server.condition(key, kind);
    let message = world.server.message(&refused, "Valid");
    assert!(
        !message.contains("pets.pet.tag-allowed"),
        "the rule is cut off, or this shows nothing: {message}"
    );
    assert_eq!(condition(&refused, "Valid"), "False Invalid");
    assert_eq!(condition(&refused, "TagAllowed"), "False Invalid");
    assert_eq!(condition(&refused, "IdUnique"), "True Valid");
    assert_eq!(condition(&allowed, "TagAllowed"), "True Valid");
}
