//! A caller in the API server's place: speaks to one webhook replica directly, trusting only what the webhook
//! configuration's caBundle holds.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{Api, Client};
use reqwest::{Certificate, Response};
use serde_json::{Value, json};

use crate::stack::{NAMESPACE, RELEASE};

/// Calls one webhook replica.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
}

impl Caller {
    /// Calls the replica at `address` with the trust that the cluster has in it now.
    ///
    /// # Errors
    /// When the configuration has no caBundle.
    pub async fn new(cluster: &Client, address: SocketAddr) -> Result<Caller> {
        let name = format!("{RELEASE}.{NAMESPACE}.svc");
        let http = reqwest::Client::builder()
            .tls_certs_only(Certificate::from_pem_bundle(&bundle(cluster).await?)?)
            .resolve(&name, address)
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Caller { http, base: format!("https://{name}:{}", address.port()) })
    }

    /// Posts `body` to `/validate` or `/mutate`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Result<Response> {
        self.post_as("application/json", path, body).await
    }

    /// Posts `body` as another type than JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post_as(&self, kind: &str, path: &str, body: impl Into<reqwest::Body>) -> Result<Response> {
        let request = self.http.post(format!("{}{path}", self.base)).header("Content-Type", kind);
        request.body(body).send().await.context("no answer")
    }

    /// The `response` of the answer to a review; checks that it is one and bears the request's UID.
    ///
    /// # Errors
    /// When it is none.
    pub async fn review(&self, path: &str, review: &Value) -> Result<Value> {
        let answer: Value = self.post(path, review.to_string()).await?.json().await?;
        response(answer, review["request"]["uid"].as_str().unwrap_or_default())
    }
}

/// The `response` of a review with this UID.
///
/// # Errors
/// When it is no such review.
pub fn response(answer: Value, uid: &str) -> Result<Value> {
    ensure!(answer["apiVersion"] == "admission.k8s.io/v1" && answer["kind"] == "AdmissionReview", "{answer}");
    let response = answer["response"].clone();
    ensure!(response["uid"] == uid, "the UID is not {uid:?}: {answer}");
    ensure!(response["allowed"].is_boolean(), "{answer}");
    Ok(response)
}

/// A review of an operation on an object of ours, as the API server writes it.
pub fn review(uid: &str, operation: &str, object: &Value, old: &Value) -> Value {
    let subject = if object.is_null() { old } else { object };
    let (group, version) =
        subject["apiVersion"].as_str().and_then(|text| text.split_once('/')).unwrap_or_default();
    let kind = json!({"group": group, "version": version, "kind": subject["kind"]});
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid,
            "kind": kind,
            "resource": {"group": group, "version": version, "resource": "things"},
            "requestKind": kind,
            "name": subject["metadata"]["name"],
            "namespace": subject["metadata"]["namespace"],
            "operation": operation,
            "userInfo": {"username": "ann", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": null,
        }
    })
}

/// The caBundle of the validating webhook configuration, PEM.
///
/// # Errors
/// When there is none yet.
pub async fn bundle(cluster: &Client) -> Result<Vec<u8>> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(cluster.clone());
    let webhooks = configurations.get(RELEASE).await?.webhooks.unwrap_or_default();
    let first = webhooks.into_iter().next().context("no webhook in the configuration")?;
    Ok(first.client_config.ca_bundle.context("no caBundle yet")?.0)
}
