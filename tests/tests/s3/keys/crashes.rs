//! The process dies at every place of a run, and answers are lost.

use std::collections::BTreeSet;

use concierge_reconciler::engine::seams::CrashPoint;
use concierge_tests::{
    faults::Fault,
    simulation::{
        Interruption, MINUTE, ProcessOptions, actors::Actors, scenarios::play_all, server::Fault as Unwritten,
    },
};
use serde_json::json;

use super::{ALICE, assert_in_order, is_in_order, key, rotate};
use crate::world::World;

/// What becomes of the call that makes a key, or of the write of its Secret.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// The answer is lost, and the key is there.
    Unanswered,
    /// The call is lost on its way.
    Unsent,
    /// The Secret is not written, and nobody can tell.
    SecretLost,
    /// It is, and nobody can tell.
    SecretUnanswered,
}

const TROUBLES: [Trouble; 5] =
    [Trouble::None, Trouble::Unanswered, Trouble::Unsent, Trouble::SecretLost, Trouble::SecretUnanswered];

impl Trouble {
    fn begin(self, world: &World) {
        match self {
            Trouble::None => {}
            Trouble::Unanswered => world.store.faults().once("CreateAccessKey", Fault::DropAfter),
            Trouble::Unsent => world.store.faults().once("CreateAccessKey", Fault::DropBefore),
            Trouble::SecretLost => world.server.fail_next("apply", Unwritten::Lost),
            Trouble::SecretUnanswered => world.server.fail_next("apply", Unwritten::Unanswered),
        }
    }
}

type Scenario = (bool, CrashPoint, Trouble);

/// Whether the process died there.
async fn play((replacing, point, trouble): Scenario) -> bool {
    let context = format!("{replacing} {point:?} {trouble:?}");
    let world = World::new();
    let web = key(&world, json!({}));
    if replacing {
        let process = world.healthy();
        world.until_ready(&web).await;
        process.stop().await;
        rotate(&world, &web, "now");
    }
    let before = world.store.keys(ALICE);
    trouble.begin(&world);
    let crashing =
        ProcessOptions { crash_at: Some((point, 1)), with: Some("AccessKey"), ..ProcessOptions::default() };
    let mut actors = Actors::new(&world, Interruption::Restart, crashing);
    let is_done = || {
        let status = world.server.status(&web);
        is_in_order(&world, &web) && (!replacing || status["lastRotateRequest"] == "now")
    };
    actors.until(90 * MINUTE, || {}, is_done).await;
    actors.pass(15 * MINUTE, || {}).await;
    assert_in_order(&world, &web, &context);
    let keys = world.store.keys(ALICE);
    assert_eq!(keys.len(), 1 + before.len(), "{context}: {keys:?}");
    assert!(before.iter().all(|old| keys.iter().any(|key| key.id == old.id)), "{context}: {keys:?}");
    actors.interrupted
}

fn all(replacing: bool) -> Vec<Scenario> {
    let of = |point: &CrashPoint| TROUBLES.map(|trouble| (replacing, *point, trouble));
    CrashPoint::ALL.iter().flat_map(of).collect()
}

/// Each place once; the troubles take turns.
fn some(replacing: bool) -> Vec<Scenario> {
    let turns = CrashPoint::ALL.iter().zip(TROUBLES.iter().cycle());
    turns.map(|(point, trouble)| (replacing, *point, *trouble)).collect()
}

#[test]
fn wherever_the_maker_of_a_key_dies_there_is_one_and_it_is_in_the_secret() {
    play_all(&some(false), play);
}

#[test]
fn wherever_the_replacer_of_a_key_dies_there_are_two_and_the_new_one_is_in_the_secret() {
    play_all(&some(true), play);
}

#[test]
#[ignore = "soak"]
fn wherever_a_process_dies_and_whatever_is_lost_no_key_is_unrecorded_and_no_secret_lost() {
    let all: Vec<_> = [false, true].into_iter().flat_map(all).collect();
    let died = play_all(&all, play);
    let reached = all.iter().zip(died).filter(|(_, died)| *died).map(|((_, point, _), _)| *point);
    let reached: BTreeSet<_> = reached.collect();
    let certain = [
        CrashPoint::IntentWritten,
        CrashPoint::AboutToSend,
        CrashPoint::Answered,
        CrashPoint::OutcomeRecorded,
        CrashPoint::UnknownWritten,
        CrashPoint::Looked,
        CrashPoint::Discarded,
    ];
    assert!(certain.iter().all(|point| reached.contains(point)), "{reached:?}");
}
