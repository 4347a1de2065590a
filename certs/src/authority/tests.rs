use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn policy() -> Policy {
    let (settle, overlap) = (Duration::from_secs(60), Duration::from_secs(600));
    Policy { name: "hook.system.svc".into(), ca_validity: 90 * DAY, settle, overlap }
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn days(days: u32) -> Timestamp {
    crate::clock::later(start(), days * DAY)
}

/// Everything seen for long enough.
fn settled() -> Observed {
    let long = Some(Duration::from_secs(600));
    Observed {
        rotation: None,
        next_trusted: long,
        current_trusted: long,
        unchanged: Duration::from_secs(600),
        leaf_current: true,
    }
}

fn check(authority: &Authority, observed: &Observed, now: Timestamp, expected: Option<Step>) {
    assert_eq!(authority.due(observed, &policy(), now), expected);
}

fn after(authority: &Authority, step: Step, now: Timestamp) -> Authority {
    authority.take(step, &Observed::default(), &policy(), now).unwrap()
}

fn states() -> (Authority, Authority, Authority) {
    let stable = Authority::bootstrap(&policy(), None, start()).unwrap();
    let announced = after(&stable, Step::Announce, days(60));
    let promoted = after(&announced, Step::Promote, days(60));
    (stable, announced, promoted)
}

#[test]
fn a_third_before_the_end_or_on_request_the_next_is_announced() {
    let (stable, ..) = states();
    check(&stable, &settled(), days(59), None);
    check(&stable, &settled(), days(60), Some(Step::Announce));
    let asked = Observed { rotation: Some("a".into()), ..settled() };
    check(&stable, &asked, days(1), Some(Step::Announce));
}

#[test]
fn a_request_counts_once() {
    let (stable, ..) = states();
    let asked = Observed { rotation: Some("a".into()), ..settled() };
    let announced = stable.take(Step::Announce, &asked, &policy(), start()).unwrap();
    let promoted = after(&announced, Step::Promote, start());
    let done = after(&promoted, Step::Retire, start());
    check(&done, &asked, start(), None);
    check(&done, &Observed { rotation: Some("b".into()), ..settled() }, start(), Some(Step::Announce));
    check(&done, &Observed { rotation: None, ..settled() }, start(), None);
}

#[test]
fn promotion_waits_until_the_next_is_trusted_and_settled() {
    let (_, announced, _) = states();
    let seen =
        |seconds: Option<u64>| Observed { next_trusted: seconds.map(Duration::from_secs), ..settled() };
    check(&announced, &seen(None), days(60), None);
    check(&announced, &seen(Some(59)), days(60), None);
    check(&announced, &seen(Some(60)), days(60), Some(Step::Promote));
}

#[test]
fn retirement_waits_for_every_reason_at_once() {
    let (.., promoted) = states();
    check(&promoted, &settled(), days(60), Some(Step::Retire));
    let short = Duration::from_secs(599);
    for waiting in [
        Observed { unchanged: short, ..settled() },
        Observed { current_trusted: Some(short), ..settled() },
        Observed { current_trusted: None, ..settled() },
        Observed { leaf_current: false, ..settled() },
    ] {
        check(&promoted, &waiting, days(60), None);
    }
    check(&promoted, &Observed::default(), days(90), Some(Step::Retire));
}

#[test]
fn an_expired_authority_is_succeeded_at_once() {
    let (stable, announced, _) = states();
    check(&stable, &Observed::default(), days(90), Some(Step::Replace));
    check(&announced, &Observed::default(), days(90), Some(Step::Promote));
    check(&announced, &Observed::default(), days(400), Some(Step::Replace));
    let replaced = after(&stable, Step::Replace, days(90));
    assert_eq!((replaced.state(), replaced.certificates().count()), (State::Stable, 1));
}

#[test]
fn promotion_keeps_the_predecessor_without_its_key() {
    let (stable, announced, promoted) = states();
    assert_eq!(promoted.previous(), Some(stable.current().certificate()));
    assert_eq!(Some(promoted.current()), announced.next());
    assert!(!promoted.to_data().contains_key("previous.key"));
}

#[test]
fn every_state_survives_the_secret() {
    let (stable, announced, promoted) = states();
    for authority in [stable, announced, promoted] {
        assert_eq!(Authority::from_data(&authority.to_data()).unwrap(), authority);
    }
}

#[test]
fn an_unreadable_next_is_left_out_and_an_unreadable_current_is_an_error() {
    let (_, announced, _) = states();
    let mut data = announced.to_data();
    data.insert("next.key".into(), announced.to_data()["current.key"].clone());
    assert_eq!(Authority::from_data(&data).unwrap().state(), State::Stable);
    data.remove("current.key");
    assert!(Authority::from_data(&data).unwrap_err().to_string().starts_with("`current.crt`"));
}

#[test]
fn a_first_authority_is_backdated_by_five_minutes_and_a_following_one_never_before_its_predecessor() {
    let (stable, announced, _) = states();
    let first = stable.current().certificate();
    assert_eq!(first.not_before(), earlier(start(), Duration::from_secs(300)));
    assert_eq!(first.not_after(), days(90));
    let soon = after(&stable, Step::Announce, days(1));
    assert_eq!(soon.next().unwrap().certificate().not_before(), first.not_before());
    assert_eq!(announced.next().unwrap().certificate().not_before(), days(53));
}
