//! Which fault strikes which request.

use parking_lot::Mutex;

use super::Fault;

/// The rules in force. Chances are drawn from a seeded generator: equal seeds and equal requests give equal
/// faults.
pub struct Faults {
    rules: Mutex<Rules>,
}

struct Rules {
    rng: fastrand::Rng,
    list: Vec<Armed>,
}

struct Armed {
    rule: Rule,
    fault: Fault,
    seen: u32,
    struck: u32,
}

/// When a fault strikes. Starts as: every request.
#[derive(Clone, Debug)]
pub struct Rule {
    operation: Option<String>,
    nth: Option<u32>,
    times: Option<u32>,
    chance: f64,
}

impl Rule {
    /// Requests of every operation.
    pub fn any() -> Self {
        Self { operation: None, nth: None, times: None, chance: 1.0 }
    }

    /// Requests of one operation, such as `POST /order`.
    pub fn on(operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..Self::any() }
    }

    /// Only the `nth` of them from now on, counted from 1.
    pub fn nth(self, nth: u32) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// At most this often.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Each with this chance, 0 to 1.
    pub fn chance(self, chance: f64) -> Self {
        Self { chance, ..self }
    }
}

impl Faults {
    /// No rules; chances drawn from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { rules: Mutex::new(Rules { rng: fastrand::Rng::with_seed(seed), list: Vec::new() }) }
    }

    /// Adds a rule. All rules that match strike together, in the order added; of the faults that end a request
    /// the first counts.
    pub fn inject(&self, rule: Rule, fault: Fault) {
        self.rules.lock().list.push(Armed { rule, fault, seen: 0, struck: 0 });
    }

    /// Adds a rule for the next request of one operation.
    pub fn once(&self, operation: &str, fault: Fault) {
        self.inject(Rule::on(operation).nth(1), fault);
    }

    /// Drops all rules. Requests already under way keep their faults.
    pub fn clear(&self) {
        self.rules.lock().list.clear();
    }

    /// The faults that strike one request.
    pub(super) fn draw(&self, operation: &str) -> Vec<Fault> {
        let Rules { rng, list } = &mut *self.rules.lock();
        list.iter_mut()
            .filter_map(|armed| armed.strikes(operation, rng).then(|| armed.fault.clone()))
            .collect()
    }
}

impl Armed {
    fn strikes(&mut self, operation: &str, rng: &mut fastrand::Rng) -> bool {
        let Rule { operation: wanted, nth, times, chance } = &self.rule;
        if wanted.as_deref().is_some_and(|wanted| wanted != operation) {
            return false;
        }
        self.seen += 1;
        let strikes = nth.is_none_or(|nth| nth == self.seen)
            && times.is_none_or(|times| self.struck < times)
            && (*chance >= 1.0 || rng.f64() < *chance);
        self.struck += u32::from(strikes);
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(rule: Rule, operations: &[&str]) -> Vec<bool> {
        let faults = Faults::seeded(7);
        faults.inject(rule, Fault::Garbage);
        operations.iter().map(|operation| !faults.draw(operation).is_empty()).collect()
    }

    #[test]
    fn a_rule_strikes_its_operation_its_turn_and_its_times() {
        assert_eq!(strikes(Rule::any(), &["a", "b"]), [true, true]);
        assert_eq!(strikes(Rule::on("a"), &["a", "b", "a"]), [true, false, true]);
        assert_eq!(strikes(Rule::on("a").nth(2), &["a", "b", "a", "a"]), [false, false, true, false]);
        assert_eq!(strikes(Rule::any().times(2), &["a", "b", "c"]), [true, true, false]);
        assert_eq!(strikes(Rule::any().chance(0.0), &["a", "a"]), [false, false]);
    }

    #[test]
    fn equal_seeds_give_equal_faults() {
        let many = ["a"; 200];
        let first = strikes(Rule::any().chance(0.3), &many);
        assert_eq!(first, strikes(Rule::any().chance(0.3), &many));
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((30..90).contains(&struck), "{struck} of 200");
    }

    #[test]
    fn matching_rules_strike_together() {
        let faults = Faults::seeded(0);
        faults.once("a", Fault::DropAfter);
        faults.once("a", Fault::Hide(super::super::Hidden::Lists(1)));
        assert_eq!(faults.draw("a").len(), 2);
        assert_eq!(faults.draw("a").len(), 0);
    }
}
