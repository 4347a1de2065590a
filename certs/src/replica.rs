//! One replica's turn: what is read, decided and written, in which order. No timers, no sockets.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use crate::{
    authority::{Authority, Observed, ROTATE},
    bundle::Bundle,
    ca::{CaError, Certificate},
    cluster::{Cluster, ClusterError, Live, Stored, Target},
    leaf::{Leaf, LeafError},
    options::Options,
    resolver::Resolver,
    settling::{Look, Trust, Unchanged},
};

/// What went wrong in a turn. The next turn tries again; what is served stays.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Reading or writing failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No authority could be made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// No leaf could be made.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A configuration is not there yet.
    #[error(
        "{object} does not exist, so its caBundle cannot be written; install it (it is part of the chart) \
         or take its name out of the options. Waiting for it"
    )]
    Missing {
        /// Kind and name.
        object: String,
    },
}

/// What a turn found.
#[derive(Debug, Default)]
pub struct Report {
    /// Something was written or somebody else was faster: look again at once.
    pub again: bool,
    /// What went wrong, if anything; the rest of the turn was done nevertheless.
    pub errors: Vec<StepError>,
    /// Every configuration read trusts the issuer of the leaf that is served.
    pub trusted: bool,
    /// The distinct bundles read, to dial oneself with.
    pub bundles: Vec<Bundle>,
    /// The time that counted: the API server's if known.
    pub now: Timestamp,
}

/// A replica's memory. Everything in it can be lost at any moment and is found again.
#[derive(Debug)]
pub struct Replica {
    options: Options,
    resolver: Arc<Resolver>,
    authority: Option<Authority>,
    leaf: Option<Leaf>,
    trust: Trust,
    unchanged: Unchanged,
    look: Look,
}

impl Replica {
    /// Knows nothing yet.
    pub fn new(options: Options, resolver: Arc<Resolver>) -> Self {
        Self {
            options,
            resolver,
            authority: None,
            leaf: None,
            trust: Trust::default(),
            unchanged: Unchanged::default(),
            look: Look::default(),
        }
    }

    /// The authority as last read.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The leaf that is served.
    pub fn leaf(&self) -> Option<&Leaf> {
        self.leaf.as_ref()
    }

    /// One turn. May be dropped at any await and called again at any time.
    ///
    /// The configurations are read *before* the Secret, and each write of a bundle is conditional on the version
    /// read. So a replica that slept since it read can only overwrite a bundle with knowledge that is at least as
    /// new as that bundle: a stale replica never takes an announced authority out again.
    pub async fn turn(&mut self, cluster: &impl Cluster) -> Report {
        let mut report = Report { now: self.options.clock.now(), ..Report::default() };
        match self.read(cluster).await {
            Ok((targets, stored, look)) => {
                self.look = look;
                report.now = stored.time.unwrap_or(report.now);
                self.act(cluster, &targets, stored.secret, &mut report).await;
            }
            // Cut off from the cluster, a leaf can still be renewed.
            Err(error) => {
                report.errors.push(error.into());
                report.note(self.renew(&[], report.now));
            }
        }
        report
    }

    async fn read(&self, cluster: &impl Cluster) -> Result<(Vec<Target>, Stored, Look), ClusterError> {
        let began = self.options.clock.elapsed();
        let targets = cluster.targets().await?;
        let stored = cluster.stored().await?;
        Ok((targets, stored, Look { began, ended: self.options.clock.elapsed() }))
    }

    async fn act(
        &mut self,
        cluster: &impl Cluster,
        targets: &[Target],
        secret: Option<Secret>,
        report: &mut Report,
    ) {
        let written = match secret {
            Some(secret) => self.advance(cluster, targets, &secret, report.now).await,
            None => self.found(cluster, report.now).await,
        };
        report.note(written);
        report.note(self.renew(targets, report.now));
        for target in targets {
            let healed = self.heal(cluster, target, report.now).await;
            report.note(healed);
        }
        report.trusted = self.leaf.as_ref().is_some_and(|leaf| all_trust(targets, leaf.issuer()));
        report.bundles = distinct_bundles(targets);
    }

    /// There is no Secret: the authority that is still in memory goes back, else a first one is made.
    async fn found(&self, cluster: &impl Cluster, now: Timestamp) -> Result<bool, StepError> {
        let authority = match &self.authority {
            Some(known) => known.clone(),
            None => Authority::bootstrap(&self.options.policy(), None, now)?,
        };
        cluster.create(authority.to_data()).await?;
        Ok(true)
    }

    /// Takes the Secret in and makes the one move that is due. True if the Secret was written.
    async fn advance(
        &mut self,
        cluster: &impl Cluster,
        targets: &[Target],
        secret: &Secret,
        now: Timestamp,
    ) -> Result<bool, StepError> {
        let rotation = secret.metadata.annotations.as_ref().and_then(|all| all.get(ROTATE).cloned());
        let policy = self.options.policy();
        let after = match read_authority(secret) {
            Some(authority) => {
                let observed = self.observe(&authority, targets, rotation);
                let due = authority.step(&observed, &policy, now)?;
                self.authority = Some(authority);
                due.inspect(|(step, _)| tracing::info!(?step, "certificate authority moves on"))
                    .map(|it| it.1)
            }
            None => Some(match &self.authority {
                Some(known) => known.clone(),
                None => Authority::bootstrap(&policy, rotation, now)?,
            }),
        };
        let Some(after) = after else { return Ok(false) };
        cluster.replace(secret, after.to_data()).await?;
        Ok(true)
    }

