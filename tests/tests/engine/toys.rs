//! Two toy kinds: a Toy, which is put by name as often as one likes, and a Ticket, which is ordered once.

use std::{fmt, sync::Arc};

use concierge_reconciler::engine::{
    Account, Checks, Context, Deletion, DeletionPolicy, Drift, Effect, Failure, Guard, IfFound, IfNotFound,
    Once, Outcome, Owner, Plan, Reconcile, UnknownPolicy,
};
use concierge_shared::{
    admission::{
        claim::Claim,
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
    },
    field::at,
    kind::Kind,
    rules, status,
    status::{ConditionReason, Conditions, intent::Intent},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::remote::{Service, Thing};

/// A toy.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "toys.example.com", version = "v1", kind = "Toy", namespaced, status = "ToyStatus")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToySpec {
    pub(crate) colour: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inside: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retain: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
    /// After how many minutes it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minutes: Option<i64>,
}

status! {
    pub(crate) struct ToyStatus() {
        pub(crate) phase: Option<String>,
        pub(crate) colour: Option<String>,
    }
}

rules! {
    COLOUR = Deny "toys.toy.colour", "A toy is not plaid.";
    INSIDE = Deny "toys.toy.inside", "What a toy is inside of exists.";
    KEY = Deny "toys.toy.key", "No two toys have the same key.";
    IN_USE = Deny "toys.toy.in-use", "A toy is deleted after what is inside of it.";
}

impl Kind for Toy {
    const NAME: &'static str = "Toy";
    const RULES: &'static [&'static concierge_shared::admission::rule::AdmissionRule] = RULES;
    const IN_USE: Option<&'static concierge_shared::admission::rule::AdmissionRule> = Some(&IN_USE);
    const IMPLIED_REFERRERS: bool = true;

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        if review.object.spec.colour == "plaid" {
            problems.add(&COLOUR, Cause::NotSupported, "spec.colour", "is plaid; choose another");
        }
    }

    fn references(&self) -> Vec<Reference> {
        let inside = self.spec.inside.iter().map(|name| Reference {
            field: at("spec.inside"),
            kind: Toy::NAME,
            namespace: None,
            name: name.clone(),
            rule: &INSIDE,
            protects: true,
            implied: false,
        });
        inside.collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let key = self.spec.key.map(|key| Claim {
            field: at("spec.key"),
            rule: &KEY,
            key: key.to_string(),
            taken: None,
        });
        key.into_iter().collect()
    }
}

/// Makes toys real.
pub(crate) struct Toys(pub(crate) Arc<Service>);

/// What is done about a toy.
pub(crate) enum ToyStep {
    Put { colour: String },
    Delete,
}

impl fmt::Display for ToyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToyStep::Put { colour } => write!(f, "paint it {colour}"),
            ToyStep::Delete => f.write_str("throw it away"),
        }
    }
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

