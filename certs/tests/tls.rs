//! Real handshakes over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use common::World;
use concierge_certs::{
    ClientCa, Leaf, Manager, Options, Pair, Resolver, State, TargetKind, alert_label, self_dial,
    server_config,
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

const NAME: &str = common::NAME;
const DAY: Duration = Duration::from_secs(24 * 3600);

fn authority() -> Pair {
    Pair::generate(NAME, 365 * DAY, Timestamp::now(), None).unwrap()
}

fn leaf(authority: &Pair) -> Leaf {
    Leaf::sign(authority, &[NAME.to_owned()], 7 * DAY, Timestamp::now(), 0.5).unwrap()
}

fn resolver(leaf: &Leaf) -> Arc<Resolver> {
    let resolver = Resolver::empty();
    resolver.put(leaf.key().clone(), leaf.renew_at());
    resolver
}

/// An echo server; handshake failures are reported by their label.
async fn serve(
    resolver: Arc<Resolver>,
    client_ca: Option<ClientCa>,
) -> (SocketAddr, mpsc::UnboundedReceiver<&'static str>) {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(resolver, client_ca).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (failures, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, failures) = (acceptor.clone(), failures.clone());
            tokio::spawn(async move {
                match acceptor.accept(stream).await {
                    Ok(mut tls) => {
                        let mut byte = [0];
                        while tls.read_exact(&mut byte).await.is_ok() {
                            if tls.write_all(&byte).await.is_err() || tls.flush().await.is_err() {
                                break;
                            }
                        }
                    }
                    Err(error) => drop(failures.send(alert_label(&error))),
                }
            });
        }
    });
    (addr, seen)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

async fn connect(
    addr: SocketAddr,
    authority: &Pair,
    identity: Option<Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

async fn echo(tls: &mut TlsStream<TcpStream>, byte: u8) -> std::io::Result<()> {
    tls.write_all(&[byte]).await?;
    tls.flush().await?;
    let mut answer = [0];
    tls.read_exact(&mut answer).await?;
    assert_eq!(answer[0], byte);
    Ok(())
}

#[tokio::test]
async fn tls_1_2_and_1_3_with_http_1_1_and_no_resumption() {
    let authority = authority();
    let (addr, _) = serve(resolver(&leaf(&authority)), None).await;
    for (version, spoken) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut tls = connect(addr, &authority, None, &[version]).await.unwrap();
        echo(&mut tls, 7).await.unwrap();
        let (_, session) = tls.get_ref();
        assert_eq!(session.protocol_version(), Some(spoken));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_survive_leaf_swaps_and_new_ones_get_the_new_leaf() {
    let authority = authority();
    let resolver = resolver(&leaf(&authority));
    let (addr, mut failures) = serve(resolver.clone(), None).await;
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(connect(addr, &authority, None, rustls::ALL_VERSIONS).await.unwrap());
    }
    for round in 0..5 {
        let next = leaf(&authority);
        resolver.put(next.key().clone(), next.renew_at());
        let echoes = open.iter_mut().map(|tls| echo(tls, round));
        futures::future::try_join_all(echoes).await.unwrap();
        let fresh = connect(addr, &authority, None, rustls::ALL_VERSIONS).await.unwrap();
        assert_eq!(fresh.get_ref().1.peer_certificates().unwrap()[0], *next.certificate().der());
    }
    assert!(failures.try_recv().is_err());
}

#[tokio::test]
async fn self_dial_succeeds_only_under_the_right_bundle_name_and_time() {
    let (authority, other) = (authority(), authority());
    let (addr, mut failures) = serve(resolver(&leaf(&authority)), None).await;
    let bundle = authority.certificate().pem();
    let now = Timestamp::now();
    self_dial(addr, bundle.as_bytes(), NAME, now).await.unwrap();
    let anywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), addr.port());
    self_dial(anywhere, bundle.as_bytes(), NAME, now).await.unwrap();
    let wrong = self_dial(addr, other.certificate().pem().as_bytes(), NAME, now).await;
    assert!(wrong.unwrap_err().to_string().contains("UnknownIssuer"));
    assert_eq!(failures.recv().await, Some("unknown_ca"));
    self_dial(addr, bundle.as_bytes(), "other.system.svc", now).await.unwrap_err();
    let late = now.checked_add(SignedDuration::from_hours(8 * 24)).unwrap();
    self_dial(addr, bundle.as_bytes(), NAME, late).await.unwrap_err();
    self_dial(addr, b"", NAME, now).await.unwrap_err();
}

/// A client authority and identities it issues, by common name and DNS name.
struct Clients {
    authority: rcgen::CertifiedIssuer<'static, KeyPair>,
}

