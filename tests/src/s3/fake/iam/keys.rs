//! Access keys.

use std::fmt;

use jiff::Timestamp;

use super::form::{Answer, Call, Refusal, element, member, time};
use super::{Iam, User, is_shown};
use crate::faults::Hidden;

/// How many a user can have.
const MOST: usize = 2;

/// An access key. Debug shows no secret.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    /// Its secret, which the service shows once.
    pub secret: String,
    /// Whether it is taken.
    pub active: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used.
    pub used: Option<Timestamp>,
    hidden: Option<Hidden>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, active, created, .. } = self;
        f.debug_struct("Key").field("id", id).field("active", active).field("created", created).finish()
    }
}

impl Key {
    fn described(&self, user: &User) -> String {
        let status = if self.active { "Active" } else { "Inactive" };
        let parts = [("UserName", user.name.as_str()), ("AccessKeyId", &self.id), ("Status", status)];
        let parts: String = parts.iter().map(|(name, text)| element(name, text)).collect();
        parts + &element("CreateDate", &time(self.created))
    }

    /// Whether a list shows it, which this one is.
    fn is_listed(&mut self, at: Timestamp) -> bool {
        is_shown(&mut self.hidden, self.created, at)
    }
}

impl Iam {
    /// Gives a user a key, as somebody else may do at any time.
    ///
    /// # Errors
    /// When there is no such user, or it has two.
    pub fn give_key(&mut self, user: &str, at: Timestamp) -> Result<Key, Refusal> {
        let id = self.id("AKIA");
        let user = self.user_mut(user)?;
        if user.keys.len() >= MOST {
            return Err(Refusal::full(format!("Cannot exceed quota for AccessKeysPerUser: {MOST}")));
        }
        let secret = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
        let key = Key { id, secret, active: true, created: at, used: None, hidden: None };
        user.keys.push(key.clone());
        Ok(key)
    }

    pub(super) fn create_access_key(&mut self, call: &Call) -> Answer {
        let name = call.required("UserName")?;
        let made = self.give_key(name, call.at)?;
        let user = self.user_mut(name)?;
        if let Some(key) = user.keys.last_mut() {
            key.hidden = call.hidden;
        }
        let inside = made.described(user) + &element("SecretAccessKey", &made.secret);
        Ok(format!("<AccessKey>{inside}</AccessKey>"))
    }

    pub(super) fn list_access_keys(&mut self, call: &Call) -> Answer {
        let name = call.required("UserName")?.to_owned();
        let user = self.user_mut(&name)?;
        let listed: Vec<bool> = user.keys.iter_mut().map(|key| key.is_listed(call.at)).collect();
        let shown = user.keys.iter().zip(listed).filter(|(_, listed)| *listed);
        let entries: Vec<_> = shown.map(|(key, _)| (key.id.clone(), member(&key.described(user)))).collect();
        Ok(element("UserName", &name) + &call.page("AccessKeyMetadata", entries))
    }

    pub(super) fn get_access_key_last_used(&mut self, call: &Call) -> Answer {
        let id = call.required("AccessKeyId")?;
        let owner =
            self.users.values().find_map(|user| Some((user, user.keys.iter().find(|key| key.id == id)?)));
        let missing = || Refusal::missing(format!("The Access Key with id {id} cannot be found."));
        let (user, key) = owner.ok_or_else(missing)?;
        let used = key.used.map(|used| element("LastUsedDate", &time(used))).unwrap_or_default();
        let rest = element("ServiceName", "N/A") + &element("Region", "N/A");
        Ok(element("UserName", &user.name) + &format!("<AccessKeyLastUsed>{used}{rest}</AccessKeyLastUsed>"))
    }

    pub(super) fn update_access_key(&mut self, call: &Call) -> Answer {
        let active = match call.required("Status")? {
            "Active" => true,
            "Inactive" => false,
            _ => return Err(Refusal::invalid("Status is Active or Inactive")),
        };
        self.key_mut(call)?.active = active;
        Ok(String::new())
    }

    pub(super) fn delete_access_key(&mut self, call: &Call) -> Answer {
        let key = self.key_mut(call)?;
        // What is shown after a time is not found before either.
        if matches!(key.hidden, Some(Hidden::For(_))) && !key.is_listed(call.at) {
            return Err(Refusal::missing(format!("The Access Key with id {} cannot be found.", key.id)));
        }
        let id = key.id.clone();
        self.user_mut(call.required("UserName")?)?.keys.retain(|key| key.id != id);
        Ok(String::new())
    }

    fn key_mut(&mut self, call: &Call) -> Result<&mut Key, Refusal> {
        let id = call.required("AccessKeyId")?;
        let user = self.user_mut(call.required("UserName")?)?;
        let missing = || Refusal::missing(format!("The Access Key with id {id} cannot be found."));
        user.keys.iter_mut().find(|key| key.id == id).ok_or_else(missing)
    }
}
