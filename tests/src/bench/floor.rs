//! The floor: the least that a webhook in Rust can do. It reads the body and gives a constant answer, with the
//! webhook's TLS settings, allocator and HTTP library, and nothing else. To the API server it repeats the UID.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use concierge_shared::admission::answer::Answer;
use concierge_shared::admission::envelope::find_uid;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The name in the floor's certificate.
pub const NAME: &str = "floor.bench.svc";
/// The files of its certificate and key.
pub const CERTIFICATE: &str = "floor.crt";
/// See [`CERTIFICATE`].
pub const KEY: &str = "floor.key";
const ANSWER: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}"#;
/// Where the API server calls, which wants to see its own UID in the answer.
const ADMIT: &str = "/admit";

/// Writes a certificate for the floor into `dir`.
///
/// # Errors
/// When a file can't be written.
pub fn write_certificate(dir: &Path) -> Result<()> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = CertificateParams::new([NAME.to_owned(), "127.0.0.1".to_owned()])?.self_signed(&key)?;
    std::fs::write(dir.join(CERTIFICATE), certificate.pem())?;
    std::fs::write(dir.join(KEY), key.serialize_pem())?;
    Ok(())
}

/// Serves on a free port with the certificate in `dir`, for ever. Says where as our programs do.
///
/// # Errors
/// When there is no certificate or no port.
pub async fn serve(dir: &Path) -> Result<()> {
    let certificate = CertificateDer::from_pem_file(dir.join(CERTIFICATE)).context("no certificate")?;
    let key = PrivateKeyDer::from_pem_file(dir.join(KEY)).context("no key")?;
    let certified = CertifiedKey::new(vec![certificate], any_ecdsa_type(&key)?);
    let tls = concierge_certs::server_config(Arc::new(SingleCertAndKey::from(certified)), None)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let router = axum::Router::new()
        .route("/validate", post(answer))
        .route("/mutate", post(answer))
        .route(ADMIT, post(admit));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", serde_json::json!({"message": "serving", "address": listener.local_addr()?}));
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(router);
                // A client that goes away is no event here.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
}

async fn answer(body: Bytes) -> impl IntoResponse {
    std::hint::black_box(body.len());
    ([(header::CONTENT_TYPE, "application/json")], ANSWER)
}

async fn admit(body: Bytes) -> impl IntoResponse {
    let answer = Answer::admitted(find_uid(&body).unwrap_or_default(), &[]);
    ([(header::CONTENT_TYPE, "application/json")], answer.to_json())
}

/// The configuration that has the API server ask the floor at `address` about what is created in `namespace`, with the
/// certificate in `dir`, as often as it asks Concierge about an object that lacks nothing: once.
///
/// # Errors
/// When there is no certificate.
pub fn webhooks(dir: &Path, address: SocketAddr, namespace: &str) -> Result<String> {
    let bundle = ByteString(std::fs::read(dir.join(CERTIFICATE)).context("no certificate")?);
    let webhook = json!({
        "name": NAME, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": format!("https://{address}{ADMIT}"), "caBundle": bundle},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{
            "apiGroups": ["petstore.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"],
            "resources": ["pets", "petstores"],
        }],
    });
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "floor"}, "webhooks": [webhook],
    });
    Ok(configuration.to_string())
}
