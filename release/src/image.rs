//! An OCI image in one file: a layout that containerd, kind, k3s, podman and skopeo read, with the list by which
//! `docker load` finds the first architecture.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::{
    dockerfile::Stage,
    programs::Arch,
    project,
    tarball::{Tarball, gzip, sha256},
    version::{VERSION, revision, time},
};

/// The image's name, without tag: the chart's.
const REPOSITORY: &str = "ghcr.io/concierge-dev/concierge";
const OCI: &str = "application/vnd.oci.image";

/// Writes the image of `roots`, one for each architecture, to `file`.
pub(crate) fn write(roots: &[(Arch, PathBuf)], file: &Path) -> Result<()> {
    let created = jiff::Timestamp::from_second(i64::try_from(time()?)?)?.to_string();
    let arguments = [("VERSION", VERSION.to_owned()), ("REVISION", revision()), ("CREATED", created.clone())];
    let stage = Stage::read(&fs::read_to_string(project().join("Dockerfile"))?, &arguments)?;
    let mut image = Image { tarball: Tarball::new(fs::File::create(file)?, time()?), stage, created };
    image.json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
    let images = roots.iter().map(|(arch, root)| image.of(*arch, root)).collect::<Result<Vec<_>>>()?;
    image.index(&images)?;
    image.tarball.end()?;
    Ok(())
}

struct Image {
    tarball: Tarball<fs::File>,
    stage: Stage,
    created: String,
}

/// One architecture's.
struct Made {
    manifest: Value,
    config: String,
    layer: String,
}

impl Image {
    fn config(&self, arch: Arch, layer: &str) -> Value {
        json!({
            "created": self.created, "architecture": arch.name(), "os": "linux", "config": self.stage.config(),
            "rootfs": {"type": "layers", "diff_ids": [layer]},
            "history": [{"created": self.created, "created_by": "COPY --from=build /image/ /"}],
        })
    }

    fn of(&mut self, arch: Arch, root: &Path) -> Result<Made> {
        let mut layer = Tarball::new(Vec::new(), time()?);
        layer.folder("", root)?;
        let layer = layer.end()?;
        let digest = format!("sha256:{}", sha256(&layer));
        let mut compressed = gzip(Vec::new());
        std::io::Write::write_all(&mut compressed, &layer)?;
        let layer = self.blob("layer.v1.tar+gzip", &compressed.finish()?)?;
        let config = self.blob("config.v1+json", &serde_json::to_vec(&self.config(arch, &digest))?)?;
        let (config_path, layer_path) = (path(&config), path(&layer));
        let manifest = self.document("manifest.v1+json", json!({"config": config, "layers": [layer]}))?;
        let manifest = with(manifest, "platform", json!({"architecture": arch.name(), "os": "linux"}));
        Ok(Made { manifest, config: config_path, layer: layer_path })
    }

    fn index(&mut self, images: &[Made]) -> Result<()> {
        let manifests: Vec<_> = images.iter().map(|image| &image.manifest).collect();
        let index = self.document("index.v1+json", json!({"manifests": manifests}))?;
        let name = format!("{REPOSITORY}:{VERSION}");
        let names = json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": VERSION});
        let index = with(index, "annotations", names);
        self.json(
            "index.json",
            &json!({"schemaVersion": 2, "mediaType": format!("{OCI}.index.v1+json"), "manifests": [index]}),
        )?;
        let first = images
            .first()
            .map(|image| json!({"Config": image.config, "RepoTags": [name], "Layers": [image.layer]}));
        self.json("manifest.json", &Value::from_iter(first))
    }

    /// A manifest or an index as a blob; its descriptor.
    fn document(&mut self, kind: &str, fields: Value) -> Result<Value> {
        let mut document = json!({
            "schemaVersion": 2, "mediaType": format!("{OCI}.{kind}"), "annotations": self.stage.annotations(),
        });
        if let (Value::Object(document), Value::Object(mut fields)) = (&mut document, fields) {
            document.append(&mut fields);
        }
        self.blob(kind, &serde_json::to_vec(&document)?)
    }

    /// A blob's descriptor.
    fn blob(&mut self, kind: &str, bytes: &[u8]) -> Result<Value> {
        let digest = sha256(bytes);
        self.tarball.file(&format!("blobs/sha256/{digest}"), bytes, false)?;
        Ok(
            json!({"mediaType": format!("{OCI}.{kind}"), "digest": format!("sha256:{digest}"), "size": bytes.len()}),
        )
    }

    fn json(&mut self, name: &str, value: &Value) -> Result<()> {
        self.tarball.file(name, &serde_json::to_vec(value)?, false)
    }
}

/// Where the blob of a descriptor is.
fn path(descriptor: &Value) -> String {
    format!("blobs/{}", descriptor["digest"].as_str().unwrap_or_default().replace(':', "/"))
}

fn with(mut descriptor: Value, key: &str, value: Value) -> Value {
    let fields: Option<&mut Map<String, Value>> = descriptor.as_object_mut();
    if let Some(fields) = fields {
        fields.insert(key.to_owned(), value);
    }
    descriptor
}
