//! What a kind is, and the table of all kinds.

use std::{collections::BTreeSet, fmt, sync::Arc};

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    CustomResourceExt, Resource,
    core::{
        NamespaceResourceScope,
        object::{HasSpec, HasStatus},
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    access::{Access, BoundRole},
    admission::{
        claim::Claim,
        defaults::{Defaulted, Fill, Filled},
        problem::Problems,
        reference::Reference,
        resync::RESYNC_ANNOTATION,
        review::{Context, Evaluation, Request, Review, evaluate},
        rule::{self, AdmissionRule},
    },
    assemble::Assemble,
    child::Child,
    index::{Facts, Stored},
    status::{ConditionReason, Conditions},
};

/// The annotations that rules of every kind read. A change of one is judged like a change of the spec.
///
/// A change of another annotation alone is not judged, by choice. `concierge.dev/delete-in-use` means something on deletion
/// only. `concierge.dev/allow-references-from` can be taken away while somebody uses it: whoever owns an object may always
/// withdraw a permission, and the reconciler says to the referrers that they have lost it. `concierge.dev/rules` stands on
/// namespaces.
pub const COMMON_ANNOTATIONS: &[&str] = &[RESYNC_ANNOTATION];

/// All labels, whatever they are called, as [`READ_LABELS`](Kind::READ_LABELS) of a kind.
pub const EVERY_LABEL: &[&str] = &["*"];

/// Whether rules that read `labels` read the label `key`.
pub fn reads_label(labels: &[&str], key: &str) -> bool {
    labels == EVERY_LABEL || labels.contains(&key)
}

