//! A page for each kind: its fields, from its CRD, with an object that is admitted and one that is refused.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use concierge_shared::admission::envelope::Operation;
use concierge_shared::group::GROUPS;
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_webhook::check::fixture::{Fixture, Verdict};
use serde_json::Value;

/// The folder of the pages, from the project's.
pub const FOLDER: &str = "docs/reference";

const GENERATED: &str =
    "<!-- Generated from the kinds in shared/: do not edit. To write it anew: make generate -->\n";

/// The pages: the name of each in [`FOLDER`], and its text.
///
/// # Errors
/// When a fixture can't be read, or a kind has no fixture that is admitted, or none that is refused.
pub fn pages() -> Result<Vec<(String, String)>> {
    let fixtures = Fixture::load_all(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"))?;
    let crds = KINDS.iter().map(|kind| Ok((kind, serde_json::to_value((kind.crd)())?)));
    let crds = crds.collect::<Result<Vec<_>>>()?;
    let mut pages = vec![("README.md".to_owned(), index(&crds))];
    for (kind, crd) in &crds {
        pages.push((file(kind), page(kind, crd, &fixtures).with_context(|| kind.name)?));
    }
    Ok(pages)
}

fn file(kind: &KindInfo) -> String {
    format!("{}.md", kind.name.to_lowercase())
}

fn index(crds: &[(&KindInfo, Value)]) -> String {
    let mut text = format!("{GENERATED}\n# All kinds and their fields\n\n| kind | what it is |\n|---|---|\n");
    for (kind, crd) in crds {
        // Writing to a String can't fail.
        let _ = writeln!(text, "| [{}]({}) | {} |", kind.name, file(kind), described(schema(crd)));
    }
    text
}

fn page(kind: &KindInfo, crd: &Value, fixtures: &[Fixture]) -> Result<String> {
    let schema = schema(crd);
    let group = GROUPS.iter().find(|group| kind.rules.iter().any(|rule| rule.id.starts_with(group.name)));
    let mut text = format!("{GENERATED}\n# {}\n\n{}\n\n", kind.name, described(schema));
    let short = crd["spec"]["names"]["shortNames"].as_array().into_iter().flatten();
    let short = short.filter_map(Value::as_str).collect::<Vec<_>>().join("`, `");
    let short = if short.is_empty() { short } else { format!(" (`{short}`)") };
    writeln!(text, "`apiVersion: {}`, `kubectl get {}`{short}.", kind.api_version(), (kind.plural)())?;
    let rules = kind.rules.len();
    writeln!(text, "[{rules} rules](../rules.md#{}) belong to it.", kind.name.to_lowercase())?;
    if let Some(group) = group.filter(|group| !group.settings.is_empty()) {
        writeln!(
            text,
            "An operator may [set bounds](../rules.md#what-an-operator-may-set) for `{}`.",
            group.name
        )?;
    }
    for part in ["spec", "status"] {
        let rows = fields(&schema["properties"][part], part);
        let note = if part == "status" { "Written by Concierge; never by you.\n\n" } else { "" };
        write!(text, "\n## {part}\n\n{note}| field | type | |\n|---|---|---|\n{}", rows.concat())?;
    }
    let admitted = example(kind, fixtures, Verdict::Admitted).context("no fixture of an admitted create")?;
    write!(text, "\n## Admitted\n\n{}", shown(admitted)?)?;
    let refused = example(kind, fixtures, Verdict::Refused).context("no fixture of a refused create")?;
    write!(text, "\n## Refused\n\n{}", shown(refused)?)?;
    text.push_str("\n```\n");
    for problem in refused.evaluate().denials {
        writeln!(text, "{}: {} [{}]", problem.field, problem.message, problem.rule.id)?;
    }
    text.push_str("```\n");
    Ok(text)
}

fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// A description on one line, fit for a table.
fn described(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Rows for all fields below `schema`, which stands at `path`.
fn fields(schema: &Value, path: &str) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let required =
        |name: &String| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut rows = Vec::new();
    for (name, field) in properties {
        let path = format!("{path}.{name}");
        let demanded = if required(name) { "**required**. " } else { "" };
        let (kind, bounds) = (type_of(field), bounds(field));
        rows.push(format!("| `{path}` | {kind} | {demanded}{}{bounds} |\n", described(field)));
        rows.extend(fields(field, &path));
        rows.extend(fields(&field["items"], &format!("{path}[]")));
        rows.extend(fields(&field["additionalProperties"], &format!("{path}.*")));
    }
    rows
}

fn type_of(field: &Value) -> String {
    match field["type"].as_str() {
        Some("array") => format!("list of {}", type_of(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&field["additionalProperties"]))
        }
        Some(name) => name.to_owned(),
        None if field["x-kubernetes-int-or-string"] == true => "integer or string".to_owned(),
        None => "any".to_owned(),
    }
}

