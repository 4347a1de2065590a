//! The keys of conditions: their types, and those that every service has.

/// A key of conditions.
#[derive(Debug)]
pub(in crate::s3::policy) struct Key {
    /// Its name with the prefix of its service.
    pub(in crate::s3::policy) name: &'static str,
    /// The type of its values.
    pub(in crate::s3::policy) kind: KeyKind,
    /// Whether a request can have several values of it.
    pub(in crate::s3::policy) multi: bool,
    /// Whether the name of a tag follows after `/`.
    pub(in crate::s3::policy) tag: bool,
    /// The actions that carry it, separated by spaces; empty when practically all do.
    pub(in crate::s3::policy) actions: &'static str,
}

pub(super) const fn single(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: false, tag: false, actions }
}

pub(super) const fn multi(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: true, tag: false, actions }
}

pub(super) const fn tagged(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: false, tag: true, actions }
}

/// The type of a key's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3::policy) enum KeyKind {
    Text,
    Arn,
    Bool,
    Numeric,
    Date,
    Ip,
}

/// The keys that every service has.
pub(in crate::s3::policy) const GLOBAL_KEYS: &[Key] = &[
    single("aws:AssumedRoot", KeyKind::Bool, ""),
    multi("aws:CalledVia", KeyKind::Text, ""),
    single("aws:CalledViaFirst", KeyKind::Text, ""),
    single("aws:CalledViaLast", KeyKind::Text, ""),
    single("aws:ChatbotSourceArn", KeyKind::Arn, ""),
    single("aws:CurrentTime", KeyKind::Date, ""),
    single("aws:Ec2InstanceSourcePrivateIPv4", KeyKind::Ip, ""),
    single("aws:Ec2InstanceSourceVpc", KeyKind::Text, ""),
    single("aws:EpochTime", KeyKind::Date, ""),
    single("aws:FederatedProvider", KeyKind::Text, ""),
    single("aws:IsMcpServiceAction", KeyKind::Bool, ""),
    single("aws:MultiFactorAuthAge", KeyKind::Numeric, ""),
    single("aws:MultiFactorAuthPresent", KeyKind::Bool, ""),
    single("aws:PrincipalAccount", KeyKind::Text, ""),
    single("aws:PrincipalArn", KeyKind::Arn, ""),
    single("aws:PrincipalIsAWSService", KeyKind::Bool, ""),
    single("aws:PrincipalOrgID", KeyKind::Text, ""),
    single("aws:PrincipalOrgMasterAccountId", KeyKind::Text, ""),
    multi("aws:PrincipalOrgPaths", KeyKind::Text, ""),
    single("aws:PrincipalServiceName", KeyKind::Text, ""),
    multi("aws:PrincipalServiceNamesList", KeyKind::Text, ""),
    tagged("aws:PrincipalTag", KeyKind::Text, ""),
    single("aws:PrincipalType", KeyKind::Text, ""),
    single("aws:Referer", KeyKind::Text, ""),
    single("aws:RequestedRegion", KeyKind::Text, ""),
    tagged("aws:RequestTag", KeyKind::Text, ""),
    single("aws:ResourceAccount", KeyKind::Text, ""),
    single("aws:ResourceOrgID", KeyKind::Text, ""),
    multi("aws:ResourceOrgPaths", KeyKind::Text, ""),
    tagged("aws:ResourceTag", KeyKind::Text, ""),
    single("aws:SecureTransport", KeyKind::Bool, ""),
    single("aws:SourceAccount", KeyKind::Text, ""),
    single("aws:SourceArn", KeyKind::Arn, ""),
    single("aws:SourceIdentity", KeyKind::Text, ""),
    single("aws:SourceIp", KeyKind::Ip, ""),
    single("aws:SourceOrgID", KeyKind::Text, ""),
    multi("aws:SourceOrgPaths", KeyKind::Text, ""),
    single("aws:SourceOwner", KeyKind::Text, ""),
    single("aws:SourceVpc", KeyKind::Text, ""),
    single("aws:SourceVpcArn", KeyKind::Arn, ""),
    single("aws:SourceVpce", KeyKind::Text, ""),
    multi("aws:TagKeys", KeyKind::Text, ""),
    single("aws:TokenIssueTime", KeyKind::Date, ""),
    single("aws:UserAgent", KeyKind::Text, ""),
    single("aws:userid", KeyKind::Text, ""),
    single("aws:username", KeyKind::Text, ""),
    single("aws:ViaAWSService", KeyKind::Bool, ""),
    single("aws:VpceAccount", KeyKind::Text, ""),
    single("aws:VpceOrgID", KeyKind::Text, ""),
    multi("aws:VpceOrgPaths", KeyKind::Text, ""),
    single("aws:VpcSourceIp", KeyKind::Ip, ""),
];
