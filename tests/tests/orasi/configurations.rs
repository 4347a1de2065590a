//! A configuration is published in a ConfigMap, and looked for at a Deployment.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_shared::common::words::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::{
    bridge::{BridgeConfig, Lakehouse, Method},
    graph::{World, runs},
};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than it takes to wake who waits.
const SOON: Duration = Duration::from_secs(5);

impl World {
    /// A connector `hudi`, a storage `lake`, and the pipeline `spans` of the team `web`.
    fn with_spans() -> Self {
        let world = Self::new();
        world.connector("hudi");
        world.storage("lake");
        world.pipeline("spans", "lake", json!({ "team": "web" }));
        world
    }

    /// The configuration of this name, which takes the pipelines of the team `web`; with these fields besides.
    fn configuration(&self, name: &str, more: Value) -> ObjectKey {
        let mut spec =
            json!({ "environment": "production", "pipelines": { "matchLabels": { "team": "web" } } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("Configuration", name, json!({}), spec)
    }

    fn config_map(&self, name: &str) -> Option<Value> {
        self.server.read(&ObjectKey::new("ConfigMap", "default", name))
    }

    /// What is published in this ConfigMap.
    fn text(&self, name: &str) -> String {
        self.config_map(name).unwrap()["data"]["bridge.json"].as_str().unwrap().to_owned()
    }

    fn published(&self) -> BridgeConfig {
        serde_json::from_str(&self.text("bridge-config")).unwrap()
    }

    fn tables(&self) -> Vec<String> {
        self.published().pipelines.into_iter().map(|one| one.table).collect()
    }

    /// The Deployment `bridge-api` with the ConfigMap `bridge-config`, this annotation, and so many of its two pods up to date.
    fn deployment(&self, annotation: &str, updated: i64) {
        let volume = json!({ "name": "config", "configMap": { "name": "bridge-config" } });
        let template = json!({
            "metadata": { "annotations": { "orasi.io/config-sha256": annotation } },
            "spec": { "containers": [], "volumes": [volume] },
        });
        self.server.user_puts_whole(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "bridge-api", "namespace": "default", "generation": 1 },
            "spec": { "replicas": 2, "selector": {}, "template": template },
            "status": { "observedGeneration": 1, "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2 },
        }));
    }