/// A namespaced custom resource that Concierge admits and reconciles.
///
/// A kind's file declares its spec and status, its rules, and the items of this trait, in this order.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + CustomResourceExt
    + HasSpec<Spec: PartialEq + DeserializeOwned + Serialize>
    + HasStatus<Status: Conditions + Clone + Serialize + DeserializeOwned>
    + Assemble
    + Clone
    + fmt::Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The kind's name, unique among all kinds: `Pet`.
    const NAME: &'static str;
    /// Every rule that can find a problem in an object of this kind.
    const RULES: &'static [&'static AdmissionRule];
    /// The rule that deleting an object breaks while others refer to it; `None` protects nothing.
    const IN_USE: Option<&'static AdmissionRule> = None;
    /// Whether deleting an object can be refused. The API server asks about deletions of no other kind, so that an
    /// outage of the webhook does not hold them up.
    const ASKED_ON_DELETE: bool = Self::IN_USE.is_some();
    /// Whether rules of other kinds relate objects of other namespaces to one of this kind, which they then
    /// [refer to](Reference::implied) without its permission.
    const IMPLIED_REFERRERS: bool = false;
    /// The labels that the rules read, or [`EVERY_LABEL`]. A change of one is judged like a change of the spec.
    const READ_LABELS: &'static [&'static str] = &[];
    /// The annotations that the rules read beside [`COMMON_ANNOTATIONS`], alike.
    const READ_ANNOTATIONS: &'static [&'static str] = &[];
    /// The reasons of conditions that rules read. Whoever caches objects for rules keeps no other condition.
    const READ_REASONS: &'static [ConditionReason] = &[];
    /// The fields that [`fill_defaults`](Self::fill_defaults) fills in or tidies up. The API server asks to have defaults
    /// filled in only when one of them is not as it should be, so a field that is missing here stays as it is.
    const FILLS: &'static [Filled] = &[];
    /// The kind of which an object of this one [selects](Self::selects) some. The two have an index key in common, by which either is found
    /// from the other.
    const SELECTS: Option<&'static str> = None;
    /// Whether the reconciler reconciles objects of this kind.
    const RECONCILED: bool = true;
    /// What the reconciler touches for an object of this kind, beside the object itself and what belongs to those
    /// that it refers to.
    const ACCESS: &'static [Access] = &[];
    /// The resources of Kubernetes' own of which the reconciler makes objects for an object of this kind, in any namespace: rights and
    /// watches follow from it.
    const CHILDREN: &'static [Child] = &[];
    /// The ClusterRoles that [RoleBindings](Self::CHILDREN) of it name: they are made, and may be bound without having what they allow.
    const BINDS: &'static [BoundRole] = &[];
    /// The names of the ServiceAccounts among its [children](Self::CHILDREN) of which tokens are asked for.
    const ACTS_AS: &'static [&'static str] = &[];
    /// Fields that may hold a secret in the clear. Nothing repeats their values.
    const SECRET_FIELDS: &'static [&'static str] = &[];
    /// Whether objects are confidential, as Secrets are: users who may only view see none of them, users who may edit do.
    const CONFIDENTIAL: bool = !Self::SECRET_FIELDS.is_empty();

    /// Fills in defaults, no more than [`FILLS`](Self::FILLS) says. Runs twice with the effect of once; removes nothing.
    fn fill_defaults(&mut self, fill: &mut Fill);

    /// The Namespaces that may be among its [children](Self::CHILDREN), which all the others are in. Where it names none, it is every one
    /// that bears its mark, and its own.
    fn child_namespaces(&self) -> Vec<String> {
        Vec::new()
    }

    /// Adds all problems of the object under review (creation and update).
    fn check(review: &Review<'_, Self>, problems: &mut Problems);

    /// Adds all reasons why the object may not be deleted, beside those that follow from references. Never called unless
    /// the kind is [asked on deletion](Self::ASKED_ON_DELETE).
    fn check_deletion(_review: &Review<'_, Self>, _problems: &mut Problems) {}

    /// What the object refers to.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Whether it selects an object of the kind [`SELECTS`](Self::SELECTS), by labels.
    fn selects(&self, _other: &ObjectMeta) -> bool {
        false
    }

    /// What the object wants to be unique.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Takes out what is too long for caches to keep. Whatever stands for it there is judged alike, and written back nowhere.
    fn abridge(&mut self) {}

    /// Further keys under which rules of any kind look the object up.
    fn index_keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A kind as data: what can be said of it without its type.
pub struct KindInfo {
    pub name: &'static str,
    pub group: fn() -> String,
    pub version: fn() -> String,
    /// Whether these are its API group and version.
    pub is_of: fn(group: &str, version: &str) -> bool,
    /// Its plural, lower-case name, as in URLs.
    pub plural: fn() -> String,
    pub crd: fn() -> CustomResourceDefinition,
    /// Its rules, without those that all kinds share.
    pub rules: &'static [&'static AdmissionRule],
    /// Whether deleting an object can be refused.
    pub asked_on_delete: bool,
    /// The labels that its rules read.
    pub read_labels: &'static [&'static str],
    /// The annotations that its rules read.
    pub read_annotations: &'static [&'static str],
    /// The fields that its defaults fill in or tidy up.
    pub fills: &'static [Filled],
    /// Whether the reconciler reconciles its objects.
    pub reconciled: bool,
    /// What the reconciler touches for an object, beside it.
    pub access: &'static [Access],
    /// The resources of Kubernetes' own of which it makes objects.
    pub children: &'static [Child],
    /// The ClusterRoles that it binds.
    pub binds: &'static [BoundRole],
    /// The ServiceAccounts of which it asks for tokens.
    pub acts_as: &'static [&'static str],
    /// Its fields that may hold a secret in the clear.
    pub secret_fields: &'static [&'static str],
    /// Whether only users who may edit see its objects.
    pub confidential: bool,
    /// The admission of one request about an object of this kind.
    pub evaluate: fn(&Request<'_>, &Context<'_>) -> Evaluation,
    /// What an object of it refers to, once its defaults are filled in.
    pub references: fn(&Stored) -> Vec<Reference>,
    /// See [`Kind::SELECTS`].
    pub selects: Option<&'static str>,
    /// Whether an object of it selects one of those.
    pub is_selected: fn(&Stored, &ObjectMeta) -> bool,
    /// The object in this JSON, as an index stores it.
    pub store: fn(serde_json::Value) -> Result<Stored, serde_json::Error>,
    /// The same, abridged: for caches that know kinds as data alone, as those of a simulation.
    pub keep: fn(serde_json::Value) -> Result<Stored, serde_json::Error>,
}

