//! IAM, over the query protocol (version 2010-05-08): users, their keys and policies, with IAM's own limits and refusals. It decides
//! nothing by policies: only the service's own key may call it.

mod form;
mod keys;
mod policies;
mod tags;
mod users;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub use self::keys::Key;
pub use self::policies::{Policy, Version};
pub use self::tags::Tags;
pub use self::users::User;

use self::form::{Answer, Call, Refusal};
use super::ACCOUNT;
use super::document;
use crate::faults::{Hidden, Request, Response};

const VERSION: &str = "2010-05-08";

/// Does what is asked for.
type Handler = fn(&mut Iam, &Call) -> Answer;

/// Every operation.
const ACTIONS: &[(&str, Handler)] = &[
    ("CreateUser", Iam::create_user),
    ("GetUser", Iam::get_user),
    ("ListUsers", Iam::list_users),
    ("DeleteUser", Iam::delete_user),
    ("PutUserPolicy", Iam::put_user_policy),
    ("GetUserPolicy", Iam::get_user_policy),
    ("ListUserPolicies", Iam::list_user_policies),
    ("DeleteUserPolicy", Iam::delete_user_policy),
    ("AttachUserPolicy", Iam::attach_user_policy),
    ("DetachUserPolicy", Iam::detach_user_policy),
    ("ListAttachedUserPolicies", Iam::list_attached_user_policies),
    ("CreateAccessKey", Iam::create_access_key),
    ("ListAccessKeys", Iam::list_access_keys),
    ("GetAccessKeyLastUsed", Iam::get_access_key_last_used),
    ("UpdateAccessKey", Iam::update_access_key),
    ("DeleteAccessKey", Iam::delete_access_key),
    ("CreatePolicy", Iam::create_policy),
    ("GetPolicy", Iam::get_policy),
    ("ListPolicies", Iam::list_policies),
    ("DeletePolicy", Iam::delete_policy),
    ("CreatePolicyVersion", Iam::create_policy_version),
    ("GetPolicyVersion", Iam::get_policy_version),
    ("ListPolicyVersions", Iam::list_policy_versions),
    ("SetDefaultPolicyVersion", Iam::set_default_policy_version),
    ("DeletePolicyVersion", Iam::delete_policy_version),
    ("ListEntitiesForPolicy", Iam::list_entities_for_policy),
    ("TagUser", Iam::tag_user),
    ("UntagUser", Iam::untag_user),
    ("ListUserTags", Iam::list_user_tags),
    ("TagPolicy", Iam::tag_policy),
    ("UntagPolicy", Iam::untag_policy),
    ("ListPolicyTags", Iam::list_policy_tags),
];

/// Users and policies.
pub struct Iam {
    /// The users, by their names in lower case.
    pub users: BTreeMap<String, User>,
    /// The managed policies, by their ARNs.
    pub policies: BTreeMap<String, Policy>,
    /// How many entries a list has at most, whatever is asked for.
    pub page: usize,
    /// How long a new key is not taken yet.
    pub settling: SignedDuration,
    made: u32,
}

impl Default for Iam {
    fn default() -> Self {
        let (users, policies) = (BTreeMap::new(), BTreeMap::new());
        Self { users, policies, page: 2, settling: SignedDuration::ZERO, made: 0 }
    }
}

/// Whether what was made at `created` is shown.
fn is_shown(hidden: &mut Option<Hidden>, created: Timestamp, at: Timestamp) -> bool {
    match hidden {
        Some(Hidden::Lists(0)) | None => true,
        Some(Hidden::Lists(left)) => {
            *left -= 1;
            false
        }
        Some(Hidden::For(time)) => {
            at.duration_since(created) >= SignedDuration::try_from(*time).unwrap_or(SignedDuration::MAX)
        }
    }
}

