//! What is unusual, and who is told.

use std::collections::BTreeMap;

use serde_json::Value;
use validator::Validate;

use crate::{common::any::any_map, orasi::block::block};

block! {
    /// How what is unusual is found.
    pub struct AnomalyDetection {
        /// Whether by statistics; so when absent.
        enable_statistical: bool,
        /// How many standard deviations away it is; 3 when absent.
        #[validate(range(min = 1.0, max = 10.0, code = "orasi.processing.threshold"))]
        statistical_threshold: f64,
        /// Whether by a model that was taught; not when absent.
        enable_ml: bool,
        /// The model's file.
        #[schemars(length(max = 1024))]
        ml_model_path: String,
        /// Parameters of the model, without credentials.
        #[schemars(schema_with = "any_map")]
        ml_parameters: BTreeMap<String, Value>,
        /// Who is told.
        #[validate(nested)]
        alerting: Alerting,
    }
}

block! {
    /// Who is told of what is unusual.
    pub struct Alerting {
        /// Whether e-mails are sent; when there are recipients unless it says otherwise.
        enable_email_alerts: bool,
        /// To whom.
        #[schemars(length(max = 100), inner(length(max = 320)))]
        email_recipients: Vec<String>,
        /// Whether a webhook is called; when there is an address unless it says otherwise.
        enable_webhook_alerts: bool,
        /// Its address, a URL without credentials.
        #[schemars(length(max = 2048))]
        webhook_url: String,
        /// After how many; 1 when absent.
        #[validate(range(min = 1, max = 100, code = "orasi.processing.threshold"))]
        alert_threshold: i64,
    }
}
