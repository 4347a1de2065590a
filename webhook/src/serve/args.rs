//! The command line of `concierge-webhook serve`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use concierge_runtime::{duration, logs::LogArgs, rules::RuleArgs};

/// Answer the API server's admission reviews over HTTPS.
///
/// By default Concierge makes its own certificates: a CA in a Secret that all replicas share, a short-lived leaf in
/// each, and the caBundle of its webhook configurations. With --tls-dir it uses yours instead.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Where to answer the API server
    #[arg(long, env = "CONCIERGE_LISTEN", default_value = "0.0.0.0:9443", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Where to answer probes (/healthz, /readyz) and show metrics (/metrics), over plain HTTP
    #[arg(long, env = "CONCIERGE_ADMIN", default_value = "0.0.0.0:8080", value_name = "ADDR")]
    pub(crate) admin: SocketAddr,
    /// How long to go on serving after SIGTERM, while the cluster learns that we leave
    #[arg(long, env = "CONCIERGE_SHUTDOWN_DELAY", default_value = "10s", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) shutdown_delay: Duration,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// Where certificates come from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Certificates")]
pub(crate) struct CertificateArgs {
    /// Use tls.crt and tls.key of this directory, and reload them when they change. The caBundle is yours to set
    #[arg(long, env = "CONCIERGE_TLS_DIR", value_name = "DIR")]
    pub(crate) tls_dir: Option<PathBuf>,
    /// The Service that the API server calls
    #[arg(long, env = "CONCIERGE_SERVICE", default_value = "concierge", value_name = "NAME")]
    pub(crate) service: String,
    /// The namespace of the Service and of the CA's Secret
    #[arg(long, env = "CONCIERGE_NAMESPACE", default_value = "concierge-system", value_name = "NAME")]
    pub(crate) namespace: String,
    /// The Secret that holds the CA
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_SECRET",
        default_value = "concierge-ca",
        value_name = "NAME"
    )]
    pub(crate) secret: String,
    /// The name of our validating and of our mutating webhook configuration
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_WEBHOOK_CONFIGURATION",
        default_value = "concierge",
        value_name = "NAME"
    )]
    pub(crate) webhook_configuration: String,
    /// The cluster's DNS domain
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_CLUSTER_DOMAIN",
        default_value = "cluster.local",
        value_name = "DOMAIN"
    )]
    pub(crate) cluster_domain: String,
    /// How long a CA lives; it is replaced when a third of that is left
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CA_VALIDITY", default_value = "365d", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) ca_validity: Duration,
    /// How long a leaf lives; it is replaced when a third of that is left
    #[arg(hide_short_help = true, long, env = "CONCIERGE_LEAF_VALIDITY", default_value = "7d", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) leaf_validity: Duration,
    /// How long API servers get to learn of a new CA before a leaf depends on it
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CA_SETTLE", default_value = "60s", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) ca_settle: Duration,
    /// How long a replaced CA stays trusted
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CA_OVERLAP", default_value = "10m", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) ca_overlap: Duration,
    /// How often certificates are looked at when nothing happens
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CERTIFICATE_TICK", default_value = "30s", value_parser = duration::parse, value_name = "TIME")]
    pub(crate) certificate_tick: Duration,
    /// Let only clients in that this CA (PEM file) vouches for
    #[arg(long, env = "CONCIERGE_CLIENT_CA", value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,
    /// A name that a client's certificate must bear; may be repeated
    #[arg(
        hide_short_help = true,
        long = "client-name",
        env = "CONCIERGE_CLIENT_NAMES",
        value_delimiter = ',',
        requires = "client_ca",
        value_name = "NAME"
    )]
    pub(crate) client_names: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  In a cluster, as the Helm chart starts it:
    concierge-webhook serve --namespace concierge-system --service concierge

  With certificates of your own, for instance from cert-manager:
    concierge-webhook serve --tls-dir /etc/concierge/tls

  Trying a rule out before it refuses anything:
    concierge-webhook serve --enforcement pets.pet.tag-allowed=warn";
