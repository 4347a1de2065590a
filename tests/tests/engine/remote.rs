//! A fake remote service: things that can be put and deleted by name, and orders that can't be placed twice without
//! being charged twice. It works in tasks of its own, so that a call it has got goes on when the caller dies.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use concierge_reconciler::engine::Failure;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// How the service treats one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treat {
    /// Takes it and says so.
    Well,
    /// Is not reached.
    NeverSent,
    /// Refuses it: 4xx.
    Refuse,
    /// Asks for patience: 429.
    Throttle,
    /// Refuses the credentials: 401.
    Unauthorised,
    /// Takes it; the answer gets lost.
    DropAfterCommit,
    /// Does not take it; the answer gets lost, or is a 5xx.
    DropBeforeCommit,
    /// Takes it after a while and says so.
    Slow,
    /// Takes it after a while and says nothing.
    Hang,
    /// Takes nothing and says nothing.
    HangForNothing,
    /// Takes it and says so, but lists it late.
    LateInList,
    /// Takes it and says nothing, and lists it late.
    HangLateInList,
}

impl Treat {
    pub(crate) const ALL: &[Treat] = &[
        Treat::Well,
        Treat::NeverSent,
        Treat::Refuse,
        Treat::Throttle,
        Treat::Unauthorised,
        Treat::DropAfterCommit,
        Treat::DropBeforeCommit,
        Treat::Slow,
        Treat::Hang,
        Treat::HangForNothing,
        Treat::LateInList,
        Treat::HangLateInList,
    ];

    fn commits(self) -> bool {
        use Treat::*;
        matches!(self, Well | DropAfterCommit | Slow | Hang | LateInList | HangLateInList)
    }

    fn takes(self) -> Duration {
        match self {
            Treat::Slow | Treat::Hang => Duration::from_secs(4),
            _ => Duration::ZERO,
        }
    }

    fn listed_after(self) -> Duration {
        match self {
            Treat::LateInList | Treat::HangLateInList => Duration::from_secs(45),
            _ => Duration::ZERO,
        }
    }

    fn answer(self, id: String) -> Option<Result<String, Failure>> {
        use Treat::*;
        Some(match self {
            Well | Slow | LateInList => Ok(id),
            NeverSent => Err(Failure::NeverSent("no connection".into())),
            Refuse => Err(Failure::Invalid("422: out of stock".into())),
            Throttle => {
                Err(Failure::Throttled { message: "429".into(), retry_after: Some(Duration::from_secs(30)) })
            }
            Unauthorised => Err(Failure::Auth("401".into())),
            DropAfterCommit | DropBeforeCommit => Err(Failure::Ambiguous("502".into())),
            Hang | HangForNothing | HangLateInList => return None,
        })
    }
}

/// An order that was placed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) at: Timestamp,
    pub(crate) cancelled: bool,
    listed_from: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) colour: String,
    /// The uid of the object that it belongs to.
    pub(crate) mark: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteChest {
    pub(crate) colour: String,
    pub(crate) size: i64,
    /// How many things are in it.
    pub(crate) things: usize,
    /// The uid of the object that it belongs to.
    pub(crate) mark: Option<String>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) chests: BTreeMap<String, RemoteChest>,
    /// Operations on chests that are forbidden.
    pub(crate) forbidden: BTreeSet<&'static str>,
    /// Whether nobody knows how to get at the chests.
    pub(crate) no_account: bool,
    /// How often each operation on chests arrived.
    pub(crate) calls: BTreeMap<&'static str, usize>,
    pub(crate) orders: Vec<Order>,
    pub(crate) things: BTreeMap<String, Thing>,
    /// By intent: how often its call arrived.
    pub(crate) sends: BTreeMap<String, usize>,
    /// Treatments of the next orders; well when there is none.
    pub(crate) treats: VecDeque<Treat>,
    /// How many orders there were at most at a time that were not cancelled.
    pub(crate) most_orders: usize,
    /// Whether what the answer to an order says is kept even if it is lost.
    pub(crate) kept: bool,
    /// How long it takes to take a handful out of a chest.
    pub(crate) emptying: Duration,
    /// When a chest was last looked at.
    pub(crate) looked: Option<Instant>,
    /// Whether it accepts things and does not show them.
    pub(crate) deaf: bool,
    /// Whether calls about things get no answer.
    pub(crate) silent: bool,
    /// Failures of the next calls about things.
    pub(crate) failures: VecDeque<Failure>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

