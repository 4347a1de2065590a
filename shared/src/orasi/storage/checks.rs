//! What can be wrong with a storage beside its single fields.

use super::{
    AUTHENTICATION, BUCKET, COLUMNS, COLUMNS_IMMUTABLE, CREDENTIALS, DeltaLake, ENDPOINT, ENDPOINT_PLAIN,
    FORMAT_VERSION_GROWS, Hudi, IN_USE, Iceberg, Location, NAME, OPTIONS, OVERLAP, PARTITIONING, PATH,
    PLACE_IMMUTABLE, REGION, S3Place, Snowflake, Storage, StorageSpec, StorageType, TYPE_IMMUTABLE, UNION,
    inside_key, place_key,
};
use crate::{
    admission::{
        lookup::{Looked, Lookup, LookupExt, Query},
        problem::{Cause, Problems},
        reference::DELETE_IN_USE_ANNOTATION,
        review::Review,
        seen::{Seen, Users},
    },
    common::{
        text::prints,
        url::{is_in_cluster, is_loopback},
    },
    field::at,
    index::Stored,
    kind::Kind,
    orasi::{
        AuthenticationMethod, authentication, columns,
        credentials::{check_text, has_credentials},
        endpoint, options, path,
    },
};

const AUTHENTICATION_RULES: authentication::Rules = (&AUTHENTICATION, &CREDENTIALS);

pub(super) fn check_parts(spec: &StorageSpec, problems: &mut Problems) {
    check_union(spec, problems);
    spec.delta_lake.iter().for_each(|delta| check_delta(delta, problems));
    spec.iceberg.iter().for_each(|iceberg| check_iceberg(iceberg, problems));
    spec.hudi.iter().for_each(|hudi| check_hudi(hudi, problems));
    spec.snowflake.iter().for_each(|snowflake| check_snowflake(snowflake, problems));
    spec.s3_parquet.iter().for_each(|parquet| check_s3(&parquet.place(), problems));
    spec.s3.iter().for_each(|s3| check_s3(&s3.place(), problems));
    let (field, columns) = spec.partition_columns();
    columns::check(field, columns, &COLUMNS, problems);
    let unpartitioned = spec.s3_parquet.as_ref().is_some_and(|of| of.enable_partitioning == Some(false));
    if unpartitioned && columns.is_some_and(|columns| !columns.is_empty()) {
        let message = "have no effect while enablePartitioning is false; set that to true, or remove them";
        problems.add(&PARTITIONING, Cause::Invalid, field, message);
    }
}

fn check_union(spec: &StorageSpec, problems: &mut Problems) {
    let parts = [
        ("deltaLake", StorageType::DeltaLake, spec.delta_lake.is_some()),
        ("iceberg", StorageType::Iceberg, spec.iceberg.is_some()),
        ("hudi", StorageType::Hudi, spec.hudi.is_some()),
        ("snowflake", StorageType::Snowflake, spec.snowflake.is_some()),
        ("s3Parquet", StorageType::S3Parquet, spec.s3_parquet.is_some()),
        ("s3", StorageType::S3, spec.s3.is_some()),
    ];
    for (field, of, given) in parts {
        let field = at("spec").field(field);
        match (of == spec.storage_type, given) {
            (true, false) => {
                let message = "is required by the type; set it, or choose the type of what is set";
                problems.add(&UNION, Cause::Required, field, message);
            }
            (false, true) => {
                let message = "is of another type; remove it, or choose its type";
                problems.add(&UNION, Cause::Forbidden, field, message);
            }
            _ => {}
        }
    }
}

fn check_delta(delta: &DeltaLake, problems: &mut Problems) {
    path::check("spec.deltaLake.storagePath", &delta.storage_path, (&PATH, &CREDENTIALS), problems);
    check_text(
        "spec.deltaLake.catalog",
        delta.catalog.as_deref().unwrap_or_default(),
        &CREDENTIALS,
        problems,
    );
    options::check("spec.deltaLake.options", delta.options.as_ref(), (&OPTIONS, &CREDENTIALS), problems);
}

fn check_iceberg(iceberg: &Iceberg, problems: &mut Problems) {
    endpoint::check("spec.iceberg.catalogUri", &iceberg.catalog_uri, (&ENDPOINT, &CREDENTIALS), problems);
    let field = "spec.iceberg.warehouse";
    match iceberg.warehouse.contains("://") || iceberg.warehouse.starts_with('/') {
        true => path::check(field, &iceberg.warehouse, (&PATH, &CREDENTIALS), problems),
        false => {
            check_text(field, &iceberg.warehouse, &CREDENTIALS, problems);
            if iceberg.warehouse.trim().is_empty() {
                problems.add(&PATH, Cause::Required, field, "is blank; fill it in");
            }
        }
    }
    let given = iceberg.authentication.as_ref();
    authentication::check("spec.iceberg.authentication", given, AUTHENTICATION_RULES, problems);
    options::check(
        "spec.iceberg.properties",
        iceberg.properties.as_ref(),
        (&OPTIONS, &CREDENTIALS),
        problems,
    );
}

