//! Whose certificates a Provider believes, over real sockets.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::s3::fake::{KEY, Served, Store};
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{SECRET, World};

const SOON: Duration = Duration::from_secs(60);

/// The fake behind TLS: its address, and the certificate that it shows.
async fn behind_tls(store: &Served) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], der).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let to = store.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                // A client that does not believe the certificate ends here.
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut store = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut store).await;
            });
        }
    });
    (url, certificate.pem())
}

/// The Provider with these settings of TLS.
fn provider(world: &World, url: &str, tls: Value) -> ObjectKey {
    world.provider(json!({ "endpoint": url, "iamEndpoint": url, "tls": tls }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_believes_the_authority_that_it_names_or_anybody_when_it_is_told_so() {
    let store = Store::start().await.unwrap();
    let (url, pem) = behind_tls(&store).await;
    let world = World::over_http(KEY, SECRET);
    world.server.user_puts(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "authority", "namespace": "default" },
        "data": { "ca.crt": ByteString(pem.into_bytes()) },
    }));
    let key = provider(&world, &url, json!({}));
    let _process = world.healthy();
    world.until("refused", SOON, |world| world.server.condition(&key, "Synced").starts_with("False")).await;
    let says = world.server.message(&key, "Synced");
    assert!(says.contains("certificate"), "{says}");
    assert_eq!(store.calls(), 0);

    provider(&world, &url, json!({ "caCertSecretRef": { "name": "authority" } }));
    world.until("believed", SOON, |world| world.server.is_ready(&key) && world.is_synced(&key)).await;
    provider(&world, &url, json!({ "caCertSecretRef": { "name": "login", "key": "access-key" } }));
    world.until("no bundle", SOON, |world| world.server.message(&key, "Ready").contains("CA bundle")).await;
    provider(&world, &url, json!({ "insecureSkipVerify": true }));
    world.until("anybody", SOON, |world| world.server.is_ready(&key) && world.is_synced(&key)).await;
}