pub(crate) struct Service {
    pub(crate) state: Mutex<State>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Service {
    pub(crate) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), now: Box::new(now) })
    }

    /// `POST /order`
    pub(crate) async fn order(self: &Arc<Self>, what: String, intent: String) -> Result<String, Failure> {
        let treat = self.state.lock().treats.pop_front().unwrap_or(Treat::Well);
        if treat != Treat::NeverSent {
            *self.state.lock().sends.entry(intent).or_default() += 1;
        }
        let (answer, answered) = oneshot::channel();
        let service = self.clone();
        tokio::spawn(async move {
            sleep(treat.takes()).await;
            let id = if treat.commits() { service.commit(what, treat) } else { String::new() };
            match treat.answer(id) {
                Some(result) => drop(answer.send(result)),
                None => answer.closed_by_caller().await,
            }
        });
        answered.await.unwrap_or_else(|_| Err(Failure::Ambiguous("reset".into())))
    }

    fn commit(&self, what: String, treat: Treat) -> String {
        let mut state = self.state.lock();
        let id = format!("ord-{}", state.orders.len() + 1);
        let listed_from = Instant::now() + treat.listed_after();
        let order = Order { id: id.clone(), what, at: (self.now)(), cancelled: false, listed_from };
        state.orders.push(order);
        let live = state.orders.iter().filter(|order| !order.cancelled).count();
        state.most_orders = state.most_orders.max(live);
        id
    }

    /// `GET /order`: late, as lists are.
    pub(crate) async fn orders(&self) -> Result<Vec<Order>, Failure> {
        let mut state = self.state.lock();
        state.reads += 1;
        let listed = |order: &&Order| order.listed_from <= Instant::now();
        Ok(state.orders.iter().filter(listed).cloned().collect())
    }

    /// `DELETE /order/id`
    pub(crate) async fn cancel(&self, id: &str) -> Result<(), Failure> {
        let mut state = self.state.lock();
        state.writes += 1;
        let order = state.orders.iter_mut().find(|order| order.id == id);
        order.map(|order| order.cancelled = true).ok_or(Failure::Invalid("404".into()))
    }

    /// `GET /thing/name`
    pub(crate) async fn thing(&self, name: &str) -> Result<Option<Thing>, Failure> {
        let silent = {
            let mut state = self.state.lock();
            state.reads += 1;
            state.silent
        };
        if silent {
            std::future::pending::<()>().await;
        }
        let mut state = self.state.lock();
        match state.failures.pop_front() {
            Some(failure) => Err(failure),
            None => Ok(state.things.get(name).cloned()),
        }
    }

    /// `PUT /thing/name`
    pub(crate) async fn put(&self, name: &str, thing: Thing) -> Result<(), Failure> {
        let mut state = self.state.lock();
        state.writes += 1;
        match state.failures.pop_front() {
            Some(failure) => Err(failure),
            None if state.deaf => Ok(()),
            None => {
                state.things.insert(name.to_owned(), thing);
                Ok(())
            }
        }
    }

    /// `DELETE /thing/name`
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Failure> {
        let mut state = self.state.lock();
        state.writes += 1;
        match state.failures.pop_front() {
            Some(failure) => Err(failure),
            None => {
                state.things.remove(name);
                Ok(())
            }
        }
    }
}

/// How many things a call takes out of a chest.
pub(crate) const HANDFUL: usize = 10;

impl Service {
    fn called(&self, operation: &'static str) -> Result<(), Failure> {
        let mut state = self.state.lock();
        *state.calls.entry(operation).or_default() += 1;
        match state.forbidden.contains(operation) {
            true => Err(Failure::Invalid(format!("{operation} was answered 403: AccessDenied"))),
            false => Ok(()),
        }
    }

    /// `GET /chest/name`
    pub(crate) async fn chest(&self, name: &str) -> Result<Option<RemoteChest>, Failure> {
        self.called("GET /chest")?;
        let mut state = self.state.lock();
        state.looked = Some(Instant::now());
        Ok(state.chests.get(name).cloned())
    }

    /// Changes the chest, which is made if it is not there.
    pub(crate) async fn change(
        &self,
        operation: &'static str,
        name: &str,
        change: impl FnOnce(&mut RemoteChest),
    ) -> Result<(), Failure> {
        self.called(operation)?;
        change(self.state.lock().chests.entry(name.to_owned()).or_default());
        Ok(())
    }

    /// Takes a handful out; how many things are left.
    pub(crate) async fn empty(&self, name: &str) -> Result<usize, Failure> {
        self.called("POST /empty")?;
        let emptying = self.state.lock().emptying;
        sleep(emptying).await;
        let mut state = self.state.lock();
        let Some(chest) = state.chests.get_mut(name) else { return Ok(0) };
        chest.things = chest.things.saturating_sub(HANDFUL);
        Ok(chest.things)
    }

    /// `DELETE /chest/name`
    pub(crate) async fn throw_away(&self, name: &str) -> Result<(), Failure> {
        self.called("DELETE /chest")?;
        let mut state = self.state.lock();
        if state.chests.get(name).is_some_and(|chest| chest.things > 0) {
            return Err(Failure::Conflict("409: not empty".into()));
        }
        state.chests.remove(name);
        Ok(())
    }
}

trait ClosedByCaller {
    async fn closed_by_caller(self);
}

impl<T> ClosedByCaller for oneshot::Sender<T> {
    async fn closed_by_caller(mut self) {
        self.closed().await;
    }
}
