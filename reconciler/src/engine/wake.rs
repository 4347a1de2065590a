//! Who is to be looked at when an object changes. A write of our own status wakes nobody who does not depend on it.

use std::{collections::HashMap, sync::Arc};

use concierge_shared::{
    admission::{
        lookup::Found,
        reference::{referrers_key, weak_referrers_key},
    },
    index::Stored,
};

use super::{driver::Face, hub::Hub, key::ObjectKey};

/// What each object looked like when it was last seen.
#[derive(Default)]
pub(crate) struct Seen(HashMap<ObjectKey, (Stored, Face)>);

impl Seen {
    /// Queues every object, and takes all as seen.
    pub(crate) fn all(&mut self, hub: &Hub) {
        let gone: Vec<_> = std::mem::take(&mut self.0).into_keys().collect();
        for (driver, object) in hub.all() {
            let face = driver.face(&object);
            self.0.insert(ObjectKey::from(&object), (object, face));
        }
        for key in gone.iter().filter(|key| !self.0.contains_key(key)) {
            forget(hub, key);
        }
        self.0.keys().for_each(|key| hub.queue.add(key.clone()));
    }

    /// Queues whoever is to be looked at because `key` has changed.
    pub(crate) fn changed(&mut self, hub: &Arc<Hub>, key: &ObjectKey) {
        let Some(driver) = hub.kinds.get(key.kind) else {
            return wake_referrers(hub, key);
        };
        match hub.objects.find(key.kind, &key.namespace, &key.name) {
            Found::Present(object) => {
                let face = driver.face(&object);
                let old = self.0.insert(key.clone(), (object.clone(), face));
                let before = old.as_ref().map(|(_, face)| *face);
                let is_news = !hub.latest.is_ours(key, &object);
                if is_news && before.is_none_or(|before| before.own != face.own) {
                    hub.queue.add(key.clone());
                    let others = old.iter().map(|(old, _)| old).chain([&object]);
                    others.flat_map(|object| driver.wakes(hub, object)).for_each(|other| wake(hub, other));
                }
                if before.is_none_or(|before| before.outward != face.outward) {
                    wake_referrers(hub, key);
                }
            }
            Found::Absent => {
                let old = self.0.remove(key);
                old.iter().flat_map(|(old, _)| driver.wakes(hub, old)).for_each(|other| wake(hub, other));
                wake_referrers(hub, key);
                forget(hub, key);
            }
            // The cache is not to be believed now; when it is again, everything is listed anew.
            Found::Unknown => {}
        }
    }

    /// Forgets everything, without waking anybody.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

fn wake(hub: &Hub, key: ObjectKey) {
    if hub.kinds.contains_key(key.kind) {
        hub.queue.add(key);
    }
}

fn wake_referrers(hub: &Hub, key: &ObjectKey) {
    let strong = referrers_key(key.kind, &key.namespace, &key.name);
    let weak = weak_referrers_key(key.kind, &key.namespace, &key.name);
    for kind in hub.kinds.keys() {
        for index in [&strong, &weak] {
            let referrers = hub.objects.select(kind, index).objects;
            referrers.iter().for_each(|referrer| hub.queue.add(ObjectKey::from(referrer)));
        }
    }
}

fn forget(hub: &Hub, key: &ObjectKey) {
    hub.back_off.reset(key);
    hub.latest.forget(key);
    hub.calls.release(key);
}
