//! Clients that are made with the credentials in Secrets, kept as long as these stay the same.
//!
//! Making a client can be costly, and its connections are worth keeping. Secrets are not watched. Each is read when somebody has changed the
//! object that is reconciled, and otherwise once in some seconds for all objects of an account: a thousand that wait for a place there read
//! it no more often than one.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engine::{Context, Failure, ObjectKey, Secret, digest};

/// How long a Secret is believed not to have changed.
const FRESH: Duration = Duration::from_secs(5);
/// A client that was not asked for in this time is forgotten when others are made.
const UNUSED: Duration = Duration::from_secs(600);
/// How many clients are kept at most: users name the accounts. Beyond it, the one that was used longest ago goes.
const MOST: usize = 1000;

/// The clients of all accounts of one kind of provider.
pub(crate) struct Clients<C>(Mutex<HashMap<ObjectKey, Known<C>>>);

struct Known<C> {
    client: C,
    /// A digest of where the service is and how it is to be used.
    settings: u64,
    /// A digest of the credentials.
    credentials: u64,
    read: Instant,
}

impl<C> Default for Clients<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Clone> Clients<C> {
    /// The client of the account that `provider` stands for. It is made by `make` with the Secrets `names` of the provider's namespace, anew
    /// when what they hold or anything in `settings` has changed.
    ///
    /// # Errors
    /// When there is no such Secret, or it may not be read; what `make` returns.
    pub(crate) async fn get(
        &self,
        ctx: &Context,
        provider: &ObjectKey,
        names: &[&str],
        settings: impl Hash,
        make: impl FnOnce(&Secrets) -> Result<C, Failure>,
    ) -> Result<C, Failure> {
        let settings = digest((names, settings));
        if let Some(client) = self.fresh(provider, settings).filter(|_| !ctx.is_edited()) {
            return Ok(client);
        }
        let read = Instant::now();
        let made = match Secrets::read(ctx, &provider.namespace, names).await {
            Ok(secrets) => self.made_with(provider, settings, &secrets, read, make),
            Err(failure) => Err(failure),
        };
        if made.is_err() {
            self.0.lock().remove(provider);
        }
        made
    }

    fn fresh(&self, provider: &ObjectKey, settings: u64) -> Option<C> {
        let all = self.0.lock();
        let known = all.get(provider)?;
        (known.settings == settings && known.read.elapsed() < FRESH).then(|| known.client.clone())
    }

    fn made_with(
        &self,
        provider: &ObjectKey,
        settings: u64,
        secrets: &Secrets,
        read: Instant,
        make: impl FnOnce(&Secrets) -> Result<C, Failure>,
    ) -> Result<C, Failure> {
        let credentials = secrets.digest();
        if let Some(known) = self.0.lock().get_mut(provider)
            && (known.settings, known.credentials) == (settings, credentials)
        {
            known.read = known.read.max(read);
            return Ok(known.client.clone());
        }
        let client = make(secrets)?;
        let mut all = self.0.lock();
        // What another run has read since is newer.
        if all.get(provider).is_none_or(|known| known.read <= read) {
            make_room(&mut all);
            all.insert(provider.clone(), Known { client: client.clone(), settings, credentials, read });
        }
        Ok(client)
    }
}

/// The Secrets of one provider, by their names.
pub(crate) struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    async fn read(ctx: &Context, namespace: &str, names: &[&str]) -> Result<Self, Failure> {
        let mut all = BTreeMap::new();
        for name in names {
            if !all.contains_key(*name) {
                all.insert((*name).to_owned(), ctx.secret(namespace, name).await?);
            }
        }
        Ok(Self(all))
    }

    /// The Secret of this name, which is one of those that were asked for.
    pub(crate) fn of(&self, name: &str) -> Result<&Secret, Failure> {
        let missing = || Failure::DependencyMissing(format!("Secret {name} does not exist; create it"));
        self.0.get(name).ok_or_else(missing)
    }

    fn digest(&self) -> u64 {
        let all: Vec<_> = self.0.iter().map(|(name, secret)| (name, secret.all())).collect();
        digest(all)
    }
}

fn make_room<C>(all: &mut HashMap<ObjectKey, Known<C>>) {
    if all.len() < MOST {
        return;
    }
    all.retain(|_, known| known.read.elapsed() < UNUSED);
    let oldest = all.iter().min_by_key(|(_, known)| known.read).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest.filter(|_| all.len() >= MOST) {
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: [&str; 2]) -> Secrets {
        let read =
            |value| Secret::read("default/login".into(), &json!({ "data": { "token": value } })).unwrap();
        Secrets(["login", "authority"].into_iter().map(str::to_owned).zip(values.map(read)).collect())
    }

    fn provider(name: &str) -> ObjectKey {
        ObjectKey::new("Provider", "default", name)
    }

    fn made(clients: &Clients<u32>, name: &str, settings: u64, token: &str, next: u32) -> u32 {
        made_with(clients, name, settings, [token, "Y2E="], next)
    }

    fn made_with(clients: &Clients<u32>, name: &str, settings: u64, values: [&str; 2], next: u32) -> u32 {
        clients.made_with(&provider(name), settings, &secrets(values), Instant::now(), |_| Ok(next)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_made_anew_when_its_secret_or_its_settings_change() {
        let clients = Clients::default();
        assert_eq!(made(&clients, "a", 1, "b25l", 1), 1);
        assert_eq!(made(&clients, "a", 1, "b25l", 2), 1);
        assert_eq!(made(&clients, "a", 1, "dHdv", 3), 3);
        assert_eq!(made(&clients, "a", 2, "dHdv", 4), 4);
        assert_eq!(made(&clients, "b", 2, "dHdv", 5), 5, "another account has its own");
        assert_eq!(made_with(&clients, "b", 2, ["dHdv", "bmV3"], 6), 6, "any of its Secrets");
        assert_eq!(made_with(&clients, "b", 2, ["dHdv", "bmV3"], 7), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_is_read_again_after_seconds() {
        let clients = Clients::default();
        made(&clients, "a", 1, "b25l", 1);
        assert_eq!(clients.fresh(&provider("a"), 1), Some(1));
        assert_eq!(clients.fresh(&provider("a"), 2), None);
        tokio::time::advance(FRESH).await;
        assert_eq!(clients.fresh(&provider("a"), 1), None);
        made(&clients, "a", 1, "b25l", 2);
        assert_eq!(clients.fresh(&provider("a"), 1), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_than_so_many_and_those_in_use_stay() {
        let clients = Clients::default();
        for n in 0..3 * MOST {
            tokio::time::advance(Duration::from_secs(1)).await;
            made(&clients, "used", 1, "b25l", 0);
            made(&clients, &format!("other-{n}"), 1, "b25l", 1);
            assert!(clients.0.lock().len() <= MOST);
        }
        assert_eq!(clients.fresh(&provider("used"), 1), Some(0));
    }
}