    fn observe(&mut self, authority: &Authority, targets: &[Target], rotation: Option<String>) -> Observed {
        let current = authority.current().certificate();
        self.trust.observe(targets, authority.certificates(), self.look);
        self.unchanged.observe(authority.certificates(), self.look);
        Observed {
            rotation,
            next_trusted: authority.next().and_then(|it| self.trust.lasted(it.certificate())),
            current_trusted: self.trust.lasted(current),
            unchanged: self.unchanged.lasted(),
            leaf_current: self.leaf.as_ref().is_some_and(|leaf| leaf.issuer() == current),
        }
    }

    /// Signs a new leaf if one is due; nothing is written to the cluster by it. To another authority a leaf that is still good moves only once that one is
    /// trusted everywhere and has settled; until then it is better than anything new, unless it is itself no longer
    /// trusted.
    fn renew(&mut self, targets: &[Target], now: Timestamp) -> Result<bool, StepError> {
        let Some(authority) = &self.authority else { return Ok(false) };
        let current = authority.current();
        let due = match &self.leaf {
            None => true,
            Some(leaf) if !leaf.certificate().usable(now) => true,
            Some(leaf) if leaf.issuer() == current.certificate() => leaf.renew_at() <= now,
            Some(leaf) => {
                self.settled(current.certificate())
                    || all_trust(targets, current.certificate()) && !all_trust(targets, leaf.issuer())
            }
        };
        if due {
            let validity = self.options.leaf_validity;
            let leaf = Leaf::sign(current, &self.options.names(), validity, now, fastrand::f64())?;
            tracing::info!(leaf = ?leaf.certificate(), issuer = ?leaf.issuer(), "serving a new leaf certificate");
            self.resolver.put(leaf.key().clone(), leaf.renew_at());
            self.leaf = Some(leaf);
        }
        Ok(false)
    }

    fn settled(&self, authority: &Certificate) -> bool {
        self.trust.lasted(authority).is_some_and(|it| it >= self.options.settle)
    }

    /// Mends what `target` trusts. True if it was written.
    async fn heal(&self, cluster: &impl Cluster, target: &Target, now: Timestamp) -> Result<bool, StepError> {
        let Some(live) = &target.live else {
            return Err(StepError::Missing { object: target.to_string() });
        };
        let bundles = self.wanted_bundles(live, now);
        if bundles.is_empty() {
            return Ok(false);
        }
        tracing::info!(object = %target, "writing caBundle");
        cluster.apply(target, &bundles).await?;
        Ok(true)
    }

    /// All bundles of an object if any of them is not as it should be. All, because a server-side apply that
    /// leaves an entry out gives that entry's field up.
    fn wanted_bundles(&self, live: &Live, now: Timestamp) -> Vec<(String, Bundle)> {
        let Some(authority) = &self.authority else { return Vec::new() };
        let mut differs = false;
        let wanted = |entry: &crate::cluster::Entry| {
            let wanted = entry.bundle.merged(authority.certificates(), |it| self.may_stay(it), now);
            differs |= entry.bundle != wanted;
            (entry.name.clone(), wanted)
        };
        let bundles: Vec<_> = live.entries.iter().map(wanted).collect();
        if differs { bundles } else { Vec::new() }
    }

    /// A certificate that is not in the Secret stays if it is somebody else's, or while a replica may still serve
    /// a leaf of it.
    fn may_stay(&self, certificate: &Certificate) -> bool {
        let serving = self.leaf.as_ref().is_some_and(|leaf| leaf.issuer() == certificate);
        !certificate.ours() || serving || self.unchanged.lasted() < self.options.overlap
    }
}

impl Report {
    fn note(&mut self, written: Result<bool, StepError>) {
        match written {
            Ok(written) => self.again |= written,
            Err(StepError::Cluster(ClusterError::Conflict { object })) => {
                tracing::debug!(object, "changed by somebody else, reading again");
                self.again = true;
            }
            Err(error) => self.errors.push(error),
        }
    }
}

fn read_authority(secret: &Secret) -> Option<Authority> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let data = secret.data.as_ref().filter(|data| !data.is_empty())?;
    Authority::from_data(data)
        .inspect_err(|error| {
            tracing::error!(secret = name, %error, "the CA Secret is unreadable and gets a new authority");
        })
        .ok()
}

fn all_trust(targets: &[Target], certificate: &Certificate) -> bool {
    targets.iter().all(|target| target.trusts(certificate))
}

fn distinct_bundles(targets: &[Target]) -> Vec<Bundle> {
    let entries = targets.iter().filter_map(|it| it.live.as_ref()).flat_map(|live| &live.entries);
    let mut bundles = Vec::new();
    for entry in entries {
        if !bundles.contains(&entry.bundle) {
            bundles.push(entry.bundle.clone());
        }
    }
    bundles
}