impl Reconcile for Toys {
    type Kind = Toy;
    type Remote = Arc<Service>;
    type Observed = Option<Thing>;
    type Step = ToyStep;
    const NEEDS_SECRETS: bool = true;
    const LEGACY_FINALIZERS: &'static [&'static str] = &["old.example.com/toys"];
    const LEGACY_ANNOTATIONS: &'static [&'static str] = &["old.example.com/"];

    async fn connect(&self, ctx: &Context, toy: &Toy) -> Result<(Account, Arc<Service>), Failure> {
        if let Some(secret) = &toy.spec.secret {
            ctx.secret("default", secret).await?.text("token")?;
        }
        Ok((Account::new("toys", "all"), self.0.clone()))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Arc<Service>,
        toy: &Toy,
    ) -> Result<Option<Thing>, Failure> {
        ctx.read("GET /thing", remote.thing(&name(&toy.metadata))).await
    }

    fn owner(&self, toy: &Toy, observed: &Option<Thing>) -> Owner {
        match observed {
            None => Owner::Nobody,
            Some(thing) if thing.mark == toy.metadata.uid => Owner::Ours,
            Some(thing) => Owner::Other(thing.mark.clone().unwrap_or("nobody's mark".into())),
        }
    }

    fn plan(&self, toy: &Toy, observed: &Option<Thing>, _: Timestamp) -> Plan<ToyStep> {
        let put = || ToyStep::Put { colour: toy.spec.colour.clone() };
        match observed {
            None => Plan::not_ready(ConditionReason::Reconciling, "not there yet").step(put()),
            Some(thing) if thing.colour != toy.spec.colour => {
                let drift = Drift::new("spec.colour", &thing.colour, &toy.spec.colour);
                Plan::ready().correct(put(), [drift])
            }
            Some(thing) if thing.mark != toy.metadata.uid => Plan::ready().step(put()),
            Some(_) => Plan::ready(),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Arc<Service>,
        toy: &Toy,
        step: &ToyStep,
    ) -> Result<Outcome, Failure> {
        let name = name(&toy.metadata);
        match step {
            ToyStep::Put { colour } => {
                let thing = Thing { colour: colour.clone(), mark: toy.metadata.uid.clone() };
                guard.write("PUT /thing", remote.put(&name, thing)).await?;
                Ok(Outcome::new(ConditionReason::Updated, format!("painted {colour}")))
            }
            ToyStep::Delete => {
                guard.write("DELETE /thing", remote.delete(&name)).await?;
                Ok(Outcome::new(ConditionReason::Deleted, "thrown away"))
            }
        }
    }

    fn plan_deletion(&self, _: &Toy, observed: &Option<Thing>, _: Timestamp) -> Deletion<ToyStep> {
        match observed {
            None => Deletion::Gone,
            Some(_) => Deletion::steps([ToyStep::Delete]),
        }
    }

    fn ends_at(&self, toy: &Toy) -> Option<Timestamp> {
        let made = toy.metadata.creation_timestamp.as_ref()?.0;
        made.checked_add(SignedDuration::from_mins(toy.spec.minutes?)).ok()
    }

    fn deletion_policy(&self, _: &Context, toy: &Toy) -> DeletionPolicy {
        if toy.spec.retain == Some(true) { DeletionPolicy::Retain } else { DeletionPolicy::Delete }
    }

    fn report(&self, _: &Toy, observed: &Option<Thing>, status: &mut ToyStatus) {
        status.colour = observed.as_ref().map(|thing| thing.colour.clone());
    }

    fn phase(&self, _: &Toy, _: &Checks, status: &mut ToyStatus) {
        status.phase = Some(if status.is_true("Ready") { "Fine" } else { "Waiting" }.to_owned());
    }

    fn secrets(&self, toy: &Toy) -> Vec<(String, String)> {
        toy.spec.secret.iter().map(|name| ("default".to_owned(), name.clone())).collect()
    }
}

/// A ticket.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "toys.example.com", version = "v1", kind = "Ticket", namespaced, status = "TicketStatus")]
pub(crate) struct TicketSpec {
    pub(crate) what: String,
    #[serde(default)]
    pub(crate) free: bool,
    /// With another text it is ordered anew, and the order before is cancelled then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) renewal: Option<String>,
}

status! {
    pub(crate) struct TicketStatus(intent) {
        pub(crate) order_id: Option<String>,
        pub(crate) previous_id: Option<String>,
        pub(crate) renewed: Option<String>,
    }
}

impl Kind for Ticket {
    const NAME: &'static str = "Ticket";
    const RULES: &'static [&'static concierge_shared::admission::rule::AdmissionRule] = &[];

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(_: &Review<'_, Self>, _: &mut Problems) {}
}

/// Makes tickets real.
pub(crate) struct Tickets(pub(crate) Arc<Service>);

/// What is done about a ticket.
pub(crate) enum TicketStep {
    Order,
    Cancel(String),
}

impl fmt::Display for TicketStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TicketStep::Order => f.write_str("order it"),
            TicketStep::Cancel(id) => write!(f, "cancel {id}"),
        }
    }
}

/// What is ordered, and for which renewal.
fn wanted(ticket: &Ticket) -> String {
    let TicketSpec { what, renewal, .. } = &ticket.spec;
    renewal.as_ref().map_or_else(|| what.clone(), |renewal| format!("{what}#{renewal}"))
}

/// The orders of a ticket that are listed.
pub(crate) struct Orders {
    same: Vec<String>,
    cancelled: Vec<String>,
}

impl Reconcile for Tickets {
    type Kind = Ticket;
    type Remote = Arc<Service>;
    type Observed = Orders;
    type Step = TicketStep;

