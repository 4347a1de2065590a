//! Writes the documents that derive from the kinds: `make generate`.

fn main() -> anyhow::Result<()> {
    concierge_tests::docs::write()
}
