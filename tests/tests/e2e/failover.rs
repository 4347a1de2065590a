//! The leader is killed, and frozen past its lease: another takes over, and nothing is written twice or by one that
//! no longer leads.

use std::time::{Duration, Instant};

use concierge_tests::PATIENCE;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::petstore::Petstore;
use concierge_tests::process::Signal;
use concierge_tests::stack::{Plan, Stack, get};
use serde_json::json;

use crate::world::{Created, alone, create, namespaces, ordinary_user, pet};

const LEASE: Duration = Duration::from_secs(5);

/// The number of the reconciler that says it leads.
pub(crate) async fn leader(stack: &Stack, of: &[usize]) -> usize {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        for number in of {
            let admin = stack.reconciler(*number, |program| program.admin);
            if get(admin, "/metrics")
                .await
                .is_ok_and(|text| text.lines().any(|line| line == "concierge_leader 1"))
            {
                return *number;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("none of {of:?} leads");
}

/// Creates a pet and waits until the service has it; how long that took.
async fn kept(stack: &Stack, service: &Petstore, id: i64) -> Duration {
    let user = ordinary_user(stack).await.unwrap().client().await.unwrap();
    let began = Instant::now();
    let created = create(&user, &pet("zoo", &format!("pet-{id}"), id), "none", false).await;
    assert!(matches!(created, Created::Stored), "{created:?}");
    while !service.pets().iter().any(|pet| pet.id == Some(id)) {
        assert!(began.elapsed() < PATIENCE, "pet {id} never reached the service");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn another_takes_over_and_nothing_is_written_twice() {
    let _alone = alone().await;
    rustls::crypto::ring::default_provider().install_default().ok();
    let service = Petstore::start().await.unwrap();
    let lease = format!("{}s", LEASE.as_secs());
    let reconciler_args = ["--lease-duration", &lease, "--request-timeout", "1s"].map(str::to_owned).to_vec();
    let stack = Stack::start(Plan { reconcilers: 3, reconciler_args, ..Plan::default() }).await.unwrap();
    namespaces(&stack, &["zoo".to_owned()]).await.unwrap();
    let store = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
        "metadata": {"namespace": "zoo", "name": "shop"},
        "spec": {"name": "Shop", "endpoints": {"baseUrl": service.url()}},
    });
    stack.plane.kubectl().apply_text(&store.to_string()).await.unwrap().ok().unwrap();
    kept(&stack, &service, 1).await;

    // Killed: its lease runs out, and another goes on.
    let first = leader(&stack, &[0, 1, 2]).await;
    stack.reconciler(first, |program| program.process.signal(Signal::Kill)).unwrap();
    let took = kept(&stack, &service, 2).await;
    println!("taken over {took:.1?} after the leader was killed");

    // Frozen past its lease: another goes on, and the one that wakes up writes nothing.
    let rest: Vec<_> = (0..3).filter(|number| *number != first).collect();
    let second = leader(&stack, &rest).await;
    stack.reconciler(second, |program| program.process.signal(Signal::Stop)).unwrap();
    let took = kept(&stack, &service, 3).await;
    println!("taken over {took:.1?} after the leader was frozen");
    stack.reconciler(second, |program| program.process.signal(Signal::Cont)).unwrap();
    for id in 4..20 {
        kept(&stack, &service, id).await;
    }
    let third: Vec<_> = rest.into_iter().filter(|number| *number != second).collect();
    assert_eq!(leader(&stack, &third).await, third[0]);

    // Told to leave: it hands over at once.
    stack.reconciler(third[0], |program| program.process.signal(Signal::Term)).unwrap();
    kept(&stack, &service, 20).await;
    assert_eq!(leader(&stack, &[second]).await, second);

    assert_eq!(service.count("POST /pet"), 20, "each pet was created once: {:#?}", service.log());
    let wait = ["wait", "--for=condition=Ready", "pets", "--all", "-n", "zoo", TIMEOUT];
    stack.plane.kubectl().run(&wait).await.unwrap().ok().unwrap();
}
