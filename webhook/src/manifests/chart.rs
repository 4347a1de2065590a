//! The generated templates of the Helm chart. Whatever a value of the chart changes is written by hand there, around
//! what is here.

use std::{fmt::Write, fs, path::Path};

use concierge_shared::{child, kind::KINDS};
use k8s_openapi::api::{flowcontrol::v1::ResourcePolicyRule, rbac::v1::PolicyRule};
use serde::Serialize;

use super::{ManifestsError, crds, rbac, settings, webhook, yaml};

/// A file of the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is, from the chart's folder.
    pub path: &'static str,
    pub text: String,
}

const HEADER: &str = "\
{{/* Generated from the kinds in shared/: do not edit. To write it anew:
     cargo run -p concierge-webhook -- manifests --chart charts/concierge */}}
";

/// A label that stands for all labels of the chart until the YAML has been written.
const LABELS: (&str, &str) = ("labels", "of-the-chart");

/// The generated files, and those of the chart in `dir` of which some lines are.
pub(super) fn files(dir: &Path) -> Result<Vec<File>, ManifestsError> {
    let mut files = vec![
        File { path: "templates/crds.yaml", text: definitions()? },
        File { path: "templates/_generated.tpl", text: fragments()? },
    ];
    for mixed in settings::MIXED {
        let path = dir.join(mixed.path);
        let text = fs::read_to_string(&path).map_err(|error| ManifestsError::Read(path.clone(), error))?;
        let text = mixed.renewed(&text).ok_or(ManifestsError::Place(path))?;
        files.push(File { path: mixed.path, text });
    }
    Ok(files)
}

fn definitions() -> Result<String, ManifestsError> {
    let labels = [(LABELS.0.to_owned(), LABELS.1.to_owned())].into();
    let text = yaml::documents(&crds::all(&labels)?)?;
    let text = literal(&text);
    let placeholder = format!("    {}: {}\n", LABELS.0, LABELS.1);
    let text = text.replace(&placeholder, "    {{- include \"concierge.labels\" . | nindent 4 }}\n");
    Ok(format!("{HEADER}{{{{- if .Values.crds.install }}}}\n{text}{{{{- end }}}}\n"))
}

/// Braces of a description or a pattern are not an expression.
fn literal(text: &str) -> String {
    text.replace("{{", "{{`{{`}}")
}

fn fragments() -> Result<String, ManifestsError> {
    let include = |name: &str| format!("{{{{ include `concierge.{name}` . }}}}");
    let conditions = webhook::match_conditions("{{ .Release.Namespace }}", &include("reconcilerAccount"));
    let mutating = webhook::mutating_conditions("{{ .Release.Namespace }}", &include("reconcilerAccount"));
    let mut text = HEADER.to_owned();
    define(&mut text, "mutatingRules", &webhook::mutating_rules())?;
    define(&mut text, "validatingRules", &webhook::validating_rules())?;
    define(&mut text, "matchConditions", &conditions)?;
    define(&mut text, "mutatingConditions", &mutating)?;
    define(&mut text, "webhookRights", &rbac::webhook())?;
    define(&mut text, "bundleRights", &rbac::bundles(&include("fullname")))?;
    define(&mut text, "authorityRights", &rbac::authority(&include("authority")))?;
    define(&mut text, "reconcilerRights", &rbac::reconciler())?;
    define(&mut text, "claimRights", &rbac::claims())?;
    let kept = ["reconciler", "secrets"].map(|suffix| format!("{}-{suffix}", include("fullname")));
    define(&mut text, "keptBindingRights", &rbac::kept_bindings(&kept.each_ref().map(String::as_str)))?;
    define(&mut text, "leaseRights", &rbac::lease(&include("lease")))?;
    define(&mut text, "secretRights", &rbac::secrets())?;
    let groups: Vec<_> = child::by_group(KINDS).into_keys().collect();
    define_text(&mut text, "childGroups", &groups.join(","));
    for group in groups {
        let rights = rbac::children(KINDS, group, &format!("{}-", include("fullname")));
        define(&mut text, &format!("childRights.{group}"), &rights)?;
        let bound = rbac::bound(KINDS, group);
        define_text(
            &mut text,
            &format!("boundRoles.{group}"),
            &bound.keys().copied().collect::<Vec<_>>().join(","),
        );
        for (role, rights) in bound {
            define(&mut text, &format!("boundRights.{role}"), &rights)?;
        }
    }
    define(&mut text, "viewRights", &rbac::view())?;
    define(&mut text, "editRights", &rbac::edit())?;
    let urgent: Vec<_> = rbac::urgent().into_iter().map(flow).collect();
    define(&mut text, "urgentRequests", &urgent)?;
    define_text(&mut text, "ruleArguments", &settings::arguments());
    Ok(text)
}

fn define(text: &mut String, name: &str, value: &impl Serialize) -> Result<(), ManifestsError> {
    define_text(text, name, &yaml::fragment(value)?);
    Ok(())
}

fn define_text(text: &mut String, name: &str, template: &str) {
    // Writing to a String can't fail.
    let _ = write!(text, "\n{{{{- define \"concierge.generated.{name}\" -}}}}\n{template}{{{{- end }}}}\n");
}

/// The requests that `rule` allows, as priority and fairness describes requests.
fn flow(rule: PolicyRule) -> ResourcePolicyRule {
    ResourcePolicyRule {
        api_groups: rule.api_groups.unwrap_or_default(),
        resources: rule.resources.unwrap_or_default(),
        verbs: rule.verbs,
        cluster_scope: Some(true),
        namespaces: Some(vec!["*".to_owned()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_of_a_definition_reach_the_cluster_as_they_are() {
        assert_eq!(literal("^a{2}{{{.b}}}$"), "^a{2}{{`{{`}}{.b}}}$");
    }

    #[test]
    fn a_definition_has_the_labels_of_the_chart() {
        let text = definitions().unwrap();
        assert!(!text.contains(LABELS.1));
        let documents = text.matches("\n---\n").count();
        assert_eq!(text.matches("include \"concierge.labels\"").count(), documents);
        assert!(documents > 1);
    }
}
