//! Values of the chart: sets that make sense, and what the API server says of them.

use anyhow::{Context, Result};
use concierge_tests::kubectl::ESTABLISHED;
use concierge_tests::stack::{NAMESPACE, chart};
use serde_json::{Value, json};

use crate::helm::{Helm, path};
use crate::shared::Turn;

/// Sets of values that together turn every value of the chart.
pub(crate) fn combinations() -> Vec<(&'static str, Value)> {
    let mut sets = sets();
    // The definitions are nine tenths of what is rendered, and turn on no value but this and what gives labels.
    for (_, values) in sets.iter_mut().filter(|(name, _)| !["defaults", "much"].contains(name)) {
        values["crds"] = json!({"install": false});
    }
    sets
}

fn sets() -> Vec<(&'static str, Value)> {
    vec![
        ("defaults", json!({})),
        ("reconciler apart", json!({"reconciler": {"placement": "deployment", "replicas": 3}})),
        ("no reconciler", json!({"reconciler": {"enabled": false}})),
        (
            "certificate from elsewhere",
            json!({"certificates": {
                "mode": "directory",
                "secretName": "tls",
                "injectionAnnotations": {"cert-manager.io/inject-ca-from": "concierge-system/tls"},
            }}),
        ),
        ("one replica", json!({"webhook": {"replicas": 1}})),
        (
            "scraped",
            json!({"serviceMonitor": {"enabled": true, "interval": "1m", "labels": {"team": "door"}}}),
        ),
        ("elsewhere", elsewhere(9443)),
        (
            "some namespaces",
            json!({"reconciler": {"namespaces": ["cafe", "concierge-system"], "secretNamespaces": ["cafe"]}}),
        ),
        ("all secrets", json!({"reconciler": {"clusterWideSecrets": true, "placement": "deployment"}})),
        (
            "little",
            json!({
                "serviceAccount": {"create": false, "name": "porter"},
                "aggregateRoles": false,
                "priorityAndFairness": {"enabled": false},
                "networkPolicy": {"enabled": false},
                "webhook": {"podDisruptionBudget": {"enabled": false}},
                "runAsUser": null,
            }),
        ),
        (
            "host network",
            json!({
                "webhook": {"hostNetwork": true, "port": 10260, "adminPort": 10261},
                "reconciler": {"adminPort": 10262},
            }),
        ),
        (
            "known callers",
            json!({
                "webhook": {"clientCA": {"configMapName": "admission-ca", "names": ["kube-apiserver"]}},
                "networkPolicy": {"webhookFrom": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]},
            }),
        ),
        (
            "known callers and a certificate from elsewhere",
            json!({
                "webhook": {"clientCA": {"secretName": "admission-ca", "key": "tls.crt"}},
                "certificates": {"mode": "directory", "secretName": "tls", "injectionAnnotations": {"a": "b"}},
            }),
        ),
        ("much", much()),
    ]
}

pub(crate) fn elsewhere(port: u16) -> Value {
    json!({"deploy": false, "service": {"externalName": "localhost", "port": port}})
}

fn much() -> Value {
    let container = json!({
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {"initialDelaySeconds": 1, "periodSeconds": 3},
    });
    let mut values = json!({
        "fullnameOverride": "door",
        "nameOverride": "front",
        "commonLabels": {"team": "door"},
        "image": {
            "repository": "registry.example.com:5000/concierge",
            "tag": "1.2.3",
            "digest": format!("sha256:{}", "ab".repeat(32)),
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "webhook": container,
        "reconciler": container,
        "rules": {
            "enforcement": "pets=warn, pets.pet.name=deny",
            "coffee": {"maxQuantity": 5, "strictVariantIds": true, "defaultAccount": "shop/main"},
        },
        "logs": {"filter": "info,concierge_webhook=debug", "format": "text"},
        "service": {"port": 8443, "annotations": {"note": "x: y"}},
        "serviceAccount": {"name": "porter", "annotations": {"cloud/role": "a"}},
        "podAnnotations": {"note": "true"},
        "podLabels": {"zone": "inner"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"team": "door"}},
        }],
        "priorityAndFairness": {"nominalConcurrencyShares": 50, "matchingPrecedence": 500},
        "networkPolicy": {
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "metrics"}}}],
            "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
        },
    });
    values["reconciler"]["placement"] = json!("deployment");
    values["reconciler"]["serviceAccount"] = json!({"name": "clerk", "annotations": {"cloud/role": "b"}});
    values["webhook"]["excludedNamespaces"] = json!(["kube-public", "kube-system"]);
    values["webhook"]["extraArgs"] = json!(["--cluster-domain=example.org"]);
    values["reconciler"]["extraArgs"] = json!(["--concurrency=9"]);
    values["reconciler"]["children"] = json!(["catalyst"]);
    values["reconciler"]["podVolumes"] = json!(["csi"]);
    values["webhook"]["shutdownDelaySeconds"] = json!(30);
    values["webhook"]["podDisruptionBudget"] = json!({"maxUnavailable": "50%"});
    values["webhook"]["mutating"] = json!({"failurePolicy": "Fail", "timeoutSeconds": 1});
    values
}

#[tokio::test]
async fn every_set_of_values_lints_and_is_what_the_api_server_knows() -> Result<()> {
    let (helm, turn) = tokio::try_join!(Helm::new(), Turn::take())?;
    let plane = turn.plane;
    let admin = plane.kubectl();
    for namespace in [NAMESPACE, "cafe"] {
        turn.namespace(namespace).await?;
    }
    admin.apply_text(SERVICE_MONITORS).await?.ok()?;
    admin.run(&["wait", ESTABLISHED, "crd", "--all"]).await?.ok()?;
    for (name, values) in combinations() {
        let file = helm.file(&values)?;
        helm.run(&["lint", "--strict", &path(&chart()), "--values", &file]).await?.ok().context(name)?;
        let rendered = helm.render(&values).await.context(name)?;
        // The definitions that are there are helm's.
        let dry = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        admin.run_with_input(&dry, &rendered.yaml).await?.ok().context(name)?;
    }
    Ok(())
}

/// The kind of the Prometheus operator, as far as our chart uses it.
const SERVICE_MONITORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor, plural: servicemonitors}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [selector, endpoints]
              properties:
                selector:
                  type: object
                  properties: {matchLabels: {type: object, additionalProperties: {type: string}}}
                endpoints:
                  type: array
                  items: {type: object, properties: {port: {type: string}, interval: {type: string}}}
";
