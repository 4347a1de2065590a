//! The stored objects that are not of their kind's form.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;

/// How many are remembered.
const MOST: usize = 100;

/// A stored object that is not of its kind's form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unreadable {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// What is wrong with it.
    pub error: String,
}

/// All of them; of very many, some.
#[derive(Default)]
pub(super) struct AllUnreadable(Mutex<Vec<Unreadable>>);

impl AllUnreadable {
    pub(super) fn get(&self) -> Vec<Unreadable> {
        self.0.lock().clone()
    }

    /// Forgets those of `kind` in `namespace`, or in all: they are listed anew.
    pub(super) fn begin(&self, kind: &'static str, namespace: Option<&str>) {
        let in_scope = |one: &Unreadable| namespace.is_none_or(|namespace| one.namespace == namespace);
        self.0.lock().retain(|one| one.kind != kind || !in_scope(one));
    }

    /// Remembers what is wrong with an object, or that nothing is any more.
    pub(super) fn note(&self, kind: &'static str, meta: &ObjectMeta, error: Option<&str>) {
        let mut all = self.0.lock();
        if all.is_empty() && error.is_none() {
            return;
        }
        let (namespace, name) = super::key(meta);
        all.retain(|one| one.kind != kind || one.namespace != namespace || one.name != name);
        if let Some(error) = error.filter(|_| all.len() < MOST) {
            let uid = meta.uid.clone().unwrap_or_default();
            all.push(Unreadable { kind, namespace, name, uid, error: error.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(namespace: &str, name: &str) -> ObjectMeta {
        let text = |text: &str| Some(text.to_owned());
        ObjectMeta { namespace: text(namespace), name: text(name), uid: text("uid"), ..ObjectMeta::default() }
    }

    #[test]
    fn an_object_is_forgotten_when_it_can_be_read_or_is_listed_anew() {
        let all = AllUnreadable::default();
        let names = || all.get().into_iter().map(|one| one.name).collect::<Vec<_>>();
        all.note("Pet", &meta("a", "rex"), Some("no id"));
        all.note("Pet", &meta("a", "rex"), Some("no name"));
        all.note("Pet", &meta("b", "tom"), Some("no id"));
        all.note("Store", &meta("a", "shop"), Some("no url"));
        assert_eq!(
            (names(), all.get()[0].error.as_str()),
            (vec!["rex".into(), "tom".into(), "shop".into()], "no name")
        );
        all.note("Pet", &meta("a", "rex"), None);
        assert_eq!(names(), ["tom", "shop"]);
        all.begin("Pet", Some("a"));
        assert_eq!(names(), ["tom", "shop"]);
        all.begin("Pet", None);
        assert_eq!(names(), ["shop"]);
        (0..2 * MOST).for_each(|n| all.note("Pet", &meta("a", &n.to_string()), Some("no id")));
        assert_eq!(all.get().len(), MOST);
    }
}
