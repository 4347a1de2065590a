//! References to images: `[registry/]name[:tag][@digest]`.

/// Whether the image is one of PostgreSQL, as far as its name tells.
pub fn is_postgres(image: &str) -> bool {
    Image::parse(image).is_some_and(|image| image.is_postgres())
}

/// What a reference to an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image<'a> {
    /// With the registry.
    pub(super) name: &'a str,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// The parts of a reference; `None` when it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest).filter(|digest| is_digest(digest))?.into()),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].split_once(':') {
            Some((_, tag)) => {
                (&rest[..rest.len() - tag.len() - 1], Some(tag).filter(|tag| is_tag(tag))?.into())
            }
            None => (rest, None),
        };
        is_image_name(name).then_some(Self { name, tag, digest })
    }

    /// Whether it means another image from day to day.
    pub(super) fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag == "latest")
    }

    /// Whether it is an image of PostgreSQL, as far as its name tells.
    pub(super) fn is_postgres(&self) -> bool {
        let last = self.name.rsplit('/').next().unwrap_or_default();
        ["postgres", "postgis", "pgvector", "timescale"].iter().any(|word| last.contains(word))
    }
}

fn is_image_name(name: &str) -> bool {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    name.len() <= 255 && registry.is_none_or(is_registry) && path.split('/').all(is_part)
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').map_or((registry, "1"), |(host, port)| (host, port));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_part(part: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [part.bytes().next(), part.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(usual))
        && part.bytes().all(|byte| usual(byte) || b"._-".contains(&byte))
        && !part.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(usual)
        && tag.bytes().all(|byte| usual(byte) || b".-".contains(&byte))
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, name, tag, has_digest) in [
            ("node", "node", None, false),
            ("node:22-slim", "node", Some("22-slim"), false),
            ("ghcr.io/acme/shop:v1", "ghcr.io/acme/shop", Some("v1"), false),
            ("localhost:5000/shop", "localhost:5000/shop", None, false),
            (&format!("acme/shop@{digest}"), "acme/shop", None, true),
            (&format!("acme/shop:v1@{digest}"), "acme/shop", Some("v1"), true),
        ] {
            let image = Image::parse(text).unwrap();
            assert_eq!((image.name, image.tag, image.digest.is_some()), (name, tag, has_digest), "{text}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            " node",
            "node 22",
            "Node",
            "node:",
            "node:ta g",
            "/node",
            "node/",
            "a//b",
            "a@sha256:b",
            "http://a/b",
            "a:b:c",
            "-a",
            "a..b",
            "a.b:99999/c",
            &long,
        ] {
            assert_eq!(Image::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn latest_is_what_no_tag_says() {
        let latest = |text: &str| Image::parse(text).unwrap().is_latest();
        assert!(latest("node") && latest("node:latest"));
        assert!(!latest("node:22") && !latest(&format!("node@sha256:{}", "0".repeat(64))));
    }
}
