//! What the rules of processing say, each and together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    ALERTING, Alerting, CREDENTIALS, FIELDS, IDLE, NAMES, PARAMETERS, Processing, REGEX,
    filter::{check_value, is_scalar},
    pattern::Patterns,
};
use crate::{
    admission::problem::{Cause, Problems},
    field::{FieldPath, at},
    orasi::{
        credentials::{IN_THE_CLEAR, check_text, is_credential, tells_credential},
        endpoint,
    },
};

/// The parameters that are regular expressions.
const PATTERNS: [&str; 2] = ["pattern", "regex"];

pub(super) fn check(processing: &Processing, problems: &mut Problems) {
    let mut patterns = Patterns::default();
    check_transformations(processing, &mut patterns, problems);
    check_filters(processing, &mut patterns, problems);
    check_aggregations(processing, problems);
    check_switches(processing, problems);
    let Some(anomalies) = &processing.anomaly_detection else { return };
    let field = at("spec.processing.anomalyDetection");
    let parameters = field.clone().field("mlParameters");
    check_parameters(anomalies.ml_parameters.as_ref(), &parameters, &mut patterns, problems);
    let model = anomalies.ml_model_path.as_deref().unwrap_or_default();
    check_text(field.clone().field("mlModelPath"), model, &CREDENTIALS, problems);
    if let Some(alerting) = &anomalies.alerting {
        check_alerting(alerting, &field.field("alerting"), problems);
    }
}

fn check_transformations(processing: &Processing, patterns: &mut Patterns, problems: &mut Problems) {
    let mut names = Names::default();
    for (nth, rule) in processing.transformation_rules.iter().flatten().enumerate() {
        let field = at("spec.processing.transformationRules").index(nth);
        names.add(&rule.name, &field, problems);
        check_field(&rule.source_field, field.clone().field("sourceField"), problems);
        check_field(&rule.target_field, field.clone().field("targetField"), problems);
        check_parameters(rule.parameters.as_ref(), &field.field("parameters"), patterns, problems);
    }
}

fn check_filters(processing: &Processing, patterns: &mut Patterns, problems: &mut Problems) {
    let mut names = Names::default();
    for (nth, rule) in processing.filter_rules.iter().flatten().enumerate() {
        let field = at("spec.processing.filterRules").index(nth);
        names.add(&rule.name, &field, problems);
        check_field(&rule.field, field.clone().field("field"), problems);
        let value = field.field("value");
        if tells_credential(&rule.value) {
            problems.add(&CREDENTIALS, Cause::Forbidden, value.clone(), IN_THE_CLEAR);
        }
        check_value(rule, value, patterns, problems);
    }
}

fn check_aggregations(processing: &Processing, problems: &mut Problems) {
    let mut names = Names::default();
    for (nth, rule) in processing.aggregation_rules.iter().flatten().enumerate() {
        let field = at("spec.processing.aggregationRules").index(nth);
        names.add(&rule.name, &field, problems);
        check_field(&rule.source_field, field.clone().field("sourceField"), problems);
        check_field(&rule.target_field, field.clone().field("targetField"), problems);
        for (nth, name) in rule.group_by.iter().flatten().enumerate() {
            check_field(name, field.clone().field("groupBy").index(nth), problems);
        }
    }
}

/// The names of a list's rules.
#[derive(Default)]
struct Names<'a>(BTreeSet<&'a str>);

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a str, rule: &FieldPath, problems: &mut Problems) {
        if !name.is_empty() && !self.0.insert(name) {
            let message = "is the name of two rules; rename one";
            problems.add(&NAMES, Cause::Duplicate, rule.clone().field("name"), message);
        }
    }
}

fn check_field(name: &str, field: FieldPath, problems: &mut Problems) {
    if name.trim() != name || name.contains(char::is_control) {
        let message = "has white space around it, or characters that do not print; remove them";
        problems.add(&FIELDS, Cause::Invalid, field, message);
    }
}

fn check_parameters(
    parameters: Option<&BTreeMap<String, Value>>,
    field: &FieldPath,
    patterns: &mut Patterns,
    problems: &mut Problems,
) {
    for (name, value) in parameters.into_iter().flatten() {
        let field = field.clone().key(name);
        let is_list = value.as_array().is_some_and(|list| list.iter().all(is_scalar));
        if !is_scalar(value) && !is_list {
            let message =
                "is neither a text, a number, true, false nor a list of them; write it as one of these";
            problems.add(&PARAMETERS, Cause::Invalid, field, message);
            continue;
        }
        if is_credential(name, value) {
            problems.add(&CREDENTIALS, Cause::Forbidden, field.clone(), IN_THE_CLEAR);
        }
        if let Some(text) = value.as_str().filter(|_| PATTERNS.contains(&name.as_str())) {
            patterns.check(text, field, &REGEX, problems);
        }
    }
}

fn check_switches(processing: &Processing, problems: &mut Problems) {
    let has = |count: Option<usize>| count.is_some_and(|count| count > 0);
    for (switch, on, list, is_there) in [
        (
            "enableTransformation",
            processing.enable_transformation,
            "transformationRules",
            has(processing.transformation_rules.as_ref().map(Vec::len)),
        ),
        (
            "enableFiltering",
            processing.enable_filtering,
            "filterRules",
            has(processing.filter_rules.as_ref().map(Vec::len)),
        ),
        (
            "enableAggregation",
            processing.enable_aggregation,
            "aggregationRules",
            has(processing.aggregation_rules.as_ref().map(Vec::len)),
        ),
        (
            "enableAnomalyDetection",
            processing.enable_anomaly_detection,
            "anomalyDetection",
            processing.anomaly_detection.is_some(),
        ),
    ] {
        let message = match (on, is_there) {
            (Some(true), false) => format!("has no effect without {list}; add it, or remove this"),
            (Some(false), true) => format!("switches off {list}, which is there; remove one of both"),
            _ => continue,
        };
        problems.add(&IDLE, Cause::Invalid, at("spec.processing").field(switch), message);
    }
}

fn check_alerting(alerting: &Alerting, field: &FieldPath, problems: &mut Problems) {
    let none = alerting.email_recipients.as_ref().is_none_or(Vec::is_empty);
    if alerting.enable_email_alerts == Some(true) && none {
        let message = "is required where e-mails are to be sent; name somebody";
        problems.add(&ALERTING, Cause::Required, field.clone().field("emailRecipients"), message);
    }
    for (nth, address) in alerting.email_recipients.iter().flatten().enumerate() {
        if !is_address(address) {
            let message = "is no address of an e-mail; write it as name@host";
            let field = field.clone().field("emailRecipients").index(nth);
            problems.add(&ALERTING, Cause::Invalid, field, message);
        }
    }
    let url = field.clone().field("webhookUrl");
    match alerting.webhook_url.as_deref() {
        None if alerting.enable_webhook_alerts == Some(true) => {
            let message = "is required where a webhook is to be called; set it";
            problems.add(&ALERTING, Cause::Required, url, message);
        }
        None => {}
        Some(text) => endpoint::check_url(url, text, (&ALERTING, &CREDENTIALS), problems),
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.contains(char::is_whitespace)
}
