//! What every element of a document has: a place, known keys, texts.

use super::{
    super::{
        Lint,
        document::{Item, Span},
        rules::*,
    },
    json::{Node, Object, Value},
};
use crate::admission::rule::AdmissionRule;

/// So many texts are compared each with each faster than they are sorted.
const FEW: usize = 12;

/// Says which keys are there twice, or are none of `known`.
pub(super) fn check_keys(
    lint: &mut Lint<'_>,
    object: &Object<'_>,
    known: Option<(&[&str], &'static AdmissionRule)>,
) {
    for index in repeated(object.members.iter().map(|member| &*member.name)) {
        let member = &object.members[index];
        lint.add(&DOC_03, member.name_span.clone(), format!("{:?} is there twice; keep one", member.name));
    }
    let Some((known, rule)) = known else { return };
    for member in object.members.iter().filter(|member| !known.contains(&&*member.name)) {
        let (name, span) = (&*member.name, member.name_span.clone());
        match known.iter().find(|one| one.eq_ignore_ascii_case(name)) {
            Some(right) => lint.add(&DOC_05, span, format!("{name:?} is written {right:?}")),
            None => {
                let message = format!("{name:?} is no element here; use only {}", known.join(", "));
                lint.add(rule, span, message);
            }
        }
    }
}

/// The indexes of the texts that were there before.
pub(super) fn repeated<'t>(texts: impl ExactSizeIterator<Item = &'t str> + Clone) -> Vec<usize> {
    if texts.len() <= FEW {
        let is_repeated = |(index, text): &(usize, &str)| texts.clone().take(*index).any(|one| one == *text);
        return texts.clone().enumerate().filter(is_repeated).map(|(index, _)| index).collect();
    }
    let mut sorted: Vec<_> = texts.enumerate().map(|(index, text)| (text, index)).collect();
    sorted.sort_unstable();
    sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).collect()
}

/// The brace with which the object begins: the place of what is missing in it.
pub(super) fn start(object: &Object<'_>) -> Span {
    object.span.start..object.span.start + 1
}

/// A list's entries, or the one value that stands in its place.
pub(super) fn each<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// A text or a list of texts, neither empty.
pub(super) fn items(lint: &mut Lint<'_>, node: &Node<'_>, what: &str) -> Vec<Item> {
    let all = each(node);
    if all.is_empty() {
        lint.add(
            &STM_09,
            node.span.clone(),
            format!("{what} is an empty list; name at least one, or remove the statement"),
        );
    }
    let items: Vec<_> = all.iter().filter_map(|one| string(lint, one, what)).collect();
    for item in items.iter().filter(|item| item.text.is_empty()) {
        lint.add(&STM_09, item.span.clone(), format!("an entry of {what} is empty; remove it"));
    }
    for index in repeated(items.iter().map(|item| &*item.text)) {
        let item = &items[index];
        if !item.text.is_empty() {
            lint.add(&STM_10, item.span.clone(), format!("{:?} is there twice; remove one", item.text));
        }
    }
    items
}

pub(super) fn string(lint: &mut Lint<'_>, node: &Node<'_>, what: &str) -> Option<Item> {
    match &node.value {
        Value::Text(text) => Some(Item { text: text.to_string(), span: node.span.clone() }),
        _ => {
            lint.add(&DOC_13, node.span.clone(), format!("{what} is a text in quotes here"));
            None
        }
    }
}
