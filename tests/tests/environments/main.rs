//! Environments on a real API server with its controllers, webhook and reconciler installed as the chart installs them, each with its own rights:
//! what users create comes up and goes again; and a Configuration beside them. Pods are those of a fake kubelet, which really runs what
//! deploys from sources; git is real.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod attacks;
mod configurations;
mod development;
mod fates;
mod life;
mod storm;
mod world;
