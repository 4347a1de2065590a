//! Managed policies and their versions.

use jiff::Timestamp;

use super::form::{Answer, Call, Refusal, element, encoded, member, time};
use super::tags::{self, Tags};
use super::{Iam, arn, checked_document, checked_name, checked_path, is_shown};
use crate::faults::Hidden;

/// How long a version is at most, white space aside.
const LONGEST: usize = 6144;
/// How many versions there can be.
const MOST: usize = 5;

/// A managed policy.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    pub arn: String,
    /// Its unique id.
    pub id: String,
    pub path: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its versions, oldest first.
    pub versions: Vec<Version>,
    /// The id of the version that counts.
    pub default: String,
    pub tags: Tags,
    made: usize,
    hidden: Option<Hidden>,
}

/// A version of a policy.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its id, such as `v1`.
    pub id: String,
    /// What it says.
    pub document: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Policy {
    /// The document that counts.
    pub fn document(&self) -> &str {
        let version = self.versions.iter().find(|version| version.id == self.default);
        version.map_or("", |version| &version.document)
    }

    fn described(&self, attachments: usize) -> String {
        let parts = [
            ("PolicyName", self.name.clone()),
            ("PolicyId", self.id.clone()),
            ("Arn", self.arn.clone()),
            ("Path", self.path.clone()),
            ("DefaultVersionId", self.default.clone()),
            ("AttachmentCount", attachments.to_string()),
            ("IsAttachable", "true".to_owned()),
            ("CreateDate", time(self.created)),
        ];
        parts.iter().map(|(name, text)| element(name, text)).collect()
    }

    fn version(&self, id: &str) -> Result<&Version, Refusal> {
        let missing = || {
            Refusal::missing(format!("Policy {} version {id} does not exist or is not attachable.", self.arn))
        };
        self.versions.iter().find(|version| version.id == id).ok_or_else(missing)
    }

    fn add_version(&mut self, document: &str, at: Timestamp) -> String {
        self.made += 1;
        let id = format!("v{}", self.made);
        self.versions.push(Version { id: id.clone(), document: document.to_owned(), created: at });
        id
    }

    fn version_described(&self, version: &Version) -> String {
        let is_default = (version.id == self.default).to_string();
        element("VersionId", &version.id)
            + &element("IsDefaultVersion", &is_default)
            + &element("CreateDate", &time(version.created))
    }
}

impl Iam {
    /// The policy whose ARN the request names.
    pub(super) fn policy_mut(&mut self, call: &Call) -> Result<&mut Policy, Refusal> {
        let arn = call.required("PolicyArn")?;
        let missing = || Refusal::missing(format!("Policy {arn} does not exist or is not attachable."));
        self.policies.get_mut(arn).ok_or_else(missing)
    }

    fn attachments(&self, arn: &str) -> usize {
        self.users.values().filter(|user| user.attached.contains(arn)).count()
    }

    fn shown(&self, policy: &Policy, more: &str) -> String {
        format!("<Policy>{}{more}</Policy>", policy.described(self.attachments(&policy.arn)))
    }

    /// Makes a policy, as somebody else may do at any time.
    pub fn make_policy(&mut self, name: &str, path: &str, document: &str, at: Timestamp) -> &mut Policy {
        let arn = arn("policy", path, name);
        let mut policy = Policy {
            name: name.to_owned(),
            arn: arn.clone(),
            id: self.id("ANPA"),
            path: path.to_owned(),
            description: String::new(),
            created: at,
            versions: Vec::new(),
            default: String::new(),
            tags: Tags::new(),
            made: 0,
            hidden: None,
        };
        policy.default = policy.add_version(document, at);
        self.policies.entry(arn).insert_entry(policy).into_mut()
    }