impl Iam {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(&name.to_lowercase())
    }

    /// The keys of a user; none of one that is not there.
    pub fn keys(&self, user: &str) -> Vec<Key> {
        self.user(user).map(|user| user.keys.clone()).unwrap_or_default()
    }

    /// Whether a user's key is taken: it is active, and was made long enough ago. It is used then.
    pub(super) fn takes(&mut self, key: &str, at: Timestamp) -> bool {
        let settling = self.settling;
        let settled = |key: &Key| key.active && at.duration_since(key.created) >= settling;
        let mut keys = self.users.values_mut().flat_map(|user| &mut user.keys);
        let taken = keys.find(|one| one.id == key && settled(one));
        taken.map(|key| key.used = Some(at)).is_some()
    }

    /// Whose key this is.
    pub(super) fn arn_of(&self, key: &str) -> String {
        let user = self.users.values().find(|user| user.keys.iter().any(|one| one.id == key));
        user.map_or_else(|| arn("user", "/", "concierge"), User::arn)
    }

    /// The next unique id with this prefix, 20 characters long.
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}FAKE{:0>12}", self.made)
    }

    pub(super) fn handle(&mut self, request: &Request, at: Timestamp) -> Response {
        let call = Call::read(&request.body, at, request.hidden, self.page);
        let action = action_of(request).filter(|_| call.get("Version") == Some(VERSION));
        let handler = ACTIONS.iter().find(|(name, _)| Some(*name) == action).map(|(_, handler)| handler);
        let answer = match handler {
            Some(handler) => handler(self, &call),
            None => Err(unknown(call.get("Action").unwrap_or_default())),
        };
        match answer {
            Ok(result) => answered(action.unwrap_or_default(), &result),
            Err(refusal) => refusal.response(),
        }
    }
}

/// The operation that a form asks for, if it is one of IAM's.
pub(super) fn action_of(request: &Request) -> Option<&'static str> {
    let text = std::str::from_utf8(&request.body).ok()?;
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
    ACTIONS.iter().map(|(name, _)| *name).find(|name| *name == action)
}

fn unknown(action: &str) -> Refusal {
    let message = format!("Could not find operation {action} for version {VERSION}");
    Refusal::new(400, "InvalidAction", message)
}

/// An answer whose result has this inside.
pub(super) fn answered(action: &str, result: &str) -> Response {
    let result = format!("<{action}Result>{result}</{action}Result>");
    document(200, &format!("<{action}Response>{result}</{action}Response>"))
}

/// An error in IAM's words.
pub(super) fn failed(status: u16, code: &'static str, message: &str) -> Response {
    Refusal::new(status, code, message).response()
}

/// That the service says it does not have this operation.
pub(super) fn lacking(action: &str) -> Response {
    unknown(action).response()
}

fn arn(what: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{what}{path}{name}")
}

/// The name of a user or a policy.
fn checked_name(name: &str, most: usize) -> Result<&str, Refusal> {
    let usual = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@_-".contains(&c);
    match name.len() <= most && name.bytes().all(usual) {
        true => Ok(name),
        false => Err(Refusal::invalid("The specified value for the name is invalid")),
    }
}

fn checked_path(call: &Call) -> Result<&str, Refusal> {
    let path = call.get("Path").unwrap_or("/");
    match path.starts_with('/') && path.ends_with('/') && path.len() <= 512 {
        true => Ok(path),
        false => Err(Refusal::invalid("The specified value for path is invalid")),
    }
}

/// A policy of at most `most` characters, white space aside.
fn checked_document(text: &str, most: usize) -> Result<&str, Refusal> {
    let policy: Option<serde_json::Value> = serde_json::from_str(text).ok();
    if !policy.is_some_and(|policy| policy["Statement"].is_array() || policy["Statement"].is_object()) {
        return Err(Refusal::new(400, "MalformedPolicyDocument", "Syntax errors in policy."));
    }
    match size(text) <= most {
        true => Ok(text),
        false => Err(Refusal::full(format!("Cannot exceed quota for PolicySize: {most}"))),
    }
}

fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}
