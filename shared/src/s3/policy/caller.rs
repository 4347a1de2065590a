//! As whom somebody calls, and what policies see of that.

use super::{
    document::{Item, Principals, Statement},
    resource::Arn,
};

/// A caller. A session of a role stands for the role too.
pub(super) struct Caller<'a> {
    arn: &'a str,
    /// What follows the account in the ARN: `user/teams/ann`.
    who: &'a str,
    account: &'a str,
    role: Option<Role<'a>>,
}

struct Role<'a> {
    name: &'a str,
    /// Without the role's path, which the ARN of a session does not tell.
    arn: String,
}

impl<'a> Caller<'a> {
    pub(super) fn of(arn: &'a str) -> Self {
        // Some services tell names that are no ARNs.
        let Some(Arn { partition, account, resource: who, .. }) = Arn::of(arn) else {
            return Self { arn, who: "", account: "", role: None };
        };
        let session = who.strip_prefix("assumed-role/");
        let role = session.and_then(|session| session.split('/').next());
        let role = role.map(|name| Role { name, arn: format!("arn:{partition}:iam::{account}:role/{name}") });
        Self { arn, who, account, role }
    }

    pub(super) fn account(&self) -> &'a str {
        self.account
    }

    /// The value of `aws:PrincipalArn`.
    pub(super) fn principal_arn(&self) -> &str {
        self.role.as_ref().map_or(self.arn, |role| &role.arn)
    }

    /// As whom a Principal may name it.
    pub(super) fn faces(&self) -> impl Iterator<Item = &str> {
        [self.arn].into_iter().chain(self.role.as_ref().map(|role| &*role.arn))
    }

    /// The value of `aws:username`, which roles do not have.
    pub(super) fn user_name(&self) -> Option<&'a str> {
        self.who.strip_prefix("user/").map(|path| path.rsplit('/').next().unwrap_or(path))
    }

    /// The value of `aws:PrincipalType`.
    pub(super) fn kind(&self) -> &'static str {
        match self.who.split('/').next() {
            Some("assumed-role" | "role") => "AssumedRole",
            Some("federated-user") => "FederatedUser",
            Some("root") => "Account",
            _ => "User",
        }
    }

    /// Names the caller's role in the statement without its path: as good as nothing else can be meant by it.
    pub(super) fn leave_out_path(&self, statement: &mut Statement) {
        let Some(role) = &self.role else { return };
        let principals = statement.principals.iter_mut();
        let principals =
            principals.flat_map(|Principals { items, .. }| items.iter_mut().map(|(_, item)| item));
        let conditions = statement.conditions.iter_mut();
        let values = conditions
            .filter(|one| one.key.text.eq_ignore_ascii_case("aws:PrincipalArn"))
            .flat_map(|one| one.values.iter_mut());
        for Item { text, .. } in principals.chain(values).filter(|item| self.is_role(role, &item.text)) {
            text.clone_from(&role.arn);
        }
    }

    fn is_role(&self, role: &Role<'_>, text: &str) -> bool {
        Arn::of(text).is_some_and(|arn| {
            let path = arn.resource.strip_prefix("role/");
            arn.service == "iam"
                && arn.account == self.account
                && path.is_some_and(|path| path.rsplit('/').next() == Some(role.name))
        })
    }
}
