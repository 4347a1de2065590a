//! A pod's volumes as folders.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Pod, Secret, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::Node;

/// The kubeconfig in a volume that has a token and the API server's authority.
pub(super) const KUBECONFIG: &str = ".kubeconfig";

/// The folder of each volume. That of a claim outlives the pod.
pub(super) async fn make(node: &Node, pod: &Pod, room: &Path) -> Result<HashMap<String, PathBuf>> {
    let mut folders = HashMap::new();
    for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
        let folder = match &volume.persistent_volume_claim {
            Some(claim) => self::claim(&node.dir, namespace(pod), &claim.claim_name),
            None => room.join("volumes").join(&volume.name),
        };
        std::fs::create_dir_all(&folder)?;
        fill(node, pod, volume, &folder).await.with_context(|| format!("volume {}", volume.name))?;
        folders.insert(volume.name.clone(), folder);
    }
    Ok(folders)
}

/// The folder of a PersistentVolumeClaim.
pub(super) fn claim(dir: &Path, namespace: &str, name: &str) -> PathBuf {
    dir.join("claims").join(namespace).join(name)
}

async fn fill(node: &Node, pod: &Pod, volume: &Volume, folder: &Path) -> Result<()> {
    if volume.empty_dir.is_some() || volume.persistent_volume_claim.is_some() {
        return Ok(());
    }
    if let Some(source) = &volume.config_map {
        return config_map(node, pod, &source.name, folder).await;
    }
    if let Some(source) = &volume.secret {
        return secret(node, pod, source.secret_name.as_deref().unwrap_or_default(), folder).await;
    }
    let Some(projected) = &volume.projected else { bail!("a fake kubelet has no such volume") };
    for source in projected.sources.iter().flatten() {
        project(node, pod, source, folder).await?;
    }
    if folder.join("token").exists() && folder.join("ca.crt").exists() {
        kubeconfig(node, pod, folder)?;
    }
    Ok(())
}

async fn project(node: &Node, pod: &Pod, source: &VolumeProjection, folder: &Path) -> Result<()> {
    if let Some(token) = &source.service_account_token {
        std::fs::write(folder.join(&token.path), self::token(node, pod, token).await?)?;
    }
    if let Some(source) = &source.config_map {
        config_map(node, pod, &source.name, folder).await?;
    }
    if let Some(source) = &source.secret {
        secret(node, pod, &source.name, folder).await?;
    }
    for file in source.downward_api.iter().flat_map(|api| api.items.iter().flatten()) {
        let field = file.field_ref.as_ref().map(|field| field.field_path.as_str());
        anyhow::ensure!(field == Some("metadata.namespace"), "a fake kubelet tells of the namespace alone");
        std::fs::write(folder.join(&file.path), namespace(pod))?;
    }
    Ok(())
}

pub(super) fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

async fn config_map(node: &Node, pod: &Pod, name: &str, folder: &Path) -> Result<()> {
    let map = Api::<ConfigMap>::namespaced(node.client.clone(), namespace(pod)).get(name).await?;
    let texts =
        map.data.unwrap_or_default().into_iter().map(|(name, text)| (name, ByteString(text.into_bytes())));
    write(texts.collect(), folder)
}

async fn secret(node: &Node, pod: &Pod, name: &str, folder: &Path) -> Result<()> {
    let secret = Api::<Secret>::namespaced(node.client.clone(), namespace(pod)).get(name).await?;
    write(secret.data.unwrap_or_default(), folder)
}

fn write(files: BTreeMap<String, ByteString>, folder: &Path) -> Result<()> {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes.0)?;
    }
    Ok(())
}

/// A token of the pod's account that ends with the pod.
async fn token(node: &Node, pod: &Pod, wanted: &ServiceAccountTokenProjection) -> Result<String> {
    let account =
        pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let bound = BoundObjectReference {
        kind: Some("Pod".into()),
        api_version: Some("v1".into()),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
    };
    let spec = TokenRequestSpec {
        audiences: wanted.audience.clone().into_iter().collect(),
        expiration_seconds: wanted.expiration_seconds,
        bound_object_ref: Some(bound),
    };
    let accounts = Api::<ServiceAccount>::namespaced(node.client.clone(), namespace(pod));
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
    Ok(answer.status.context("the API server gave no token")?.token)
}

/// In a pod this follows from variables and paths that only a container has.
fn kubeconfig(node: &Node, pod: &Pod, folder: &Path) -> Result<()> {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "pod",
        "clusters": [{ "name": "pod", "cluster": { "server": node.url, "certificate-authority": folder.join("ca.crt") } }],
        "contexts": [{ "name": "pod", "context": { "cluster": "pod", "user": "pod", "namespace": namespace(pod) } }],
        "users": [{ "name": "pod", "user": { "tokenFile": folder.join("token") } }],
    });
    Ok(std::fs::write(folder.join(KUBECONFIG), kubeconfig.to_string())?)
}
