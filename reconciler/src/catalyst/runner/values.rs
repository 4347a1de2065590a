//! The file that tells a tool what to deploy beside what the source says.

use concierge_shared::catalyst::DeploymentMode;
use serde_json::{Value, json};

use super::RunnerInput;

/// The file's name. What is in it is JSON, which is YAML too.
pub(super) const KEY: &str = "values.yaml";

/// What stands in the file.
pub(super) fn of(input: &RunnerInput<'_>) -> String {
    let values = match input.mode {
        DeploymentMode::Helm => chart(input),
        DeploymentMode::DockerCompose => json!({ "variables": input.variables, "images": input.images }),
        _ => overlay(input),
    };
    values.to_string()
}

/// The template's values, and what this environment adds to them.
fn chart(input: &RunnerInput<'_>) -> Value {
    let given = input.values.filter(|values| values.is_object());
    let mut values = given.cloned().unwrap_or_else(|| json!({}));
    for (name, value) in input.variables {
        map(&mut values, "env")[name] = value.as_str().into();
    }
    for (build, image) in input.images {
        let (repository, tag) = split(image);
        map(map(&mut values, "global"), "images")[build] = json!({ "repository": repository, "tag": tag });
    }
    values
}

/// The value at `key`, which is a map from now on.
fn map<'a>(values: &'a mut Value, key: &str) -> &'a mut Value {
    if !values[key].is_object() {
        values[key] = json!({});
    }
    &mut values[key]
}

/// A kustomization over what the source says: an image that is called as a build is the one that was built.
fn overlay(input: &RunnerInput<'_>) -> Value {
    let resource = match input.mode {
        DeploymentMode::Kustomize => format!("../source/{}", input.path.trim_start_matches('/')),
        _ => "../manifests".to_owned(),
    };
    let image = |(build, image): (&String, &String)| match image.rsplit_once('@') {
        Some((name, digest)) => json!({ "name": build, "newName": name, "digest": digest }),
        None => {
            let (name, tag) = split(image);
            json!({ "name": build, "newName": name, "newTag": tag })
        }
    };
    let images: Vec<_> = input.images.iter().map(image).collect();
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [resource], "images": images,
    })
}

/// Name and tag of an image; the tag is empty when there is none.
fn split(image: &str) -> (&str, &str) {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].find(':') {
        Some(colon) => (&image[..last + colon], &image[last + colon + 1..]),
        None => (image, ""),
    }
}
