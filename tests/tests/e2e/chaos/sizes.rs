//! The largest objects that the API server takes, and a second cluster.

use std::time::{Duration, Instant};

use concierge_shared::kind::{KindInfo, by_name};
use concierge_tests::PATIENCE;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::stack::Plan;
use kube::Client;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::setup::{GROUPS, HOME, Setup};
use crate::shopping::{ShopCluster, bearer, coffee, is_ready, place};
use crate::world::{Created, api, create};

/// What the chart lets a replica take.
const MEMORY: usize = 512 << 20;
/// What all annotations of an object may have together.
const ANNOTATIONS: usize = 256 << 10;
/// How long one text or list is made at most: the whole object has to stay below the 1.5 MiB that etcd takes.
const LONGEST: usize = 200 << 10;

impl Setup {
    /// Makes `count` objects as large as can be, waits until they are ready, and deletes them.
    pub(super) async fn with_largest(&self, count: i64) {
        let mut made = Vec::new();
        for (group, number) in GROUPS.iter().cycle().zip(20_000..20_000 + count) {
            let (one, other) = ((group.fresh)(number), (group.fresh)(number + 1));
            let object = match made.iter().find(|large: &&Value| large["kind"] == one["kind"]) {
                Some(large) => renumbered(large.clone(), &one, &other),
                None => largest(self.client(), one, &other).await,
            };
            self.assert_made(&object, Instant::now()).await;
            made.push(object);
        }
        let sizes: Vec<_> = made.iter().take(GROUPS.len()).map(|one| one.to_string().len()).collect();
        for (name, taken) in self.peaks() {
            println!("{count} objects of {sizes:?} bytes: {name} took {} MiB at most", taken >> 20);
            assert!(taken < MEMORY, "{name}: {} MiB", taken >> 20);
        }
        for object in made {
            let objects = api(self.client(), object["kind"].as_str().unwrap(), Some(HOME));
            objects
                .delete(object["metadata"]["name"].as_str().unwrap(), &DeleteParams::default())
                .await
                .unwrap();
        }
    }

    /// The most memory that each program has taken.
    fn peaks(&self) -> [(&'static str, usize); 2] {
        let stack = self.stack();
        let webhook = stack.webhook(0, |program| program.process.pid());
        let reconciler = stack.reconciler(0, |program| program.process.pid());
        [("the webhook", peak(webhook)), ("the reconciler", peak(reconciler))]
    }

    /// Another cluster comes, has objects of its own at the same account, and deletes them all.
    pub(super) async fn with_second_cluster(&self) {
        let keep = ["--keep-role-bindings", "home/concierge-secrets"].map(str::to_owned).to_vec();
        let plan = Plan { reconciler_args: keep, ..Plan::default() };
        let other = ShopCluster::beside(&self.cluster, &[HOME], plan).await;
        let before = self.at_the_shop();
        let key = json!({"name": "terminal", "key": "token"});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": HOME, "name": "terminal"},
            "stringData": {"token": bearer(HOME)},
        });
        let kubectl = other.stack.plane.kubectl();
        kubectl.run_with_input(&["create", "-f", "-"], &secret.to_string()).await.unwrap().ok().unwrap();
        let account = json!({"baseUrl": self.cluster.shop.url(), "tokenSecretRef": key});
        let app = json!({"name": "Other", "redirectUri": "https://other.example.com/done"});
        let objects = [
            coffee("TerminalAccount", HOME, "default", account),
            coffee("CoffeeAddress", HOME, "other", place(HOME, 4711)),
            coffee("TerminalToken", HOME, "other", json!({"description": "other"})),
            coffee("CoffeeApp", HOME, "other", app),
        ];
        for object in objects {
            let created = create(&other.client, &object, "none", false).await;
            assert!(matches!(created, Created::Stored), "{created:?}");
            let kind = object["kind"].as_str().unwrap();
            let _ = other.until(kind, 1, "ready", PATIENCE, |one, _| is_ready(one)).await;
        }
        let both = self.at_the_shop();
        assert_eq!(both, before.map(|count| count + 1), "addresses, tokens and apps of both");
        kubectl.run(&["delete", "namespace", HOME, TIMEOUT]).await.unwrap().ok().unwrap();
        assert_eq!(self.at_the_shop(), before, "what is left at the shop");
    }

    fn at_the_shop(&self) -> [usize; 3] {
        let account = self.cluster.shop.account(&bearer(HOME));
        [account.addresses().len(), account.tokens().len(), account.apps().len()]
    }
}

/// `large` with the values in which `one` is another than `other`.
fn renumbered(mut large: Value, one: &Value, other: &Value) -> Value {
    for path in differing(one, other) {
        if let (Some(value), Some(place)) = (one.pointer(&path), large.pointer_mut(&path)) {
            *place = value.clone();
        }
    }
    large
}

/// The paths of what differs, as JSON pointers: a label has a slash in its name.
fn differing(one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let each = |(key, value): (&String, &Value)| {
                let paths = other.get(key).map(|other| differing(value, other)).unwrap_or_default();
                let key = key.replace('~', "~0").replace('/', "~1");
                paths.into_iter().map(|path| format!("/{key}{path}")).collect::<Vec<_>>()
            };
            one.iter().flat_map(each).collect()
        }
        _ if one == other => Vec::new(),
        _ => vec![String::new()],
    }
}

/// Makes each text and list that the schema knows as long as it may be, one after the other, and keeps what is admitted.
async fn largest(client: &Client, mut object: Value, other: &Value) -> Value {
    let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
    object["metadata"]["annotations"] = json!({"example.com/note": "x".repeat(ANNOTATIONS - 1024)});
    let fixed: Vec<_> = differing(&object, other);
    for (path, longest) in longest(kind) {
        if fixed.contains(&path) {
            continue;
        }
        let mut tried = object.clone();
        put(&mut tried, &path, longest);
        if matches!(create(client, &tried, "none", true).await, Created::Stored) {
            object = tried;
        }
        sleep(Duration::from_millis(10)).await;
    }
    object
}

/// The paths below `spec` of texts and lists of texts, each with the longest value.
fn longest(kind: &KindInfo) -> Vec<(String, Value)> {
    let crd = serde_json::to_value((kind.crd)()).unwrap();
    let mut found = Vec::new();
    collect(
        &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
        "/spec",
        &mut found,
    );
    found
}

fn collect(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let most = |schema: &Value, bound: &str| usize::try_from(schema[bound].as_u64()?).ok();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        collect(inner, &format!("{path}/{name}"), found);
    }
    if let Some(length) = most(schema, "maxLength").filter(|_| schema["enum"].is_null()) {
        found.push((path.to_owned(), json!("x".repeat(length.min(LONGEST)))));
    }
    if let (Some(items), Some(length)) = (most(schema, "maxItems"), most(&schema["items"], "maxLength")) {
        let (length, count) = (length.min(200), items.min(LONGEST / length.min(200)));
        for begin in ["", "https://example.com/"] {
            let width = length.saturating_sub(begin.len());
            let text = |number: usize| format!("{begin}{number:x<width$}");
            found.push((path.to_owned(), (0..count).map(text).collect()));
        }
    }
}

/// Sets what is at `path`, with the objects around it.
fn put(object: &mut Value, path: &str, value: Value) {
    let place = path.split('/').skip(1).fold(object, |place, key| &mut place[key]);
    *place = value;
}

fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
