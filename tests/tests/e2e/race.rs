//! Uniqueness under a storm: many creates of the same ids, at once, in several namespaces, through several API
//! servers and webhook replicas, by an ordinary user.

use std::time::Duration;

use concierge_tests::PATIENCE;
use concierge_tests::process::Signal;
use concierge_tests::stack::{Plan, Stack};
use futures::future::join_all;
use kube::Client;
use kube::api::{DeleteParams, ListParams};

use crate::world::{Created, alone, api, claims, create, namespaces, ordinary_user, pet, pets};

const IDS: i64 = 200;
const CONTENDERS: usize = 10;
const RULE: &str = "pets.pet.unique-id";

fn name(round: &str, number: usize) -> String {
    format!("{round}-{number}")
}

/// Creates every id of `ids` once in each namespace of the round, all at once. Those that failed for another reason
/// than the rule come back.
async fn storm(clients: &[Client], round: &str, first: i64, dry_run: bool) -> (usize, usize, Vec<String>) {
    let contenders = (0..IDS).flat_map(|id| (0..CONTENDERS).map(move |number| (first + id, number)));
    let calls = contenders.enumerate().map(|(turn, (id, number))| {
        let client = &clients[turn % clients.len()];
        let object = pet(&name(round, number), &format!("pet-{id}"), id);
        async move { create(client, &object, RULE, dry_run).await }
    });
    let (mut stored, mut refused, mut failed) = (0, 0, Vec::new());
    for outcome in join_all(calls).await {
        match outcome {
            Created::Stored => stored += 1,
            Created::Refused => refused += 1,
            Created::Failed(why) => failed.push(why),
        }
    }
    (stored, refused, failed)
}

async fn start_round(stack: &Stack, round: &str) {
    let names: Vec<_> = (0..CONTENDERS).map(|number| name(round, number)).collect();
    namespaces(stack, &names).await.unwrap();
}

/// Every claim has a holder that is stored and has the id, and every stored pet holds its id's claim.
async fn assert_claims_match_pets(stack: &Stack) {
    assert_eq!(claims(stack).await.unwrap(), pets(stack).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn an_id_is_admitted_once_whatever_happens() {
    let _alone = alone().await;
    // Two API servers, a database and two thousand callers share with the replicas what may be two processors, and the API
    // servers alone use two thirds of them: the calls get the time that a cluster's machines would not need.
    let values = ["webhook.validating.timeoutSeconds=30", "webhook.mutating.timeoutSeconds=30"];
    let values = values.map(str::to_owned).to_vec();
    // As long as in the chart: until the balancer knows, new connections come in.
    let shutdown_delay = Duration::from_secs(10);
    let plan = Plan { apiservers: 2, webhooks: 3, reconcilers: 0, shutdown_delay, values, ..Plan::default() };
    let stack = Stack::start(plan).await.unwrap();
    let user = ordinary_user(&stack).await.unwrap();
    let clients = [user.client_at(0).await.unwrap(), user.client_at(1).await.unwrap()];

    // Nothing is reserved by a dry run.
    start_round(&stack, "dry").await;
    let (stored, refused, failed) = storm(&clients, "dry", 1, true).await;
    assert_eq!((stored, refused, failed), (2000, 0, vec![]));
    assert!(claims(&stack).await.unwrap().is_empty());

    // Of ten contenders for an id one gets it, and the nine others are told why.
    start_round(&stack, "calm").await;
    let (stored, refused, failed) = storm(&clients, "calm", 1, false).await;
    assert_eq!((stored, refused, failed), (200, 1800, vec![]));
    assert_claims_match_pets(&stack).await;

    // A replica that is told to leave in the middle of it changes nothing.
    start_round(&stack, "leave").await;
    let leave = async {
        wait_for_claims(&stack, 250).await;
        stack.signal_webhook(0, Signal::Term).unwrap();
    };
    let ((stored, refused, failed), ()) = tokio::join!(storm(&clients, "leave", 1001, false), leave);
    assert_eq!((stored, refused, failed), (200, 1800, vec![]));
    assert_claims_match_pets(&stack).await;

    // A replica that is killed takes the calls with it that it was answering: the API server reports those as
    // failed, and nothing else goes wrong. Trying again, as clients do, ends with one pet for each id.
    start_round(&stack, "kill").await;
    let kill = async {
        wait_for_claims(&stack, 450).await;
        stack.signal_webhook(1, Signal::Kill).unwrap();
    };
    let ((stored, refused, failed), ()) = tokio::join!(storm(&clients, "kill", 2001, false), kill);
    assert!(failed.iter().all(|why| why.contains("failed calling webhook")), "{failed:#?}");
    assert_eq!(stored + refused + failed.len(), 2000);
    eprintln!("killed in mid-storm: {} calls failed with the replica", failed.len());
    // On a busy machine the balancer learns only later that the replica is gone.
    stack.balancer.wait_ready(1, PATIENCE).await.unwrap();
    let (_, _, failed) = storm_again(&clients, "kill", 2001).await;
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(pets(&stack).await.unwrap().len(), 600);
    assert_claims_match_pets(&stack).await;
}

/// Longer than a request can be under way: from then on a claim is nobody's unless its holder is stored.
const AGEING: Duration = Duration::from_secs(70);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn a_freed_id_is_given_to_one_object() {
    let _alone = alone().await;
    let values = ["webhook.validating.timeoutSeconds=30", "webhook.mutating.timeoutSeconds=30"];
    let values = values.map(str::to_owned).to_vec();
    let plan = Plan { apiservers: 2, webhooks: 2, reconcilers: 0, values, ..Plan::default() };
    let stack = Stack::start(plan).await.unwrap();
    let user = ordinary_user(&stack).await.unwrap();
    let clients = [user.client_at(0).await.unwrap(), user.client_at(1).await.unwrap()];

    start_round(&stack, "first").await;
    assert_eq!(storm(&clients, "first", 1, false).await, (200, 1800, vec![]));
    // There is no event to wait for: the age of claims is what is tried.
    tokio::time::sleep(AGEING).await;
    let admin = stack.plane.client().await.unwrap();
    for number in 0..CONTENDERS {
        let pets = api(&admin, "Pet", Some(&name("first", number)));
        pets.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    }
    stack.wait_cached("Pet", 0).await.unwrap();

    start_round(&stack, "second").await;
    assert_eq!(storm(&clients, "second", 1, false).await, (200, 1800, vec![]));
    assert_claims_match_pets(&stack).await;
}

/// The same creates again; those that are stored already are no failure.
async fn storm_again(clients: &[Client], round: &str, first: i64) -> (usize, usize, Vec<String>) {
    let (stored, refused, failed) = storm(clients, round, first, false).await;
    let failed = failed.into_iter().filter(|why| !why.contains("AlreadyExists")).collect();
    (stored, refused, failed)
}

async fn wait_for_claims(stack: &Stack, count: usize) {
    while claims(stack).await.unwrap().len() < count {
        tokio::task::yield_now().await;
    }
}
