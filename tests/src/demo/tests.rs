//! What can be said of the show without playing it.

use super::script::{Ends, Step};
use super::{CHAPTERS, cluster};

fn steps() -> impl Iterator<Item = &'static Step> {
    CHAPTERS.iter().copied().flatten().flat_map(|chapter| chapter.steps)
}

#[test]
fn every_step_has_something_to_show() {
    assert!(steps().count() > 0);
    for step in steps() {
        assert!(!step.shows.is_empty() && !step.say.is_empty(), "{}", step.run);
    }
}

#[test]
fn every_file_that_a_step_names_is_there() {
    for step in steps() {
        for path in step.run.split_whitespace().filter(|word| word.starts_with("examples/")) {
            assert!(cluster::project().join(path).exists(), "{path} of {}", step.run);
        }
    }
}

#[test]
fn a_step_goes_astray_by_its_end_or_its_output() {
    let step = Step::refused("", "", &["a", "b"]);
    assert_eq!(step.ends, Ends::Refused);
    assert!(step.astray(false, "a b").is_empty());
    assert_eq!(step.astray(true, "a b"), ["the command was not refused"]);
    assert_eq!(step.astray(false, "a"), ["the output lacks \"b\""]);
    assert_eq!(Step::well("", "", &[]).astray(false, ""), ["the command failed"]);
}
