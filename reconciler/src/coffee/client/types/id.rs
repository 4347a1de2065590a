//! Ids as the shop gives them.

use serde::{Deserialize, Deserializer, de::Error};

const LONGEST: usize = 128;

/// The id of what was just made, which is all that the shop answers.
#[derive(Deserialize)]
pub(in crate::coffee::client) struct Id(
    #[serde(deserialize_with = "id")] pub(in crate::coffee::client) String,
);

/// Reads an id, and nothing that a status could not hold: an answer with that in it can't be read.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_id = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_id { Ok(text) } else { Err(D::Error::custom("no id")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_no_status_could_hold_makes_an_answer_unreadable() {
        let read = |id: &str| serde_json::from_value::<Id>(id.into()).ok().map(|Id(id)| id);
        assert_eq!(read("ord_01M8CEAXTMQ02VSTVQQ6SABDQF").as_deref(), Some("ord_01M8CEAXTMQ02VSTVQQ6SABDQF"));
        for odd in ["", "a b", "a\nb", "ord_é", &"x".repeat(129)] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
