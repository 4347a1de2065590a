//! Tags of users and policies.

use std::collections::BTreeMap;

use super::Iam;
use super::form::{Answer, Call, Refusal, element, member};

/// Tags: keys with their values.
pub type Tags = BTreeMap<String, String>;

/// How many there can be.
const MOST: usize = 50;

/// The tags that a request gives.
pub(super) fn given(call: &Call) -> Tags {
    let (keys, values) = (call.members("Tags", "Key"), call.members("Tags", "Value"));
    keys.zip(values).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub(super) fn list(tags: &Tags) -> String {
    format!("<Tags>{}</Tags>", tags.iter().map(|tag| entry(tag).1).collect::<String>())
}

fn entry((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), member(&(element("Key", key) + &element("Value", value))))
}

fn add(tags: &mut Tags, call: &Call) -> Answer {
    let mut all = tags.clone();
    all.extend(given(call));
    if all.len() > MOST {
        return Err(Refusal::full(format!("Cannot exceed quota for TagsPerResource: {MOST}")));
    }
    *tags = all;
    Ok(String::new())
}

fn remove(tags: &mut Tags, call: &Call) -> Answer {
    call.members("TagKeys", "").for_each(|key| {
        tags.remove(key);
    });
    Ok(String::new())
}

fn page(tags: &Tags, call: &Call) -> Answer {
    Ok(call.page("Tags", tags.iter().map(entry)))
}

impl Iam {
    pub(super) fn tag_user(&mut self, call: &Call) -> Answer {
        add(&mut self.user_mut(call.required("UserName")?)?.tags, call)
    }

    pub(super) fn untag_user(&mut self, call: &Call) -> Answer {
        remove(&mut self.user_mut(call.required("UserName")?)?.tags, call)
    }

    pub(super) fn list_user_tags(&mut self, call: &Call) -> Answer {
        page(&self.user_mut(call.required("UserName")?)?.tags, call)
    }

    pub(super) fn tag_policy(&mut self, call: &Call) -> Answer {
        add(&mut self.policy_mut(call)?.tags, call)
    }

    pub(super) fn untag_policy(&mut self, call: &Call) -> Answer {
        remove(&mut self.policy_mut(call)?.tags, call)
    }

    pub(super) fn list_policy_tags(&mut self, call: &Call) -> Answer {
        page(&self.policy_mut(call)?.tags, call)
    }
}