/// What a value of the field may be, as far as a line can tell.
fn bounds(field: &Value) -> String {
    let mut text = String::new();
    let items = &field["items"];
    for (field, of) in [(field, ""), (items, "each ")] {
        if let Some(values) = field["enum"].as_array() {
            let values: Vec<_> =
                values.iter().filter(|value| !value.is_null()).map(|value| format!("`{value}`")).collect();
            let _ = write!(text, " {}One of {}.", of, values.join(", "));
        }
        for (least, most, what) in [
            ("minimum", "maximum", ""),
            ("minLength", "maxLength", " characters"),
            ("minItems", "maxItems", " items"),
        ] {
            let (least, most) = (number(&field[least]), number(&field[most]));
            let _ = match (least, most) {
                (Some(least), Some(most)) => write!(text, " {of}{least} to {most}{what}."),
                (Some(least), None) => write!(text, " {of}{least}{what} or more."),
                (None, Some(most)) => write!(text, " {of}{most}{what} or less."),
                (None, None) => Ok(()),
            };
        }
    }
    if let Some(default) = field.get("default").filter(|default| !default.is_null()) {
        let _ = write!(text, " Default: `{default}`.");
    }
    text
}

/// A bound, which a schema holds as a floating-point number, as it is written.
fn number(bound: &Value) -> Option<String> {
    bound.as_f64().map(|number| number.to_string())
}

/// The plainest fixture of a create with this verdict: one of a problem that a rule of the kind finds, without
/// warnings.
fn example<'a>(kind: &KindInfo, fixtures: &'a [Fixture], verdict: Verdict) -> Option<&'a Fixture> {
    let of_kind = |fixture: &&Fixture| {
        let expect = &fixture.expect;
        let problems = &expect.problems;
        fixture.kind.name == kind.name
            && fixture.operation == Operation::Create
            && expect.verdict == verdict
            && expect.warnings.is_empty()
            && problems.len() == usize::from(verdict == Verdict::Refused)
            && problems.iter().all(|problem| kind.rules.iter().any(|rule| rule.id == problem.rule))
    };
    let plainest = |fixture: &&Fixture| {
        let plain = fixture.path.file_stem().is_some_and(|name| name == "plain");
        (!plain, fixture.world.len(), fixture.path.clone())
    };
    fixtures.iter().filter(of_kind).min_by_key(plainest)
}

/// The object of a fixture, and the ones around it that it needs, as YAML.
fn shown(fixture: &Fixture) -> Result<String> {
    let object = fixture.object.as_ref().context("no object")?;
    let yaml = serde_saphyr::to_string(object)?;
    let path = fixture.path.components().rev().take(4).collect::<Vec<_>>();
    let path: Vec<_> = path.iter().rev().map(|part| part.as_os_str().to_string_lossy()).collect();
    let world = if fixture.world.is_empty() { "" } else { "; what it refers to is there too" };
    Ok(format!("From [a fixture](../../tests/fixtures/{}){world}:\n\n```yaml\n{yaml}```\n", path.join("/")))
}
