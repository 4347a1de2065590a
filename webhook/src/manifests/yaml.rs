//! Objects as YAML that every reader takes for the same: text that YAML 1.1 takes for something else is quoted.

use serde::Serialize;
use serde_saphyr::{ser_options, to_string_with_options};

use super::ManifestsError;

/// Objects, each with a `---` in front.
pub(super) fn documents<T: Serialize>(objects: &[T]) -> Result<String, ManifestsError> {
    objects.iter().map(|object| Ok(format!("---\n{}", document(object)?))).collect()
}

/// One object, long text folded.
pub(super) fn document(object: &impl Serialize) -> Result<String, ManifestsError> {
    Ok(to_string_with_options(object, ser_options! { folded_wrap_chars: 100 })?)
}

/// A value without folded text, so that no template expression is broken in two.
pub(super) fn fragment(value: &impl Serialize) -> Result<String, ManifestsError> {
    Ok(to_string_with_options(value, ser_options! { prefer_block_scalars: false })?)
}
