use super::*;

#[test]
fn only_certainty_counts_as_no_effect() {
    assert!(!Failure::Ambiguous(String::new()).had_no_effect());
    assert!(!Failure::Transient(String::new()).had_no_effect());
    assert!(Failure::NeverSent(String::new()).had_no_effect());
    assert!(Failure::Throttled { message: String::new(), retry_after: None }.had_no_effect());
}

#[test]
fn a_refusal_is_not_retried_hot() {
    assert_eq!(Failure::Invalid(String::new()).requeue(), Requeue::Slow);
    let patience = Duration::from_secs(7);
    let throttled = Failure::Throttled { message: String::new(), retry_after: Some(patience) };
    assert_eq!(throttled.requeue(), Requeue::NotBefore(patience));
}

struct Fixed(f64);

impl Random for Fixed {
    fn unit(&self) -> f64 {
        self.0
    }
    fn bits(&self) -> u128 {
        0
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("Toy", "default", "a")
}

#[test]
fn waits_double_up_to_the_cap() {
    let back_off = BackOff::default();
    let waits: Vec<_> = (0..12).map(|_| back_off.failed(&key(), Some(1), &Fixed(1.0)).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
}

#[test]
fn the_jitter_is_full() {
    let back_off = BackOff::default();
    assert_eq!(back_off.failed(&key(), Some(1), &Fixed(0.0)), Duration::ZERO);
    assert_eq!(back_off.failed(&key(), Some(1), &Fixed(0.5)), Duration::from_secs(1));
}

#[test]
fn success_and_a_new_generation_start_over() {
    let back_off = BackOff::default();
    for _ in 0..5 {
        back_off.failed(&key(), Some(1), &Fixed(1.0));
    }
    assert_eq!(back_off.failed(&key(), Some(2), &Fixed(1.0)), BASE);
    back_off.failed(&key(), Some(2), &Fixed(1.0));
    back_off.reset(&key());
    assert_eq!(back_off.failed(&key(), Some(2), &Fixed(1.0)), BASE);
}

#[test]
fn what_makes_no_progress_waits_for_hours_after_some_tries_of_its_own() {
    let back_off = BackOff::default();
    let wait = |requeue: Requeue| requeue.wait(&back_off, &Fixed(1.0), &key(), Some(1)).unwrap();
    for _ in 0..2 * PATIENT_AFTER {
        assert!(wait(Requeue::BackOff) <= CAP);
    }
    for number in 1..=PATIENT_AFTER {
        assert!(wait(Requeue::Stalled) <= CAP, "{number}");
    }
    assert!(wait(Requeue::Stalled) > SLOW);
    assert!(wait(Requeue::Resync(CAP)) > CAP, "it went well");
    assert!(wait(Requeue::Stalled) <= BASE);
}