impl KindInfo {
    /// The kind `K` as data.
    pub const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            group: || K::group(&()).into_owned(),
            version: || K::version(&()).into_owned(),
            is_of: |group, version| K::group(&()) == group && K::version(&()) == version,
            plural: || K::plural(&()).into_owned(),
            crd: K::crd,
            rules: K::RULES,
            asked_on_delete: K::ASKED_ON_DELETE,
            read_labels: K::READ_LABELS,
            read_annotations: K::READ_ANNOTATIONS,
            fills: K::FILLS,
            reconciled: K::RECONCILED,
            access: K::ACCESS,
            children: K::CHILDREN,
            binds: K::BINDS,
            acts_as: K::ACTS_AS,
            secret_fields: K::SECRET_FIELDS,
            confidential: K::CONFIDENTIAL,
            evaluate: evaluate::<K>,
            references: |object| object.get::<K>().map_or_else(Vec::new, |object| references(&*object)),
            selects: K::SELECTS,
            is_selected: |object, other| object.get::<K>().is_some_and(|one| one.selects(other)),
            store: |json| Ok(store(Arc::new(serde_json::from_value::<K>(json)?))),
            keep: |json| {
                let mut object = serde_json::from_value::<K>(json)?;
                object.abridge();
                Ok(store(Arc::new(object)))
            },
        }
    }

    /// `petstore.example.com/v1`
    pub fn api_version(&self) -> String {
        format!("{}/{}", (self.group)(), (self.version)())
    }

    /// The name of its group's module, with which the ids of its rules begin.
    pub fn group_name(&self) -> &'static str {
        self.rules.first().and_then(|rule| rule.id.split('.').next()).unwrap_or_default()
    }

    /// `pets.petstore.example.com`, the name of its CRD.
    pub fn crd_name(&self) -> String {
        format!("{}.{}", (self.plural)(), (self.group)())
    }
}

impl fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn references<K: Kind>(object: &K) -> Vec<Reference> {
    Defaulted::new(object.clone()).0.references()
}

/// `object` with the keys under which it is found.
pub fn store<K: Kind>(object: Arc<K>) -> Stored {
    let facts = Facts { references: object.references(), claims: object.claims(), keys: object.index_keys() };
    Stored::new(K::NAME, object, facts)
}

/// Something to be done with every kind, as a type.
pub trait Visitor {
    /// Does it with `K`.
    fn visit<K: Kind>(&mut self);
}

macro_rules! kinds {
    ($($kind:ty,)+) => {
        /// All kinds. Everything that is generated or served per kind derives from this table.
        pub static KINDS: &[KindInfo] = &[$(KindInfo::of::<$kind>()),+];

        $crate::assemble!($($kind),+);

        /// Shows every kind's type to `visitor`, in the order of the table.
        pub fn visit_kinds(visitor: &mut impl Visitor) {
            $(visitor.visit::<$kind>();)+
        }
    };
}

kinds! {
    crate::coffee::TerminalAccount,
    crate::coffee::CoffeeProfile,
    crate::coffee::CoffeeAddress,
    crate::coffee::CoffeeCard,
    crate::coffee::CoffeeOrder,
    crate::coffee::CoffeeSubscription,
    crate::coffee::CoffeeCart,
    crate::coffee::TerminalToken,
    crate::coffee::CoffeeApp,
    crate::coffee::CoffeeProduct,
    crate::pets::Pet,
    crate::pets::PetStore,
    crate::s3::Provider,
    crate::s3::Bucket,
    crate::s3::BucketPolicy,
    crate::s3::User,
    crate::s3::IAMPolicy,
    crate::s3::AccessKey,
    crate::catalyst::Project,
    crate::catalyst::Environment,
    crate::orasi::Storage,
    crate::orasi::Document,
    crate::orasi::Connector,
    crate::orasi::Pipeline,
    crate::orasi::Configuration,
}

/// The kind with this name.
pub fn by_name(name: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The kind with this API version and name.
pub fn by_gvk(api_version: &str, name: &str) -> Option<&'static KindInfo> {
    by_name(name).filter(|kind| kind.api_version() == api_version)
}

/// Every rule with the kinds it belongs to, ordered by id. Rules that all kinds share name all of them.
pub fn all_rules() -> Vec<(&'static AdmissionRule, Vec<&'static str>)> {
    let ids: BTreeSet<_> = KINDS.iter().flat_map(rules_of).map(|rule| rule.id).collect();
    let with_kinds = |id| {
        let kinds: Vec<_> = KINDS.iter().filter(|kind| rules_of(kind).any(|rule| rule.id == id)).collect();
        let rule = kinds.first().and_then(|kind| rules_of(kind).find(|rule| rule.id == id));
        rule.map(|rule| (rule, kinds.iter().map(|kind| kind.name).collect()))
    };
    ids.into_iter().filter_map(with_kinds).collect()
}

fn rules_of(kind: &KindInfo) -> impl Iterator<Item = &'static AdmissionRule> + use<> {
    kind.rules.iter().chain(rule::RULES).copied()
}

#[cfg(test)]
mod tests;
