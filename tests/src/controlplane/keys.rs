//! Keys and certificates of one control plane, made afresh for every start.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// A certificate authority whose files are in one folder.
pub(super) struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Authority {
    /// A new authority; its certificate is `ca.crt` in `dir`.
    pub(super) fn create(dir: &Path) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("concierge-tests", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        write(&dir.join("ca.crt"), &params.self_signed(&key)?.pem())?;
        Ok(Authority { dir: dir.to_owned(), issuer: Issuer::new(params, key) })
    }

    pub(super) fn cert(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// What the servers on loopback show.
    pub(super) fn server(&self) -> Result<Identity> {
        let names = ["localhost", "127.0.0.1", "10.0.0.1", "kubernetes.default.svc"].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = name("concierge-tests-server", &[])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue("server", params)
    }

    /// A user `user` of `groups`, whose files are called `file`.
    pub(super) fn client(&self, file: &str, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(file, params)
    }

    /// The key that signs service accounts' tokens: `cert` is its public half, no certificate.
    pub(super) fn token_key(&self) -> Result<Identity> {
        let key = KeyPair::generate()?;
        self.write("service-accounts", &key.public_key_pem(), &key)
    }

    fn issue(&self, file: &str, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        self.write(file, &params.signed_by(&key, &self.issuer)?.pem(), &key)
    }

    fn write(&self, file: &str, cert: &str, key: &KeyPair) -> Result<Identity> {
        let at = |suffix| self.dir.join(format!("{file}.{suffix}"));
        let identity = Identity { cert: at("crt"), key: at("key") };
        write(&identity.cert, cert)?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

/// A user's name as Kubernetes reads it from a certificate: CN is the user, every O a group.
fn name(user: &str, groups: &[&str]) -> Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    // rcgen holds an attribute once; the same attribute by its number is a second one to it.
    let attributes = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
    if groups.len() > attributes.len() {
        bail!("a test user can have {} groups, {user} has {}", attributes.len(), groups.len());
    }
    for (attribute, group) in attributes.into_iter().zip(groups) {
        name.push(attribute, *group);
    }
    name.push(DnType::CommonName, user);
    Ok(name)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
