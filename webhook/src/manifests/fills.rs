//! When the API server has to ask for defaults, as CEL: objects that have everything are asked about once, to validate.

use concierge_shared::{
    admission::defaults::{Filled, How},
    kind::{KINDS, KindInfo},
};

/// Lists that are longer are not looked through by the API server: it gives up on an expression that costs too much.
const LOOKED_THROUGH: usize = 1000;

/// Whether the mutating call would change the object, or has something to say about it: a new object's status is dropped
/// before it is validated.
pub(super) fn something_to_fill_in() -> String {
    let kinds = KINDS.iter().filter(|kind| !kind.fills.is_empty()).map(of_kind);
    let status = "(request.operation == 'CREATE' && has(object.status))".to_owned();
    std::iter::once(status).chain(kinds).collect::<Vec<_>>().join(" || ")
}

fn of_kind(kind: &KindInfo) -> String {
    let fills: Vec<_> = kind.fills.iter().map(expression).collect();
    format!(
        "(request.kind.group == '{}' && request.kind.kind == '{}' && ({}))",
        (kind.group)(),
        kind.name,
        fills.join(" || ")
    )
}

fn expression(filled: &Filled) -> String {
    let path: Vec<_> = filled.field.split('.').collect();
    below("object", &path, filled.how)
}

/// Whether what `path` leads to from `parent` is not as `how` leaves it. What has no parent is left alone.
fn below(parent: &str, path: &[&str], how: How) -> String {
    let Some((first, rest)) = path.split_first() else { return changes(parent, how) };
    let field = format!("{parent}.{}", first.trim_end_matches("[]"));
    match how {
        How::Missing if rest.is_empty() => return format!("!has({field}) || {field} == null"),
        How::MissingBeside(beside) if rest.is_empty() => {
            let beside = format!("{parent}.{beside}");
            return format!("has({beside}) && {beside} != null && (!has({field}) || {field} == null)");
        }
        _ => {}
    }
    let inner = match first.strip_suffix("[]") {
        Some(_) => {
            let of_item = below("item", rest, how);
            format!("(size({field}) > {LOOKED_THROUGH} || {field}.exists(item, {of_item}))")
        }
        None => match below(&field, rest, how) {
            alternatives if alternatives.contains(" || ") => format!("({alternatives})"),
            single => single,
        },
    };
    format!("has({field}) && {field} != null && {inner}")
}

fn changes(value: &str, how: How) -> String {
    match how {
        // What is missing is found at its parent.
        How::Missing | How::MissingBeside(_) => format!("{value} == null"),
        How::Trimmed => format!("{value}.trim() != {value}"),
        How::Capitals => format!("{value}.trim().upperAscii() != {value}"),
        How::LowerCase => format!("{value}.trim().lowerAscii() != {value}"),
    }
}

#[cfg(test)]
mod tests {
    use concierge_shared::admission::defaults::{capitals, missing, missing_beside, trimmed};

    use super::*;

    #[test]
    fn what_is_part_of_nothing_is_left_alone() {
        for (filled, expected) in [
            (
                missing("spec.a"),
                "has(object.spec) && object.spec != null && (!has(object.spec.a) || object.spec.a == null)",
            ),
            (
                trimmed("spec.a"),
                "has(object.spec) && object.spec != null && has(object.spec.a) && object.spec.a != null && \
                                 object.spec.a.trim() != object.spec.a",
            ),
            (
                missing_beside("b", "a"),
                "has(object.b) && object.b != null && (!has(object.a) || object.a == null)",
            ),
            (capitals("a"), "has(object.a) && object.a != null && object.a.trim().upperAscii() != object.a"),
            (
                trimmed("a[]"),
                "has(object.a) && object.a != null && \
                              (size(object.a) > 1000 || object.a.exists(item, item.trim() != item))",
            ),
            (
                missing("a[].b"),
                "has(object.a) && object.a != null && \
                                (size(object.a) > 1000 || object.a.exists(item, !has(item.b) || item.b == null))",
            ),
        ] {
            assert_eq!(expression(&filled), expected);
        }
    }
}
