//! A cluster in which there is something of every kind, and how to tell that all is well there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_sdk_iam::types::PolicyScopeType;
use concierge_shared::kind::KINDS;
use concierge_tests::PATIENCE;
use concierge_tests::controlplane::ControlPlane;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::petstore::{Petstore, Served};
use concierge_tests::s3::Server;
use concierge_tests::shop::DARK_MODE;
use concierge_tests::stack::{Plan, Stack, get};
use kube::Client;
use kube::api::ListParams;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::watching::{Logs, Verdicts, misjudged};
use crate::shopping::{Objects, ShopCluster, bearer, coffee, condition, is_ready, place, purchase};
use crate::world::{Created, api, create, pet, with_others};

/// The namespace where everything is.
pub(super) const HOME: &str = "home";
const LOOK: Duration = Duration::from_millis(50);

/// An object that is refused.
pub(super) struct Wrong {
    pub(super) object: Value,
    /// The rule that it breaks.
    pub(super) rule: &'static str,
    /// The object of its kind that it is too like.
    pub(super) like: &'static str,
}

/// What a group brings.
pub(super) struct Group {
    /// An object of each of its kinds in a namespace, beside those that are made by others.
    pub(super) objects: fn(&ShopCluster, &Services, &str) -> Vec<Value>,
    /// A new object that gets ready, or is of a kind that is only stored, and is another one for each number.
    pub(super) fresh: fn(i64) -> Value,
    /// An object that is refused.
    pub(super) wrong: fn() -> Wrong,
    /// A kind whose objects no other needs: its definition may go.
    pub(super) unneeded: &'static str,
    /// Whether the service has exactly what the objects say.
    agrees: fn(&Setup, &[Value]),
}

