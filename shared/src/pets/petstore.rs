//! A store of pets.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use validator::Validate;

use super::{Pet, alphabet, binding, check_alphabet};
use crate::{
    access::Access,
    admission::{
        defaults::{Fill, Filled, has_space_around, missing, trimmed},
        lookup::{Lookup, Query},
        problem::{Cause, Problems},
        reference::referrers_key,
        review::{Review, abridged, check_in_use},
        rule::AdmissionRule,
    },
    common::{RateLimit, SecretKeyRef, url::parse_base_url},
    index::Stored,
    kind::Kind,
    pets::Stores,
    rules, status,
};

const MAX_PETS: i64 = 100;
const DEFAULT_LIMIT: i64 = 20;

/// What a store is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "petstore.example.com",
    version = "v1",
    kind = "PetStore",
    plural = "petstores",
    shortname = "ps",
    shortname = "store",
    namespaced,
    status = "PetStoreStatus",
    category = "management",
    doc = "A store that pets belong to, with a capacity and a list of the tags it allows.",
    printcolumn(name = "Store-Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Pet-Count", type_ = "integer", json_path = ".status.petCount"),
    printcolumn(name = "Max-Pets", type_ = "integer", json_path = ".spec.config.maxPets"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Last-Sync", type_ = "date", json_path = ".status.lastSync"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PetStoreSpec {
    /// The store's name: 1 to 255 letters, digits, spaces, '-', '_' and '.'.
    #[validate(length(min = 1, max = 255, code = "pets.petstore.name"))]
    #[x_kube(validation = alphabet())]
    pub name: String,
    /// What the store is about; up to 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1000, code = "pets.petstore.description"))]
    pub description: Option<String>,
    /// Capacity, page size and allowed tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(extend("default" = {}))]
    pub config: Option<Config>,
    /// The Petstore v3 REST service that the store's pets are kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub endpoints: Option<Endpoints>,
    /// Who may use that service, and with which key Concierge does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(extend("default" = {}))]
    pub security: Option<Security>,
    /// How many calls that service can bear for this store. Other stores have limits of their own, also at the same address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// Capacity, page size and allowed tags of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// How many pets the store holds, from 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10000, code = "pets.petstore.max-pets"))]
    #[schemars(extend("default" = 100))]
    pub max_pets: Option<i64>,
    /// How many pets a page of the service shows, from 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, code = "pets.petstore.default-limit"))]
    #[schemars(extend("default" = 20))]
    pub default_limit: Option<i64>,
    /// The tags that the store's pets may have. Absent or empty allows every tag. Comparison is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1000, code = "pets.petstore.allowed-tags"))]
    #[schemars(inner(length(min = 1, max = 100)))]
    pub allowed_tags: Option<Vec<String>>,
    /// Whether every pet of the store needs a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_tag: Option<bool>,
    /// Whether the service shows pets in pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_pagination: Option<bool>,
}

/// A Petstore v3 REST service.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.baseUrl) || self.baseUrl.matches('^https?://[^/]')").message("baseUrl must be an absolute http or https URL"),
)]
pub struct Endpoints {
    /// The service's address with its base path, for instance https://petstore.example.com/api/v3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub base_url: Option<String>,
    /// The version of the store's interface, 'v' and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^v[0-9]+$"), extend("default" = "v1"))]
    pub version: Option<String>,
}

/// Who may use a store's service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// Whether the service asks who is calling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub require_authentication: Option<bool>,
    /// The origins (scheme://host[:port]) from which browsers may call the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 100, code = "pets.petstore.allowed-origins"))]
    #[schemars(inner(length(max = 2048)))]
    pub allowed_origins: Option<Vec<String>>,
    /// The Secret in the store's namespace that holds the service's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeyRef>,
}

/// Where a store stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PetStorePhase {
    /// Not looked at yet.
    #[default]
    Initializing,
    /// All is well.
    Ready,
    /// It works, but holds more pets than it may, or pets with tags that it does not allow.
    Degraded,
    /// Something must be mended first.
    Error,
}

status! {
    /// What Concierge found out about a store.
    pub struct PetStoreStatus() {
        /// Where the store stands, in one word.
        pub phase: Option<PetStorePhase>,
        /// How many pets belong to the store.
        #[schemars(range(min = 0))]
        pub pet_count: Option<i64>,
        /// When the service was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync: Option<String>,
    }
}

