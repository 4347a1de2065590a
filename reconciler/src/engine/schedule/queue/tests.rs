use std::time::Duration;

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("Toy", "default", name)
}

async fn next(queue: &Queue) -> String {
    queue.next().await.key.name
}

#[tokio::test(start_paused = true)]
async fn many_wake_ups_are_one_pass() {
    let queue = Queue::default();
    for _ in 0..100 {
        queue.add(key("a"));
    }
    assert_eq!(next(&queue).await, "a");
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_time_wins_and_a_later_one_is_ignored() {
    let queue = Queue::default();
    let began = Instant::now();
    queue.add_at(Lane::Clock, key("a"), began + Duration::from_secs(60));
    queue.add_at(Lane::Clock, key("a"), began + Duration::from_secs(5));
    queue.add_at(Lane::Clock, key("a"), began + Duration::from_secs(90));
    assert_eq!(next(&queue).await, "a");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_dry_while_nothing_in_it_is_due() {
    let queue = Queue::default();
    assert!(queue.is_dry());
    queue.add_at(Lane::Clock, key("a"), Instant::now() + Duration::from_secs(5));
    assert!(queue.is_dry());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!queue.is_dry() && queue.due() == 1);
    assert_eq!(next(&queue).await, "a");
    assert!(queue.is_dry(), "it is with its worker");
}

#[tokio::test(start_paused = true)]
async fn an_object_is_never_with_two_workers() {
    let queue = Queue::default();
    queue.add(key("a"));
    queue.add(key("b"));
    assert_eq!(next(&queue).await, "a");
    queue.add(key("a"));
    assert_eq!(next(&queue).await, "b");
    let waits = tokio::time::timeout(Duration::from_secs(600), queue.next()).await;
    assert!(waits.is_err(), "a is still with its worker");
    queue.done(&key("a"), None);
    assert_eq!(next(&queue).await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_during_a_pass_beats_its_requeue() {
    let queue = Queue::default();
    queue.add(key("a"));
    let began = Instant::now();
    assert_eq!(next(&queue).await, "a");
    queue.add(key("a"));
    queue.done(&key("a"), Some((Lane::Clock, began + Duration::from_secs(600))));
    assert_eq!(next(&queue).await, "a");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_change_goes_ahead_of_a_resync_but_not_for_ever() {
    let queue = Queue::default();
    for n in 0..10 {
        queue.add_in(Lane::Clock, key(&format!("old-{n}")));
        queue.add(key(&format!("new-{n}")));
    }
    queue.add(key("old-9"));
    let mut order = Vec::new();
    while !queue.is_empty() {
        order.push(next(&queue).await);
    }
    let first: Vec<_> = order.iter().take(6).map(String::as_str).collect();
    assert_eq!(first, ["new-0", "new-1", "new-2", "new-3", "old-0", "new-4"]);
    let changed = order.iter().position(|name| name == "old-9").unwrap();
    assert!(changed < 14, "woken by a change: {changed}");
    assert_eq!(order.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_edit_goes_ahead_of_what_is_new_and_nobody_waits_for_ever() {
    let queue = Queue::default();
    for n in 0..100 {
        queue.add_in(Lane::Clock, key(&format!("resync-{n}")));
        queue.add(key(&format!("new-{n}")));
    }
    queue.add_in(Lane::Edit, key("edited"));
    queue.add_in(Lane::Edit, key("new-99"));
    let mut first = Vec::new();
    for _ in 0..32 {
        first.push(next(&queue).await);
    }
    assert_eq!(first[..2], ["edited", "new-99"]);
    let of = |lane: &str| first.iter().filter(|name| name.starts_with(lane)).count();
    assert_eq!((of("new"), of("resync")), (25, 6));
    for n in 0..1000 {
        queue.add_in(Lane::Edit, key(&format!("edit-{n}")));
    }
    let mut then = Vec::new();
    for _ in 0..100 {
        then.push(next(&queue).await);
    }
    let of = |lane: &str| then.iter().filter(|name| name.starts_with(lane)).count();
    assert_eq!((of("edit"), of("new"), of("resync")), (80, 16, 4));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_due_counts_as_waiting() {
    let queue = Queue::default();
    queue.add(key("a"));
    queue.add_at(Lane::Clock, key("b"), Instant::now() + Duration::from_secs(600));
    assert_eq!(queue.due(), 1);
}