pub(super) const GROUPS: [Group; 5] = [
    Group {
        objects: |_, services, namespace| {
            let store = json!({
                "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
                "metadata": {"namespace": namespace, "name": "shop"},
                "spec": {"name": "Shop", "endpoints": {"baseUrl": services.petstore.url()}},
            });
            vec![store, pet(namespace, "rex", 1)]
        },
        fresh: |number| pet(HOME, &format!("pet-{number}"), number),
        wrong: || Wrong { object: pet(HOME, "twin", 1), rule: "pets.pet.unique-id", like: "rex" },
        unneeded: "Pet",
        agrees: |setup, objects| {
            let ids = objects.iter().filter(|one| one["kind"] == "Pet").map(|one| one["spec"]["id"].as_i64());
            let kept: BTreeSet<_> = setup.services.petstore.pets().into_iter().map(|pet| pet.id).collect();
            assert_eq!(kept, ids.collect());
        },
    },
    Group {
        // The cluster's customer has an account, a profile, an address and a card; the reconciler makes the products.
        objects: |_, _, namespace| {
            let mut subscription = purchase(DARK_MODE);
            subscription["schedule"] = json!({"type": "weekly", "interval": 2});
            let default = json!({"name": "default"});
            let items = json!([{"productVariantId": DARK_MODE, "quantity": 1}]);
            let cart = json!({"items": items, "addressRef": default, "cardRef": default});
            let app = json!({"name": "Kiosk", "redirectUri": "https://kiosk.example.com/done"});
            vec![
                coffee("CoffeeOrder", namespace, "monday", purchase(DARK_MODE)),
                coffee("CoffeeSubscription", namespace, "weekly", subscription),
                coffee("CoffeeCart", namespace, "desk", cart),
                coffee("TerminalToken", namespace, "ci", json!({"description": "CI"})),
                coffee("CoffeeApp", namespace, "kiosk", app),
            ]
        },
        fresh: |number| {
            let street = usize::try_from(number).unwrap_or_default();
            coffee("CoffeeAddress", HOME, &format!("address-{number}"), place(HOME, street))
        },
        wrong: || {
            let second = json!({"name": "second", "email": "second@example.com"});
            let object = coffee("CoffeeProfile", HOME, "second", second);
            Wrong { object, rule: "coffee.profile.unique", like: "default" }
        },
        unneeded: "CoffeeApp",
        agrees: |setup, objects| {
            let account = setup.cluster.shop.account(&bearer(HOME));
            // What was bought stays bought when its object goes.
            setup.cluster.assert_books_agree(&setup.orders.lock());
            let of = |kind: &str| objects.iter().filter(|one| one["kind"] == kind).count();
            assert_eq!(account.subscriptions().len(), of("CoffeeSubscription"), "subscriptions");
            assert_eq!(account.cards().len(), of("CoffeeCard"), "cards");
            assert_eq!(account.tokens().len(), of("TerminalToken"), "tokens");
            assert_eq!(account.apps().len(), of("CoffeeApp"), "apps");
            let orders = objects.iter().filter(|one| one["kind"] == "CoffeeOrder");
            let own = orders.filter(|one| one["spec"]["address"].is_object()).count();
            assert_eq!(account.addresses().len(), of("CoffeeAddress") + own, "addresses");
        },
    },
    Group {
        objects: |_, services, namespace| {
            let (wasabi, photos) = (json!({"name": "wasabi"}), json!({"name": "photos"}));
            let keys = json!({"name": "s3"});
            let endpoint = &services.s3.endpoint;
            let provider = json!({
                "endpoint": endpoint.s3.as_str(), "region": "us-east-1", "type": "aws",
                "iamEndpoint": endpoint.iam.as_ref().unwrap().as_str(),
                "auth": {"accessKeySecretRef": keys, "secretKeySecretRef": keys},
                // A hundred buckets are deleted at once, and a new one is not to wait for its turn among their calls.
                "rateLimit": {"requestsPerSecond": 500, "burst": 500, "concurrency": 32},
            });
            let mut may_read =
                json!({"effect": "Allow", "action": "s3:GetObject", "resource": "arn:aws:s3:::photos/*"});
            let policy = json!({"statement": [may_read]});
            may_read["principal"] = json!({"AWS": "arn:aws:iam::123456789012:user/ann"});
            let of_bucket = json!({"bucketRef": photos, "policy": {"statement": [may_read]}});
            let user = json!({"providerRef": wasabi, "name": "ann", "policyRef": {"name": "readers"}});
            vec![
                s3("Provider", namespace, "wasabi", provider),
                s3("Bucket", namespace, "photos", bucket_spec("photos")),
                s3("BucketPolicy", namespace, "photos", of_bucket),
                s3("IAMPolicy", namespace, "readers", json!({"providerRef": wasabi, "policy": policy})),
                s3("User", namespace, "ann", user),
                s3(
                    "AccessKey",
                    namespace,
                    "laptop",
                    json!({"providerRef": wasabi, "userRef": {"name": "ann"}}),
                ),
            ]
        },
        fresh: |number| {
            let mut fresh = bucket(&format!("bucket-{number}"), &format!("photos-{number}"));
            // A hundred that come and go at once are a matter of their own.
            fresh["spec"]["autoManage"] = json!({"enabled": false});
            fresh
        },
        wrong: || Wrong { object: bucket("twin", "photos"), rule: "s3.bucket.unique", like: "photos" },
        unneeded: "AccessKey",
        agrees: |setup, objects| {
            let of = |kind: &'static str| objects.iter().filter(move |one| one["kind"] == kind);
            let names = |kind: &'static str| {
                of(kind).map(|one| one["spec"]["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
            };
            assert_eq!(setup.services.buckets(), names("Bucket"));
            let iam = setup.services.iam();
            assert_eq!(iam.users, names("User"));
            assert_eq!((iam.policies, iam.keys), (of("IAMPolicy").count(), of("AccessKey").count()));
        },
    },
    Group {
        objects: |_, _, namespace| {
            let source =
                json!({"name": "main", "branch": "main", "repositoryUrl": "https://github.com/acme/site"});
            let project = json!({"sources": [source]});
            vec![
                catalyst("Project", namespace, "site", json!({}), project),
                environment(namespace, "main", Some("main")),
            ]
        },
        fresh: |number| environment(HOME, &format!("pr-{number}"), Some(&format!("pr-{number}"))),
        wrong: || Wrong {
            object: environment(HOME, "twin", Some("main")),
            rule: "catalyst.environment.host-unique",
            like: "main",
        },
        unneeded: "Environment",
        // Nothing is made of them.
        agrees: |_, _| {},
    },
    Group {
        objects: |_, services, namespace| {
            let docs = json!({"name": "docs"});
            let hello = json!({"content": "Hello.", "metadata": {"title": "A greeting"}, "storageRef": docs});
            let (of_lake, of_hudi) = (json!({"name": "lake"}), json!({"name": "hudi"}));
            let spans = json!({"connectorRef": of_hudi, "storageRef": of_lake, "table": "spans"});
            let taken = json!({"pipelines": {"matchLabels": {"team": "web"}}});
            let mut spans = orasi("Pipeline", namespace, "spans", spans);
            spans["metadata"]["labels"] = json!({"team": "web"});
            vec![
                orasi("Storage", namespace, "docs", services.documents(namespace)),
                orasi("Document", namespace, "hello", hello),
                lake(namespace, "lake"),
                orasi("Connector", namespace, "hudi", json!({"type": "Hudi"})),
                spans,
                orasi("Configuration", namespace, "bridge", taken),
            ]
        },
        fresh: |number| {
            let spec = json!({"content": number.to_string(), "storageRef": {"name": "docs"}});
            orasi("Document", HOME, &format!("note-{number}"), spec)
        },
        wrong: || Wrong { object: lake(HOME, "twin"), rule: "orasi.storage.unique", like: "lake" },
        unneeded: "Document",
        agrees: |setup, objects| {
            let placed = objects.iter().filter(|one| one["spec"]["storageRef"]["name"] == "docs");
            let folder = |one: &Value| {
                let text = |field: &str| one["metadata"][field].as_str().unwrap().to_owned();
                format!("{0}/{0}/{1}", text("namespace"), text("name"))
            };
            let mut placed: Vec<_> = placed.map(folder).collect();
            placed.sort();
            assert_eq!(setup.services.documents_kept(), placed);
        },
    },
];

fn orasi(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    json!({"apiVersion": "orasi.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn lake(namespace: &str, name: &str) -> Value {
    let hudi = json!({"storagePath": format!("s3://orasi-{namespace}/tables"), "tableType": "COPY_ON_WRITE"});
    orasi("Storage", namespace, name, json!({"type": "Hudi", "hudi": hudi}))
}

fn catalyst(kind: &str, namespace: &str, name: &str, labels: Value, spec: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name, "labels": labels});
    json!({"apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// A workspace of the project `site`, beside it.
fn environment(namespace: &str, name: &str, host: Option<&str>) -> Value {
    let labels = json!({
        "catalyst.dev/team": namespace, "catalyst.dev/project": "site", "catalyst.dev/environment": name,
    });
    let spec = json!({"projectRef": {"name": "site"}, "type": "development", "deploymentMode": "workspace", "host": host});
    catalyst("Environment", namespace, name, labels, spec)
}

fn s3(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    json!({"apiVersion": "s3.cloud37.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn bucket(name: &str, remote: &str) -> Value {
    s3("Bucket", HOME, name, bucket_spec(remote))
}

fn bucket_spec(remote: &str) -> Value {
    json!({"providerRef": {"name": "wasabi"}, "name": remote, "deletionPolicy": "Delete"})
}

/// The bucket of Documents.
const DOCUMENTS: &str = "orasi-docs";

/// The services beside the shop.
pub(super) struct Services {
    pub(super) petstore: Served,
    s3: Server,
}

impl Services {
    pub(super) async fn start() -> Self {
        let s3 = Server::moto().await.unwrap();
        s3.clients(&s3.admin).unwrap().s3.create_bucket().bucket(DOCUMENTS).send().await.unwrap();
        Services { petstore: Petstore::start().await.unwrap(), s3 }
    }

    /// The Storage of a namespace's Documents.
    fn documents(&self, namespace: &str) -> Value {
        let key = |key: &str| json!({"name": "s3", "key": key});
        let authentication = json!({
            "method": "Basic", "usernameSecretRef": key("access-key"), "passwordSecretRef": key("secret-key"),
        });
        let endpoint = self.s3.endpoint.s3.as_str();
        let s3 = json!({
            "bucket": DOCUMENTS, "prefix": namespace, "region": "us-east-1", "endpoint": endpoint,
            "authentication": authentication,
        });
        json!({"type": "S3", "s3": s3})
    }

    /// Makes the Secrets that what is of these services names.
    pub(super) async fn make_secrets(&self, plane: &ControlPlane, namespace: &str) {
        let keys = &self.s3.admin;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "s3"},
            "stringData": {"access-key": keys.id, "secret-key": keys.secret},
        });
        let create = ["create", "-f", "-"];
        plane.kubectl().run_with_input(&create, &secret.to_string()).await.unwrap().ok().unwrap();
    }

    /// The folders of the Documents that are in their bucket, one for each object.
    pub(super) fn documents_kept(&self) -> Vec<String> {
        let s3 = self.s3.clients(&self.s3.admin).unwrap().s3;
        let list = async { s3.list_objects_v2().bucket(DOCUMENTS).send().await.unwrap() };
        let listed = tokio::task::block_in_place(|| Handle::current().block_on(list));
        let folder = |key: &str| key.rsplit_once('/').unwrap().0.to_owned();
        let mut folders: Vec<_> = listed.contents().iter().filter_map(|one| one.key().map(folder)).collect();
        folders.sort();
        folders
    }

    /// The names of all buckets.
    pub(super) fn buckets(&self) -> BTreeSet<String> {
        let list = async { self.s3.clients(&self.s3.admin).unwrap().s3.list_buckets().send().await.unwrap() };
        let listed = tokio::task::block_in_place(|| Handle::current().block_on(list));
        let names = listed.buckets().iter().filter_map(|bucket| bucket.name());
        names.filter(|name| *name != DOCUMENTS).map(str::to_owned).collect()
    }

    /// Who and what else is there.
    pub(super) fn iam(&self) -> Iam {
        let list = async {
            let iam = self.s3.clients(&self.s3.admin).unwrap().iam.unwrap();
            let listed = iam.list_users().send().await.unwrap();
            let mut users: BTreeSet<_> =
                listed.users().iter().map(|user| user.user_name().to_owned()).collect();
            // Whose key the Provider has.
            assert!(users.remove("concierge"));
            let policies = iam.list_policies().scope(PolicyScopeType::Local).send().await.unwrap();
            let mut keys = 0;
            for user in &users {
                keys +=
                    iam.list_access_keys().user_name(user).send().await.unwrap().access_key_metadata().len();
            }
            Iam { users, policies: policies.policies().len(), keys }
        };
        tokio::task::block_in_place(|| Handle::current().block_on(list))
    }
}

/// What an account has beside buckets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Iam {
    users: BTreeSet<String>,
    policies: usize,
    keys: usize,
}

pub(super) struct Setup {
    // Dropped first: it asks the cluster.
    verdicts: Verdicts,
    logs: Logs,
    pub(super) cluster: ShopCluster,
    services: Services,
    number: AtomicI64,
    /// Every order that was ever placed, by its id.
    orders: Mutex<Objects>,
}

impl Setup {
    /// Everything of every kind, ready.
    pub(super) async fn open(plan: Plan) -> Setup {
        let secrets = format!("reconciler.secretNamespaces={{{HOME}}}");
        let cluster = ShopCluster::start_in(Some(with_others().await), &[HOME], plan, &[&secrets]).await;
        let services = Services::start().await;
        let (verdicts, number) = (Verdicts::watch(cluster.client.clone()), AtomicI64::new(100));
        let (logs, orders) = (Logs::default(), Mutex::default());
        let setup = Setup { verdicts, logs, cluster, services, number, orders };
        setup.cluster.add_customer(HOME).await.unwrap();
        setup.services.make_secrets(setup.plane(), HOME).await;
        for group in &GROUPS {
            for object in (group.objects)(&setup.cluster, &setup.services, HOME) {
                setup.create(&object).await;
            }
        }
        setup.until_ready().await;
        setup.logs.check(setup.stack(), "the start");
        setup
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.cluster.stack
    }

    pub(super) fn client(&self) -> &Client {
        &self.cluster.client
    }

    /// How often somebody paid.
    pub(super) fn charges(&self) -> usize {
        self.cluster.shop.charges().len()
    }

    pub(super) fn plane(&self) -> &ControlPlane {
        &self.cluster.stack.plane
    }

    /// Runs kubectl as the administrator; it has to succeed.
    pub(super) async fn kubectl(&self, args: &[&str]) -> String {
        self.plane().kubectl().run(args).await.unwrap().ok().unwrap()
    }

    async fn create(&self, object: &Value) {
        let created = create(&self.cluster.client, object, "none", false).await;
        assert!(matches!(created, Created::Stored), "{}: {created:?}", object["kind"]);
    }

    /// All objects of ours at home.
    pub(super) async fn objects(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        for kind in KINDS {
            // A kind whose definition is gone has none.
            let list = api(&self.cluster.client, kind.name, Some(HOME)).list(&ListParams::default()).await;
            for object in list.map(|list| list.items).unwrap_or_default() {
                let mut object = serde_json::to_value(object).unwrap();
                object["kind"] = kind.name.into();
                if let Some(id) = object["status"]["orderId"].as_str() {
                    self.orders.lock().insert(id.to_owned(), object.clone());
                }
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
            // What is being deleted may have nothing remote any more: a restored child goes, since its owner has another uid, and is made anew.
            let is_leaving = |one: &Value| !one["metadata"]["deletionTimestamp"].is_null();
            let waiting = objects.iter().filter(|one| is_leaving(one) || !is_settled(one));
            let waiting: Vec<_> = waiting.map(told).collect();
            if missing.is_empty() && waiting.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "none of {missing:?}; not ready: {waiting:#?}");
            sleep(LOOK).await;
        }
    }

    /// Creates `object`, and fails unless it is ready soon after `since`. Whoever is refused for a reason
    /// that passes tries again, as clients do.
    pub(super) async fn assert_made(&self, object: &Value, since: Instant) {
        let kind = object["kind"].as_str().unwrap();
        let objects = api(&self.cluster.client, kind, Some(HOME));
        let name = object["metadata"]["name"].as_str().unwrap();
        let mut last = String::new();
        while since.elapsed() <= PATIENCE {
            match objects.get_opt(name).await {
                Ok(Some(found)) => {
                    let found = serde_json::to_value(found).unwrap();
                    if is_settled(&found) {
                        return;
                    }
                    last = told(&found);
                }
                Ok(None) => last = format!("{:?}", create(&self.cluster.client, object, "none", false).await),
                Err(error) => last = error.to_string(),
            }
            sleep(LOOK).await;
        }
        panic!("{kind} {name} is not ready after {PATIENCE:?}: {last}");
    }

    /// Fails unless all is as before, and prints how long after `since` that was.
    pub(super) async fn assert_well(&self, after: &str, since: Instant) {
        let number = self.number.fetch_add(1, Relaxed);
        let made: Vec<_> = GROUPS.iter().map(|group| (group.fresh)(number)).collect();
        for object in &made {
            self.assert_made(object, since).await;
        }
        self.assert_programs_ready(after, since).await;
        let took = since.elapsed();
        for group in &GROUPS {
            assert_eq!(misjudged(self.client(), &(group.wrong)(), false).await, None, "{after}");
        }
        assert_eq!(self.verdicts.take(), Vec::<String>::new(), "{after}");
        self.until_ready().await;
        let objects = self.objects().await;
        GROUPS.iter().for_each(|group| (group.agrees)(self, &objects));
        self.assert_removed(&made).await;
        let lines = self.logs.check(self.stack(), after);
        println!("{after}: as before after {took:.1?}; logged above INFO: {lines:?}");
    }

    /// Fails unless each program says that it is ready, and no kind is off.
    async fn assert_programs_ready(&self, after: &str, since: Instant) {
        let exited = self.stack().reconciler(0, |program| program.process.exited());
        assert_eq!(exited, None, "{after}: the reconciler has ended");
        let reconciler = self.stack().reconciler(0, |program| program.admin);
        for admin in self.stack().webhook_admins().into_iter().chain([reconciler]) {
            loop {
                let told = get(admin, "/readyz").await.unwrap();
                if told.trim() == "ok" {
                    break;
                }
                assert!(since.elapsed() <= PATIENCE, "{after}: {told} after {:.1?}", since.elapsed());
                sleep(LOOK).await;
            }
        }
    }

    /// Deletes objects; fails unless nothing is left of them at the services.
    async fn assert_removed(&self, made: &[Value]) {
        for object in made {
            let (kind, name) =
                (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
            self.kubectl(&["delete", kind, name, "-n", HOME, TIMEOUT]).await;
        }
        let objects = self.objects().await;
        GROUPS.iter().for_each(|group| (group.agrees)(self, &objects));
    }
}

/// Ready, or of a kind of which nothing is made here: what it would own is not switched on.
pub(super) fn is_settled(object: &Value) -> bool {
    is_ready(object)
        || KINDS
            .iter()
            .any(|kind| (!kind.reconciled || !kind.children.is_empty()) && object["kind"] == kind.name)
}

pub(super) fn told(object: &Value) -> String {
    format!("{} {}: {}", object["kind"], object["metadata"]["name"], condition(object, "Ready"))
}
