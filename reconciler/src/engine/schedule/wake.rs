//! Which objects are queued when an object changes. A write of our own status wakes only those who depend on it.

use std::{collections::HashMap, sync::Arc};

use concierge_shared::{
    admission::{
        lookup::Found,
        reference::{referrers_key, weak_referrers_key},
    },
    index::Stored,
    kind::KINDS,
};

use crate::engine::{
    cluster::objects::{ObjectKey, WakeDigest},
    kinds::{KindRunner, owners},
    schedule::queue::Lane,
    shared::Shared,
};

/// What each object looked like when it was last seen.
#[derive(Default)]
pub(crate) struct Seen(HashMap<ObjectKey, (Stored, WakeDigest)>);

/// The reconcilers by kind.
pub(crate) type Runners = HashMap<&'static str, Arc<dyn KindRunner>>;

impl Seen {
    /// Queues every object, and takes all as seen.
    pub(crate) fn all(&mut self, shared: &Shared) {
        let gone: Vec<_> = std::mem::take(&mut self.0).into_keys().collect();
        for (reader, object) in shared.all() {
            let digest = reader.wake_digest(&object);
            self.0.insert(ObjectKey::from(&object), (object, digest));
        }
        for key in gone.iter().filter(|key| !self.0.contains_key(key)) {
            forget(shared, key);
        }
        self.0.keys().for_each(|key| shared.queue.add_in(Lane::Clock, key.clone()));
    }

    /// Queues whoever is to be looked at because `key` has changed.
    pub(crate) fn changed(&mut self, shared: &Arc<Shared>, runners: &Runners, key: &ObjectKey) {
        let (Some(reader), Some(runner)) = (shared.kinds.get(key.kind), runners.get(key.kind)) else {
            return wake_referrers(shared, key);
        };
        match shared.objects.find(key.kind, &key.namespace, &key.name) {
            Found::Present(object) => {
                let digest = reader.wake_digest(&object);
                let old = self.0.insert(key.clone(), (object.clone(), digest));
                let before = old.as_ref().map(|(_, digest)| *digest);
                let versions: Vec<_> = old.iter().map(|(old, _)| old).chain([&object]).collect();
                let is_news = !shared.newer.caught_up(key, &object);
                if is_news && before.is_none_or(|before| before.own != digest.own) {
                    // What nobody has looked at yet may be one of thousands that were created together.
                    let lane = if reader.has_status(&object) { Lane::Edit } else { Lane::Change };
                    shared.queue.add_in(lane, key.clone());
                    runner.wakes(shared, &versions).into_iter().for_each(|other| wake(shared, other));
                }
                if before.is_none_or(|before| before.outward != digest.outward) {
                    wake_referrers(shared, key);
                    versions.iter().for_each(|version| wake_selectors(shared, version));
                    runner.onlookers(shared, &versions).into_iter().for_each(|other| wake(shared, other));
                    owners(shared, &object).into_iter().for_each(|owner| wake(shared, owner));
                }
            }
            Found::Absent => {
                if let Some((old, _)) = self.0.remove(key) {
                    let others =
                        runner.wakes(shared, &[&old]).into_iter().chain(runner.onlookers(shared, &[&old]));
                    others.for_each(|other| wake(shared, other));
                    wake_selectors(shared, &old);
                }
                wake_referrers(shared, key);
                forget(shared, key);
            }
            // The cache can't be believed now. Once it can, everything is listed again.
            Found::Unknown => {}
        }
    }

    /// So much has changed that it was not told one by one: whatever is not as it was seen has changed.
    pub(crate) fn catch_up(&mut self, shared: &Arc<Shared>, runners: &Runners) {
        let is_known =
            |object: &Stored, key: &ObjectKey| self.0.get(key).is_some_and(|(seen, _)| seen.is(object));
        let all = shared.all().map(|(_, object)| (ObjectKey::from(&object), object));
        let mut changed: Vec<_> =
            all.filter(|(key, object)| !is_known(object, key)).map(|(key, _)| key).collect();
        changed.extend(self.0.keys().filter(|key| shared.find(key).is_none()).cloned());
        // These are not reconciled, and nobody knows how they were.
        let others = KINDS.iter().filter(|kind| !shared.kinds.contains_key(kind.name));
        let others = others.flat_map(|kind| shared.objects.all(kind.name));
        changed.extend(others.map(|object| ObjectKey::from(&object)));
        changed.iter().for_each(|key| self.changed(shared, runners, key));
    }

    /// Forgets everything, without waking anybody.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

fn wake(shared: &Shared, key: ObjectKey) {
    if shared.kinds.contains_key(key.kind) {
        shared.queue.add(key);
    }
}

fn wake_referrers(shared: &Shared, key: &ObjectKey) {
    let strong = referrers_key(key.kind, &key.namespace, &key.name);
    let weak = weak_referrers_key(key.kind, &key.namespace, &key.name);
    for kind in shared.kinds.keys() {
        for index in [&strong, &weak] {
            let referrers = shared.objects.select(kind, index).objects;
            referrers.iter().for_each(|referrer| shared.queue.add(ObjectKey::from(referrer)));
        }
    }
}

/// Queues the objects that select `object` by its labels.
fn wake_selectors(shared: &Shared, object: &Stored) {
    for (kind, reader) in shared.kinds.iter().filter(|(_, reader)| reader.selects() == Some(object.kind())) {
        let selectors = object.keys().flat_map(|key| shared.objects.select(kind, key).objects);
        let selecting = selectors.filter(|selector| reader.is_selected(selector, object.meta()));
        selecting.for_each(|selector| shared.queue.add(ObjectKey::from(&selector)));
    }
}

fn forget(shared: &Shared, key: &ObjectKey) {
    shared.back_off.reset(key);
    shared.newer.forget(key);
    shared.unwritten.written(key);
    shared.calls.release(key);
    shared.accounts.forget(key);
}
