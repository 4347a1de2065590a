//! Secrets that stand in the clear, as far as they can be told by their looks. No message repeats one.

mod assigned;

pub use assigned::{in_setting, is_header, places};

/// What names of secrets contain, without '_' and '-'.
const SECRET_WORDS: [&str; 13] = [
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
    "accesssignature",
    "credential",
    // `basic.auth.user.info` of Kafka's registries.
    "authuserinfo",
];
/// What names of things end with that only tell where a secret is, or how it is used.
const HARMLESS_ENDS: [&str; 34] = [
    "name",
    "ref",
    "file",
    "path",
    "url",
    "uri",
    "endpoint",
    "source",
    "arn",
    "clientid",
    "enabled",
    "ttl",
    "inms",
    "seconds",
    "minutes",
    "hours",
    "days",
    "lifetime",
    "expiry",
    "expiresat",
    "expiresin",
    "timeout",
    "pattern",
    "length",
    "type",
    "class",
    "encoding",
    "callback",
    "provider",
    "tokenizer",
    "field",
    "fields",
    "header",
    "separator",
];

/// Whether `value` looks as if it were a secret: by its name, or since it is an address with a password.
pub fn is_secret(name: &str, value: &str) -> bool {
    // `$(NAME)` stands for another variable's value.
    let is_elsewhere = value.trim().is_empty() || (value.starts_with("$(") && value.ends_with(')'));
    let is_switch = ["true", "false"].iter().any(|switch| value.trim().eq_ignore_ascii_case(switch));
    !is_elsewhere && !is_switch && (is_secret_name(name, value) || has_password(value))
}

fn is_secret_name(name: &str, value: &str) -> bool {
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // GOOGLE_APPLICATION_CREDENTIALS is a file, and `max_tokens` a number of words.
    let is_harmless = HARMLESS_ENDS.iter().any(|end| word.ends_with(end))
        || value.starts_with("arn:")
        || (word.ends_with("credentials") && value.starts_with('/'))
        || (word.ends_with("tokens") && is_number);
    let is_word = SECRET_WORDS.iter().any(|secret| word.contains(secret)) && !is_harmless;
    // The shell's own PWD is a folder.
    let is_folder =
        value.starts_with(['/', '.', '$']) || value.get(1..).is_some_and(|rest| rest.starts_with(":\\"));
    is_word || (word.ends_with("pwd") && !is_folder)
}

/// `scheme://user:password@host`, also where another address has it in its query, its signs written as `%40`.
fn has_password(value: &str) -> bool {
    let has = |text: &str, ends: &str| {
        let mut found = text.match_indices("://");
        found.any(|(at, mark)| begins_with_password(&text[at + mark.len()..], ends))
    };
    // An address in a query ends where the next of the query begins.
    has(value, "/?#\"'") || (value.contains('%') && has(&with_signs(value), "/?#\"'&"))
}

/// Whether the address that goes on with `rest`, up to a space or one of `ends`, has a password.
fn begins_with_password(rest: &str, ends: &str) -> bool {
    let authority = rest.split(|c: char| c.is_whitespace() || ends.contains(c)).next();
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    let password = user.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    let stands_for = |password: &str| ["$(", "${", "<"].iter().any(|begin| password.starts_with(begin));
    password.is_some_and(|password| !password.is_empty() && !stands_for(password))
}

/// `text` with those signs as they are that part an address.
fn with_signs(text: &str) -> String {
    let signs = [("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/"), ("%40", "@")];
    signs.iter().fold(text.to_owned(), |text, (written, sign)| text.replace(written, sign))
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
        () if assigned::in_prose(text) => Some("a password, token or key"),
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
            ("snowflake.pwd", "x"),
            ("MYSQL_PWD", "x"),
            ("DATABASE_URL", "postgres://u%3Ap%40db/x"),
            ("DATABASE_URL", "postgres://u%3ap@db/x"),
            ("PROXIED", "https://example.com/?to=postgres%3A%2F%2Fu%3Ap%40db%2Fx"),
            ("basic.auth.user.info", "jane:x"),
            ("DB_CREDENTIALS", "jane:x"),
            ("API_TOKENS", "x1,x2"),
            ("PASSWORD", "123456"),
            ("MIRRORS", "https://example.com/x,https://u:p@example.org/x"),
            ("MIRRORS", "https://example.com https://u:p@example.org"),
            ("PROXIED", "https://login/?to=https%3A%2f%2Fu%3Ap%40app&login_hint=jane%40example.com"),
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
            ("DATABASE_URL", "postgres://u:${PASSWORD}@db/x"),
            ("DATABASE_URL", "postgres://u%40example.com@db%3A5432/x"),
            ("LINK", "https://example.com/a%3Ab%40c"),
            ("LINKS", "https://a.example/x or https://b.example:8443 mail ops@example.com"),
            ("LINKS", "'https://b.example:8443', \"ops@example.com\""),
            ("LOGIN", "https://login/?redirect=https%3A%2F%2Fapp:8443&login_hint=jane%40example.com"),
            ("NODE_ENV", "development"),
            ("TOKEN_TTL", "1h"),
            ("OLDPWD", "/app"),
            ("APP_PWD", "C:\\app"),
            ("PWD", "${HOME}"),
            ("secretArn", "arn:aws:secretsmanager:eu-central-1:1:secret:lake"),
            ("token_uri", "https://oauth2.googleapis.com/token"),
            ("passwordCharacterEncoding", "UTF-8"),
            ("tokenExpirySeconds", "3600"),
            ("fs.s3a.aws.credentials.provider", "x.Y"),
            ("basic.auth.credentials.source", "USER_INFO"),
            ("sasl.oauthbearer.client.credentials.client.id", "orasi"),
            ("client.refresh-credentials-endpoint", "https://example.com/v1/credentials"),
            ("token-expires-in-ms", "3600000"),
            ("gcs.oauth2.token-expires-at", "1767225600000"),
            ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
            ("PASSWORD_MIN_LENGTH", "12"),
            ("CLIENT_STORE_TEMPORARY_CREDENTIAL", "TRUE"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/var/run/gcp/key.json"),
            ("MAX_TOKENS", "4096"),
            ("tokenizer", "whitespace"),
            ("token_separator", ","),
            ("token_header", "X-Auth-Token"),
            ("password_field", "user.password"),
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
            ("see postgres://jane%3Ahunter2%40db/x", "an address with a password"),
            ("see postgres://jane:hunter2%40db/x", "an address with a password"),
            ("with password = hunter2xyz", "a password, token or key"),
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
            "https://example.com/?to=jane%3Ax%40example.org",
            "postgres://jane:<password>@db and postgres://jane:${PASSWORD}@db",
            "eyJ.a.b",
        ] {
            assert_eq!(secret_in(text), None, "{text}");
        }
    }
}
