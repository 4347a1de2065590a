//! What groups let an operator set, in the chart: arguments of the programs, values, their schema and their docs.

use std::fmt::Write;

use concierge_shared::{
    group::{GROUPS, Group},
    settings::{Form, Setting},
};
use serde_json::{Value, json};

/// A file of the chart that is written by hand around the generated lines.
pub(super) struct Mixed {
    /// Where it is, from the chart's folder.
    pub(super) path: &'static str,
    /// The generated lines follow the last of these lines, which follow one another, though not at once.
    after: &'static [&'static str],
    /// They end before the first line that begins like this.
    until: &'static str,
    lines: fn() -> String,
}

/// Every file with lines that derive from the groups' settings.
pub(super) const MIXED: [Mixed; 3] = [
    Mixed { path: "values.yaml", after: &["rules:", "  enforcement: \"\""], until: "\n", lines: values },
    Mixed {
        path: "values.schema.json",
        after: &["    \"rules\": {", "      \"properties\": {"],
        until: "        \"enforcement\"",
        lines: schema,
    },
    Mixed { path: "README.md", after: &["| `rules.enforcement`"], until: "| `certificates", lines: rows },
];

impl Mixed {
    /// `text` with the generated lines as they are to be; `None` when their place can't be found.
    pub(super) fn renewed(&self, text: &str) -> Option<String> {
        let mut start = 0;
        for line in self.after {
            start += text[start..].find(&format!("\n{line}"))? + 1;
        }
        start += text[start..].find('\n')? + 1;
        let (before, rest) = text.split_at(start);
        let end = if rest.starts_with(self.until) { 0 } else { rest.find(&format!("\n{}", self.until))? + 1 };
        Some(format!("{before}{}{}", (self.lines)(), &rest[end..]))
    }
}

/// The settings of all groups that have any.
fn groups() -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(|group| !group.settings.is_empty())
}

/// The arguments of both programs, as the template of a list.
pub(super) fn arguments() -> String {
    groups().flat_map(|group| group.settings.iter().map(|setting| argument(group, setting))).collect()
}

fn argument(group: &Group, setting: &Setting) -> String {
    let value = format!(".Values.rules.{}.{}", group.name, setting.chart_value());
    let flag = setting.flag(group.name);
    let with =
        |given: &str| format!("{{{{- with {value} }}}}\n- --{flag}={{{{ {given} }}}}\n{{{{- end }}}}\n");
    match setting.form {
        // A number that an older chart's values do not have (`helm upgrade --reuse-values`) would be 0.
        Form::Number { .. } => format!(
            "{{{{- if hasKey .Values.rules.{} {:?} }}}}\n- --{flag}={{{{ int64 {value} }}}}\n{{{{- end }}}}\n",
            group.name,
            setting.chart_value()
        ),
        Form::Switch => format!("{{{{- if {value} }}}}\n- --{flag}\n{{{{- end }}}}\n"),
        Form::ObjectName | Form::Text { .. } => with("."),
        Form::Names => with("join \",\" ."),
    }
}

fn values() -> String {
    let mut text = String::new();
    for group in groups() {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {}:", group.name);
        for setting in group.settings {
            let _ = writeln!(text, "    {}: {}", setting.chart_value(), default(setting));
        }
    }
    text
}

/// What the chart's value is when nobody sets it, as JSON, which is YAML.
fn default(setting: &Setting) -> Value {
    match setting.form {
        Form::Number { default, .. } => json!(default),
        Form::Switch => json!(false),
        Form::ObjectName => json!(""),
        Form::Text { default } => json!(default),
        Form::Names => json!([]),
    }
}

fn schema() -> String {
    let mut text = String::new();
    for group in groups() {
        let property = |setting: &Setting| format!("\"{}\": {}", setting.chart_value(), type_of(setting));
        let properties: Vec<_> = group.settings.iter().map(property).collect();
        let group = format!(
            "\"{}\": {{\n  \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"properties\": {{\n{}\n  }}\n}},",
            group.name,
            indented(&properties.join(",\n"), 4)
        );
        text += &(indented(&group, 8) + "\n");
    }
    text
}

fn type_of(setting: &Setting) -> String {
    let schema = match setting.form {
        Form::Number { least, .. } => json!({"type": "integer", "minimum": least}),
        Form::Switch => json!({"type": "boolean"}),
        Form::ObjectName => {
            let pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$";
            json!({"type": "string", "pattern": pattern})
        }
        Form::Text { .. } => json!({"type": "string", "pattern": r"^\S*$"}),
        Form::Names => json!({"type": "array", "items": {"type": "string", "pattern": "^[^,]+$"}}),
    };
    format!("{schema:#}")
}

fn indented(text: &str, by: usize) -> String {
    let space = " ".repeat(by);
    text.lines().map(|line| format!("{space}{line}")).collect::<Vec<_>>().join("\n")
}

/// Rows of the table of values.
fn rows() -> String {
    let row = |group: &Group, setting: &Setting| {
        let (value, default) = (setting.chart_value(), default(setting));
        let (first, rest) = setting.help.split_at(1);
        let form = if setting.form == Form::ObjectName { "`NAMESPACE/NAME`: " } else { "" };
        format!("| `rules.{}.{value}` | `{default}` | {form}{}{rest} |\n", group.name, first.to_lowercase())
    };
    groups().flat_map(|group| group.settings.iter().map(move |setting| row(group, setting))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_between_are_renewed() {
        let mixed = Mixed { path: "", after: &["a:", "  b:"], until: "c:", lines: || "  new: 1\n".into() };
        let renewed = mixed.renewed("x:\n  b:\na:\n  d: 1\n  b: 2\n  old: 3\nc: 4\n");
        assert_eq!(renewed.as_deref(), Some("x:\n  b:\na:\n  d: 1\n  b: 2\n  new: 1\nc: 4\n"));
        assert_eq!(mixed.renewed(&renewed.unwrap()), mixed.renewed("x:\n  b:\na:\n  d: 1\n  b: 2\nc: 4\n"));
        assert_eq!(mixed.renewed("a:\nc:\n"), None);
    }
}
