//! A directory with one's own certificate, as the kubelet and as people write it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use concierge_certs::{Directory, SystemClock};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::time::{Instant, timeout};

const NAME: &str = "hook.system.svc";

/// A temporary directory, gone with the value.
struct Mount(PathBuf);

impl Mount {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("concierge-certs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What the kubelet's atomic writer does: a new folder, a new symlink, renamed over the old one, the old folder
    /// removed.
    fn swap(&self, version: u32, certificate: &str, key: &str) {
        let folder = self.0.join(format!("..2026_{version}"));
        fs::create_dir(&folder).unwrap();
        write(&folder, certificate, key);
        let (temporary, data) = (self.0.join("..data_tmp"), self.0.join("..data"));
        let old = fs::read_link(&data).ok();
        symlink(folder.file_name().unwrap(), &temporary).unwrap();
        fs::rename(&temporary, &data).unwrap();
        for file in ["tls.crt", "tls.key"] {
            let _ = symlink(Path::new("..data").join(file), self.0.join(file));
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.0.join(old)).unwrap();
        }
    }

    fn open(&self) -> Arc<Directory> {
        let clock = Arc::new(SystemClock::start());
        Arc::new(Directory::open(&self.0, Some(NAME.to_owned()), clock))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(folder: &Path, certificate: &str, key: &str) {
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (certificate(&key, NAME), key.serialize_pem())
}

fn certificate(key: &KeyPair, name: &str) -> String {
    CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(key).unwrap().pem()
}

fn serves(directory: &Directory, certificate: &str) -> bool {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    directory.resolver().current().is_some_and(|it| it.cert[0] == der)
}

/// How long until `reached`.
async fn eventually(what: &str, reached: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    let wait = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    start.elapsed()
}

fn follow(directory: &Arc<Directory>) -> tokio::task::JoinHandle<()> {
    let directory = directory.clone();
    tokio::spawn(async move { directory.run(std::future::pending()).await })
}

#[tokio::test]
async fn three_symlink_swaps_in_a_row_are_all_seen() {
    let mount = Mount::new("swaps");
    let first = pair();
    mount.swap(0, &first.0, &first.1);
    let directory = mount.open();
    assert!(serves(&directory, &first.0) && directory.status().ready);
    let following = follow(&directory);
    for version in 1..=3 {
        let next = pair();
        mount.swap(version, &next.0, &next.1);
        let took = eventually("the swapped pair is served", || serves(&directory, &next.0)).await;
        println!("swap {version} seen after {took:?}");
    }
    assert_eq!(directory.status().last_error, None);
    following.abort();
}

#[tokio::test]
async fn a_mismatched_pair_is_refused_and_the_last_good_one_stays() {
    let mount = Mount::new("mismatch");
    let (good, other) = (pair(), pair());
    mount.swap(0, &good.0, &good.1);
    let directory = mount.open();
    let following = follow(&directory);
    mount.swap(1, &other.0, &good.1);
    eventually("refusal", || directory.status().last_error.is_some()).await;
    assert!(serves(&directory, &good.0) && directory.status().ready);
    let error = directory.status().last_error.unwrap();
    assert!(error.contains("tls.key does not match") && error.contains("replace both files"), "{error}");
    mount.swap(2, &other.0, &other.1);
    eventually("recovery", || serves(&directory, &other.0)).await;
    eventually("no error left", || directory.status().last_error.is_none()).await;
    following.abort();
}

#[tokio::test]
async fn a_pair_that_comes_late_makes_ready() {
    let mount = Mount::new("late");
    let directory = mount.open();
    assert!(!directory.status().ready);
    assert!(directory.status().last_error.unwrap().contains("kubernetes.io/tls"));
    let following = follow(&directory);
    let (certificate, key) = pair();
    write(&mount.0, &certificate, &key);
    timeout(Duration::from_secs(20), directory.ready().wait_for(|it| *it)).await.unwrap().unwrap();
    assert!(serves(&directory, &certificate));
    following.abort();
}

#[tokio::test]
async fn a_directory_that_is_itself_replaced_is_still_followed() {
    let mount = Mount::new("replaced");
    let (first, second) = (pair(), pair());
    write(&mount.0, &first.0, &first.1);
    let directory = mount.open();
    let following = follow(&directory);
    tokio::task::yield_now().await;
    fs::remove_dir_all(&mount.0).unwrap();
    eventually("the loss is noticed", || directory.status().last_error.is_some()).await;
    assert!(serves(&directory, &first.0));
    fs::create_dir(&mount.0).unwrap();
    write(&mount.0, &second.0, &second.1);
    eventually("polling sees it", || serves(&directory, &second.0)).await;
    following.abort();
}

#[test]
fn every_usual_form_of_key_is_accepted() {
    let keys = ["rsa-pkcs1", "rsa-pkcs8", "ec-sec1", "ec-pkcs8"];
    for name in keys {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let read = |name: &str| fs::read_to_string(folder.join(format!("{name}.key"))).unwrap();
        let signer = if name.starts_with("rsa") { read("rsa-pkcs8") } else { read("ec-pkcs8") };
        let certificate = certificate(&KeyPair::from_pem(&signer).unwrap(), NAME);
        let mount = Mount::new(name);
        write(&mount.0, &certificate, &read(name));
        let directory = mount.open();
        assert!(serves(&directory, &certificate), "{name}: {:?}", directory.status().last_error);
    }
}

#[test]
fn what_the_api_server_would_refuse_is_refused_with_a_remedy() {
    let key = KeyPair::generate().unwrap();
    let mut expired = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = expired.self_signed(&key).unwrap().pem();
    let pem = key.serialize_pem();
    let refused = [
        ("other", certificate(&key, "other.system.svc"), pem.clone(), "issue it with that DNS name"),
        ("expired", expired, pem.clone(), "renew it"),
        ("swapped", pem, certificate(&key, NAME), "tls.crt holds no usable certificate"),
        ("nokey", certificate(&key, NAME), "junk".to_owned(), "PKCS#8, SEC1 (EC) or PKCS#1"),
    ];
    for (name, certificate, key, remedy) in refused {
        let mount = Mount::new(name);
        write(&mount.0, &certificate, &key);
        let status = mount.open().status();
        assert!(!status.ready);
        let error = status.last_error.unwrap();
        assert!(error.contains(remedy), "{name}: {error}");
    }
}
