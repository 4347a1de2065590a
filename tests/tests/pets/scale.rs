//! What a run reads does not grow with the number of objects.

use std::time::Duration;

use concierge_reconciler::engine::annotation::RECONCILE_AT;
use concierge_tests::simulation::{Process, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

const PETS: usize = 10_000;
/// The most objects that a run may look at: a store looks for tags that it refuses among its first pets.
const MOST: u64 = 120;

/// How many runs there were.
fn runs(process: &Process) -> u64 {
    let kinds = ["Pet", "PetStore"];
    let results = ["ok", "Held", "Invalid"];
    let all = kinds.iter().flat_map(|kind| results.iter().map(move |result| (*kind, *result)));
    all.map(|(kind, result)| process.metrics.runs_of(kind, result)).sum()
}

/// More pets than their store holds, some with tags that it does not allow, half of them naming it.
#[tokio::test(start_paused = true)]
async fn a_run_reads_as_much_among_ten_thousand_pets_as_among_ten() {
    let world = World::new();
    world.put(
        "PetStore",
        "zoo",
        json!({ "name": "Zoo", "config": { "maxPets": PETS - 10, "allowedTags": ["cat", "dog"] } }),
    );
    let pet = |n: usize| {
        let tag = if n % 1000 == 7 { "owl" } else { ["cat", "dog"][n % 2] };
        let mut spec = json!({ "id": n + 1, "name": "Rex", "tag": tag });
        if n % 4 < 2 {
            spec["storeRef"] = json!({ "name": "zoo" });
        }
        world.put("Pet", &format!("pet-{n}"), spec)
    };
    let pets: Vec<_> = (0..PETS).map(pet).collect();
    let process = world.start("a", ProcessOptions::default());
    while runs(&process) <= PETS as u64 {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(5)).await;
    let (all, read) = (runs(&process), world.server.reads());
    assert!(read <= 20 * all, "{read} objects were read in {all} runs");
    let phase = |key| world.server.status(key)["phase"].as_str().unwrap_or_default().to_owned();
    let inactive = pets.iter().filter(|key| phase(key) == "Inactive").count();
    assert_eq!(inactive, 10, "the newest");

    // None of these is in step with the count of all objects, every half minute.
    for key in [&pets[3], &pets[PETS - 1]] {
        let (before, read) = (runs(&process), world.server.reads());
        world.server.user_annotates(key, json!({ RECONCILE_AT: "now" }));
        sleep(Duration::from_secs(1)).await;
        let (runs, read) = (runs(&process) - before, world.server.reads() - read);
        assert!((1..=4).contains(&runs), "{runs} runs because of one pet");
        assert!(read <= MOST * runs, "{read} objects were read in {runs} runs because of {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pet_that_no_service_keeps_is_written_once_and_bears_no_finalizer() {
    let world = World::new();
    let store = world.put("PetStore", "zoo", json!({ "name": "Zoo" }));
    let process = world.start("a", ProcessOptions::default());
    sleep(Duration::from_secs(60)).await;
    let before = world.server.writes();
    let pet = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex" }));
    sleep(Duration::from_secs(60)).await;
    assert!(world.server.is_ready(&pet));
    assert_eq!(world.server.status(&store)["petCount"], 1);
    assert_eq!(world.server.writes() - before, 2, "the pet, and its store, which counts it");
    assert!(concierge_tests::simulation::server::finalizers(&world.server.read(&pet).unwrap()).is_empty());
    drop(process);
}
