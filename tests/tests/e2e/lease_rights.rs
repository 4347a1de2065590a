//! The rights to the Lease are taken away one by one, and given back.

use std::time::{Duration, Instant};

use concierge_tests::process::Signal;
use concierge_tests::stack::{NAMESPACE, Plan, Stack};
use serde_json::Value;
use tokio::time::sleep;

use crate::calm::complaints;
use crate::failover::leader;
use crate::world::alone;

const LEASE: Duration = Duration::from_secs(5);
const ROLE: [&str; 4] = ["-n", NAMESPACE, "role", "concierge-lease"];

async fn rights(stack: &Stack) -> Value {
    let kubectl = stack.plane.kubectl();
    let role = kubectl.run(&[&["get", "-o", "json"], &ROLE[..]].concat()).await.unwrap().ok().unwrap();
    let mut role: Value = serde_json::from_str(&role).unwrap();
    role["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    role
}

async fn put(stack: &Stack, role: &Value) {
    let replace = ["replace", "-f", "-"];
    stack.plane.kubectl().run_with_input(&replace, &role.to_string()).await.unwrap().ok().unwrap();
}

fn without(role: &Value, verb: &str) -> Value {
    let mut role = role.clone();
    for rule in role["rules"].as_array_mut().unwrap() {
        rule["verbs"].as_array_mut().unwrap().retain(|one| one != verb);
    }
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["verbs"] != serde_json::json!([]));
    role
}

/// Until a line of this reconciler above INFO says that it `cannot` do this with leases.
async fn told(stack: &Stack, number: usize, verb: &str) {
    let until = Instant::now() + LEASE * 4;
    let says = |line: &String| {
        line.contains("the lease may not be used") && line.contains(&format!("cannot {verb} resource"))
    };
    while !stack.reconciler(number, complaints).iter().any(says) {
        let lines = stack.reconciler(number, complaints);
        assert!(Instant::now() < until, "nobody is told of {verb}: {lines:#?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn each_right_to_the_lease_that_is_missing_is_named_and_used_soon_after_it_is_given_back() {
    let _alone = alone().await;
    let lease = format!("{}s", LEASE.as_secs());
    let reconciler_args = ["--lease-duration", &lease, "--request-timeout", "1s"].map(str::to_owned).to_vec();
    let stack =
        Stack::start(Plan { webhooks: 0, reconcilers: 1, reconciler_args, ..Plan::default() }).await.unwrap();
    leader(&stack, &[0]).await;
    let all = rights(&stack).await;
    for verb in ["update", "get", "create"] {
        put(&stack, &without(&all, verb)).await;
        if verb == "get" {
            // Who leads does not read: one that begins does.
            stack.reconciler(0, |program| program.process.signal(Signal::Kill)).unwrap();
            stack.add_reconciler().await.unwrap();
        }
        if verb == "create" {
            let lease = ["-n", NAMESPACE, "delete", "lease", "concierge-reconciler"];
            stack.plane.kubectl().run(&lease).await.unwrap().ok().unwrap();
        }
        let works = usize::from(verb != "update");
        told(&stack, works, verb).await;
        put(&stack, &all).await;
        let back = Instant::now();
        leader(&stack, &[works]).await;
        eprintln!("{verb}: leads again {:?} after it may", back.elapsed());
        let lines = stack.reconciler(works, complaints).len();
        assert!(lines < 10, "{verb}: {lines} lines above INFO");
        assert!(stack.reconciler(works, |program| program.process.exited().is_none()), "{verb}");
    }
}
