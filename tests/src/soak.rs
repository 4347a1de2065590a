//! How much `make soak` plays.

/// Whether nothing is left out: `FULL=1`.
pub fn is_full() -> bool {
    std::env::var_os("FULL").is_some_and(|full| !full.is_empty())
}

/// All of `list` with `make soak FULL=1`, else the first `sample` of it, which is said. A list begins with what finds most.
pub fn sample<'a, T>(what: &str, list: &'a [T], sample: usize) -> &'a [T] {
    if is_full() || sample >= list.len() {
        return list;
    }
    println!("{what}: a sample of {sample} of {}; make soak FULL=1 plays all", list.len());
    &list[..sample]
}

/// All of `list` with `make soak FULL=1`, else one of `nth` from place `turn` on, which is said; and what is left out.
pub fn one_of<T: Clone>(nth: usize, turn: usize, what: &str, list: &[T]) -> (Vec<T>, Vec<T>) {
    if is_full() {
        return (list.to_vec(), Vec::new());
    }
    let (played, left_out): (Vec<_>, Vec<_>) =
        list.iter().cloned().enumerate().partition(|(place, _)| place % nth == turn % nth);
    println!("{what}: a sample of {} of {}; make soak FULL=1 plays all", played.len(), list.len());
    let alone = |list: Vec<(usize, T)>| list.into_iter().map(|(_, one)| one).collect();
    (alone(played), alone(left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_all_turns_together_are_the_whole_list() {
        let list: Vec<usize> = (0..10).collect();
        let (played, left_out) = one_of(3, 4, "numbers", &list);
        assert_eq!(played.len() + left_out.len(), list.len());
        let mut together: Vec<_> = (0..3).flat_map(|turn| one_of(3, turn, "numbers", &list).0).collect();
        together.sort_unstable();
        let times = if is_full() { 3 } else { 1 };
        let expected: Vec<_> = list.into_iter().flat_map(|number| vec![number; times]).collect();
        assert_eq!(together, expected);
    }
}
