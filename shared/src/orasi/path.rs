//! Paths and addresses at which the files of tables lie. No message repeats one: it may hold a password.

use super::credentials::{CONTAINERS, check_text, has_credentials};
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// How many parts a path has at most.
pub(super) const DEEPEST: usize = 32;
/// The longest part of a path, in bytes.
const LONGEST_PART: usize = 255;
/// The schemes of addresses where files lie.
const SCHEMES: [&str; 12] =
    ["s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "az", "hdfs", "oss", "file"];

const NO_PATH: &str =
    "is no place of files; write it as s3://bucket/path, with another such scheme, or as /path";

/// Where files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// `None` for a path of the machine that reads it.
    pub scheme: Option<String>,
    /// The bucket, the host, or `container@host`.
    pub authority: String,
    /// The parts of the path.
    pub parts: Vec<String>,
}

impl FilePath {
    /// The place at `text`; else what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim() != text || text.contains(char::is_control) {
            return Err("has white space around it or control characters in it; remove them");
        }
        if let Some(path) = text.strip_prefix('/') {
            return Ok(Self { scheme: None, authority: String::new(), parts: parts(path)? });
        }
        let (scheme, rest) = text.split_once("://").ok_or(NO_PATH)?;
        let scheme = scheme.to_lowercase();
        if !SCHEMES.contains(&&*scheme) {
            return Err(NO_PATH);
        }
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment; remove everything from '?' or '#'");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_container = CONTAINERS.contains(&&*scheme) && !authority.contains(':');
        if authority.contains('@') && !is_container {
            return Err("names a user; remove everything before '@'");
        }
        let parts = parts(path)?;
        match (&*scheme, authority.is_empty()) {
            ("file", true) => Ok(Self { scheme: None, authority: String::new(), parts }),
            ("file", false) => Err("names a host; write it as file:///path"),
            (_, true) => Err("names no bucket or host; write it as s3://bucket/path"),
            // A host's name is the same in any letters, and so are names of buckets, which have none but small ones.
            (_, false) => Ok(Self { scheme: Some(scheme), authority: authority.to_lowercase(), parts }),
        }
    }

    /// Whether it is in a bucket of S3's protocol.
    pub fn is_s3(&self) -> bool {
        self.scheme.as_deref().is_some_and(|scheme| matches!(scheme, "s3" | "s3a" | "s3n"))
    }
}

/// The parts of a path or a prefix, whatever '/' is around it; else what is wrong with it.
pub(super) fn parts(path: &str) -> Result<Vec<String>, &'static str> {
    let path = path.trim_matches('/');
    let parts: Vec<_> = path.split('/').filter(|_| !path.is_empty()).map(str::to_owned).collect();
    match () {
        () if parts.len() > DEEPEST => Err("has more than 32 parts between slashes; shorten it"),
        () if parts.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) => {
            Err("has '//', '/./' or '/../' in it; write it without")
        }
        () if parts.iter().any(|part| part.len() > LONGEST_PART || part.contains(char::is_control)) => {
            Err("has a part of more than 255 bytes, or control characters; shorten it, and remove them")
        }
        () => Ok(parts),
    }
}

/// Adds what is wrong with a place of files: with its form by the first of `rules`, credentials in it by the second.
pub(super) fn check(
    field: impl Into<FieldPath>,
    text: &str,
    (form, credentials): (&'static AdmissionRule, &'static AdmissionRule),
    problems: &mut Problems,
) {
    let field = field.into();
    check_text(field.clone(), text, credentials, problems);
    match FilePath::parse(text) {
        // That is the other rule's problem.
        Err(_) if has_credentials(text) => {}
        Err(message) => problems.add(form, Cause::Invalid, field, message),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, scheme: Option<&str>, authority: &str, parts: &[&str]) {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        let expect = FilePath { scheme: scheme.map(str::to_owned), authority: authority.to_owned(), parts };
        assert_eq!(FilePath::parse(text), Ok(expect), "{text}");
    }

    #[test]
    fn files_lie_at_paths_and_in_buckets() {
        check("s3://Lake/events/", Some("s3"), "lake", &["events"]);
        check("S3A://lake", Some("s3a"), "lake", &[]);
        check("hdfs://namenode:8020/lake/raw", Some("hdfs"), "namenode:8020", &["lake", "raw"]);
        check("abfss://c@a.dfs.core.windows.net/x", Some("abfss"), "c@a.dfs.core.windows.net", &["x"]);
        check("/data/lake", None, "", &["data", "lake"]);
        check("file:///data/lake/", None, "", &["data", "lake"]);
        check("/", None, "", &[]);
        let deep = format!("/{}", "a/".repeat(33));
        for bad in [
            "",
            "data/lake",
            "https://example.com/x",
            "s3://",
            "s3:///x",
            "s3://lake/a//b",
            "s3://lake/../x",
            "s3://lake/x?y",
            "file://host/x",
            "s3://key:secret@lake/x",
            " /data",
            &deep,
        ] {
            assert!(FilePath::parse(bad).is_err(), "{bad}");
        }
    }
}