rules! {
    NAME = Deny "pets.petstore.name", "A store's name has 1 to 255 letters, digits, spaces, '-', '_' and '.', and is not blank.";
    DESCRIPTION = Deny "pets.petstore.description", "A store's description has up to 1000 characters.";
    MAX_PETS_RANGE = Deny "pets.petstore.max-pets", "A store holds from 1 to 10000 pets.";
    DEFAULT_LIMIT_RANGE = Deny "pets.petstore.default-limit", "A page shows from 1 to 100 pets.";
    LIMIT_ABOVE_MAX = Warn "pets.petstore.limit-above-max", "A page shows no more pets than the store holds.";
    ALLOWED_TAGS = Deny "pets.petstore.allowed-tags", "Each allowed tag is one that a pet can have: 1 to 100 letters, digits, spaces, '-', '_' and '.', without spaces around it, listed once.";
    BASE_URL = Deny "pets.petstore.base-url", "The service's address is an absolute http or https URL with a host, without credentials, query and fragment.";
    VERSION = Deny "pets.petstore.version", "The interface's version is 'v' and digits.";
    ALLOWED_ORIGINS = Deny "pets.petstore.allowed-origins", "Each allowed origin is scheme://host[:port]; '*' needs requireAuthentication: false.";
    API_KEY = Deny "pets.petstore.api-key", "The reference to the API key names a Secret and a key in it.";
    RATE_LIMIT = Deny "pets.petstore.rate-limit", "A store's rateLimit has 1 to 1000 requestsPerSecond, a burst from 1 to 1000 and a concurrency from 1 to 64.";
    TAGS_IN_USE = Warn "pets.petstore.tags-in-use", "A change of the allowed tags leaves the store's pets compliant.";
    MAX_BELOW_COUNT = Warn "pets.petstore.max-below-count", "A change of the capacity leaves room for the store's pets.";
    IN_USE = Deny "pets.petstore.in-use", "A store is deleted after its pets.";
}

