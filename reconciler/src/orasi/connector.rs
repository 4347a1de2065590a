//! A connector, and how many pipelines use it.

use concierge_shared::{
    admission::reference::referrers_key,
    kind::Kind,
    orasi::{Connector, ConnectorStatus, Pipeline},
};

use super::{
    reach::{Observed, Reach, Reachable},
    target::{Target, of_connector},
};
use crate::{
    common::standing::{last_look, trouble},
    engine::{Context, Failure},
};

pub(super) type ConnectorReconciler = Reach<Connector>;

impl Reachable for Connector {
    fn target(&self) -> Target<'_> {
        of_connector(&self.spec)
    }

    fn users(&self, ctx: &Context) -> Result<Option<usize>, Failure> {
        let key = ctx.key();
        ctx.count(Pipeline::NAME, &referrers_key(Self::NAME, &key.namespace, &key.name)).map(Some)
    }

    fn report(&self, observed: &Observed, status: &mut ConnectorStatus) {
        let pipelines = observed.users.and_then(|users| i64::try_from(users).ok());
        let changed = status.pipelines != pipelines;
        status.pipelines = pipelines;
        if let Some(at) = observed.looked.at {
            last_look(&mut status.last_check_time, at, changed);
        }
    }

    fn conclude(status: &mut ConnectorStatus) {
        status.message = trouble(status);
    }
}
