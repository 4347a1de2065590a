//! What a group of kinds declares once for all of them, and the table of all groups.

use std::fmt;

use crate::{
    common::card_number::has_card_number,
    settings::{Setting, Value},
};

/// A group as data.
pub struct Group {
    /// The name of its module. Flags, values of the chart and the ids of its rules begin with it: `coffee`.
    pub name: &'static str,
    /// What an operator may set about its rules.
    pub settings: &'static [Setting],
    /// How the tokens and keys of its services begin: programs hide what follows, wherever it stands.
    pub secret_prefixes: &'static [&'static str],
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! groups {
    ($($group:ident,)+) => {
        pub static GROUPS: &[Group] = &[$(Group {
            name: stringify!($group),
            settings: crate::$group::Settings::LIST,
            secret_prefixes: crate::$group::SECRET_PREFIXES,
        }),+];

        /// What an operator may set about the rules, beside their levels.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = concat!("Of the group ", stringify!($group), ".")] pub $group: crate::$group::Settings,)+
        }

        impl Settings {
            /// Sets a field of a group. False when there is none of this name and form.
            pub fn set(&mut self, group: &str, field: &str, value: Value) -> bool {
                match group {
                    $(stringify!($group) => self.$group.set(field, value),)+
                    _ => false,
                }
            }
        }
    };
}

groups! {
    coffee,
    pets,
    s3,
    catalyst,
    orasi,
}

/// `://` as queries write it, in letters of either case.
const MARKS_IN_QUERY: [&str; 8] =
    ["%3A%2F%2F", "%3A%2F%2f", "%3A%2f%2F", "%3A%2f%2f", "%3a%2F%2F", "%3a%2F%2f", "%3a%2f%2F", "%3a%2f%2f"];

/// `text` with stars for the credentials of URLs, for tokens of any group, and for all digits when there is a card number
/// among them; as long as before.
pub fn hide_secrets(text: &str) -> String {
    let hidden = hide_each(text, "://", |_, rest| credentials(rest, false));
    let hide = |text: String, mark| hide_each(&text, mark, |_, rest| credentials(rest, true));
    let mut hidden = MARKS_IN_QUERY.into_iter().fold(hidden, hide);
    for prefix in GROUPS.iter().flat_map(|group| group.secret_prefixes) {
        hidden = hide_each(&hidden, prefix, token);
    }
    if has_card_number(text) {
        hidden = hidden.chars().map(|c| if c.is_ascii_digit() { '*' } else { c }).collect();
    }
    hidden
}

/// How many bytes of what follows `://` are credentials. Within another address, `@` is written as `%40`.
fn credentials(rest: &str, in_query: bool) -> usize {
    let authority = &rest[..authority_length(rest, in_query)];
    authority.rfind('@').max(authority.rfind("%40")).unwrap_or(0)
}

/// How long the authority is with which `rest` begins. No byte behind it is looked at: there may be as many addresses as bytes.
fn authority_length(rest: &str, in_query: bool) -> usize {
    let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace();
    let ends_in_query = |at: usize| ["&", "%2F", "%2f"].iter().any(|end| rest[at..].starts_with(end));
    let end = rest.char_indices().find(|(at, c)| ends(*c) || (in_query && ends_in_query(*at)));
    end.map_or(rest.len(), |(at, _)| at)
}

/// How many bytes of what follows the prefix of a token belong to it; none when the prefix is the end of a word.
fn token(before: &str, rest: &str) -> usize {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match before.ends_with(of_word) {
        true => 0,
        false => rest.find(|c| !of_word(c)).unwrap_or(rest.len()),
    }
}

