//! What can be wrong with a document beside its single fields.

use std::collections::BTreeSet;

use super::{
    AUTHOR, AUTHOR_IMMUTABLE, CONTENT, CONTENT_SIZE, Document, DocumentSpec, FROZEN, FROZEN_ANNOTATION,
    FROZEN_VALUE, NOT_CONFIDENTIAL, SECRET, STORAGE_EXISTS, STORAGE_TYPE, TAGS, TITLE, UNHIDE,
};
use crate::{
    admission::{
        defaults::Defaulted,
        envelope::{Operation, UserInfo},
        problem::{Cause, Problems},
        review::{Review, annotation},
    },
    common::{immutable::changed_fields, secret::secret_in},
    field::at,
    orasi::{Content, Storage, content::CAP},
};

pub(super) fn check_content(review: &Review<'_, Document>, problems: &mut Problems) {
    let field = "spec.content";
    let Some(content) = &review.object.spec.content else {
        return problems.add(&CONTENT, Cause::Required, field, "is required; set it");
    };
    // Only what a cache holds is judged without its text.
    let is_cached = review.operation == Operation::Update && review.old.is_none() && review.user.is_none();
    let fault = match content {
        Content::Kept(_) if !is_cached => Some("contains the character NUL; remove it"),
        _ => content.fault(),
    };
    if let Some(message) = fault {
        problems.add(&CONTENT, Cause::Invalid, field, message);
    }
    let most = usize::try_from(review.settings.orasi.max_content_bytes).unwrap_or(CAP).min(CAP);
    if content.bytes() > most {
        let message = format!("has {} bytes of at most {most}; shorten it", content.bytes());
        problems.add(&CONTENT_SIZE, Cause::TooMany, field, message);
    }
    if let Content::Whole(text) = content
        && let Some(what) = secret_in(text)
    {
        let message = format!(
            "seems to hold {what}, for all to see who may read the Document; remove it, and keep it in a Secret"
        );
        problems.add(&SECRET, Cause::Forbidden, field, message);
    }
}

pub(super) fn check_metadata(review: &Review<'_, Document>, problems: &mut Problems) {
    let Some(metadata) = &review.object.spec.metadata else { return };
    for (field, rule, line) in [
        ("spec.metadata.title", &TITLE, metadata.title.as_deref()),
        ("spec.metadata.author", &AUTHOR, metadata.author.as_deref()),
    ] {
        let Some(line) = line else { continue };
        if line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            problems.add(rule, Cause::Invalid, field, "has line breaks or control characters; remove them");
        } else if !line.is_empty() && line.trim().is_empty() {
            problems.add(rule, Cause::Required, field, "is blank; fill it in, or leave it out");
        }
    }
    check_tags(review, problems);
}

fn check_tags(review: &Review<'_, Document>, problems: &mut Problems) {
    let tags = review.object.spec.tags();
    let most = usize::try_from(review.settings.orasi.max_tags).unwrap_or(usize::MAX);
    if tags.len() > most {
        let message = format!("has {} tags of at most {most}; remove some", tags.len());
        problems.add(&TAGS, Cause::TooMany, "spec.metadata.tags", message);
    }
    let mut seen = BTreeSet::new();
    for (nth, tag) in tags.iter().enumerate() {
        let field = ("spec.metadata.tags", nth);
        if !is_tag(tag) {
            let message = "is no tag; use 1 to 63 letters, digits, spaces, '.', '_' and '-', with a letter or digit at both ends";
            problems.add(&TAGS, Cause::Invalid, field, message);
        } else if !seen.insert(tag) {
            problems.add(&TAGS, Cause::Duplicate, field, "is listed twice; remove one");
        }
    }
}

fn is_tag(tag: &str) -> bool {
    let usual = |c: u8| c.is_ascii_alphanumeric() || b"._ -".contains(&c);
    let ends = [tag.bytes().next(), tag.bytes().last()];
    tag.len() <= 63
        && ends.into_iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()))
        && tag.bytes().all(usual)
}

/// Tags by which people say that not everybody may read something.
const CONFIDENTIAL: [&str; 5] = ["secret", "confidential", "private", "classified", "restricted"];

pub(super) fn check_confidential(spec: &DocumentSpec, problems: &mut Problems) {
    let said = spec.tags().iter().find(|tag| CONFIDENTIAL.contains(&tag.as_str()));
    if let Some(tag) = said.filter(|_| spec.is_hidden()) {
        let message = format!(
            "does not keep the content from those who may read the Document, as the tag {tag} may be meant; keep what is \
             confidential elsewhere"
        );
        problems.add(&NOT_CONFIDENTIAL, Cause::Forbidden, "spec.hidden", message);
    }
}

pub(super) fn check_frozen(review: &Review<'_, Document>, problems: &mut Problems) {
    let value = annotation(&**review.object, FROZEN_ANNOTATION);
    if value.is_some_and(|value| !matches!(value, "true" | "false")) {
        let field = at("metadata.annotations").key(FROZEN_ANNOTATION);
        problems.add(
            &FROZEN_VALUE,
            Cause::NotSupported,
            field,
            "is neither \"true\" nor \"false\"; use one of them",
        );
    }
    let Some(old) = review.old.filter(|old| annotation(*old, FROZEN_ANNOTATION) == Some("true")) else {
        return;
    };
    let (old, _) = Defaulted::new(old.clone());
    let changed = changed_fields(&old.spec, &review.object.spec);
    if !changed.is_empty() {
        let message = format!(
            "is frozen by the annotation {FROZEN_ANNOTATION}, and {} changed; take the annotation away first, in a change \
             of its own",
            changed.join(", ")
        );
        problems.add(&FROZEN, Cause::Forbidden, "spec", message);
    }
}

pub(super) fn check_storage(review: &Review<'_, Document>, problems: &mut Problems) {
    let Some(storage) = &review.object.spec.storage_ref else { return };
    storage.check("spec.storageRef", &STORAGE_EXISTS, problems);
    let found = review.look_up(|lookup| storage.visible::<Storage>(lookup, review.namespace));
    let field = "spec.storageRef.name";
    found.check(problems, field, &[&STORAGE_TYPE], |found, problems| {
        if found.is_some_and(|found| !found.spec.takes_documents()) {
            let message = "is a Storage of tables; name one of the type S3 or S3Parquet";
            problems.add(&STORAGE_TYPE, Cause::NotSupported, field, message);
        }
    });
}

pub(super) fn check_change(review: &Review<'_, Document>, old: &Document, problems: &mut Problems) {
    let (before, now) = (&old.spec, &review.object.spec);
    if before.author().is_some() && before.author() != now.author() {
        let message = "is immutable: whoever wrote it wrote it; keep it, or create another Document";
        problems.add(&AUTHOR_IMMUTABLE, Cause::Forbidden, "spec.metadata.author", message);
    }
    let allowed = &review.settings.orasi.document_unhiders;
    let may = |who: &UserInfo<'_>| allowed.iter().any(|one| who.is(one));
    let shown = before.is_hidden() && !now.is_hidden();
    if shown && !allowed.is_empty() && review.user.is_some_and(|user| !may(user)) {
        let message = "is not for you to take away; ask somebody of those whom an operator named in \
                       rules.orasi.documentUnhiders";
        problems.add(&UNHIDE, Cause::Forbidden, "spec.hidden", message);
    }
}
