//! An account, and what its service can bear from it.

use crate::engine::cluster::objects::ObjectKey;

/// An account at a remote service.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The service, as metrics name it.
    pub service: &'static str,
    /// The account's name, for instance the namespace and name of the provider object. Never a secret.
    pub name: String,
    /// A digest of the credentials, if at hand: new ones close the breaker at once.
    pub credentials: String,
    /// What the service can bear.
    pub limits: Limits,
    /// The object that tells others whether the service answers. It is reconciled at once when any call of the account gets no answer.
    pub watcher: Option<ObjectKey>,
}

/// What a service can bear from one account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Runs at a time.
    pub concurrency: usize,
    /// Calls a second, in the long run.
    pub rate: f64,
    /// Calls at once, after a rest.
    pub burst: u32,
}

impl Default for Limits {
    /// 4 runs at a time, 10 calls a second, 20 at once.
    fn default() -> Self {
        Self { concurrency: 4, rate: 10.0, burst: 20 }
    }
}

impl Account {
    /// The account of this name, with default limits.
    pub fn new(service: &'static str, name: impl Into<String>) -> Self {
        Self {
            service,
            name: name.into(),
            credentials: String::new(),
            limits: Limits::default(),
            watcher: None,
        }
    }

    /// A part of it that is out of reach, and limited, for itself.
    pub fn part(&self, part: &str) -> Self {
        Self { name: format!("{} ({part})", self.name), ..self.clone() }
    }

    /// No account at all: for kinds without a remote service.
    pub fn none() -> Self {
        let limits = Limits { concurrency: usize::MAX, rate: f64::INFINITY, burst: u32::MAX };
        Self::new("none", "").with_limits(limits)
    }

    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn with_credentials(mut self, digest: impl Into<String>) -> Self {
        self.credentials = digest.into();
        self
    }

    /// With the object that tells others whether the service answers.
    pub fn watched_by(mut self, watcher: ObjectKey) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// `service/name`
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }
}
