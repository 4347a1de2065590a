//! `password=hunter2` inside of a text, as connection strings, headers, clients' settings and configuration files have it.

use std::ops::Range;

use super::{is_secret, is_secret_name};

/// The value that a text gives to what is named like a secret.
struct Assigned<'a> {
    name: &'a str,
    /// What is judged: the first where others may follow it.
    value: &'a str,
    /// Where the value stands, and what may belong to it.
    place: Range<usize>,
    /// Whether nothing says where the value ends: `password: what follows`.
    is_open: bool,
    /// Whether the sign is `=`.
    is_equals: bool,
    /// Whether the line begins with the name.
    is_first: bool,
}

/// How whatever stands for a value begins: a variable, a blank to fill in, stars, a regular expression.
const STANDS_FOR: &str = "$<{*%([\\.";

impl Assigned<'_> {
    fn is_secret(&self) -> bool {
        let stands_for = self.value.starts_with(|c: char| STANDS_FOR.contains(c));
        !stands_for
            && !self.is_condition()
            && self.value.contains(char::is_alphanumeric)
            && is_secret(self.name, self.value)
    }

    /// Whether it compares columns, as SQL does: `a.token_id = b.token_id`, `token = t2.tok1`, `token = :tok1`.
    fn is_condition(&self) -> bool {
        let is_parameter = self.is_open && self.value.starts_with([':', '@', '?']);
        let is_column = is_column(self.value) && (self.is_open || is_column(self.name));
        self.is_equals && (is_parameter || is_column || is_same_column(self.name, self.value))
    }

    fn is_sentence(&self) -> bool {
        self.is_open && self.value.contains(char::is_whitespace)
    }

    /// Whether it gives a secret away to those who read it, and is no word of a sentence that tells of one.
    fn is_told(&self) -> bool {
        let is_line = self.is_first && self.value.len() == self.place.len();
        self.value.len() >= LEAST
            && !self.is_sentence()
            && (is_line || !self.is_open || is_mixed(self.value))
            && self.is_secret()
    }
}

/// How many bytes a secret has at least in a text that people read.
const LEAST: usize = 6;
/// How far behind a sign an end of the value is looked for.
const NEAR: usize = 128;

/// Whether it has letters and digits, as no word has, and is neither a path nor a call.
fn is_mixed(value: &str) -> bool {
    let is_elsewhere = value.starts_with('/') || value.contains(['(', '[']);
    !is_elsewhere && value.contains(char::is_alphabetic) && value.contains(|c: char| c.is_ascii_digit())
}

/// Whether it looks like a secret by itself, and is no short word.
fn is_like_secret(value: &str) -> bool {
    value.len() >= LEAST && is_mixed(value)
}

/// Whether it is a column of a table that goes by a short name: `t2.tok1`.
fn is_column(text: &str) -> bool {
    text.split_once('.').is_some_and(|(table, column)| {
        (1..=3).contains(&table.len())
            && table.starts_with(|c: char| c.is_ascii_alphabetic())
            && column.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '"' | '`'))
    })
}

/// Whether `value` names the column `name` of another table.
fn is_same_column(name: &str, value: &str) -> bool {
    let column = name.rsplit('.').next().unwrap_or_default();
    let other = value.trim_end_matches(')').rsplit_once('.');
    other.is_some_and(|(_, other)| other.eq_ignore_ascii_case(column))
}

/// Whether a text that people read gives a secret away. A sentence that tells of one does not.
pub(super) fn in_prose(text: &str) -> bool {
    text.lines().any(|line| assigned(line).any(|one| one.is_told()))
        || authorizes(text, |given| given.len() >= LEAST && given.contains(|c: char| c.is_ascii_digit()))
}

/// Whether the value of a setting, such as a connection string or a header, has a secret in it, however short.
pub fn in_setting(text: &str) -> bool {
    let gives = |one: Assigned<'_>| !one.is_sentence() && one.is_secret();
    text.lines().any(|line| assigned(line).any(gives)) || authorizes(text, |_| true) || is_header(text)
}

/// Where on `line` there is what must not be shown, as far as names tell.
pub fn places(line: &str) -> impl Iterator<Item = Range<usize>> {
    assigned(line).filter(Assigned::is_secret).map(|one| one.place)
}

/// What `line` gives to names of secrets, in its order. No byte is looked at for each of the signs.
fn assigned(line: &str) -> impl Iterator<Item = Assigned<'_>> {
    let end = line.trim_end_matches(|c: char| c.is_whitespace() || "\"',;}]".contains(c)).len();
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = line[from..].find([':', '=']) {
            let (before, at) = (from, from + found);
            from = at + 1;
            let Some(one) = assigned_at(line, end, before, at) else { continue };
            // What follows an open one may be the next.
            from = if one.is_open { from } else { one.place.end };
            return Some(one);
        }
        None
    })
}

