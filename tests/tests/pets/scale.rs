//! What a run reads does not grow with the number of objects.

use std::time::Duration;

use concierge_reconciler::engine::annotation::RECONCILE_AT;
use concierge_tests::simulation::{Process, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

/// The most objects that a run may look at: a store looks for tags that it refuses among its first pets.
const MOST: u64 = 120;

/// How many runs there were.
fn runs(process: &Process) -> u64 {
    let kinds = ["Pet", "PetStore"];
    let results = ["ok", "Held", "Invalid"];
    let all = kinds.iter().flat_map(|kind| results.iter().map(move |result| (*kind, *result)));
    all.map(|(kind, result)| process.metrics.runs_of(kind, result)).sum()
}

#[tokio::test(start_paused = true)]
async fn a_run_reads_as_much_among_two_thousand_pets_as_among_ten() {
    reads_as_much_among(2_000).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn a_run_reads_as_much_among_ten_thousand_pets_as_among_ten() {
    reads_as_much_among(10_000).await;
}

/// More pets than their store holds, some with tags that it does not allow, half of them naming it.
async fn reads_as_much_among(pets: usize) {
    let world = World::new();
    world.put(
        "PetStore",
        "zoo",
        json!({ "name": "Zoo", "config": { "maxPets": pets - 10, "allowedTags": ["cat", "dog"] } }),
    );
    let pet = |n: usize| {
        let tag = if n % (pets / 10) == 7 { "owl" } else { ["cat", "dog"][n % 2] };
        let mut spec = json!({ "id": n + 1, "name": "Rex", "tag": tag });
        if n % 4 < 2 {
            spec["storeRef"] = json!({ "name": "zoo" });
        }
        world.put("Pet", &format!("pet-{n}"), spec)
    };
    let keys: Vec<_> = (0..pets).map(pet).collect();
    let process = world.start("a", ProcessOptions::default());
    while runs(&process) <= pets as u64 {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(5)).await;
    let (all, read) = (runs(&process), world.server.reads());
    assert!(read <= 20 * all, "{read} objects were read in {all} runs");
    let phase = |key| world.server.status(key)["phase"].as_str().unwrap_or_default().to_owned();
    let inactive = keys.iter().filter(|key| phase(key) == "Inactive").count();
    assert_eq!(inactive, 10, "the newest");

    // None of these is in step with the count of all objects, every half minute.
    for key in [&keys[3], &keys[pets - 1]] {
        let (before, read) = (runs(&process), world.server.reads());
        world.server.user_annotates(key, json!({ RECONCILE_AT: "now" }));
        sleep(Duration::from_secs(1)).await;
        let (runs, read) = (runs(&process) - before, world.server.reads() - read);
        assert!((1..=4).contains(&runs), "{runs} runs because of one pet");
        assert!(read <= MOST * runs, "{read} objects were read in {runs} runs because of {key}");
    }

    // Another namespace's pet changes nothing here.
    let (before, read) = (runs(&process), world.server.reads());
    world.server.user_puts(json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet",
        "metadata": { "name": "rex", "namespace": "elsewhere" }, "spec": { "id": pets + 1, "name": "Rex" },
    }));
    world.server.user_annotates(&keys[3], json!({ RECONCILE_AT: "later" }));
    sleep(Duration::from_secs(1)).await;
    let (runs, read) = (runs(&process) - before, world.server.reads() - read);
    assert!(read <= MOST * runs, "{read} objects were read in {runs} runs beside a pet of another namespace");
}

/// Those that name no store are asked anew only because of what matters to them.
#[tokio::test(start_paused = true)]
async fn a_store_whose_description_changes_wakes_no_pets() {
    let world = World::new();
    const MANY: usize = 10_000;
    let spec = |description: &str, most: usize| json!({ "name": "Zoo", "description": description, "config": { "maxPets": most } });
    world.put("PetStore", "zoo", spec("small", MANY));
    for n in 0..100 {
        world.put("Pet", &format!("pet-{n}"), json!({ "id": n + 1, "name": "Rex" }));
    }
    let process = world.start("a", ProcessOptions::default());
    sleep(Duration::from_secs(60)).await;
    let woken = async |spec| {
        let before = process.metrics.runs_of("Pet", "ok");
        world.put("PetStore", "zoo", spec);
        sleep(Duration::from_secs(5)).await;
        process.metrics.runs_of("Pet", "ok") - before
    };
    assert_eq!(woken(spec("large", MANY)).await, 0);
    assert_eq!(woken(spec("large", 200)).await, 100);
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