    async fn connect(&self, _: &Context, _: &Ticket) -> Result<(Account, Arc<Service>), Failure> {
        Ok((Account::new("tickets", "all"), self.0.clone()))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Arc<Service>,
        ticket: &Ticket,
    ) -> Result<Orders, Failure> {
        let orders = ctx.read("GET /order", remote.orders()).await?;
        let ids = |wanted: &dyn Fn(&crate::remote::Order) -> bool| {
            orders.iter().filter(|order| wanted(order)).map(|order| order.id.clone()).collect()
        };
        Ok(Orders {
            same: ids(&|order| order.what == wanted(ticket)),
            cancelled: ids(&|order| order.cancelled),
        })
    }

    fn plan(&self, ticket: &Ticket, orders: &Orders, _: Timestamp) -> Plan<TicketStep> {
        let status = ticket.status.clone().unwrap_or_default();
        let operation = if ticket.spec.free { "POST /free" } else { "POST /order" };
        let once = Once { operation, fingerprint: wanted(ticket), before: orders.same.clone() };
        match (&status.order_id, &status.previous_id) {
            (None, _) => {
                Plan::not_ready(ConditionReason::Reconciling, "not ordered yet").once(TicketStep::Order, once)
            }
            // One slot has to be free before another is ordered.
            (Some(_), Some(previous)) if !orders.cancelled.contains(previous) => {
                Plan::ready().step(TicketStep::Cancel(previous.clone()))
            }
            (Some(_), _) if status.renewed != ticket.spec.renewal => {
                Plan::ready().once(TicketStep::Order, once)
            }
            _ => Plan::ready(),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Arc<Service>,
        ticket: &Ticket,
        step: &TicketStep,
    ) -> Result<Outcome, Failure> {
        match step {
            TicketStep::Order => {
                let intent = ticket.status.as_ref().and_then(|status| status.intent.clone()).unwrap();
                let call = remote.order(wanted(ticket), intent.id);
                let id = guard.write("POST /order", call).await?;
                Ok(Outcome::made(id, "ordered"))
            }
            TicketStep::Cancel(id) => {
                guard.write("DELETE /order", remote.cancel(id)).await?;
                Ok(Outcome::new(ConditionReason::Deleted, "cancelled"))
            }
        }
    }

    fn plan_deletion(&self, ticket: &Ticket, orders: &Orders, _: Timestamp) -> Deletion<TicketStep> {
        let recorded = ticket.status.as_ref().map(|status| self.recorded(status)).unwrap_or_default();
        let left: Vec<_> = recorded.into_iter().filter(|id| !orders.cancelled.contains(id)).collect();
        match left.is_empty() {
            true => Deletion::Gone,
            false => Deletion::steps(left.into_iter().map(TicketStep::Cancel)),
        }
    }

    fn report(&self, _: &Ticket, orders: &Orders, status: &mut TicketStatus) {
        status.previous_id = status.previous_id.take().filter(|id| !orders.cancelled.contains(id));
    }

    fn record(&self, intent: &Intent, id: &str, status: &mut TicketStatus) {
        status.previous_id = status.order_id.replace(id.to_owned());
        status.renewed = intent.fingerprint.split_once('#').map(|(_, renewal)| renewal.to_owned());
    }

    fn recorded(&self, status: &TicketStatus) -> Vec<String> {
        status.order_id.iter().chain(&status.previous_id).cloned().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        remote: &Arc<Service>,
        _: &Ticket,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        let orders = ctx.read("GET /order", remote.orders()).await?;
        let kept = remote.state.lock().kept;
        let effect = |order: crate::remote::Order| Effect {
            kept,
            id: order.id,
            fingerprint: order.what,
            at: Some(order.at),
            certain: true,
        };
        Ok(orders.into_iter().filter(|order| !order.cancelled).map(effect).collect())
    }

    async fn discard(
        &self,
        guard: &Guard,
        remote: &Arc<Service>,
        _: &Ticket,
        _: &Intent,
        id: &str,
    ) -> Result<(), Failure> {
        guard.write("DELETE /order", remote.cancel(id)).await
    }

    fn unknown_policy(&self, operation: &str) -> UnknownPolicy {
        match operation {
            "POST /free" => {
                UnknownPolicy { looks: 2, if_not_found: IfNotFound::Retry, if_found: IfFound::Discard }
            }
            _ => UnknownPolicy { looks: 2, if_not_found: IfNotFound::Hold, if_found: IfFound::Adopt },
        }
    }
}
