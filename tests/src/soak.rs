//! How much `make soak` plays.

/// All of `list` with `make soak FULL=1`, else the first `sample` of it, which is said. A list begins with what finds most.
pub fn sample<'a, T>(what: &str, list: &'a [T], sample: usize) -> &'a [T] {
    let full = std::env::var_os("FULL").is_some_and(|full| !full.is_empty());
    if full || sample >= list.len() {
        return list;
    }
    println!("{what}: a sample of {sample} of {}; make soak FULL=1 plays all", list.len());
    &list[..sample]
}