fn check_hudi(hudi: &Hudi, problems: &mut Problems) {
    path::check("spec.hudi.storagePath", &hudi.storage_path, (&PATH, &CREDENTIALS), problems);
    options::check("spec.hudi.options", hudi.options.as_ref(), (&OPTIONS, &CREDENTIALS), problems);
}

fn check_snowflake(snowflake: &Snowflake, problems: &mut Problems) {
    let is_account = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !snowflake.account.chars().all(is_account) {
        let message = "is no account's identifier; use letters, digits, '.', '_' and '-', for instance myorg-account123";
        problems.add(&NAME, Cause::Invalid, "spec.snowflake.account", message);
    }
    for (field, name) in [
        ("spec.snowflake.database", Some(&snowflake.database)),
        ("spec.snowflake.schema", Some(&snowflake.schema)),
        ("spec.snowflake.warehouse", snowflake.warehouse.as_ref()),
        ("spec.snowflake.role", snowflake.role.as_ref()),
    ] {
        if name.is_some_and(|name| name.trim() != name || !prints(name)) {
            let message = "has spaces around it or characters that do not print in it; remove them";
            problems.add(&NAME, Cause::Invalid, field, message);
        }
    }
    let given = Some(&snowflake.authentication);
    authentication::check("spec.snowflake.authentication", given, AUTHENTICATION_RULES, problems);
    options::check(
        "spec.snowflake.settings",
        snowflake.settings.as_ref(),
        (&OPTIONS, &CREDENTIALS),
        problems,
    );
}

fn check_s3(place: &S3Place<'_>, problems: &mut Problems) {
    let field = |name: &str| at(place.field).field(name);
    if !is_bucket(place.bucket) {
        let message = "is no bucket's name; use lower-case letters, digits, '.' and '-', with a letter or digit at both ends";
        problems.add(&BUCKET, Cause::Invalid, field("bucket"), message);
    }
    if let Err(message) = path::parts(place.prefix) {
        problems.add(&PATH, Cause::Invalid, field("prefix"), message);
    }
    if !place.region.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
        let message = "is no region; use lower-case letters, digits and '-', for instance eu-central-1";
        problems.add(&REGION, Cause::Invalid, field("region"), message);
    }
    if let Some(endpoint) = place.endpoint {
        check_s3_endpoint(place, endpoint, problems);
    }
    if let Some(ca) = place.ca {
        ca.check(field("caSecretRef"), &AUTHENTICATION, problems);
    }
    let authentication = format!("{}.authentication", place.field);
    authentication::check(&authentication, place.authentication, AUTHENTICATION_RULES, problems);
    let method = place.authentication.map(|given| given.method).unwrap_or_default();
    if !matches!(method, AuthenticationMethod::None | AuthenticationMethod::Basic) {
        let message = "is no method of S3; use Basic, with the id of an access key for the name, and its secret for the password";
        problems.add(&AUTHENTICATION, Cause::NotSupported, at(&authentication).field("method"), message);
    }
}

/// Letters and digits at both ends, as the length is the schema's matter.
fn is_bucket(name: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    ends.into_iter().flatten().all(is_word) && name.bytes().all(|c| is_word(c) || matches!(c, b'.' | b'-'))
}

fn check_s3_endpoint(place: &S3Place<'_>, endpoint: &str, problems: &mut Problems) {
    let field = at(place.field).field("endpoint");
    check_text(field.clone(), endpoint, &CREDENTIALS, problems);
    match place.url() {
        // That is the other rule's problem.
        Err(_) if has_credentials(endpoint) => {}
        Err(message) => problems.add(&ENDPOINT, Cause::Invalid, field, message),
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) && !is_in_cluster(&url) => {
            let message = "is http to another machine: what is sent can be read on its way; use https";
            problems.add(&ENDPOINT_PLAIN, Cause::Invalid, field, message);
        }
        Ok(_) => {}
    }
}

/// How many Storages around a place are looked at, for each place around it.
const LOOKED_AT: usize = 50;

