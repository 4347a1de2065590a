//! Whatever interrupts the making of something at the service, there is one and it is ours.

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::{
    faults::Fault,
    simulation::{MINUTE, ProcessOptions, Simulated},
};

use crate::{users::shop, world::World};

/// A kind of which an object is made by one call.
pub(crate) struct Making {
    pub(crate) kind: &'static str,
    pub(crate) operation: &'static str,
    /// Where the status has the id that the service gives.
    pub(crate) field: &'static str,
    pub(crate) put: fn(&World) -> ObjectKey,
    /// The id of the only one at the service; none when there is none.
    pub(crate) id: fn(&World) -> Option<String>,
}

impl Making {
    /// At every point, with each of the faults.
    pub(crate) async fn is_interrupted_everywhere(&self) {
        let faults = [None, Some(Fault::DropBefore), Some(Fault::DropAfter), Some(Fault::StatusAfter(500))];
        for fault in &faults {
            self.is_interrupted(CrashPoint::ALL.iter(), fault.as_ref()).await;
        }
    }

    /// The process dies at each of these points, where the call has this fault: another one ends with one that is ours.
    pub(crate) async fn is_interrupted(
        &self,
        points: impl Iterator<Item = &'static CrashPoint>,
        fault: Option<&Fault>,
    ) {
        for point in points {
            let context = format!("{point:?}, {fault:?}");
            let world = shop();
            if let Some(fault) = fault {
                world.store.faults().once(self.operation, fault.clone());
            }
            let key = (self.put)(&world);
            let options =
                ProcessOptions { crash_at: Some((*point, 1)), with: Some(self.kind), ..Default::default() };
            let first = world.start("first", options);
            let mut interrupted = first.interrupted.clone();
            let _ = tokio::time::timeout(10 * MINUTE, interrupted.wait_for(|interrupted| *interrupted)).await;
            drop(first);
            let _second = world.healthy();
            world
                .until(&context, 60 * MINUTE, |world| world.server.is_ready(&key) && world.is_synced(&key))
                .await;
            let status = world.server.status(&key);
            let id = (self.id)(&world);
            assert!(id.is_some(), "{context}: nothing was made");
            assert_eq!(status[self.field].as_str(), id.as_deref(), "{context}");
            assert!(status["intent"].is_null(), "{context}: {status:#}");
            world.server.user_deletes(&key);
            world.until_gone(&key).await;
            assert_eq!((self.id)(&world), None, "{context}");
        }
    }
}
