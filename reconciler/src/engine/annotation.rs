//! The annotations that control the reconciler's work on one object, and the finalizer.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use concierge_shared::{
    admission::{review::annotation, steering::is_id},
    kind::Kind,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use concierge_shared::admission::steering::{
    ABANDON, ADOPT, OBSERVE_ONLY, PAUSED, RESOLVE_UNKNOWN, Resolution,
};

/// Keeps an object until its remote thing is gone, or it is no longer in use.
pub const FINALIZER: &str = "concierge.dev/finalizer";

/// Any text. A new one has the object reconciled now; the status repeats it in `status.reconciledAt`.
pub const RECONCILE_AT: &str = "concierge.dev/reconcile-at";
/// Written by us: the Secrets that bear our finalizer for the object, as `namespace/name`, separated by commas.
pub const SECRETS: &str = "concierge.dev/secrets";

/// Written by us, beside the status, which backups do not bring back: the ids of what was made for the object, separated by commas.
pub const RECORDED: &str = "concierge.dev/recorded";

/// Written by us, `"true"`: something was about to be made for the object, so that it may exist although the status does not say so.
pub const MADE: &str = "concierge.dev/made";

/// How many names are read from an annotation that lists them: more than are ever written.
const MOST_IDS: usize = 100;
/// The longest text of [`RECONCILE_AT`] that is repeated as it is.
const LONGEST_TOKEN: usize = 256;

pub const KOPF_FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";
/// The prefix of kopf's annotations. One holds a copy of the whole spec, secrets included.
pub const KOPF_ANNOTATIONS: &str = "kopf.zalando.org/";

/// True when the annotation `key` of `object` is `"true"`.
pub(crate) fn is_set<K: Kind>(object: &K, key: &str) -> bool {
    annotation(object, key).is_some_and(|value| value == "true")
}

/// The Secrets that are held for an object, by namespace and name, according to the annotation that we wrote. Only those of its own
/// namespace: users can write the annotation too.
pub(crate) fn held_secrets(meta: &ObjectMeta) -> BTreeSet<(String, String)> {
    let text = meta.annotations.as_ref().and_then(|all| all.get(SECRETS)).map_or("", String::as_str);
    let names = text.split(',').filter_map(|name| name.trim().split_once('/'));
    names
        .filter(|(namespace, _)| meta.namespace.as_deref() == Some(*namespace))
        .take(MOST_IDS)
        .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
        .collect()
}

/// The annotation that names `held`.
pub(crate) fn secrets_text(held: &BTreeSet<(String, String)>) -> String {
    held.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect::<Vec<_>>().join(",")
}

/// The ids that our annotation says were made for an object, as far as they can be ours: users can write it too.
pub(crate) fn recorded_ids(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|id| is_id(id)).take(MOST_IDS).map(str::to_owned).collect()
}

/// What the annotation [`RECONCILE_AT`] asks for, no longer than a status can repeat it: of a longer text its beginning and a digest.
pub(crate) fn reconcile_token<K: Kind>(object: &K) -> Option<String> {
    let text = annotation(object, RECONCILE_AT)?;
    let Some((cut, _)) = text.char_indices().nth(LONGEST_TOKEN) else { return Some(text.to_owned()) };
    let mut digest = DefaultHasher::new();
    text.hash(&mut digest);
    Some(format!("{}…{:x}", &text[..cut], digest.finish()))
}

/// What the annotation says; `Err` with its text when that is nothing that we understand.
pub(crate) fn resolution<K: Kind>(object: &K) -> Option<Result<Resolution, String>> {
    let text = annotation(object, RESOLVE_UNKNOWN)?;
    Some(Resolution::read(text).ok_or_else(|| text.to_owned()))
}
