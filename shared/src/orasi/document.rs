//! A document.

mod checks;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{Content, Storage, storage::left_in_key};
use crate::{
    admission::{
        defaults::{Fill, Filled, lower_case, missing},
        problem::Problems,
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    kind::Kind,
    rules, status,
};

/// The annotation that lets the spec of a document stay as it is: `"true"`.
pub const FROZEN_ANNOTATION: &str = "orasi.io/frozen";

/// What a document is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "orasi.io",
    version = "v1alpha1",
    kind = "Document",
    plural = "documents",
    namespaced,
    status = "DocumentStatus",
    category = "orasi",
    doc = "A text with a title, an author and tags, which can be hidden.",
    printcolumn(name = "Title", type_ = "string", json_path = ".spec.metadata.title"),
    printcolumn(name = "Hidden", type_ = "boolean", json_path = ".spec.hidden"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".spec.storageRef.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DocumentSpec {
    /// The text: not blank, without NUL, up to 256 KiB unless an operator says otherwise, and never more than 1 MiB.
    // Documents were stored without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Whether it is kept from readers. Whoever may read the object sees it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub hidden: Option<bool>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub metadata: Option<DocumentMetadata>,
    /// The Storage into which it is put, of the type S3 or S3Parquet. It is put nowhere when this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_ref: Option<ObjectRef>,
}

/// What is said of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct DocumentMetadata {
    /// Its title, one line of up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 255, code = "orasi.document.title"))]
    pub title: Option<String>,
    /// Who wrote it, one line of up to 255 characters. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 255, code = "orasi.document.author"))]
    pub author: Option<String>,
    /// Words to find it by, in small letters, each once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 255)))]
    pub tags: Option<Vec<String>>,
}

/// Where a document was put.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// The Storage, `namespace/name`.
    #[schemars(length(max = 320))]
    pub storage: String,
    /// The service that the Storage led to.
    #[schemars(length(max = 320))]
    pub service: String,
    /// The bucket.
    #[schemars(length(max = 63))]
    pub bucket: String,
    /// The object's key in it.
    #[schemars(length(max = 1024))]
    pub key: String,
    /// The SHA-256 of the content.
    #[schemars(length(max = 64))]
    pub sha256: String,
    /// The service's own digest of the object; absent until it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub etag: Option<String>,
}

status! {
    /// What Concierge found out about a document.
    pub struct DocumentStatus() {
        /// Whether it is hidden.
        pub is_hidden: Option<bool>,
        /// When it was last seen to be as it should be, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_reconciled: Option<String>,
        /// Where it was put.
        pub delivered: Option<Delivered>,
    }
}

rules! {
    CONTENT = Deny "orasi.document.content", "A Document has content that is not blank and has no NUL.";
    CONTENT_SIZE = Deny "orasi.document.content-size", "A Document's content has as many bytes as an operator allows, 256 KiB unless one says otherwise, and never more than 1 MiB.";
    TITLE = Deny "orasi.document.title", "A Document's title is one line of 1 to 255 characters.";
    AUTHOR = Deny "orasi.document.author", "A Document's author is one line of 1 to 255 characters.";
    AUTHOR_IMMUTABLE = Deny "orasi.document.author-immutable", "A Document's author never changes, once there is one.";
    TAGS = Deny "orasi.document.tags", "A Document has up to 32 tags, unless an operator says otherwise, each once: 1 to 63 letters, digits, spaces, '.', '_' and '-', with a letter or digit at both ends.";
    FROZEN = Deny "orasi.document.frozen", "The spec of a Document with the annotation orasi.io/frozen: \"true\" does not change.";
    FROZEN_VALUE = Deny "orasi.document.frozen-value", "The annotation orasi.io/frozen is \"true\" or \"false\".";
    UNHIDE = Deny "orasi.document.unhide", "A hidden Document is shown again by whom an operator lets do that, if one says who that is.";
    SECRET = Warn "orasi.document.secret", "Passwords, keys and tokens stand in Secrets, not in a Document's content.";
    NOT_CONFIDENTIAL = Warn "orasi.document.not-confidential", "What is confidential is no Document: whoever may read the object sees the content of a hidden one too.";
    STORAGE_EXISTS = Deny "orasi.document.storage-exists", "The Storage that a Document names exists and permits its namespace.";
    STORAGE_TYPE = Deny "orasi.document.storage-type", "The Storage that a Document names has the type S3 or S3Parquet.";
}

impl Kind for Document {
    const NAME: &'static str = "Document";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const READ_ANNOTATIONS: &'static [&'static str] = &[FROZEN_ANNOTATION];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.content"];
    /// Documents are there to be read; what is no text for readers is warned about.
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[missing("spec.hidden"), lower_case("spec.metadata.tags[]")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.missing(&mut spec.hidden, "spec.hidden", false);
        let tags = spec.metadata.as_mut().and_then(|metadata| metadata.tags.as_mut());
        for (nth, tag) in tags.into_iter().flatten().enumerate() {
            fill.lower_case(tag, ("spec.metadata.tags", nth));
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        problems.add_invalid_fields(&**review.object);
        checks::check_content(review, problems);
        checks::check_metadata(review, problems);
        checks::check_confidential(&review.object.spec, problems);
        checks::check_frozen(review, problems);
        checks::check_storage(review, problems);
        if let Some(old) = review.old {
            checks::check_change(review, old, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let storage = self.spec.storage_ref.as_ref();
        let storage =
            storage.and_then(|one| one.reference("spec.storageRef", Storage::NAME, &STORAGE_EXISTS, true));
        storage.into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        self.left_in().map(|(namespace, name)| left_in_key(namespace, name)).into_iter().collect()
    }

    fn abridge(&mut self) {
        self.spec.content.iter_mut().for_each(Content::abridge);
    }
}

impl Document {
    /// The namespace and the name of the Storage that it is still in, when its spec names another or none.
    pub fn left_in(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.status.as_ref()?.delivered.as_ref()?.storage.split_once('/')?;
        let own = self.metadata.namespace.as_deref().unwrap_or_default();
        let named = self.spec.storage_ref.as_ref().map(|one| (one.namespace_in(own), &*one.name));
        (named != Some((namespace, name))).then_some((namespace, name))
    }

    /// Whether there need be no object of it where it is put.
    pub fn is_away(&self) -> bool {
        self.spec.is_hidden() || self.metadata.deletion_timestamp.is_some()
    }
}

impl DocumentSpec {
    /// Whether it is kept from readers.
    pub fn is_hidden(&self) -> bool {
        self.hidden.unwrap_or(false)
    }

    /// The words to find it by.
    pub fn tags(&self) -> &[String] {
        self.metadata.as_ref().and_then(|metadata| metadata.tags.as_deref()).unwrap_or_default()
    }

    fn author(&self) -> Option<&str> {
        self.metadata.as_ref()?.author.as_deref()
    }
}