    pub(super) fn create_policy(&mut self, call: &Call) -> Answer {
        let name = checked_name(call.required("PolicyName")?, 128)?;
        let path = checked_path(call)?;
        let document = checked_document(call.required("PolicyDocument")?, LONGEST)?;
        if self.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(Refusal::exists(message));
        }
        let policy = self.make_policy(name, path, document, call.at);
        policy.tags = tags::given(call);
        policy.hidden = call.hidden;
        policy.description = call.get("Description").unwrap_or_default().to_owned();
        let policy = policy.clone();
        Ok(self.shown(&policy, &tags::list(&policy.tags)))
    }

    pub(super) fn get_policy(&mut self, call: &Call) -> Answer {
        let policy = self.policy_mut(call)?;
        if !is_shown(&mut policy.hidden, policy.created, call.at) {
            return Err(Refusal::missing(format!(
                "Policy {} does not exist or is not attachable.",
                policy.arn
            )));
        }
        let policy = policy.clone();
        let more = tags::list(&policy.tags) + &element("Description", &policy.description);
        Ok(self.shown(&policy, &more))
    }

    /// Those of the account: AWS' own are not here.
    pub(super) fn list_policies(&mut self, call: &Call) -> Answer {
        let prefix = call.get("PathPrefix").unwrap_or("/");
        let none = call.get("Scope") == Some("AWS");
        let attached = call.get("OnlyAttached") == Some("true");
        let counted = self.policies.values().map(|policy| (policy, self.attachments(&policy.arn)));
        let chosen = counted
            .filter(|(policy, count)| !none && policy.path.starts_with(prefix) && (*count > 0 || !attached));
        let entries = chosen.map(|(policy, count)| (policy.arn.clone(), member(&policy.described(count))));
        Ok(call.page("Policies", entries))
    }

    pub(super) fn delete_policy(&mut self, call: &Call) -> Answer {
        let policy = self.policy_mut(call)?;
        let (arn, versions) = (policy.arn.clone(), policy.versions.len());
        if self.attachments(&arn) > 0 {
            return Err(Refusal::conflict("Cannot delete a policy attached to entities."));
        }
        if versions > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the \
                           policy's versions. The default version is deleted with the policy.";
            return Err(Refusal::conflict(message));
        }
        self.policies.remove(&arn);
        Ok(String::new())
    }

    pub(super) fn create_policy_version(&mut self, call: &Call) -> Answer {
        let document = checked_document(call.required("PolicyDocument")?, LONGEST)?;
        let policy = self.policy_mut(call)?;
        if policy.versions.len() >= MOST {
            let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete \
                           an existing version.";
            return Err(Refusal::full(message));
        }
        let id = policy.add_version(document, call.at);
        if call.get("SetAsDefault") == Some("true") {
            policy.default.clone_from(&id);
        }
        let described = policy.version_described(policy.version(&id)?);
        Ok(format!("<PolicyVersion>{described}</PolicyVersion>"))
    }

    pub(super) fn get_policy_version(&mut self, call: &Call) -> Answer {
        let id = call.required("VersionId")?;
        let policy = self.policy_mut(call)?;
        let version = policy.version(id)?;
        let described = policy.version_described(version) + &element("Document", &encoded(&version.document));
        Ok(format!("<PolicyVersion>{described}</PolicyVersion>"))
    }

    /// Newest first, without what they say.
    pub(super) fn list_policy_versions(&mut self, call: &Call) -> Answer {
        let policy = self.policy_mut(call)?;
        let entry = |version| member(&policy.version_described(version));
        let entries = policy.versions.iter().rev().map(|version| (version.id.clone(), entry(version)));
        Ok(call.page("Versions", entries))
    }

    pub(super) fn set_default_policy_version(&mut self, call: &Call) -> Answer {
        let id = call.required("VersionId")?;
        let policy = self.policy_mut(call)?;
        policy.default = policy.version(id)?.id.clone();
        Ok(String::new())
    }

    pub(super) fn delete_policy_version(&mut self, call: &Call) -> Answer {
        let id = call.required("VersionId")?;
        let policy = self.policy_mut(call)?;
        policy.version(id)?;
        if policy.default == id {
            return Err(Refusal::conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.retain(|version| version.id != id);
        Ok(String::new())
    }

    pub(super) fn list_entities_for_policy(&mut self, call: &Call) -> Answer {
        let arn = self.policy_mut(call)?.arn.clone();
        let users = self.users.values().filter(|user| user.attached.contains(&arn));
        let entry = |name: &str, id: &str| member(&(element("UserName", name) + &element("UserId", id)));
        let page = call.page("PolicyUsers", users.map(|user| (user.id.clone(), entry(&user.name, &user.id))));
        Ok(format!("<PolicyGroups/><PolicyRoles/>{page}"))
    }
}
