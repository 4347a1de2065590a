//! Upstream's `ProcessingConfig`.

use concierge_shared::orasi::{
    AggregationRule, Alerting, AnomalyDetection, FilterRule, Processing, TransformationRule,
};
use serde_json::{Value, json};

/// Upstream takes as many threads as the machine has processors, which nobody knows here: the number of its own example.
const WORKER_THREADS: i64 = 8;
const CACHE_SIZE: i64 = 100 * 1024 * 1024;
const CACHE_TTL_SECS: i64 = 300;

pub(super) fn render(given: &Processing) -> Value {
    let transformations = given.transformation_rules.as_deref();
    let (filters, aggregations) = (given.filter_rules.as_deref(), given.aggregation_rules.as_deref());
    let anomalies = given.anomaly_detection.as_ref();
    json!({
        "worker_threads": given.worker_threads.unwrap_or(WORKER_THREADS),
        "enable_streaming": given.enable_streaming.unwrap_or(true),
        "stream_window_ms": given.stream_window_ms.unwrap_or(60_000),
        "enable_transformation": given.enable_transformation.unwrap_or(has_any(transformations)),
        "transformation_rules": transformations.map(|rules| all(rules, transformation)),
        "enable_filtering": given.enable_filtering.unwrap_or(has_any(filters)),
        "filter_rules": filters.map(|rules| all(rules, filter)),
        "enable_aggregation": given.enable_aggregation.unwrap_or(has_any(aggregations)),
        "aggregation_rules": aggregations.map(|rules| all(rules, aggregation)),
        "enable_anomaly_detection": given.enable_anomaly_detection.unwrap_or(anomalies.is_some()),
        "anomaly_detection": anomalies.map(anomaly_detection),
        "query_timeout_secs": given.query_timeout_secs.unwrap_or(30),
        "max_query_memory": given.max_query_memory,
        "enable_query_caching": given.enable_query_caching.unwrap_or(true),
        "cache_size": given.cache_size.unwrap_or(CACHE_SIZE),
        "cache_ttl_secs": given.cache_ttl_secs.unwrap_or(CACHE_TTL_SECS),
    })
}

fn has_any<T>(list: Option<&[T]>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn all<T>(rules: &[T], one: fn(&T) -> Value) -> Vec<Value> {
    rules.iter().map(one).collect()
}

fn transformation(rule: &TransformationRule) -> Value {
    json!({
        "name": rule.name,
        "description": rule.description,
        "source_field": rule.source_field,
        "target_field": rule.target_field,
        "transformation_type": rule.transformation_type,
        "parameters": rule.parameters,
    })
}

fn filter(rule: &FilterRule) -> Value {
    json!({
        "name": rule.name,
        "description": rule.description,
        "field": rule.field,
        "operator": rule.operator,
        "value": rule.value,
        "action": rule.action,
    })
}

fn aggregation(rule: &AggregationRule) -> Value {
    json!({
        "name": rule.name,
        "description": rule.description,
        "source_field": rule.source_field,
        "target_field": rule.target_field,
        "function": rule.function,
        "time_window_ms": rule.time_window_ms,
        "group_by": rule.group_by,
    })
}

fn anomaly_detection(given: &AnomalyDetection) -> Value {
    json!({
        "enable_statistical": given.enable_statistical.unwrap_or(true),
        "statistical_threshold": given.statistical_threshold.unwrap_or(3.0),
        "enable_ml": given.enable_ml.unwrap_or(false),
        "ml_model_path": given.ml_model_path,
        "ml_parameters": given.ml_parameters,
        "alerting": alerting(&given.alerting.clone().unwrap_or_default()),
    })
}

fn alerting(given: &Alerting) -> Value {
    let (recipients, webhook) = (given.email_recipients.as_deref(), given.webhook_url.as_ref());
    json!({
        "enable_email_alerts": given.enable_email_alerts.unwrap_or(has_any(recipients)),
        "email_recipients": recipients,
        "enable_webhook_alerts": given.enable_webhook_alerts.unwrap_or(webhook.is_some()),
        "webhook_url": webhook,
        "alert_threshold": given.alert_threshold.unwrap_or(1),
    })
}