impl Kind for PetStore {
    const NAME: &'static str = "PetStore";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] =
        &["spec.endpoints.baseUrl", "spec.security.allowedOrigins[]"];
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[
        trimmed("spec.name"),
        missing("spec.config"),
        missing("spec.config.maxPets"),
        missing("spec.config.defaultLimit"),
        missing("spec.config.enablePagination"),
        trimmed("spec.config.allowedTags[]"),
        missing("spec.endpoints"),
        missing("spec.endpoints.version"),
        missing("spec.security"),
        missing("spec.security.requireAuthentication"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.trim(&mut spec.name, "spec.name");
        fill.missing(&mut spec.config, "spec.config", Config::default());
        if let Some(config) = &mut spec.config {
            fill.missing(&mut config.max_pets, "spec.config.maxPets", MAX_PETS);
            fill.missing(&mut config.default_limit, "spec.config.defaultLimit", DEFAULT_LIMIT);
            fill.missing(&mut config.enable_pagination, "spec.config.enablePagination", true);
            for (index, tag) in config.allowed_tags.iter_mut().flatten().enumerate() {
                fill.trim(tag, ("spec.config.allowedTags", index));
            }
        }
        fill.missing(&mut spec.endpoints, "spec.endpoints", Endpoints::default());
        if let Some(endpoints) = &mut spec.endpoints {
            fill.missing(&mut endpoints.version, "spec.endpoints.version", "v1".to_owned());
        }
        fill.missing(&mut spec.security, "spec.security", Security::default());
        if let Some(security) = &mut spec.security {
            fill.missing(&mut security.require_authentication, "spec.security.requireAuthentication", true);
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        check_alphabet(problems, &NAME, "spec.name", &spec.name);
        check_config(spec.config.as_ref(), problems);
        check_endpoints(spec.endpoints.as_ref(), problems);
        check_security(spec.security.as_ref(), problems);
        if let Some(limit) = &spec.rate_limit {
            limit.check("spec.rateLimit", &RATE_LIMIT, problems);
        }
        if let Some(old) = review.old {
            check_change(review, old, problems);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        // Pets that name the store refer to it.
        let pets = review.using(|lookup, _, limit| {
            let stores = Stores::of(lookup, review.namespace);
            stores.first_free_pets(lookup, review.object, limit)
        });
        check_in_use::<Self>(&IN_USE, pets, problems);
    }

    fn index_keys(&self) -> Vec<String> {
        vec![binding::stores_key(self.metadata.namespace.as_deref().unwrap_or_default())]
    }
}

fn check_config(config: Option<&Config>, problems: &mut Problems) {
    let Some(config) = config else { return };
    if let (Some(limit), Some(max)) = (config.default_limit, config.max_pets)
        && limit > max
    {
        let message = format!("is {limit}, above maxPets ({max}); a page never fills");
        problems.add(&LIMIT_ABOVE_MAX, Cause::Invalid, "spec.config.defaultLimit", message);
    }
    let tags = config.allowed_tags.as_deref().unwrap_or_default();
    for (index, tag) in tags.iter().enumerate() {
        let field = ("spec.config.allowedTags", index);
        check_alphabet(problems, &ALLOWED_TAGS, field, tag);
        if has_space_around(tag) || tag.is_empty() {
            let message = "is blank or has spaces around it; no pet's tag can equal it";
            problems.add(&ALLOWED_TAGS, Cause::Invalid, field, message);
        }
        if tag.len() > 100 && tag.chars().count() > 100 {
            problems.add(&ALLOWED_TAGS, Cause::Invalid, field, "is longer than 100 characters");
        }
    }
    let mut sorted: Vec<_> = tags.iter().zip(0..).collect();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        if let [(first, _), (tag, index)] = pair
            && first == tag
        {
            let message = format!("{tag:?} is listed twice; remove one");
            problems.add(&ALLOWED_TAGS, Cause::Duplicate, ("spec.config.allowedTags", *index), message);
        }
    }
}

fn check_endpoints(endpoints: Option<&Endpoints>, problems: &mut Problems) {
    let Some(endpoints) = endpoints else { return };
    if let Some(Err(message)) = endpoints.base_url.as_deref().map(parse_base_url) {
        problems.add(&BASE_URL, Cause::Invalid, "spec.endpoints.baseUrl", message);
    }
    let is_version = |text: &str| {
        text.strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if let Some(version) = endpoints.version.as_deref().filter(|version| !is_version(version)) {
        let message = format!("is {version:?}; use 'v' and digits, for instance v1");
        problems.add(&VERSION, Cause::Invalid, "spec.endpoints.version", message);
    }
}

fn check_security(security: Option<&Security>, problems: &mut Problems) {
    let Some(security) = security else { return };
    let authenticated = security.require_authentication.unwrap_or(true);
    for (index, origin) in security.allowed_origins.iter().flatten().enumerate() {
        let message = match origin.as_str() {
            "*" if authenticated => {
                "\"*\" lets every site use a visitor's login; list the origins, or set requireAuthentication: false"
            }
            "*" => continue,
            text if is_origin(text) => continue,
            _ => "is not an origin; write scheme://host[:port], without a path or a slash at the end",
        };
        problems.add(&ALLOWED_ORIGINS, Cause::Invalid, ("spec.security.allowedOrigins", index), message);
    }
    if let Some(key) = &security.api_key_secret_ref {
        key.check("spec.security.apiKeySecretRef", &API_KEY, problems);
    }
}

fn is_origin(text: &str) -> bool {
    // The parser adds a path to an origin, so the text itself must not have one.
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.as_str().strip_suffix('/') == Some(text)
    })
}

fn check_change(review: &Review<'_, PetStore>, old: &PetStore, problems: &mut Problems) {
    let store = review.object;
    let tightened = store.allowed_tags() != old.allowed_tags() || store.requires_tag() != old.requires_tag();
    let lowered = store.max_pets() < old.max_pets();
    if !tightened && !lowered {
        return;
    }
    let pets = review.look_up(|lookup| {
        let stores = Stores::of(lookup, review.namespace);
        (stores.count_pets(lookup, store), first_pets(lookup, &stores, store))
    });
    pets.check(problems, "spec.config", &[&MAX_BELOW_COUNT, &TAGS_IN_USE], |(count, pets), problems| {
        if lowered && count > store.max_pets() {
            let message = format!("is below the {count} pets that the store holds; it will be Degraded");
            problems.add(&MAX_BELOW_COUNT, Cause::Invalid, "spec.config.maxPets", message);
        }
        let refused = pets.iter().filter(|pet| {
            pet.get::<Pet>().is_some_and(|pet| tightened && !store.allows(pet.spec.tag.as_deref()))
        });
        let mut refused: Vec<_> = refused.map(|pet| pet.name().to_owned()).collect();
        if !refused.is_empty() {
            refused.sort();
            let message =
                format!("would no longer allow the pets {}; change their tags too", abridged(&refused));
            problems.add(&TAGS_IN_USE, Cause::Invalid, "spec.config.allowedTags", message);
        }
    });
}

/// The first pets that belong to `store` as it is now. What a warning says of them need not be said of ten thousand.
fn first_pets(lookup: &dyn Lookup, stores: &Stores, store: &PetStore) -> Vec<Stored> {
    const LOOKED_AT: usize = 500;
    let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
    let key = referrers_key(PetStore::NAME, namespace, store.name());
    let mut pets = lookup.first(Query::alive(Pet::NAME, namespace, &key), LOOKED_AT, &|_| true).objects;
    pets.extend(stores.first_free_pets(lookup, store, LOOKED_AT).found);
    pets
}

impl PetStore {
    /// The store's name among the objects of its namespace.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The tags that the store's pets may have; empty allows all.
    pub fn allowed_tags(&self) -> &[String] {
        self.spec.config.as_ref().and_then(|config| config.allowed_tags.as_deref()).unwrap_or_default()
    }

    /// Whether every pet of the store needs a tag.
    pub fn requires_tag(&self) -> bool {
        self.spec.config.as_ref().and_then(|config| config.require_tag).unwrap_or(false)
    }

    /// How many pets the store holds.
    pub fn max_pets(&self) -> usize {
        let max = self.spec.config.as_ref().and_then(|config| config.max_pets).unwrap_or(MAX_PETS);
        usize::try_from(max).unwrap_or(0)
    }

    /// Whether a pet with this tag may belong to the store. A pet without a tag may, unless one is required.
    pub fn allows(&self, tag: Option<&str>) -> bool {
        match tag {
            None => !self.requires_tag(),
            Some(tag) => {
                self.allowed_tags().is_empty() || self.allowed_tags().iter().any(|allowed| allowed == tag)
            }
        }
    }
}
