//! `concierge-webhook manifests`: what the cluster has to be told, derived from
//! [`KINDS`](concierge_shared::kind::KINDS).
//!
//! Every object is spelled out with the API server's own defaults, so that what is stored equals what was
//! applied and tools that compare the two see no drift. Only `caBundle` is missing: it is written by the
//! webhook itself, under a field manager of its own.

mod chart;
mod crds;
mod fills;
mod names;
mod rbac;
mod settings;
mod webhook;
mod yaml;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;
use serde_json::Value;

pub use chart::File;
pub use names::Names;

/// Print what the cluster has to be told: CRDs, webhook configuration, RBAC
///
/// As YAML on standard output, for `kubectl apply --server-side -f -` once the namespace exists. The Helm chart holds
/// the same; with --chart its generated templates are written.
#[derive(Debug, clap::Args)]
pub struct ManifestsArgs {
    /// Which of them; all if none is named
    #[arg(value_enum)]
    part: Option<Part>,
    /// Write the generated templates of the Helm chart in this folder, and print nothing
    #[arg(long, env = "CONCIERGE_CHART", value_name = "DIR", conflicts_with = "part")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    names: Names,
}

/// A part of what the cluster has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The definitions of all kinds
    Crds,
    /// What the API server asks about, and where
    Webhook,
    /// Service accounts, roles and their bindings
    Rbac,
}

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// An object has no JSON.
    #[error("an object can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// An object has no YAML.
    #[error("an object can't be written as YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// A file of the chart can't be read.
    #[error("can't read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file of the chart has no place for the generated lines.
    #[error("{} has no place for the settings of the groups", .0.display())]
    Place(PathBuf),
    /// A file or standard output can't be written.
    #[error("can't write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// Runs the command.
pub fn run(args: ManifestsArgs) -> ExitCode {
    let ManifestsArgs { part, names, chart } = args;
    let done = match chart {
        Some(dir) => write_chart(&dir),
        None => print(part, &names),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            eprintln!("error: {error}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// The objects of `part`, or all of them, in an order in which they can be applied.
///
/// # Errors
/// When an object has no JSON.
pub fn objects(part: Option<Part>, names: &Names) -> Result<Vec<Value>, ManifestsError> {
    let wanted = |candidate| part.is_none_or(|part| part == candidate);
    let mut all = Vec::new();
    if wanted(Part::Crds) {
        all.append(&mut crds::all(&names::labels())?);
    }
    if wanted(Part::Rbac) {
        all.append(&mut rbac::objects(names)?);
    }
    if wanted(Part::Webhook) {
        all.push(json(&webhook::mutating(names))?);
        all.push(json(&webhook::validating(names))?);
    }
    Ok(all)
}

/// The generated files of the Helm chart in `dir`, with paths inside it.
///
/// # Errors
/// When an object has no YAML, or a file that is generated in part can't be read.
pub fn chart_files(dir: &Path) -> Result<Vec<File>, ManifestsError> {
    chart::files(dir)
}

fn print(part: Option<Part>, names: &Names) -> Result<(), ManifestsError> {
    let text = yaml::documents(&objects(part, names)?)?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ManifestsError::Write("standard output".into(), error))
        }
        _ => Ok(()),
    }
}

fn write_chart(dir: &Path) -> Result<(), ManifestsError> {
    for File { path, text } in chart_files(dir)? {
        let path = dir.join(path);
        fs::write(&path, text).map_err(|error| ManifestsError::Write(path, error))?;
    }
    Ok(())
}

fn json(object: &impl Serialize) -> Result<Value, ManifestsError> {
    Ok(serde_json::to_value(object)?)
}