impl Clients {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { authority }
    }

    fn identity(&self, common_name: &str, dns: &[&str]) -> Identity {
        let names: Vec<_> = dns.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

#[tokio::test]
async fn with_a_client_ca_only_the_named_clients_get_in() {
    let (authority, clients, strangers) = (authority(), Clients::new(), Clients::new());
    let client_ca = ClientCa {
        ca_pem: clients.authority.pem().into_bytes(),
        allowed_names: vec!["kube-apiserver".to_owned(), "api.internal".to_owned()],
    };
    let (addr, mut failures) = serve(resolver(&leaf(&authority)), Some(client_ca)).await;
    let cases = [
        (Some(clients.identity("kube-apiserver", &[])), Ok(())),
        (Some(clients.identity("other", &["api.internal"])), Ok(())),
        (Some(clients.identity("other", &["other.internal"])), Err("client_certificate")),
        (Some(strangers.identity("kube-apiserver", &[])), Err("client_certificate")),
        (None, Err("no_client_certificate")),
    ];
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (identity, expected) in &cases {
            let identity = identity.as_ref().map(|(chain, key)| (chain.clone(), key.clone_key()));
            let talk = async {
                let mut tls = connect(addr, &authority, identity, &[version]).await?;
                echo(&mut tls, 1).await
            };
            let outcome = talk.await;
            match expected {
                Ok(()) => outcome.unwrap(),
                Err(label) => {
                    outcome.unwrap_err();
                    assert_eq!(failures.recv().await, Some(*label));
                }
            }
        }
    }
}

#[test]
fn a_client_ca_without_certificates_is_an_error_that_says_so() {
    let error = server_config(Resolver::empty(), Some(ClientCa::default())).unwrap_err();
    assert!(error.to_string().contains("at least one CA certificate"), "{error}");
}

fn manager(world: &World, replica: usize) -> Arc<Manager<common::SimCluster>> {
    let options = Options {
        tick: Duration::from_millis(50),
        settle: Duration::from_millis(300),
        overlap: Duration::from_millis(900),
        ..Options::new("system", "hook")
    };
    Arc::new(Manager::with_cluster(world.cluster(replica), options))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_gets_ready_after_its_self_dial_and_rotates_under_a_poller_without_a_failure() {
    let world =
        World::new(&[(TargetKind::Validating, "validating", 1), (TargetKind::Mutating, "mutating", 1)]);
    world.lock().date_header = false;
    let manager = manager(&world, 0);
    let keeper = manager.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move { keeper.run(async { drop(stopped.await) }).await });
    let mut ready = manager.ready();
    let early = timeout(Duration::from_millis(300), ready.wait_for(|it| *it)).await.is_err();
    assert!(early, "not ready before the server has been dialled");

    let (addr, mut failures) = serve(manager.resolver(), None).await;
    manager.self_dial(addr);
    timeout(Duration::from_secs(10), ready.wait_for(|it| *it)).await.unwrap().unwrap();
    let status = manager.status();
    assert!(status.ready && !status.bundle_mismatch && status.last_error.is_none(), "{status:?}");
    assert_eq!(status.state, Some(State::Stable));
    let week = 7.0 * 86_400.0;
    assert!(status.leaf_expires_in.is_some_and(|it| it > week - 60.0 && it <= week + 1.0));

    let before = manager.resolver().current().unwrap();
    world.request_rotation("please");
    let mut polls = 0;
    let rotation = async {
        loop {
            // The poller trusts what stands in a configuration at this moment, and nothing else.
            let bundle = world.lock().configs[polls % 2].bundles[0].clone();
            self_dial(addr, &bundle, NAME, Timestamp::now()).await.unwrap();
            polls += 1;
            let only_one = concierge_certs::Bundle::parse(&bundle).certificates().len() == 1;
            let moved = !Arc::ptr_eq(&before, &manager.resolver().current().unwrap());
            if moved && only_one && world.state() == Some(State::Stable) {
                break;
            }
        }
    };
    timeout(Duration::from_secs(60), rotation).await.unwrap();
    println!("{polls} polls through a rotation, no failure");
    assert_eq!(world.lock().moves, [State::Announced, State::Promoted, State::Stable]);
    assert!(failures.try_recv().is_err());
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_manager_says_which_configuration_is_missing() {
    let world = World::new(&[(TargetKind::Validating, "validating", 1)]);
    world.lock().configs[0].exists = false;
    let manager = manager(&world, 0);
    let waiting = async {
        while manager.status().last_error.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = manager.run(std::future::pending()) => {}
        outcome = timeout(Duration::from_secs(10), waiting) => outcome.unwrap(),
    }
    let error = manager.status().last_error.unwrap();
    assert!(error.contains("ValidatingWebhookConfiguration validating does not exist"), "{error}");
    assert!(error.contains("install it"), "{error}");
}