/// What the sign at `at` gives to the name between `before` and it, on a line of which all that is told ends at `end`.
fn assigned_at(line: &str, end: usize, before: usize, at: usize) -> Option<Assigned<'_>> {
    let ahead = line[before..at].trim_end();
    let name = name_at_end(ahead);
    if !is_secret_name(name, "") {
        return None;
    }
    let (place, is_open) = value_behind(line, end, at);
    let begin = ahead.trim_start_matches(|c: char| c.is_whitespace() || "{[-\"'".contains(c));
    let is_first = before == 0 && begin.strip_prefix("export ").unwrap_or(begin).starts_with(name);
    let is_close = is_open && place.start == at + 1 && !ahead.ends_with(['"', '\'']);
    let is_inside = is_close && !is_first;
    // `aws:secretsmanager:eu-central-1` names parts of one name.
    if is_inside && !is_listed(ahead, name) {
        return None;
    }
    let value = &line[place.clone()];
    let is_equals = line[at..].starts_with('=');
    let value = if is_open { first_entry(value, is_equals && is_password(name)) } else { value };
    // `token:string,id:int` names columns, and `users:read,tokens:read` what is permitted.
    let is_harmless = is_type(value) || (is_inside && !is_password(name) && !is_like_secret(value));
    (!is_close || !is_harmless).then_some(Assigned { name, value, place, is_open, is_equals, is_first })
}

/// Whether nothing but a password has this name. There are tokens and keys of many kinds.
fn is_password(name: &str) -> bool {
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    ["password", "passwd", "passphrase", "pwd"].iter().any(|end| word.ends_with(end))
}

/// Whether `name` is at the end of what is `ahead` of its sign, as an entry of a list: `user:x,password`.
fn is_listed(ahead: &str, name: &str) -> bool {
    ahead.strip_suffix(name).is_some_and(|before| before.trim_end().ends_with([',', ';', '&', '|', '{']))
}

/// What columns are of.
const TYPES: [&str; 26] = [
    "string",
    "str",
    "text",
    "varchar",
    "char",
    "bytes",
    "binary",
    "int",
    "integer",
    "smallint",
    "bigint",
    "bool",
    "boolean",
    "array",
    "map",
    "struct",
    "short",
    "long",
    "double",
    "float",
    "decimal",
    "date",
    "time",
    "timestamp",
    "uuid",
    "json",
];

/// Whether it is a type, with what it is of or how wide it is: `array<string>`, `int32`.
fn is_type(value: &str) -> bool {
    let word = value.split(['<', '(', ',', '>']).next().unwrap_or_default();
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    TYPES.iter().any(|one| word.eq_ignore_ascii_case(one))
}

fn is_usual(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The name at the end, which may stand in quotes, and those in a text of JSON.
fn name_at_end(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'', '\\']);
    text.rsplit(|c| !is_usual(c)).next().unwrap_or_default()
}

/// The value behind the sign at `at`, and whether nothing says where it ends.
fn value_behind(line: &str, end: usize, at: usize) -> (Range<usize>, bool) {
    let start = line.len() - line[at + 1..].trim_start().len();
    let plain = start + usize::from(line[start..].starts_with('\\'));
    let is_equals = line[at..].starts_with('=');
    let until = |from: usize, ends: &dyn Fn(char) -> bool| {
        let found = line[from..].find(ends).map_or(line.len(), |length| from + length);
        from..found.min(end).max(from)
    };
    match line[plain..].chars().next() {
        Some(quote @ ('"' | '\'')) => (until(plain + 1, &|c| c == quote), false),
        _ if let Some(value) = braced(line, start).filter(|_| is_equals) => (value, false),
        _ if start == at + 1 && is_equals => {
            (until(start, &|c| c.is_whitespace() || "\"';&".contains(c)), false)
        }
        _ => (start..end.max(start), true),
    }
}

/// What is in the braces at `start`, in which ODBC has what has signs in it. A name in braces stands for something else.
fn braced(line: &str, start: usize) -> Option<Range<usize>> {
    let inside = line[start..].strip_prefix('{')?;
    let near = &inside[..inside.floor_char_boundary(NEAR)];
    // Two stand for one that is part of the value.
    let value = &near[..near.replace("}}", "  ").find('}')?];
    let is_of_name = |c: char| is_usual(c) || c.is_whitespace() || matches!(c, ':' | '$' | '%');
    let is_code = value.starts_with('{') || value.ends_with([')', ']']) || value.contains('"');
    let is_value = !is_code && !value.chars().all(is_of_name) && value.contains(char::is_alphabetic);
    is_value.then_some(start + 1..start + 1 + value.len())
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '&')
}

