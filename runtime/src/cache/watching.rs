//! Lists one resource, then watches it, and begins again where it broke off.
//!
//! This is not [`kube::runtime::watcher`], because a watcher says nothing when a watch is renewed or a bookmark comes. In a kind whose
//! objects do not change these are the only signs that the watch works again after an outage.

use std::{
    fmt::Debug,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt};
use kube::{
    Api, Resource,
    api::{ListParams, WatchEvent, WatchParams},
    core::Status,
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::health::{Health, Refused};
use crate::client::WATCH_SECONDS;

/// How many objects a list brings at once. While they are decoded they take several times what is kept of them.
const PAGE: u32 = 100;
/// How long a page of a list may take.
const PAGE_WITHIN: Duration = Duration::from_secs(30);
/// How long the answer to a watch may take to begin.
const WATCH_WITHIN: Duration = Duration::from_secs(10);
/// How long an open watch stays unproven: an expired version, or a proxy that closes at once, shows within this time.
const PROVEN_AFTER: Duration = Duration::from_millis(500);
/// How long a watch may be silent. The API server ends it earlier.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);
/// The waits after failures: the first, and the longest. An outage is over for us this long after its end.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How soon the API server is asked again for a kind that was off a moment ago, because another is back.
const AGAIN: Duration = Duration::from_millis(500);
/// How far apart requests are that all want to be sent because a kind is back.
const APART: Duration = Duration::from_millis(10);
/// How long a list that comes as a stream may be silent.
const MARK_WITHIN: Duration = Duration::from_secs(10);
/// How often in a row such a list may fail before it is asked for in pages.
const STREAMED_TRIES: u32 = 3;
/// The annotation of the bookmark that ends such a list.
const END_OF_LIST: &str = "k8s.io/initial-events-end";
/// How many refusals in a row turn a kind off. A starting API server may refuse once.
const REFUSALS: u32 = 2;
/// After how many streams in a row that broke before they brought anything the resource is listed afresh.
const BROKEN_STREAMS: u32 = 3;

/// Takes what is listed and watched.
pub(super) trait Sink<T>: Send {
    /// A list begins. An earlier one may have broken off.
    fn begin(&mut self);
    /// The list has this object.
    fn listed(&mut self, object: T);
    /// The list has no more.
    fn complete(&mut self);
    /// What was listed is believed now: whoever waits for news hears of all of it.
    fn announce(&mut self);
    /// An object was made or changed.
    fn apply(&mut self, object: T);
    /// An object was deleted.
    fn delete(&mut self, object: T);
}

/// Why a list or a watch ended.
enum Failure {
    /// The version to watch from is too old.
    Expired,
    Refused(Refused),
    Other(String),
}

pub(super) struct Watching<T, S> {
    api: Api<T>,
    sink: S,
    health: Arc<Health>,
    /// The label that objects bear which are asked for; all of them when there is none.
    label: Option<&'static str>,
    /// Told when a kind that was off is back.
    back: watch::Receiver<()>,
    /// The version to watch from; `None` to list first.
    version: Option<String>,
    failures: u32,
    refusals: u32,
    broken_streams: u32,
    /// Whether the API server lists by a watch, as far as is known.
    streams_lists: bool,
    /// Whether the stream that is open has brought something, or stood for a while.
    proven: bool,
}

impl<T, S> Watching<T, S>
where
    T: Resource + Clone + Debug + DeserializeOwned,
    S: Sink<T>,
{
    pub(super) fn new(api: Api<T>, sink: S, health: Arc<Health>) -> Self {
        let back = health.all.back.subscribe();
        Self {
            api,
            sink,
            health,
            label: None,
            back,
            version: None,
            failures: 0,
            refusals: 0,
            broken_streams: 0,
            streams_lists: true,
            proven: false,
        }
    }

    /// Asks only for what bears this label.
    pub(super) fn labelled(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// As every watch is asked for.
    fn selecting(&self, params: WatchParams) -> WatchParams {
        let params = params.timeout(WATCH_SECONDS);
        self.label.map_or(params.clone(), |label| params.labels(label))
    }

    /// Lists and watches until it is dropped.
    pub(super) async fn keep(mut self) {
        loop {
            if let Err(failure) = self.turn().await {
                let wait = self.failed(failure).mul_f64(0.75 + 0.25 * fastrand::f64());
                match self.health.refused() {
                    Some(_) => self.stay_off(wait).await,
                    None => sleep(wait).await,
                }
            }
        }
    }

    /// Waits for another try, which comes sooner when another kind that was off can be watched again.
    async fn stay_off(&mut self, wait: Duration) {
        let tried = Instant::now();
        tokio::select! {
            () = sleep(wait) => {}
            // The sender lives as long as `self`.
            _ = self.back.changed() => {
                let apart = APART.saturating_mul(self.health.all.off()).mul_f64(fastrand::f64());
                sleep_until((Instant::now() + apart).max(tried + AGAIN)).await;
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Failure> {
        self.proven = false;
        let ended = match self.version.clone() {
            Some(version) => self.watch(&version).await,
            // What fails again and again may be a proxy that can't bear it.
            None if self.streams_lists && self.failures < STREAMED_TRIES => self.list_and_watch().await,
            None => self.list_in_pages_and_watch().await,
        };
        self.health.lost();
        ended
    }

    /// In one request: first what is stored, up to a bookmark, then what happens. Fifty thousand objects would take five hundred pages,
    /// one after the other.
    async fn list_and_watch(&mut self) -> Result<(), Failure> {
        self.sink.begin();
        let params = self.selecting(WatchParams::streaming_lists());
        // Of no version: as new as what is stored when the request comes in.
        let events = match timeout(WATCH_WITHIN, self.api.watch(&params, "")).await {
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 422) => {
                self.streams_lists = false;
                return self.list_in_pages_and_watch().await;
            }
            answer => answer.map_err(|_| Failure::late(WATCH_WITHIN))??,
        };
        let mut events = pin!(events);
        loop {
            let Ok(event) = timeout(MARK_WITHIN, events.next()).await else {
                // An API server that does not know this option sends the objects and no bookmark.
                self.streams_lists = false;
                return Err(Failure::Other("a list without an end".to_owned()));
            };
            let event = event.ok_or_else(|| Failure::Other("the list broke off".to_owned()))??;
            if let Some(version) = self.take_listed(event)? {
                self.listed(version);
                self.prove();
                return self.follow(events).await;
            }
        }
    }

    /// The version of the list, at its end.
    fn take_listed(&mut self, event: WatchEvent<T>) -> Result<Option<String>, Failure> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => self.sink.listed(object),
            WatchEvent::Deleted(object) => self.sink.delete(object),
            WatchEvent::Error(status) => return Err(Failure::from(*status)),
            WatchEvent::Bookmark(mark) if mark.metadata.annotations.contains_key(END_OF_LIST) => {
                return Ok(Some(mark.metadata.resource_version));
            }
            WatchEvent::Bookmark(_) => {}
        }
        Ok(None)
    }

    /// A list is complete.
    fn listed(&mut self, version: String) {
        self.sink.complete();
        self.version = Some(version);
        self.refusals = 0;
        self.health.open();
        self.sink.announce();
    }

    async fn list_in_pages_and_watch(&mut self) -> Result<(), Failure> {
        let version = self.list_in_pages().await?;
        self.listed(version.clone());
        self.watch(&version).await
    }

    /// Returns the version of the list. A list that breaks off counts for nothing.
    async fn list_in_pages(&mut self) -> Result<String, Failure> {
        self.sink.begin();
        let params = ListParams::default().limit(PAGE);
        let mut params = self.label.map_or(params.clone(), |label| params.labels(label));
        loop {
            let page = within(PAGE_WITHIN, self.api.list(&params)).await?;
            page.items.into_iter().for_each(|object| self.sink.listed(object));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => {
                    let version = page.metadata.resource_version.filter(|version| !version.is_empty());
                    return version.ok_or_else(|| Failure::Other("a list without a version".to_owned()));
                }
            }
        }
    }

    async fn watch(&mut self, version: &str) -> Result<(), Failure> {
        let params = self.selecting(WatchParams::default());
        let events = within(WATCH_WITHIN, self.api.watch(&params, version)).await?;
        self.follow(pin!(events)).await
    }

    async fn follow(
        &mut self,
        mut events: Pin<&mut impl Stream<Item = Result<WatchEvent<T>, kube::Error>>>,
    ) -> Result<(), Failure> {
        loop {
            let next = timeout(if self.proven { SILENCE } else { PROVEN_AFTER }, events.next()).await;
            let result = match next {
                Ok(Some(event)) => event.map_err(Failure::from).and_then(|event| self.take(event)),
                Ok(None) if self.proven => return Ok(()),
                Ok(None) => Err(Failure::Other("the watch ended at once".to_owned())),
                Err(_) if self.proven => Err(Failure::Other(format!("silent for {SILENCE:?}"))),
                Err(_) => {
                    self.prove();
                    Ok(())
                }
            };
            if result.is_err() {
                self.broken_streams += u32::from(!self.proven);
                return result;
            }
        }
    }

    /// The watch works: whatever went wrong before is over.
    fn prove(&mut self) {
        if !std::mem::replace(&mut self.proven, true) {
            (self.failures, self.refusals, self.broken_streams) = (0, 0, 0);
            self.health.open();
        }
    }

    fn take(&mut self, event: WatchEvent<T>) -> Result<(), Failure> {
        if let WatchEvent::Error(status) = event {
            return Err(Failure::from(*status));
        }
        // Before the object is passed on: whoever hears of it looks at once whether the cache is believed.
        self.prove();
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.reached(object.meta().resource_version.clone());
                self.sink.apply(object);
            }
            WatchEvent::Deleted(object) => {
                self.reached(object.meta().resource_version.clone());
                self.sink.delete(object);
            }
            WatchEvent::Bookmark(mark) => self.reached(Some(mark.metadata.resource_version)),
            WatchEvent::Error(_) => {}
        }
        Ok(())
    }

    fn reached(&mut self, version: Option<String>) {
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            self.version = Some(version);
        }
    }

    /// Counts a failure, and says how long to wait.
    fn failed(&mut self, failure: Failure) -> Duration {
        self.failures += 1;
        match failure {
            Failure::Refused(refused) => return self.refused(refused),
            Failure::Expired => {
                self.version = None;
                self.health.failed("the version to watch from is too old");
            }
            Failure::Other(error) => {
                self.health.failed(&error);
                if self.broken_streams >= BROKEN_STREAMS {
                    (self.broken_streams, self.version) = (0, None);
                }
            }
        }
        self.refusals = 0;
        self.back_off()
    }

    fn refused(&mut self, refused: Refused) -> Duration {
        self.refusals += 1;
        self.health.failed(&refused.to_string());
        if self.refusals < REFUSALS && self.health.refused().is_none() {
            return self.back_off();
        }
        self.version = None;
        self.health.refuse(refused);
        self.health.off_wait()
    }

    fn back_off(&self) -> Duration {
        FIRST_WAIT.saturating_mul(1 << (self.failures - 1).min(8)).min(LONGEST_WAIT)
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Failure> {
    let answer = timeout(limit, answer).await;
    answer.map_err(|_| Failure::late(limit))?.map_err(Failure::from)
}

impl Failure {
    fn late(limit: Duration) -> Self {
        Self::Other(format!("no answer within {limit:?}"))
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Failure::from(*status),
            error => Failure::Other(Chain(&error).to_string()),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code {
            410 => Failure::Expired,
            404 => Failure::Refused(Refused::Missing),
            403 => Failure::Refused(Refused::Forbidden),
            _ => Failure::Other(status.message),
        }
    }
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