/// What lies inside of another's place would be mixed with what is there. Nothing reserves a whole path, so this is no more than a look:
/// of two that were stored at the same instant, the older one is right.
pub(super) fn check_overlap(review: &Review<'_, Storage>, problems: &mut Problems) {
    let Some(place) = review.object.place() else { return };
    let keeps = review.old.is_none_or(|old| old.place().as_ref() == Some(&place));
    // What nobody there may use keeps no other namespace from its own.
    let counts = |other: &Stored| {
        other.namespace() == review.namespace || !other.get::<Storage>().is_some_and(|one| one.is_refused())
    };
    let others = review.using(|lookup, namespace, limit| {
        let found = others(lookup, namespace, &place, limit, &|other| {
            !review.is_self(other) && review.gives_way(other.meta(), keeps) && counts(other)
        });
        Looked { found, ..Looked::default() }
    });
    let field = review.object.spec.place_field();
    others.check(problems, field, &[&OVERLAP], |others, problems| {
        if !others.is_empty() {
            let message = format!(
                "is inside the place of another Storage, or around it: {others}; choose one beside it. (Of two that are created at \
                 the same instant both may pass, and the older one is used.)"
            );
            problems.add(&OVERLAP, Cause::Duplicate, field, message);
        }
    });
}

/// The first of those whose place is around this one, or inside of it.
fn others(
    lookup: &dyn Lookup,
    namespace: &str,
    place: &Location,
    limit: usize,
    wanted: &dyn Fn(&Stored) -> bool,
) -> Vec<Stored> {
    let keys = place.around().map(|key| place_key(&key)).chain([inside_key(&place.key())]);
    let mut found = Vec::new();
    for key in keys {
        let more = limit.saturating_sub(found.len());
        if more > 0 {
            let query = Query::alive(Storage::NAME, namespace, &key);
            found.extend(lookup.first_among(query, LOOKED_AT, more, wanted).found);
        }
    }
    found
}

pub(super) fn check_change(review: &Review<'_, Storage>, old: &Storage, problems: &mut Problems) {
    let (before, now) = (&old.spec, &review.object.spec);
    if before.storage_type != now.storage_type {
        let message = "is immutable: what is there would be left behind; create another Storage instead";
        return problems.add(&TYPE_IMMUTABLE, Cause::Forbidden, "spec.type", message);
    }
    let table_type = |spec: &StorageSpec| spec.hudi.as_ref().map(|hudi| hudi.table_type);
    if table_type(before).is_some() && table_type(now).is_some() && table_type(before) != table_type(now) {
        let message = "is immutable: tables are of one type; create another Storage instead";
        problems.add(&TYPE_IMMUTABLE, Cause::Forbidden, "spec.hudi.tableType", message);
    }
    let columns = |spec: &StorageSpec| spec.partition_columns().1.cloned().unwrap_or_default();
    if columns(before) != columns(now) {
        let message = "are immutable: files lie as they were partitioned; create another Storage instead";
        problems.add(&COLUMNS_IMMUTABLE, Cause::Forbidden, now.partition_columns().0, message);
    }
    let ((field, version), (_, old_version)) = (now.format_version(), before.format_version());
    if let Some(old_version) = old_version.filter(|old| version.is_none_or(|version| version < *old)) {
        let message = format!("only grows, as older programs can't read newer tables; keep {old_version}");
        problems.add(&FORMAT_VERSION_GROWS, Cause::Forbidden, field, message);
    }
    if old.place() != review.object.place() {
        check_moved(review, problems);
    }
}

/// The Documents that are still in it, and name another by now.
fn left(review: &Review<'_, Storage>) -> Seen<Users> {
    review.users(&review.object.left_key(), |_, user| review.object.permits(user))
}

/// What Documents have put there can be removed through the Storage alone.
pub(super) fn check_left(review: &Review<'_, Storage>, problems: &mut Problems) {
    let field = "metadata.name";
    left(review).check(problems, field, &[&IN_USE], |users, problems| {
        if !users.is_empty() {
            let message = format!(
                "has objects of Documents in it that name another Storage by now, or none: {users}; wait until they have moved \
                 (their condition Ready says what keeps them), or set the annotation {DELETE_IN_USE_ANNOTATION}: \"true\" on it, \
                 which leaves the objects there"
            );
            problems.add(&IN_USE, Cause::Forbidden, field, message);
        }
    });
}

/// What is in a place does not follow to another one.
fn check_moved(review: &Review<'_, Storage>, problems: &mut Problems) {
    let field = review.object.spec.place_field();
    left(review).check(problems, field, &[&PLACE_IMMUTABLE], |users, problems| {
        if !users.is_empty() {
            let message = format!(
                "is immutable while there are objects of Documents: {users}; wait until they have moved"
            );
            problems.add(&PLACE_IMMUTABLE, Cause::Forbidden, field, message);
        }
    });
    review.referrers().check(problems, field, &[&PLACE_IMMUTABLE], |users, problems| {
        if !users.is_empty() {
            let message =
                format!("is immutable while objects use the Storage: {users}; create another Storage for it");
            problems.add(&PLACE_IMMUTABLE, Cause::Forbidden, field, message);
        }
    });
}
