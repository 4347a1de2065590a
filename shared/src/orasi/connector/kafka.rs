//! A topic of Kafka's, and how it is reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{AUTHENTICATION, CREDENTIALS, ENDPOINT, MAP, TOPIC};
use crate::{
    admission::problem::{Cause, Problems},
    common::SecretKeyRef,
    field::at,
    orasi::{Compression, Options, block::block, credentials, endpoint, options},
};

/// A topic of Kafka's, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Kafka {
    /// The cluster.
    #[validate(nested)]
    pub cluster: Cluster,
    /// Who signs in; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<KafkaAuth>,
    /// How records are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub producer: Option<Producer>,
    /// How records are received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub consumer: Option<Consumer>,
    /// The topic.
    #[validate(nested)]
    pub topic: Topic,
    /// Further settings of the client, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub settings: Option<Options>,
}

/// A cluster of Kafka's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Some of its brokers: host:port, separated by commas.
    #[schemars(length(max = 2048))]
    pub bootstrap_servers: String,
    /// As who Orasi is known to it; otel-bridge-client when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 255, code = "orasi.connector.group"))]
    pub client_id: Option<String>,
    /// How many milliseconds a request may take; 30000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 3_600_000, code = "orasi.connector.positive"))]
    pub request_timeout_ms: Option<i64>,
    /// How many milliseconds connecting may take; 60000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 3_600_000, code = "orasi.connector.positive"))]
    pub connection_timeout_ms: Option<i64>,
}

block! {
    /// Who signs in to Kafka.
    pub struct KafkaAuth {
        /// How; PLAIN when absent.
        mechanism: Mechanism,
        /// The user's name.
        #[schemars(length(max = 255))]
        username: String,
        /// The Secret with the password.
        password_secret_ref: SecretKeyRef,
        /// Refused: write passwordSecretRef.
        #[schemars(length(max = 1024))]
        password: String,
        /// The certificates of both sides.
        ssl: KafkaSsl,
    }
}

/// How somebody signs in to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// With the password itself.
    #[serde(rename = "PLAIN")]
    Plain,
    /// With a proof of the password, by SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same by SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

block! {
    /// Certificates.
    pub struct KafkaSsl {
        /// The Secret with the client's certificate.
        certificate_secret_ref: SecretKeyRef,
        /// The Secret with the client's key.
        key_secret_ref: SecretKeyRef,
        /// The Secret with the authority that signed the brokers' certificates.
        ca_secret_ref: SecretKeyRef,
        /// Whether the brokers' certificates are verified; so when absent.
        verify: bool,
    }
}

block! {
    /// How records are sent.
    pub struct Producer {
        /// How many are sent at a time; 1000 when absent.
        #[validate(range(min = 1, max = 100_000, code = "orasi.connector.batch-size"))]
        batch_size: i64,
        /// After how many milliseconds fewer are sent; 1000 when absent.
        #[validate(range(min = 100, max = 60_000, code = "orasi.connector.flush-interval"))]
        flush_interval_ms: i64,
        /// How they are compressed; snappy when absent.
        compression_type: Compression,
        /// Whose word is waited for: nobody's (0), the leader's (1) or that of all; all when absent.
        acks: Acks,
        /// How often a call is repeated; 3 when absent. 0 takes `enableIdempotence: false`.
        #[validate(range(min = 0, max = 1000, code = "orasi.connector.positive"))]
        retries: i64,
        /// Whether a record that is sent twice counts once; so when absent.
        enable_idempotence: bool,
    }
}

/// Whose word is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Acks {
    /// Nobody's.
    #[serde(rename = "0")]
    None,
    /// The leader's.
    #[serde(rename = "1")]
    Leader,
    /// That of all.
    #[serde(rename = "all")]
    All,
}

block! {
    /// How records are received.
    pub struct Consumer {
        /// The group that shares the records; otel-bridge-consumer when absent.
        #[validate(length(min = 1, max = 255, code = "orasi.connector.group"))]
        group_id: String,
        /// Where a new group begins; latest when absent.
        auto_offset_reset: OffsetReset,
        /// Whether what was read counts as done by itself; so when absent.
        enable_auto_commit: bool,
        /// How many records are fetched at a time; 500 when absent.
        #[validate(range(min = 1, max = 100_000, code = "orasi.connector.batch-size"))]
        max_poll_records: i64,
    }
}

/// Where a group begins that has read nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OffsetReset {
    /// With the first record.
    Earliest,
    /// With the next record.
    Latest,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// Its name.
    #[validate(length(min = 1, max = 249, code = "orasi.connector.topic"))]
    pub name: String,
    /// How many partitions it has; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 2_147_483_647, code = "orasi.connector.topic"))]
    pub partitions: Option<i64>,
    /// How many replicas each has; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 32_767, code = "orasi.connector.topic"))]
    pub replication_factor: Option<i64>,
    /// Its configuration, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub config: Option<Options>,
}

/// How many brokers may be named.
const MOST_SERVERS: usize = 100;

pub(super) fn check(kafka: &Kafka, problems: &mut Problems) {
    check_servers(&kafka.cluster.bootstrap_servers, problems);
    check_topic(&kafka.topic.name, problems);
    let rules = (&MAP, &CREDENTIALS);
    options::check("spec.kafka.topic.config", kafka.topic.config.as_ref(), rules, problems);
    options::check("spec.kafka.settings", kafka.settings.as_ref(), rules, problems);
    if let Some(auth) = &kafka.auth {
        check_auth(auth, problems);
    }
}

fn check_servers(servers: &str, problems: &mut Problems) {
    let field = "spec.kafka.cluster.bootstrapServers";
    if servers.split(',').count() > MOST_SERVERS {
        let message = format!("names more than {MOST_SERVERS} brokers; some of them are enough");
        return problems.add(&ENDPOINT, Cause::TooMany, field, message);
    }
    for server in servers.split(',') {
        endpoint::check(field, server.trim(), (&ENDPOINT, &CREDENTIALS), problems);
    }
}

fn check_topic(name: &str, problems: &mut Problems) {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.bytes().all(is_allowed) || [".", ".."].contains(&name) {
        let message = "is no topic's name; use letters, digits, '.', '_' and '-'";
        problems.add(&TOPIC, Cause::Invalid, "spec.kafka.topic.name", message);
    }
}

fn check_auth(auth: &KafkaAuth, problems: &mut Problems) {
    let field = |name: &str| at("spec.kafka.auth").field(name);
    credentials::refuse_inline(
        field("password"),
        auth.password.as_ref(),
        "passwordSecretRef",
        &CREDENTIALS,
        problems,
    );
    let needed =
        [("username", auth.username.is_some()), ("passwordSecretRef", auth.password_secret_ref.is_some())];
    let signs_in = auth.mechanism.is_some() || needed.iter().any(|(_, given)| *given);
    for (name, _) in needed.iter().filter(|(_, given)| signs_in && !given) {
        let message = "is required to sign in; set it, or remove mechanism, username and passwordSecretRef";
        problems.add(&AUTHENTICATION, Cause::Required, field(name), message);
    }
    if let Some(password) = &auth.password_secret_ref {
        password.check(field("passwordSecretRef"), &AUTHENTICATION, problems);
    }
    let Some(ssl) = &auth.ssl else { return };
    for (name, secret) in [
        ("certificateSecretRef", &ssl.certificate_secret_ref),
        ("keySecretRef", &ssl.key_secret_ref),
        ("caSecretRef", &ssl.ca_secret_ref),
    ] {
        if let Some(secret) = secret {
            secret.check(field("ssl").field(name), &AUTHENTICATION, problems);
        }
    }
}