/// The first of what nothing ends: entries of a list may follow it, or a comment, and in a sentence other words.
fn first_entry(open: &str, in_sentence: bool) -> &str {
    let near = &open[..open.floor_char_boundary(NEAR)];
    let word = near.split(is_between).next().filter(|word| in_sentence && is_like_secret(word));
    if let Some(word) = word {
        return word;
    }
    let mut ends = near.match_indices(is_between).map(|(at, _)| at);
    ends.find(|at| is_next(&near[*at..])).map_or(near, |at| near[..at].trim_end())
}

/// Whether there is a comment behind the sign with which `text` begins, or another entry: `, user: x`, ` user = x`.
fn is_next(text: &str) -> bool {
    let rest = text.trim_start_matches(|c| is_between(c) || matches!(c, '"' | '\''));
    let length = rest.find(|c| !is_usual(c)).unwrap_or(rest.len());
    let behind = rest[length..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let is_named = behind.starts_with('=') || (behind.starts_with(':') && text.starts_with([',', ';', '&']));
    rest.starts_with('#') || (length > 0 && is_named)
}

/// The ways of the header Authorization that end in a credential.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "token", "apikey", "negotiate"];

fn is_authorization(scheme: &str, given: &str) -> bool {
    SCHEMES.iter().any(|one| scheme.eq_ignore_ascii_case(one))
        && !given.starts_with(|c: char| STANDS_FOR.contains(c))
}

/// Whether there is a header Authorization with a credential that is `enough`.
fn authorizes(text: &str, enough: impl Fn(&str) -> bool) -> bool {
    let names_it = |name: &str| {
        let end = name.len().checked_sub("authorization".len()).and_then(|start| name.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case("authorization"))
    };
    let (schemes, given) = (words(text).skip(1), words(text).skip(2));
    words(text)
        .zip(schemes)
        .zip(given)
        .any(|((name, scheme), given)| names_it(name) && is_authorization(scheme, given) && enough(given))
}

/// Whether it is what stands behind that header's name. There are plans that are basic.
pub fn is_header(text: &str) -> bool {
    let mut words = words(text);
    let (Some(scheme), Some(given), None) = (words.next(), words.next(), words.next()) else { return false };
    let is_sure = scheme.eq_ignore_ascii_case("bearer") || given.contains(|c: char| c.is_ascii_digit());
    is_sure && is_authorization(scheme, given) && !is_column(given)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c.is_whitespace() || "\"',;:=\\".contains(c);
    text.split(between).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAAS: &str =
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"orasi\" password=\"x\";";

    #[test]
    fn secrets_inside_of_settings_are_found_however_short() {
        for text in [
            JAAS,
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=c2VjcmV0==;EndpointSuffix=core.windows.net",
            "Server=tcp:db,1433;Database=lake;User ID=orasi;Password=x;Encrypt=true",
            "jdbc:sqlserver://db:1433;user=orasi;pwd=x",
            "host=db user=orasi password=x",
            "Endpoint=sb://acme/;SharedAccessSignature=sv=2024&sig=x",
            "Authorization: Bearer x",
            "X-Tenant: a, authorization: basic eDp5",
            "Bearer x",
            r#"{"user": "orasi", "password": "x"}"#,
            r#"{\"user\":\"orasi\",\"password\":\"x\"}"#,
            "user: orasi\npassword: x",
            "password='x y'",
            "password = x",
            "host = db user = orasi password = x timeout = 5",
            "Server = db; User ID = orasi; Password = x; Encrypt = true",
            "Driver={ODBC Driver 18};UID=orasi;PWD={s3cr;et};Encrypt=yes",
            "UID = orasi; PWD = {s3=c}}r;et}",
            "user:orasi,password:x",
            "{user: orasi, password: x, ssl: true}",
            "password: x # of the lake",
            "user:x,token:k3y9f8a7",
            "user:x,password:text-9f8a7",
            "password=password;user=orasi",
            "spring.datasource.password = abcd.ef",
            "on a.id = b.id and password = hunter2xyz",
        ] {
            assert!(in_setting(text), "{text}");
        }
        for text in [
            "",
            "org.apache.kafka.common.security.plain.PlainLoginModule required;",
            "password=${env:PASSWORD};user=orasi",
            "password=\"$(PASSWORD)\"",
            r"password=\S+",
            "password=(.*)",
            "if password == expected",
            "AccountName=acme;EndpointSuffix=core.windows.net",
            "tokenName=a",
            "authorization",
            "hadoop.security.authorization=true",
            "Bearer ${TOKEN}",
            "basic plan",
            "arn:aws:secretsmanager:eu-central-1:1:secret:lake",
            "PWD=/lake",
            "key.deserializer=a.b.C",
            "password = ${env:PASSWORD}; user = orasi",
            "user:orasi,password:${PASSWORD}",
            "password={password}",
            "password={env:DB_PASSWORD};user=orasi",
            "password={{ .Values.password }}",
            "passwordSecretRef:{name:lake},user:orasi",
            "struct<id:int,token:string>",
            "id:bigint,tokens:array<string>",
            "id:int32,token_count:int32",
            "id:int,password:varchar2(20)",
            "token:string,id:int",
            "a:b,token:auth",
            "users:read,tokens:read",
            "select x from a t1 join b t2 on t1.token_id = t2.token_id and x > 5",
            "on sessions2.password = users1.Password and x > 5",
            "on sessions.token=users.token",
            "where token_hash = sha256 and x > 5",
            "token = t2.tok1",
            "(t1.token=t2.tok1)",
            "a.password_hash = b.pw2",
            "password = :password1 and x > 5",
            "a:b,arn:aws:secretsmanager:eu-central-1:1:secret:lake",
        ] {
            assert!(!in_setting(text), "{text}");
        }
    }

    #[test]
    fn secrets_are_told_from_sentences_about_them() {
        for text in [
            &*JAAS.replace("\"x\"", "\"hunter2\""),
            "start it with password=hunter2 and user=orasi",
            "curl -H 'Authorization: Bearer 0123abcd' https://example.com",
            r#"send {"password": "hunter2"}"#,
            "start it with password = hunter2xyz and user = orasi",
            "the database's password = hunter2xyz",
            "Its Password = s3cret; Encrypt = true",
            "connect by PWD={s3cr;et} as ever",
            "log in (user:orasi,password:hunter2)",
            "with {user: orasi, password: hunter2, ssl: true}",
            "password: hunter2 # of the lake",
        ] {
            assert!(in_prose(text), "{text}");
        }
        for text in [
            "Forgot your password: call somebody",
            "Your password: required",
            "Send the header Authorization: Bearer tokens are for others.",
            "password=none",
            "set password = something of your own",
            "the password: ask Anna",
            "the password = whatever",
            "Password: nobody, note: ask Anna",
            "if its password = readline(0) is 12 bytes long",
            "the token = /run/secrets/db1",
            "the password = ${DB1_PASSWORD}",
            "spec.passwordSecretRef = login1 and more",
            "write PWD={DB1_PASSWORD} there",
            "use user:password, or user:orasi,password:yours",
        ] {
            assert!(!in_prose(text), "{text}");
        }
    }

    #[test]
    fn what_must_not_be_shown_is_known_by_its_place() {
        let shown = |line: &str| {
            let places: Vec<_> = places(line).collect();
            let hidden = |at: usize| places.iter().any(|place| place.contains(&at));
            line.char_indices().map(|(at, c)| if hidden(at) { '*' } else { c }).collect::<String>()
        };
        for (line, expect) in [
            ("  password: hunter two # mine", "  password: *****************"),
            ("spec: {password: a, b: c}", "spec: {password: *******}"),
            ("url: 'jdbc:x://db?pwd=hä&b=c'", "url: 'jdbc:x://db?pwd=**&b=c'"),
            ("passwordSecretRef: {name: login, token: x}", "passwordSecretRef: {name: login, token: *}"),
            ("credentials: {name: login}", "credentials: {name: login}"),
            ("a;PWD={s3 c}};r};b", "a;PWD={********};b"),
            ("users: jane:x,password:a,b", "users: jane:x,password:***"),
        ] {
            assert_eq!(shown(line), expect);
        }
    }

    /// Were each sign followed to the end of the line, this would take minutes, not seconds.
    #[test]
    fn a_long_line_is_gone_through_once() {
        for one in [
            "password=x ",
            "password: $",
            "password='$' ",
            "=",
            "x:password:",
            "password: }}}}}}}",
            ",password:",
            "password={$ ",
            "password = , , , ,",
            "t.token=t.x",
        ] {
            let times = 200_000 / one.len();
            let line = one.repeat(times);
            assert!(!in_prose(&line), "{one}");
            let places = places(&line).count();
            assert!(one != "password=x " || places == times, "{places}");
        }
    }
}
