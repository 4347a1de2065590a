//! `make demo`: what a user of Concierge sees, shown on a real API server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`script`] | what a show is made of: chapters, their steps, and what each step has to show |
//! | [`pets`], [`coffee`], [`s3`], [`catalyst`] | the chapters about each group |
//! | `cluster` | the cluster, Concierge in it, and the ordinary user who types |
//! | `show` | a show that is on |
//! | `terminal` | how what is said looks |
//!
//! A new chapter is a constant in a module of its own and its place in [`CHAPTERS`]. What runs beside it (a
//! service that it calls) is started in `cluster`, which also names it for the steps' `{...}`.

pub mod catalyst;
mod cluster;
pub mod coffee;
pub mod pets;
pub mod s3;
pub mod script;
mod show;
mod terminal;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::cluster::DemoCluster;
use self::script::Chapter;
use self::show::Show;

/// The show, in order.
pub const CHAPTERS: &[&[Chapter]] = &[pets::CHAPTERS, coffee::CHAPTERS, s3::CHAPTERS, catalyst::CHAPTERS];

/// What a user of Concierge sees, on a real API server.
#[derive(Debug, Parser)]
pub struct DemoArgs {
    /// End after the show, or leave everything running until Ctrl-C
    #[arg(long, env = "DEMO", value_enum, default_value = "stay")]
    mode: Mode,
    /// Use the cluster of this context of your kubeconfig; without it, a control plane is started
    #[arg(long, env = "DEMO_CONTEXT", value_name = "NAME")]
    context: Option<String>,
    /// The name or address under which that cluster's API server reaches this machine
    #[arg(long, env = "DEMO_HOST", value_name = "HOST", default_value = "localhost")]
    host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Once,
    Stay,
}

/// Plays the show. The exit code says whether every step went as told.
///
/// # Errors
/// When the cluster can't be set.
pub async fn run(args: DemoArgs) -> Result<ExitCode> {
    let DemoArgs { mode, context, host } = args;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut asked_to_end = std::pin::pin!(async {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    });
    let context = context.filter(|context| !context.is_empty());
    let mut cluster = DemoCluster::new(context, host);
    let played = tokio::select! {
        played = play(&mut cluster, mode) => Some(played),
        () = &mut asked_to_end => None,
    };
    if let (Some(Ok(_)), Mode::Stay) = (&played, mode) {
        asked_to_end.await;
    }
    cluster.clear().await?;
    Ok(match played.transpose()? {
        Some(0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Sets the cluster and plays all chapters; how many steps did not go as told.
async fn play(cluster: &mut DemoCluster, mode: Mode) -> Result<usize> {
    let start = Instant::now();
    cluster.set().await?;
    let mut show = Show::new(cluster);
    for chapter in CHAPTERS.iter().copied().flatten() {
        show.chapter(chapter).await?;
    }
    let astray = show.end(start.elapsed());
    if mode == Mode::Stay {
        cluster.invite().await?;
    }
    Ok(astray)
}

#[cfg(test)]
mod tests;
