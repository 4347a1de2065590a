//! A cluster in which there is something of every kind, and how to tell that all is well there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use concierge_shared::kind::KINDS;
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::petstore::{Petstore, Served};
use concierge_tests::shop::DARK_MODE;
use concierge_tests::stack::{Plan, get};
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::shopping::{Market, bearer, coffee, condition, is_ready, place, purchase};
use crate::world::{Created, api, create, pet};

/// The namespace where everything is.
pub(super) const HOME: &str = "home";
/// How long moving in may take, and everything else that no case is about.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// What a group brings.
struct Group {
    /// An object of each of its kinds, beside those that are made by others.
    furniture: fn(&House) -> Vec<Value>,
    /// A new object that gets ready, or is of a kind that is only stored, and is another one for each number.
    fresh: fn(i64) -> Value,
    /// An object that is refused, and the rule.
    wrong: fn() -> (Value, &'static str),
    /// Whether the service has exactly what the objects say.
    books: fn(&House, &[Value]),
}

/// The groups.
const GROUPS: [Group; 3] = [
    Group {
        furniture: |house| {
            let store = json!({
                "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
                "metadata": {"namespace": HOME, "name": "shop"},
                "spec": {"name": "Shop", "endpoints": {"baseUrl": house.petstore.url()}},
            });
            vec![store, pet(HOME, "rex", 1)]
        },
        fresh: |number| pet(HOME, &format!("pet-{number}"), number),
        wrong: || (pet(HOME, "twin", 1), "pets.pet.unique-id"),
        books: |house, objects| {
            let ids = objects.iter().filter(|one| one["kind"] == "Pet").map(|one| one["spec"]["id"].as_i64());
            let kept: BTreeSet<_> = house.petstore.pets().into_iter().map(|pet| pet.id).collect();
            assert_eq!(kept, ids.collect());
        },
    },
    Group {
        // An account, a profile, an address and a card are the market's; products are the reconciler's.
        furniture: |_| {
            let mut subscription = purchase(DARK_MODE);
            subscription["schedule"] = json!({"type": "weekly", "interval": 2});
            let default = json!({"name": "default"});
            let items = json!([{"productVariantId": DARK_MODE, "quantity": 1}]);
            let cart = json!({"items": items, "addressRef": default, "cardRef": default});
            let app = json!({"name": "Kiosk", "redirectUri": "https://kiosk.example.com/done"});
            vec![
                coffee("CoffeeOrder", HOME, "monday", purchase(DARK_MODE)),
                coffee("CoffeeSubscription", HOME, "weekly", subscription),
                coffee("CoffeeCart", HOME, "desk", cart),
                coffee("TerminalToken", HOME, "ci", json!({"description": "CI"})),
                coffee("CoffeeApp", HOME, "kiosk", app),
            ]
        },
        fresh: |number| {
            let street = usize::try_from(number).unwrap_or_default();
            coffee("CoffeeAddress", HOME, &format!("address-{number}"), place(HOME, street))
        },
        wrong: || {
            let second = json!({"name": "second", "email": "second@example.com"});
            (coffee("CoffeeProfile", HOME, "second", second), "coffee.profile.unique")
        },
        books: |house, objects| {
            let account = house.market.shop.account(&bearer(HOME));
            let orders = objects.iter().filter(|one| one["kind"] == "CoffeeOrder");
            let orders = orders.map(|one| (format!("{HOME}/{}", one["metadata"]["name"]), one.clone()));
            house.market.assert_books_agree(&orders.collect());
            let of = |kind: &str| objects.iter().filter(|one| one["kind"] == kind).count();
            assert_eq!(account.subscriptions().len(), of("CoffeeSubscription"), "subscriptions");
            assert_eq!(account.cards().len(), of("CoffeeCard"), "cards");
            assert_eq!(account.tokens().len(), of("TerminalToken"), "tokens");
            assert_eq!(account.apps().len(), of("CoffeeApp"), "apps");
        },
    },
    Group {
        furniture: |_| {
            let (wasabi, photos) = (json!({"name": "wasabi"}), json!({"name": "photos"}));
            let keys = json!({"name": "s3"});
            let provider = json!({
                "endpoint": "https://s3.example.com", "region": "eu-central-1", "type": "generic",
                "iamEndpoint": "https://iam.example.com",
                "auth": {"accessKeySecretRef": keys, "secretKeySecretRef": keys},
            });
            let mut may_read =
                json!({"effect": "Allow", "action": "s3:GetObject", "resource": "arn:aws:s3:::photos/*"});
            let policy = json!({"statement": [may_read]});
            may_read["principal"] = json!({"AWS": "arn:aws:iam::123456789012:user/ann"});
            let of_bucket = json!({"bucketRef": photos, "policy": {"statement": [may_read]}});
            let user = json!({"providerRef": wasabi, "name": "ann", "policyRef": {"name": "readers"}});
            vec![
                s3("Provider", "wasabi", provider),
                s3("Bucket", "photos", json!({"providerRef": wasabi, "name": "photos"})),
                s3("BucketPolicy", "photos", of_bucket),
                s3("IAMPolicy", "readers", json!({"providerRef": wasabi, "policy": policy})),
                s3("User", "ann", user),
                s3("AccessKey", "laptop", json!({"providerRef": wasabi, "userRef": {"name": "ann"}})),
            ]
        },
        fresh: |number| bucket(&format!("bucket-{number}"), &format!("photos-{number}")),
        wrong: || (bucket("twin", "photos"), "s3.bucket.unique"),
        // Nothing is done at a service yet.
        books: |_, _| {},
    },
];

fn s3(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": HOME, "name": name});
    json!({"apiVersion": "s3.cloud37.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn bucket(name: &str, remote: &str) -> Value {
    s3("Bucket", name, json!({"providerRef": {"name": "wasabi"}, "name": remote}))
}

pub(super) struct House {
    market: Market,
    petstore: Served,
    number: AtomicI64,
}

impl House {
    /// Everything of every kind, ready.
    pub(super) async fn open(plan: Plan) -> House {
        let market = Market::start(&[HOME], plan).await;
        let petstore = Petstore::start().await.unwrap();
        let house = House { market, petstore, number: AtomicI64::new(100) };
        house.market.furnish(HOME).await.unwrap();
        for object in GROUPS.iter().flat_map(|group| (group.furniture)(&house)) {
            house.create(&object).await;
        }
        house.until_ready().await;
        house
    }

    pub(super) fn plane(&self) -> &ControlPlane {
        &self.market.stack.plane
    }

    /// Runs kubectl as the administrator; it has to succeed.
    pub(super) async fn kubectl(&self, args: &[&str]) -> String {
        self.plane().kubectl().run(args).await.unwrap().ok().unwrap()
    }

    async fn create(&self, object: &Value) {
        let created = create(&self.market.client, object, "none", false).await;
        assert!(matches!(created, Created::Stored), "{}: {created:?}", object["kind"]);
    }

    /// All objects of ours at home.
    async fn objects(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        for kind in KINDS {
            // A kind whose definition is gone has none.
            let list = api(&self.market.client, kind.name, Some(HOME)).list(&ListParams::default()).await;
            for object in list.map(|list| list.items).unwrap_or_default() {
                let mut object = serde_json::to_value(object).unwrap();
                object["kind"] = kind.name.into();
                objects.push(object);
            }
        }
        objects
    }

    async fn until_ready(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let objects = self.objects().await;
            let missing = KINDS.iter().filter(|kind| objects.iter().all(|one| one["kind"] != kind.name));
            let missing: Vec<_> = missing.map(|kind| kind.name).collect();
            let waiting: Vec<_> = objects.iter().filter(|one| !is_settled(one)).map(told).collect();
            if missing.is_empty() && waiting.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "none of {missing:?}; not ready: {waiting:#?}");
            sleep(LOOK).await;
        }
    }

    /// Creates `object`, and fails unless it is ready `within` this time after `since`. Whoever is refused for a reason
    /// that passes tries again, as clients do.
    pub(super) async fn assert_made(&self, object: &Value, since: Instant, within: Duration) {
        let kind = object["kind"].as_str().unwrap();
        let objects = api(&self.market.client, kind, Some(HOME));
        let name = object["metadata"]["name"].as_str().unwrap();
        let mut last = String::new();
        while since.elapsed() <= within {
            match objects.get_opt(name).await {
                Ok(Some(found)) => {
                    let found = serde_json::to_value(found).unwrap();
                    if is_settled(&found) {
                        return;
                    }
                    last = told(&found);
                }
                Ok(None) => last = format!("{:?}", create(&self.market.client, object, "none", false).await),
                Err(error) => last = error.to_string(),
            }
            sleep(LOOK).await;
        }
        panic!("{kind} {name} is not ready after {within:?}: {last}");
    }

    /// Fails unless all is as before `within` this time after the end of what happened.
    pub(super) async fn assert_well(&self, after: &str, since: Instant, within: Duration) {
        let number = self.number.fetch_add(1, Relaxed);
        let made = GROUPS.iter().map(|group| (group.fresh)(number));
        for object in made {
            self.assert_made(&object, since, within).await;
        }
        println!("{after}: as before after {:.1?}", since.elapsed());
        for (object, rule) in GROUPS.iter().map(|group| (group.wrong)()) {
            // Its like may be gone with its definition.
            let like = self.objects().await.iter().any(|one| one["kind"] == object["kind"]);
            let created = create(&self.market.client, &object, rule, true).await;
            assert!(!like || matches!(created, Created::Refused), "{after}: {rule}: {created:?}");
        }
        for admin in self.market.stack.webhook_admins() {
            assert_eq!(get(admin, "/readyz").await.unwrap().trim(), "ok", "{after}");
        }
        let reconciler = self.market.stack.reconciler(0, |program| program.process.exited());
        assert_eq!(reconciler, None, "{after}: the reconciler has ended");
        let objects = self.objects().await;
        let waiting: Vec<_> = objects.iter().filter(|one| !is_settled(one)).map(told).collect();
        assert!(waiting.is_empty(), "{after}: {waiting:#?}");
        GROUPS.iter().for_each(|group| (group.books)(self, &objects));
    }
}

/// Ready, or of a kind that is only stored.
fn is_settled(object: &Value) -> bool {
    is_ready(object) || KINDS.iter().any(|kind| !kind.reconciled && object["kind"] == kind.name)
}

fn told(object: &Value) -> String {
    format!("{} {}: {}", object["kind"], object["metadata"]["name"], condition(object, "Ready"))
}
