//! Users, and the policies that are theirs alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::form::{Answer, Call, Refusal, element, encoded, member, time};
use super::tags::{self, Tags};
use super::{Iam, Key, arn, checked_document, checked_name, checked_path, is_shown, size};
use crate::faults::Hidden;

/// How long a user's own policies are together at most, white space aside.
const INLINE: usize = 2048;
/// How many policies can be attached to one.
const ATTACHED: usize = 10;

#[derive(Clone, Debug)]
pub struct User {
    /// Its name as it was given.
    pub name: String,
    /// Its unique id: another user of the same name has another.
    pub id: String,
    pub path: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its own policies, by their names.
    pub inline: BTreeMap<String, String>,
    /// The ARNs of the policies that are attached to it.
    pub attached: BTreeSet<String>,
    pub tags: Tags,
    /// Its keys, oldest first.
    pub keys: Vec<Key>,
    hidden: Option<Hidden>,
}

impl User {
    pub fn arn(&self) -> String {
        arn("user", &self.path, &self.name)
    }

    fn described(&self) -> String {
        let parts = [("Path", &self.path), ("UserName", &self.name), ("UserId", &self.id)];
        let parts: String = parts.iter().map(|(name, text)| element(name, text)).collect();
        parts + &element("Arn", &self.arn()) + &element("CreateDate", &time(self.created))
    }

    /// With its tags, which lists do not show.
    fn whole(&self) -> String {
        format!("<User>{}{}</User>", self.described(), tags::list(&self.tags))
    }
}

impl Iam {
    pub(super) fn user_mut(&mut self, name: &str) -> Result<&mut User, Refusal> {
        let missing = || Refusal::missing(format!("The user with name {name} cannot be found."));
        self.users.get_mut(&name.to_lowercase()).ok_or_else(missing)
    }

    /// Makes a user, as somebody else may do at any time.
    pub fn make_user(&mut self, name: &str, path: &str, tags: Tags, at: Timestamp) -> &mut User {
        let user = User {
            name: name.to_owned(),
            id: self.id("AIDA"),
            path: path.to_owned(),
            created: at,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            tags,
            keys: Vec::new(),
            hidden: None,
        };
        self.users.entry(name.to_lowercase()).insert_entry(user).into_mut()
    }

    pub(super) fn create_user(&mut self, call: &Call) -> Answer {
        let name = checked_name(call.required("UserName")?, 64)?;
        let path = checked_path(call)?;
        if self.user(name).is_some() {
            return Err(Refusal::exists(format!("User with name {name} already exists.")));
        }
        let user = self.make_user(name, path, tags::given(call), call.at);
        user.hidden = call.hidden;
        Ok(user.whole())
    }

    pub(super) fn get_user(&mut self, call: &Call) -> Answer {
        let user = self.user_mut(call.required("UserName")?)?;
        match is_shown(&mut user.hidden, user.created, call.at) {
            true => Ok(user.whole()),
            false => Err(Refusal::missing(format!("The user with name {} cannot be found.", user.name))),
        }
    }

    pub(super) fn list_users(&mut self, call: &Call) -> Answer {
        let prefix = call.get("PathPrefix").unwrap_or("/");
        let users = self.users.values().filter(|user| user.path.starts_with(prefix));
        Ok(call.page("Users", users.map(|user| (user.name.clone(), member(&user.described())))))
    }

    pub(super) fn delete_user(&mut self, call: &Call) -> Answer {
        let user = self.user_mut(call.required("UserName")?)?;
        let left = [
            (user.keys.is_empty(), "must delete access keys first."),
            (user.inline.is_empty(), "must delete policies first."),
            (user.attached.is_empty(), "must detach all policies first."),
        ];
        if let Some((_, first)) = left.iter().find(|(none, _)| !none) {
            return Err(Refusal::conflict(format!("Cannot delete entity, {first}")));
        }
        let name = user.name.to_lowercase();
        self.users.remove(&name);
        Ok(String::new())
    }

    pub(super) fn put_user_policy(&mut self, call: &Call) -> Answer {
        let name = checked_name(call.required("PolicyName")?, 128)?;
        let document = checked_document(call.required("PolicyDocument")?, usize::MAX)?;
        let user = self.user_mut(call.required("UserName")?)?;
        let others = user.inline.iter().filter(|(other, _)| other.as_str() != name);
        if others.map(|(_, other)| size(other)).sum::<usize>() + size(document) > INLINE {
            let message = format!("Maximum policy size of {INLINE} bytes exceeded for user {}", user.name);
            return Err(Refusal::full(message));
        }
        user.inline.insert(name.to_owned(), document.to_owned());
        Ok(String::new())
    }

    pub(super) fn get_user_policy(&mut self, call: &Call) -> Answer {
        let name = call.required("PolicyName")?;
        let user = self.user_mut(call.required("UserName")?)?;
        let document = user.inline.get(name).ok_or_else(|| no_policy(name))?;
        let parts = [("UserName", user.name.clone()), ("PolicyName", name.to_owned())];
        let parts: String = parts.iter().map(|(name, text)| element(name, text)).collect();
        Ok(parts + &element("PolicyDocument", &encoded(document)))
    }

    pub(super) fn list_user_policies(&mut self, call: &Call) -> Answer {
        let user = self.user_mut(call.required("UserName")?)?;
        Ok(call.page("PolicyNames", user.inline.keys().map(|name| (name.clone(), element("member", name)))))
    }

    pub(super) fn delete_user_policy(&mut self, call: &Call) -> Answer {
        let name = call.required("PolicyName")?;
        let user = self.user_mut(call.required("UserName")?)?;
        user.inline.remove(name).map(|_| String::new()).ok_or_else(|| no_policy(name))
    }

    pub(super) fn attach_user_policy(&mut self, call: &Call) -> Answer {
        let arn = self.policy_mut(call)?.arn.clone();
        let user = self.user_mut(call.required("UserName")?)?;
        if user.attached.len() >= ATTACHED && !user.attached.contains(&arn) {
            return Err(Refusal::full(format!("Cannot exceed quota for PoliciesPerUser: {ATTACHED}")));
        }
        user.attached.insert(arn);
        Ok(String::new())
    }

    pub(super) fn detach_user_policy(&mut self, call: &Call) -> Answer {
        let arn = call.required("PolicyArn")?;
        match self.user_mut(call.required("UserName")?)?.attached.remove(arn) {
            true => Ok(String::new()),
            false => Err(Refusal::missing(format!("Policy {arn} was not found."))),
        }
    }

    pub(super) fn list_attached_user_policies(&mut self, call: &Call) -> Answer {
        let arns = self.user_mut(call.required("UserName")?)?.attached.clone();
        let policies = arns.iter().filter_map(|arn| self.policies.get(arn));
        let entry =
            |arn: &str, name: &str| member(&(element("PolicyName", name) + &element("PolicyArn", arn)));
        let entries = policies.map(|policy| (policy.arn.clone(), entry(&policy.arn, &policy.name)));
        Ok(call.page("AttachedPolicies", entries))
    }
}

fn no_policy(name: &str) -> Refusal {
    Refusal::missing(format!("The user policy with name {name} cannot be found."))
}
