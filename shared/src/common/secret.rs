//! Secrets that stand in the clear, as far as they can be told by their looks. No message repeats one.

/// What names of secrets contain, without '_' and '-'.
const SECRET_WORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "accountkey",
    "sharedkey",
    "credential",
];
/// What names of things contain that only tell of a secret where it is.
const HARMLESS_ENDS: [&str; 7] = ["name", "ref", "file", "path", "url", "enabled", "ttl"];

/// Whether `value` looks as if it were a secret: by its name, or since it is an address with a password.
pub fn is_secret(name: &str, value: &str) -> bool {
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let by_name = SECRET_WORDS.iter().any(|secret| word.contains(secret))
        && !HARMLESS_ENDS.iter().any(|end| word.ends_with(end));
    // `$(NAME)` stands for another variable's value.
    let is_elsewhere = value.trim().is_empty() || (value.starts_with("$(") && value.ends_with(')'));
    !is_elsewhere && (by_name || has_password(value))
}

/// `scheme://user:password@host`
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let user = rest.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
    let password = user.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !password.is_empty() && !password.starts_with("$("))
}

/// How tokens of well-known services begin.
const TOKENS: [&str; 12] = [
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "dapi",
    "hvs.",
    "AIza",
    "npm_",
];
/// How many letters, digits, '-' and '_' follow at least.
const TOKEN_LENGTH: usize = 16;

/// What in a text looks like a secret, if anything does.
pub fn secret_in(text: &str) -> Option<&'static str> {
    let words = || text.split(|c: char| c.is_whitespace() || "\"'`,;<>()[]{}|".contains(c));
    match () {
        () if has_private_key(text) => Some("a private key"),
        () if words().any(is_access_key) => Some("an access key"),
        () if words().any(is_token) => Some("a token"),
        () if words().any(has_password) => Some("an address with a password"),
        () if text.lines().any(is_assignment) => Some("a password, token or key"),
        () => None,
    }
}

fn has_private_key(text: &str) -> bool {
    let mut blocks = text.match_indices("-----BEGIN ").map(|(at, mark)| &text[at + mark.len()..]);
    blocks.any(|rest| {
        rest.split_once("-----").is_some_and(|(label, _)| label.len() < 64 && label.ends_with("PRIVATE KEY"))
    })
}

/// An id as AWS gives them, wherever it stands in a word: `AKIA` or `ASIA` and 16 digits of base32.
fn is_access_key(word: &str) -> bool {
    let is_base32 = |c: char| c.is_ascii_uppercase() || ('2'..='7').contains(&c);
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric());
    let mut ids = parts.filter(|part| part.len() == 20 && part.chars().all(is_base32));
    ids.any(|id| id.starts_with("AKIA") || id.starts_with("ASIA"))
}

fn is_token(word: &str) -> bool {
    let value = word.rsplit(['=', ':']).next().unwrap_or(word);
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_known = TOKENS.iter().any(|prefix| {
        let rest = value.strip_prefix(prefix).unwrap_or_default();
        rest.len() >= TOKEN_LENGTH && rest.chars().all(usual)
    });
    is_known || is_jwt(value)
}

/// `eyJ...` in three parts of base64url: a JSON Web Token.
fn is_jwt(value: &str) -> bool {
    let parts: Vec<_> = value.split('.').take(4).collect();
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    value.starts_with("eyJ")
        && parts.len() == 3
        && parts.iter().all(|part| part.len() >= 8 && part.chars().all(usual))
}

/// `password: hunter22`, as configuration files have it. A sentence, and what stands for a value, is none.
fn is_assignment(line: &str) -> bool {
    let Some((name, value)) = line.split_once([':', '=']) else { return false };
    let quotes = ['"', '\'', ',', ';'];
    let (name, value) = (name.trim().trim_matches(quotes), value.trim().trim_matches(quotes));
    let name = name.strip_prefix("export ").unwrap_or(name);
    let stands_for = |c: char| "$<{*%".contains(c);
    !name.contains(char::is_whitespace)
        && value.len() >= 6
        && !value.contains(char::is_whitespace)
        && !value.starts_with(stands_for)
        && is_secret(name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_by_passwords_in_addresses() {
        for (name, value) in [
            ("POSTGRES_PASSWORD", "postgres"),
            ("githubToken", "x"),
            ("STRIPE_API_KEY", "x"),
            ("NEXTAUTH_SECRET", "x"),
            ("DATABASE_URL", "postgres://u:p@db/x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("POSTGRES_PASSWORD", ""),
            ("POSTGRES_PASSWORD", "$(PASSWORD)"),
            ("SECRET_NAME", "db"),
            ("PASSWORD_FILE", "/run/x"),
            ("DATABASE_URL", "postgres://u@db/x"),
            ("DATABASE_URL", "postgres://u:$(PASSWORD)@db/x"),
            ("NODE_ENV", "development"),
            ("TOKEN_TTL", "1h"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }

    #[test]
    fn secrets_in_texts_are_known_by_their_form() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        for (text, found) in [
            (key, "a private key"),
            ("the id is AKIAIOSFODNN7EXAMPLE, they say", "an access key"),
            ("key=AKIAIOSFODNN7EXAMPLE", "an access key"),
            ("use ghp_abcdefghijklmnop0123", "a token"),
            ("token=glpat-abcdefghijklmnop", "a token"),
            ("Bearer eyJhbGciOi.eyJzdWIiOiIx.c2lnbmF0dXJl", "a token"),
            ("see postgres://jane:hunter2@db/x", "an address with a password"),
            ("first\n  password: hunter22\nlast", "a password, token or key"),
            ("export API_KEY=\"0123456\"", "a password, token or key"),
        ] {
            assert_eq!(secret_in(text), Some(found), "{text}");
        }
    }

    #[test]
    fn texts_about_secrets_are_left_alone() {
        for text in [
            "",
            "Password: ask the administrator",
            "password: ${PASSWORD}",
            "password: <yours>",
            "token: none",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            "-----BEGIN ",
            "a ghp_short one, and dapifications",
            "AKIA, ASIA and ASIAPACIFICCUSTOMERS1",
            "https://example.com/a:b@c",
            "eyJ.a.b",
        ] {
            assert_eq!(secret_in(text), None, "{text}");
        }
    }
}
