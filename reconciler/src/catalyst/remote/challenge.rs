//! What a registry asks for, in the header `WWW-Authenticate`.

/// The longest header that is read.
const LONGEST: usize = 4096;
/// How many parameters of a challenge are read.
const MOST: usize = 20;

/// How a registry wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// With user and password.
    Basic,
    /// With a token that is given at `realm`.
    Bearer {
        /// An address.
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge in a header; `None` when there is none that can be met.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.get(..LONGEST.min(header.len()))?.trim();
        let (scheme, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let parameters = scheme.eq_ignore_ascii_case("bearer").then(|| parameters(rest))?;
        let value = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        Some(Self::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
    }
}

/// The parameters `name="value"` or `name=value`, up to the first that is neither.
fn parameters(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while found.len() < MOST {
        let Some((name, after)) = rest.split_once('=') else { break };
        if !is_token(name.trim()) {
            break;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => match unquoted(quoted) {
                Some(value) => value,
                None => break,
            },
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.push((name.trim().to_owned(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// A text up to its closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &text[place + 1..])),
            _ => value.push(c),
        }
    }
    None
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.into(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn challenges_of_registries_are_understood() {
        let docker = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"";
        for (header, expect) in [
            (
                docker,
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            ("bearer Realm=https://x/t , service = y", bearer("https://x/t", Some("y"), None)),
            ("Bearer realm=https://x/t, service=y", bearer("https://x/t", Some("y"), None)),
            ("Bearer realm=\"a\\\"b\"", bearer("a\"b", None, None)),
            ("Bearer realm=\"https://x/t\", error=\"invalid_token\"", bearer("https://x/t", None, None)),
            ("Basic realm=\"registry\"", Some(Challenge::Basic)),
            ("BASIC", Some(Challenge::Basic)),
            ("Bearer", None),
            ("Bearer service=\"x\"", None),
            ("Bearer realm=\"\"", None),
            ("Bearer realm=\"open", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(header), expect, "{header}");
        }
    }

    #[test]
    fn no_header_can_do_harm() {
        let mut random = fastrand::Rng::with_seed(11);
        let pieces =
            ["Bearer ", "realm=", "\"", ",", "\\", "=", "x", " ", "scope=", "é", "\"a\"", ";", "\u{1f600}"];
        for _ in 0..50_000 {
            let header: String =
                (0..random.usize(0..30)).map(|_| pieces[random.usize(0..pieces.len())]).collect();
            if let Some(Challenge::Bearer { realm, .. }) = Challenge::parse(&format!("Bearer {header}")) {
                assert!(!realm.is_empty() && header.len() >= realm.len());
            }
        }
        let long = format!("Bearer realm=\"https://x\", scope=\"{}", "é".repeat(LONGEST));
        let _ = Challenge::parse(&long);
        let many = format!("Bearer {}realm=\"late\"", "a=b,".repeat(MOST));
        assert_eq!(Challenge::parse(&many), None);
    }
}
