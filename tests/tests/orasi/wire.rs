//! Services that take connections, and catalogs: as tests say.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use concierge_reconciler::{
    engine::Failure,
    orasi::{Net, StatusAndBody},
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use reqwest::Url;
use tokio::time::sleep;

/// All that is there.
#[derive(Default)]
pub(crate) struct Wire(Mutex<State>);

#[derive(Default)]
struct State {
    open: BTreeSet<(String, u16)>,
    /// How long hosts with such names take to say nothing.
    deaf: BTreeMap<&'static str, Duration>,
    catalogs: BTreeMap<String, (u16, &'static str)>,
    /// What was connected to, and asked for.
    came: Vec<String>,
}

impl Wire {
    /// A port that takes connections from now on.
    pub(crate) fn open(&self, host: &str, port: u16) {
        self.0.lock().open.insert((host.to_owned(), port));
    }

    /// From now on a host with a name that begins so takes no connections, and does not refuse them.
    pub(crate) fn deafens(&self, host: &'static str, takes: Duration) {
        self.0.lock().deaf.insert(host, takes);
    }

    pub(crate) fn close(&self, host: &str, port: u16) {
        self.0.lock().open.remove(&(host.to_owned(), port));
    }

    /// How questions to this address are answered from now on.
    pub(crate) fn answers(&self, url: &str, status: u16, body: &'static str) {
        self.0.lock().catalogs.insert(url.to_owned(), (status, body));
    }

    /// What came so far.
    pub(crate) fn came(&self) -> Vec<String> {
        self.0.lock().came.clone()
    }
}

impl Net for Wire {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), Failure>> {
        let mut state = self.0.lock();
        let open = state.open.contains(&(host.to_owned(), port));
        if open {
            state.came.push(format!("{host}:{port}"));
        }
        let deaf = state.deaf.iter().find(|(name, _)| host.starts_with(**name)).map(|(_, takes)| *takes);
        let refused = move || Failure::NeverSent(format!("no connection to {host}:{port}: refused"));
        Box::pin(async move {
            if let Some(takes) = deaf.filter(|_| !open) {
                sleep(takes).await;
                return Err(Failure::NeverSent(format!("no connection to {host}:{port} in time")));
            }
            if open { Ok(()) } else { Err(refused()) }
        })
    }

    fn get(&self, url: Url) -> BoxFuture<'_, Result<Option<StatusAndBody>, Failure>> {
        let mut state = self.0.lock();
        let answer =
            state.catalogs.get(url.as_str()).map(|(status, body)| (*status, body.as_bytes().to_vec()));
        state.came.push(url.to_string());
        Box::pin(std::future::ready(
            answer.map(Some).ok_or_else(|| Failure::NeverSent("no connection: refused".into())),
        ))
    }
}