/// `text` with stars for as many bytes behind each `mark` as `secret` says of what stands before and behind it.
fn hide_each(text: &str, mark: &str, secret: impl Fn(&str, &str) -> usize) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find(mark) {
        let (before, after) = (&rest[..found], &rest[found + mark.len()..]);
        let (secret, after) = after.split_at(secret(before, after));
        hidden.push_str(before);
        hidden.push_str(mark);
        hidden.extend(secret.chars().map(|_| '*'));
        rest = after;
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Form;

    #[test]
    fn secrets_are_not_printed() {
        let check = |text: &str, expect: &str| assert_eq!(hide_secrets(text), expect);
        check("baseUrl: https://jane:pä@x/a@b", "baseUrl: https://*******@x/a@b");
        check("a: \"http://u@x\" http://y", "a: \"http://*@x\" http://y");
        check("a: http://x/@b", "a: http://x/@b");
        check("a: http://jane%3Ax%40y/z%40", "a: http://********%40y/z%40");
        check("a: http://y/?to=http%3A%2F%2Fjane%3Ax%40y", "a: http://y/?to=http%3A%2F%2F********%40y");
        check("a: http://y/?to=http%3A%2f%2Fjane%3Ax%40y", "a: http://y/?to=http%3A%2f%2F********%40y");
        check("to=http%3A%2F%2Fj%3Ax%40y%2Fa%40b&c=d%40e", "to=http%3A%2F%2F*****%40y%2Fa%40b&c=d%40e");
        check("to=http%3A%2F%2Fy&hint=jane%40example.com", "to=http%3A%2F%2Fy&hint=jane%40example.com");
        check("cardToken: 'tok_1Abc_9' # tok_", "cardToken: 'tok_******' # tok_");
        check("task_list: mask_a", "task_list: mask_a");
        check("note: 4242 4242-42424242, 7 times", "note: **** ****-********, * times");
        check("id: 9223372036854775807", "id: 9223372036854775807");
    }

    /// Were each address followed to the end of the text, this would take minutes: 100,000 times a megabyte.
    #[test]
    fn many_addresses_are_gone_through_once() {
        for mark in ["%3A%2F%2F", "%3a%2f%2f", "%3A%2f%2F", "://"] {
            let text = mark.repeat(100_000);
            assert!(hide_secrets(&text) == text, "{mark}");
            // Each alone ends right behind its mark.
            assert!(authority_length(&text[mark.len()..], true) <= 3, "{mark}");
        }
    }

    #[test]
    fn tokens_of_every_group_are_hidden() {
        for prefix in GROUPS.iter().flat_map(|group| group.secret_prefixes) {
            assert_eq!(hide_secrets(&format!("{prefix}s3cret, ok")), format!("{prefix}******, ok"));
        }
    }

    #[test]
    fn every_setting_can_be_set_and_is_named_everywhere_alike() {
        let mut all = Settings::default();
        for group in GROUPS {
            for setting in group.settings {
                let value = match setting.form {
                    Form::Number { least, .. } => Value::Number(least),
                    Form::Switch => Value::Switch(true),
                    Form::ObjectName => Value::ObjectName(Some("shop/main".into())),
                    Form::Names => Value::Names(vec!["main".into()]),
                    Form::Text { .. } => Value::Text("main".into()),
                };
                assert!(all.set(group.name, setting.field, value), "{setting:?}");
                assert!(!all.set(group.name, "no_such_field", Value::Switch(true)));
            }
        }
        assert_ne!(all, Settings::default());
        let (coffee, setting) = (GROUPS[0].name, GROUPS[0].settings[0]);
        let names = [setting.flag(coffee), setting.variable(coffee), setting.chart_value()];
        assert_eq!(names, ["coffee-max-quantity", "CONCIERGE_COFFEE_MAX_QUANTITY", "maxQuantity"]);
    }

    #[test]
    fn rules_and_kinds_belong_to_a_group() {
        for (rule, _) in crate::kind::all_rules() {
            let group = rule.id.split('.').next().unwrap_or_default();
            assert!(group == "object" || GROUPS.iter().any(|known| known.name == group), "{}", rule.id);
        }
    }
}
