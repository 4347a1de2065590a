//! `concierge-reconciler compose`: makes manifests of a compose file.
//!
//! What a container says about itself is kept: image, command, environment, ports, volumes, health check, resources. What reaches
//! for the machine (privileged, the host's network, its devices) is refused with its place in the file; its folders are not mounted,
//! which is told. Nothing repeats a value of a variable.

mod container;
mod convert;
mod file;
mod healthcheck;
mod interpolate;
mod ports;
mod problems;
mod volumes;
mod words;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use problems::Problems;

/// Names that a compose file goes by, the first that is there.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
/// The largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// Makes manifests of a compose file; the reconciler's runner calls this.
#[derive(Debug, clap::Args)]
#[command(override_usage = "concierge-reconciler compose --values <FILE> --output <FILE>
           --source <FOLDER> <PATH>")]
pub(crate) struct ComposeArgs {
    /// Variables and images, as JSON
    #[arg(long, env = "CONCIERGE_COMPOSE_VALUES", value_name = "FILE")]
    values: PathBuf,
    /// Where the manifests go
    #[arg(long, env = "CONCIERGE_COMPOSE_OUTPUT", value_name = "FILE")]
    output: PathBuf,
    /// The folder that the file may name other files of
    #[arg(long, env = "CONCIERGE_COMPOSE_SOURCE", value_name = "FOLDER")]
    source: PathBuf,
    /// The compose file, or its folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// What is known beside the file.
#[derive(Clone, Debug, Default, Deserialize)]
struct Values {
    /// What stands for `${NAME}`.
    variables: BTreeMap<String, String>,
    /// The images that were built, by the name of their build.
    images: BTreeMap<String, String>,
}

/// 0 when the manifests are written; 1 when the file is not as it should be, which is told on standard error.
pub(crate) fn run(args: ComposeArgs) -> ExitCode {
    match write(&args) {
        Ok(notes) => {
            notes.iter().for_each(|note| eprintln!("{note}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the manifests; returns what of the file has no effect.
fn write(args: &ComposeArgs) -> anyhow::Result<Vec<String>> {
    let values = std::fs::read(&args.values).context("the values can't be read")?;
    let values: Values = serde_json::from_slice(&values).context("the values are no JSON")?;
    let path = find(&args.path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = read(&args.source, &path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let files =
        |relative: &str| read(&args.source, &folder.join(relative)).map_err(|error| error.to_string());
    let mut problems = Problems::new(&name);
    let manifests = convert::manifests(&text, &values, &files, &mut problems);
    let notes = problems.result()?;
    std::fs::write(&args.output, manifests.to_string()).context("the manifests can't be written")?;
    Ok(notes)
}

fn find(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let all = NAMES.iter().map(|name| path.join(name));
    let Some(found) = all.into_iter().find(|path| path.is_file()) else {
        bail!("there is no {} where the template's path leads; correct the path", NAMES.join(", "));
    };
    Ok(found)
}

/// A file of the source, and no other, wherever links lead.
fn read(source: &Path, path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let real = path.canonicalize().with_context(|| format!("{name} is not there"))?;
    let source = source.canonicalize().context("the source is not there")?;
    ensure!(real.starts_with(source), "{name} leads out of the source");
    let size = real.metadata().with_context(|| format!("{name} can't be read"))?.len();
    ensure!(size <= LARGEST, "{name} is larger than {LARGEST} bytes");
    std::fs::read_to_string(real).with_context(|| format!("{name} can't be read as text"))
}

#[cfg(test)]
mod tests;