    fn message(&self, key: &ObjectKey) -> String {
        self.server.status(key)["message"].as_str().unwrap_or_default().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_what_upstream_reads_with_its_defaults() {
    let world = World::with_spans();
    let key = world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    assert!(world.server.is_ready(&key), "{}", world.message(&key));
    let config = world.published();
    assert_eq!((config.name.as_str(), config.environment.as_str()), ("bridge", "production"));
    assert_eq!(config.ingestion.otlp_endpoint, "0.0.0.0:4317");
    assert_eq!(config.processing.worker_threads, 8);
    assert_eq!(config.security.authentication_methods, [Method::None]);
    assert!(config.advanced.validation && config.advanced.env_substitution && !config.advanced.enabled);
    assert!(
        matches!(&config.lakehouses["lake"], Lakehouse::Hudi { storage_path, .. } if storage_path == "s3://lakes/lake")
    );
    let [spans] = &config.pipelines[..] else { panic!("{:?}", config.pipelines) };
    assert_eq!((spans.lakehouse.as_str(), spans.connector_type.as_str()), ("lake", "Hudi"));
    assert_eq!((spans.max_batch_size, spans.backpressure_threshold), (1000, 80));

    let (status, map) = (world.server.status(&key), world.config_map("bridge-config").unwrap());
    let hash = hex(&Sha256::digest(world.text("bridge-config")));
    assert_eq!((&status["hash"], &status["pipelines"]), (&json!(hash), &json!(1)));
    assert_eq!(status["configMap"], "bridge-config");
    assert_eq!(map["metadata"]["annotations"]["orasi.io/config-sha256"], hash);
}

/// Each type of storage, and each block of the spec.
#[tokio::test(start_paused = true)]
async fn all_that_can_be_said_is_read_by_upstream_and_secrets_are_named_only() {
    let world = World::with_spans();
    let entry = |name: &str, key: &str| json!({ "name": name, "key": key });
    let signs_in =
        json!({ "method": "Basic", "username": "jane", "passwordSecretRef": entry("snow", "password") });
    let keys = json!({
        "method": "Basic", "usernameSecretRef": entry("s3-keys", "id"), "passwordSecretRef": entry("s3-keys", "secret"),
    });
    for (kind, field, of) in [
        (
            "DeltaLake",
            "deltaLake",
            json!({ "storagePath": "s3://lakes/delta", "tableFormatVersion": 2, "compression": "zstd" }),
        ),
        (
            "Iceberg",
            "iceberg",
            json!({ "catalogUri": "thrift://hive:9083", "warehouse": "s3://lakes/ice", "tableFormatVersion": 2 }),
        ),
        (
            "Snowflake",
            "snowflake",
            json!({ "account": "org-one", "database": "db", "schema": "public", "authentication": signs_in }),
        ),
        (
            "S3Parquet",
            "s3Parquet",
            json!({ "bucket": "lakes", "prefix": "parquet", "region": "us-east-1", "authentication": keys }),
        ),
    ] {
        let name = field.to_lowercase();
        let spec = json!({ "type": kind, field: of });
        world.put("Storage", &name, json!({}), spec);
        world.put("Connector", &name, json!({}), json!({ "type": kind }));
        let refers = |name: &str| json!({ "name": name });
        let spec = json!({ "connectorRef": refers(&name), "storageRef": refers(&name), "table": name });
        world.put("Pipeline", &name, json!({ "labels": { "team": "web" } }), spec);
    }
    let oauth = json!({ "clientId": "bridge", "clientSecretRef": entry("oauth", "secret"), "tokenEndpoint": "https://id.example/token" });
    let key = world.configuration("bridge", json!({
        "name": "main", "version": "1.2.3",
        "ingestion": { "enablePersistence": true, "persistencePath": "/var/lib/orasi", "maxPersistenceSize": 1_073_741_824,
            "authentication": { "method": "OAuth", "oauth": oauth } },
        "processing": {
            "workerThreads": 4,
            "transformationRules": [{ "name": "lower", "sourceField": "a", "targetField": "b", "transformationType": "Custom",
                "parameters": { "function": "lowercase" } }],
            "filterRules": [{ "name": "probes", "field": "route", "operator": "In", "value": ["/healthz", "/readyz"], "action": "Exclude" }],
            "aggregationRules": [{ "name": "mean", "sourceField": "ms", "targetField": "mean_ms", "function": "Average", "groupBy": ["service"] }],
            "anomalyDetection": { "statisticalThreshold": 2.5, "alerting": { "emailRecipients": ["a@example.com"], "alertThreshold": 5 } },
        },
        "security": {
            "enableTls": true, "tlsSecretRef": { "name": "bridge-tls" },
            "enableAuthentication": true, "authenticationMethods": ["JWT", "Certificate"],
            "enableAuthorization": true,
            "authorizationPolicies": [{ "name": "read", "allowedRoles": ["reader"], "allowedActions": ["read"], "allowedResources": ["*"] }],
            "enablePiiScrubbing": true,
            "piiScrubbingRules": [{ "name": "mail", "fieldPattern": ".*mail.*", "scrubbingMethod": "Replace", "replacement": "-" }],
            "enableEncryptionAtRest": true,
            "encryptionKey": { "keyId": "k1", "keyMaterialSecretRef": entry("at-rest", "key"), "algorithm": "AES256GCM", "rotationIntervalDays": 90 },
        },
        "monitoring": { "logLevel": "warn", "logFormat": "text", "enableDistributedTracing": true, "tracingEndpoint": "jaeger:4317" },
        "advanced": { "enabled": true, "configFile": "/config/bridge.json", "hotReload": true },
    }));
    let _process = world.healthy().await;
    assert!(world.server.is_ready(&key), "{}", world.message(&key));
    let config = world.published();
    assert_eq!((config.lakehouses.len(), config.pipelines.len()), (5, 5));
    let Lakehouse::Snowflake { authentication, .. } = &config.lakehouses["snowflake"] else {
        panic!("no Snowflake")
    };
    assert_eq!(authentication.password.as_deref(), Some("${ORASI_SNOW_PASSWORD}"));
    let Lakehouse::S3Parquet { authentication: Some(keys), .. } = &config.lakehouses["s3parquet"] else {
        panic!("no S3")
    };
    assert_eq!(keys.username.as_deref(), Some("${ORASI_S3_KEYS_ID}"));
    let oauth = config.ingestion.authentication.unwrap().oauth.unwrap();
    assert_eq!(oauth.client_secret, "${ORASI_OAUTH_SECRET}");
    assert_eq!(config.security.tls_key_path.unwrap().to_str(), Some("/etc/orasi/secrets/bridge-tls/tls.key"));
    assert_eq!(config.security.encryption_key.unwrap().key_material, "${ORASI_AT_REST_KEY}");
    let processing = config.processing;
    assert!(processing.enable_transformation && processing.enable_filtering && processing.enable_aggregation);
    let alerting = processing.anomaly_detection.unwrap().alerting;
    assert!(alerting.enable_email_alerts && !alerting.enable_webhook_alerts);
    assert_eq!(config.monitoring.log_level, "warn");
}

#[tokio::test(start_paused = true)]
async fn the_same_objects_make_the_same_bytes_whatever_their_order() {
    let mut texts = Vec::new();
    for names in [["a", "b", "c"], ["c", "a", "b"]] {
        let world = World::with_spans();
        let _process = world.healthy().await;
        for name in names {
            world.storage(&format!("lake-{name}"));
            world.pipeline(name, &format!("lake-{name}"), json!({ "team": "web" }));
            sleep(SOON).await;
        }
        world.configuration("bridge", json!({}));
        sleep(SOON).await;
        texts.push(world.text("bridge-config"));
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_is_lost_or_edited_comes_back() {
    let world = World::with_spans();
    let key = world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    let text = world.text("bridge-config");
    let map = ObjectKey::new("ConfigMap", "default", "bridge-config");
    world.server.user_deletes(&map);
    sleep(SOON).await;
    assert_eq!(world.text("bridge-config"), text);
    let mut edited = world.server.read(&map).unwrap();
    edited["data"]["bridge.json"] = "{}".into();
    world.server.user_puts_whole(edited);
    sleep(SOON).await;
    assert_eq!(world.text("bridge-config"), text);
    assert!(world.server.is_ready(&key));
}

#[tokio::test(start_paused = true)]
async fn a_config_map_of_somebody_else_is_left_alone() {
    let world = World::with_spans();
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "bridge-config", "namespace": "default" },
        "data": { "bridge.json": "theirs" },
    });
    world.server.user_puts_whole(theirs.clone());
    let key = world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Ready"), "False OwnedByOther");
    assert!(world.message(&key).contains("delete it, or choose another name"), "{}", world.message(&key));
    assert_eq!(world.config_map("bridge-config").unwrap()["data"], theirs["data"]);
    assert!(world.server.status(&key)["hash"].is_null());
    // Under another name there is room; and then the one of before goes.
    world.configuration("bridge", json!({ "publish": { "configMapName": "one" } }));
    sleep(SOON).await;
    assert!(world.server.is_ready(&key));
    world.configuration("bridge", json!({ "publish": { "configMapName": "two" } }));
    sleep(SOON).await;
    assert!(world.config_map("one").is_none() && world.config_map("two").is_some());
    world.configuration("bridge", json!({}));
    sleep(SOON).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False OwnedByOther");
    assert!(world.config_map("two").is_some(), "it stays while there is no room for another");
    world.server.user_deletes(&key);
    sleep(SOON).await;
    assert!(world.server.read(&key).is_none() && world.config_map("two").is_none());
    assert_eq!(world.config_map("bridge-config").unwrap()["data"], theirs["data"]);
}

#[tokio::test(start_paused = true)]
async fn while_a_pipeline_is_not_ready_what_was_published_stays() {
    let world = World::with_spans();
    let lake = ObjectKey::new("Storage", "default", "lake");
    let key = world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    let text = world.text("bridge-config");
    world.turns(&lake, false);
    sleep(SOON).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False ReferencesMissing");
    let expect = "nothing new is published while Pipeline default/spans is not ready (Storage default/lake is not ready)";
    assert_eq!(world.message(&key), expect);
    assert_eq!(world.text("bridge-config"), text);

    // It is still looked after.
    world.server.user_deletes(&ObjectKey::new("ConfigMap", "default", "bridge-config"));
    sleep(SOON).await;
    assert_eq!(world.text("bridge-config"), text);
    // What is new waits.
    world.configuration("bridge", json!({ "environment": "staging" }));
    sleep(SOON).await;
    assert_eq!(world.text("bridge-config"), text);
    assert_eq!(world.server.status(&key)["hash"], hex(&Sha256::digest(&text)));
    world.turns(&lake, true);
    sleep(SOON).await;
    assert!(world.server.is_ready(&key), "{}", world.message(&key));
    assert_eq!(world.published().environment, "staging");
}

/// While what is new waits, a Deployment is to have what is published; and the status names no ConfigMap that is gone.
#[tokio::test(start_paused = true)]
async fn what_the_status_names_is_what_is_published() {
    let world = World::with_spans();
    let rollout = json!({ "deploymentRef": { "name": "bridge-api" } });
    let key = world.configuration("bridge", json!({ "rollout": rollout }));
    let _process = world.healthy().await;
    let status = || world.server.status(&key);
    let hash = status()["hash"].as_str().unwrap().to_owned();
    let lake = ObjectKey::new("Storage", "default", "lake");
    world.turns(&lake, false);
    sleep(SOON).await;
    let renamed =
        json!({ "rollout": rollout, "publish": { "configMapName": "two" }, "environment": "staging" });
    world.configuration("bridge", renamed);
    world.deployment(&hash, 2);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(world.server.condition(&key, "RolledOut"), "True RolledOut");
    assert_eq!((&status()["configMap"], &status()["hash"]), (&json!("bridge-config"), &json!(hash)));

    world.server.user_deletes(&ObjectKey::new("ConfigMap", "default", "bridge-config"));
    sleep(SOON).await;
    assert!(status()["configMap"].is_null() && status()["hash"].is_null(), "{:#}", status());
    world.turns(&lake, true);
    sleep(SOON).await;
    assert_eq!(status()["configMap"], "two");
    assert!(world.server.is_ready(&key) && world.config_map("two").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_pipelines_and_storages_say_is_followed() {
    let world = World::with_spans();
    world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    assert_eq!(world.tables(), ["spans"]);
    world.pipeline("logs", "lake", json!({ "team": "web" }));
    world.pipeline("theirs", "lake", json!({ "team": "app" }));
    sleep(SOON).await;
    assert_eq!(world.tables(), ["logs", "spans"]);
    world.pipeline("spans", "lake", json!({ "team": "app" }));
    sleep(SOON).await;
    assert_eq!(world.tables(), ["logs"]);
    let hudi =
        json!({ "storagePath": "s3://lakes/lake", "tableType": "COPY_ON_WRITE", "compression": "gzip" });
    world.put("Storage", "lake", json!({}), json!({ "type": "Hudi", "hudi": hudi }));
    sleep(SOON).await;
    let config = world.published();
    assert!(
        matches!(&config.lakehouses["lake"], Lakehouse::Hudi { compression: Some(how), .. } if how == "gzip")
    );
    world.server.user_deletes(&ObjectKey::new("Pipeline", "default", "logs"));
    sleep(SOON).await;
    let config = world.published();
    assert!(config.pipelines.is_empty() && config.lakehouses.is_empty());
}

/// A hundred configurations with a team each.
#[tokio::test(start_paused = true)]
async fn a_pipeline_wakes_the_configurations_that_take_it_and_no_others() {
    let world = World::new();
    let lakes: Vec<_> = (0..100).map(|n| world.storage(&format!("lake-{n}"))).collect();
    world.connector("hudi");
    let labels = |n: usize| json!({ "team": format!("team-{n}") });
    for n in 0..100 {
        world.pipeline(&format!("p-{n}"), &format!("lake-{n}"), labels(n));
        world.configuration(&format!("c-{n}"), json!({ "pipelines": { "matchLabels": labels(n) } }));
    }
    let process = world.healthy().await;
    let key = |n: usize| ObjectKey::new("Configuration", "default", format!("c-{n}"));
    assert!((0..100).all(|n| world.server.is_ready(&key(n))));
    for ready in [false, true] {
        let ran = runs(&process, "Configuration");
        world.turns(&lakes[7], ready);
        sleep(SOON).await;
        assert_eq!(runs(&process, "Configuration") - ran, 1, "ready: {ready}");
        assert!((0..100).all(|n| world.server.is_ready(&key(n)) == (ready || n != 7)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_config_map_holds_is_said_and_not_published() {
    let world = World::with_spans();
    let key = world.configuration("bridge", json!({}));
    let _process = world.healthy().await;
    let text = world.text("bridge-config");
    let roles: Vec<_> = (0..100).map(|n| format!("{n:0>255}")).collect();
    let policy = |n: usize| json!({ "name": format!("p{n}"), "allowedRoles": roles, "allowedActions": ["read"], "allowedResources": ["*"] });
    let policies: Vec<_> = (0..50).map(policy).collect();
    world.configuration("bridge", json!({ "security": { "authorizationPolicies": policies } }));
    sleep(SOON).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False Unsupported");
    assert!(
        world.message(&key).contains("and a ConfigMap holds 1048576; take fewer Pipelines"),
        "{}",
        world.message(&key)
    );
    assert_eq!(world.text("bridge-config"), text);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_looked_at_until_its_pods_were_started_with_it() {
    let world = World::with_spans();
    let key =
        world.configuration("bridge", json!({ "rollout": { "deploymentRef": { "name": "bridge-api" } } }));
    let _process = world.healthy().await;
    let rolled_out = || world.server.condition(&key, "RolledOut");
    assert_eq!(rolled_out(), "False DeploymentMissing");
    assert!(world.server.is_ready(&key), "it is published all the same");
    let hash = world.server.status(&key)["hash"].as_str().unwrap().to_owned();
    let looked = Duration::from_secs(30);
    world.deployment("old", 2);
    sleep(looked).await;
    assert_eq!(rolled_out(), "False Outdated");
    assert!(world.server.message(&key, "RolledOut").ends_with(&format!("of its pod template to {hash}")));
    world.deployment(&hash, 1);
    sleep(looked).await;
    assert_eq!(rolled_out(), "False RollingOut");
    world.deployment(&hash, 2);
    sleep(looked).await;
    assert_eq!(rolled_out(), "True RolledOut");
    let expect = json!({ "deployment": "bridge-api", "hash": hash, "replicas": 2, "updatedReplicas": 2 });
    assert_eq!(world.server.status(&key)["rollout"], expect);

    let written = world.server.writes();
    sleep(HOUR).await;
    assert_eq!(world.server.writes(), written, "nothing is written at rest");
    world.configuration("bridge", json!({}));
    sleep(SOON).await;
    assert_eq!((rolled_out().as_str(), &world.server.status(&key)["rollout"]), ("", &Value::Null));
}
