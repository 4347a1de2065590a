//! Every fixture three times: through the library, through the HTTPS server and through the real API server. The
//! verdicts must be the same, and a table says which the API server refuses by the CRD alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use concierge_shared::admission::envelope::Operation;
use concierge_shared::admission::lookup::Nothing;
use concierge_shared::admission::object::Raw;
use concierge_shared::admission::review::{Context as Against, Request, Stage};
use concierge_shared::admission::rule::Enforcement;
use concierge_shared::kind::{KindInfo, by_name};
use concierge_shared::settings::Settings;
use concierge_tests::caller::Caller;
use concierge_tests::controlplane::User;
use concierge_tests::stack::{NAMESPACE, Plan, RELEASE, Stack};
use concierge_webhook::check::fixture::Fixture;
use concierge_webhook::check::fixture::{Outcome, Verdict};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject};
use kube::{Client, Config, Error};
use serde_json::{Value, json};

use crate::world::{alone, namespaces};

/// How a request ended at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Door {
    Admitted,
    Crd,
    Webhook,
    /// The stored object that the fixture starts from can't be stored: the CRD refuses it.
    NotStorable,
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_ways_give_the_same_verdict() {
    let _alone = alone().await;
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let fixtures = Fixture::load_all(&folder).unwrap();
    assert!(!fixtures.is_empty());
    let stack = Stack::start(Plan { reconcilers: 0, ..Plan::default() }).await.unwrap();
    let names: BTreeSet<_> = fixtures.iter().flat_map(mentioned_namespaces).collect();
    namespaces(&stack, &names.into_iter().collect::<Vec<_>>()).await.unwrap();
    let ways = Ways::new(&stack).await.unwrap();

    let (mut table, mut wrong) = (BTreeMap::<Door, Vec<String>>::new(), Vec::new());
    for fixture in &fixtures {
        let name = fixture.path.strip_prefix(&folder).unwrap_or(&fixture.path).display().to_string();
        match ways.run(fixture).await {
            Ok(door) => table.entry(door).or_default().push(name),
            Err(why) => wrong.push(format!("{name}: {why:#}")),
        }
        ways.clean().await.unwrap();
    }
    let count = |door| table.get(&door).map_or(0, Vec::len);
    println!("{} fixtures, three ways:", fixtures.len());
    println!("  {:>3} admitted", count(Door::Admitted));
    println!("  {:>3} refused by the webhook", count(Door::Webhook));
    println!("  {:>3} refused by the CRD alone:", count(Door::Crd));
    table.get(&Door::Crd).into_iter().flatten().for_each(|name| println!("        {name}"));
    println!("  {:>3} start from an object that the CRD no longer lets in:", count(Door::NotStorable));
    table.get(&Door::NotStorable).into_iter().flatten().for_each(|name| println!("        {name}"));
    assert!(wrong.is_empty(), "{} fixtures differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn mentioned_namespaces(fixture: &Fixture) -> BTreeSet<String> {
    let world = fixture.world.iter().filter_map(|object| object["metadata"]["namespace"].as_str());
    world.map(str::to_owned).chain([fixture.namespace.clone()]).collect()
}

struct Ways<'a> {
    stack: &'a Stack,
    /// Past the webhook: as the reconciler, with an administrator's rights.
    past: Client,
    caller: Caller,
    user: User,
}

impl<'a> Ways<'a> {
    async fn new(stack: &'a Stack) -> Result<Ways<'a>> {
        let rules = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: everything-ours}\n\
                     rules:\n- apiGroups: [petstore.example.com, coffee.terminal.sh]\n  resources: ['*']\n  verbs: ['*']\n---\n\
                     apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: everything-ours}\n\
                     roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: everything-ours}\n\
                     subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]\n";
        stack.plane.kubectl().apply_text(rules).await?.ok()?;
        let file = Kubeconfig::read_from(stack.plane.kubeconfig())?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{NAMESPACE}:{RELEASE}"));
        config.auth_info.impersonate_groups = Some(vec!["system:masters".to_owned()]);
        let address = stack.webhook(0, |program| program.address).context("no address")?;
        Ok(Ways {
            stack,
            past: Client::try_from(config)?,
            caller: Caller::new(&stack.plane.client().await?, address).await?,
            user: stack.plane.user("ann", &[])?,
        })
    }

    async fn run(&self, fixture: &Fixture) -> Result<Door> {
        fixture.run().map_err(anyhow::Error::msg).context("library")?;
        for object in &fixture.world {
            self.store(object).await.context("the world can't be stored")?;
        }
        let old = match &fixture.old {
            Some(old) => self.store(old).await,
            None => Ok(()),
        };
        self.wait_for_caches().await?;
        self.https(fixture).await.context("HTTPS server")?;
        if let Err(error) = old {
            ensure!(format!("{error:#}").contains("Invalid"), "the stored object can't be stored: {error:#}");
            return Ok(Door::NotStorable);
        }
        self.api_server(fixture).await.context("API server")
    }

    /// Stores an object, with its status, past the webhook.
    async fn store(&self, object: &Value) -> Result<()> {
        let Some(kind) = object["kind"].as_str().and_then(by_name) else {
            return self.store_namespace(object).await;
        };
        let api = self.api(kind, object["metadata"]["namespace"].as_str().unwrap_or("default"));
        let mut bare = object.clone();
        bare["metadata"].as_object_mut().context("no metadata")?.remove("uid");
        let typed: DynamicObject = serde_json::from_value(bare)?;
        let name = typed.metadata.name.clone().context("no name")?;
        match api.create(&PostParams::default(), &typed).await {
            Err(Error::Api(status)) if status.reason == "AlreadyExists" => {}
            created => drop(created?),
        }
        if object["status"].is_object() {
            let status = Patch::Merge(json!({"status": object["status"]}));
            api.patch_status(&name, &PatchParams::default(), &status).await?;
        }
        Ok(())
    }

    async fn store_namespace(&self, object: &Value) -> Result<()> {
        ensure!(object["kind"] == "Namespace", "a world of {}", object["kind"]);
        self.stack.plane.kubectl().apply_text(&object.to_string()).await?.ok()?;
        Ok(())
    }

    async fn wait_for_caches(&self) -> Result<()> {
        for kind in concierge_shared::kind::KINDS {
            let count = self.all(kind).list_metadata(&ListParams::default()).await?.items.len();
            self.stack.wait_cached(kind.name, count).await?;
        }
        Ok(())
    }

    async fn https(&self, fixture: &Fixture) -> Result<()> {
        let mut review = fixture.review("fixture");
        review["request"]["dryRun"] = json!(true);
        let mutated = json!({"response": self.caller.review("/mutate", &review).await?});
        let first = Outcome::of_answers(fixture, Some(&mutated), &json!({"response": {"allowed": true}}));
        if let Some(defaulted) = first.defaulted {
            review["request"]["object"] = defaulted;
        }
        // What the API server fills in between the two calls.
        if let Some(metadata) = review["request"]["object"]["metadata"].as_object_mut() {
            metadata.insert("uid".into(), json!("fixture"));
            let generated =
                metadata.get("generateName").and_then(Value::as_str).map(|prefix| format!("{prefix}x7f2k"));
            metadata.entry("name").or_insert(json!(generated));
        }
        let validated = json!({"response": self.caller.review("/validate", &review).await?});
        let outcome = Outcome::of_answers(fixture, Some(&mutated), &validated);
        fixture.expect.compare(&outcome).map_err(anyhow::Error::msg)
    }

    /// As a user types it.
    async fn api_server(&self, fixture: &Fixture) -> Result<Door> {
        let kubectl = self.user.kubectl();
        let output = match (fixture.operation, &fixture.object, &fixture.old) {
            (Operation::Create, Some(object), _) => {
                kubectl
                    .run_with_input(&["create", "--validate=false", "-f", "-"], &object.to_string())
                    .await?
            }
            (Operation::Update, Some(object), _) => {
                let mut object = object.clone();
                object["metadata"].as_object_mut().context("no metadata")?.remove("uid");
                kubectl
                    .run_with_input(&["replace", "--validate=false", "-f", "-"], &object.to_string())
                    .await?
            }
            (Operation::Delete, _, Some(old)) => {
                let name = old["metadata"]["name"].as_str().context("no name")?;
                let resource = format!("{}/{name}", fixture.kind.crd_name());
                kubectl.run(&["delete", "-n", &fixture.namespace, &resource, "--wait=false"]).await?
            }
            _ => bail!("a fixture of no operation"),
        };
        let told = &output.stderr;
        let door = match output.status.success() {
            true => Door::Admitted,
            false if told.contains("denied the request") || told.contains(" [") => Door::Webhook,
            false => Door::Crd,
        };
        let verdict = if door == Door::Admitted { Verdict::Admitted } else { Verdict::Refused };
        ensure!(
            verdict == fixture.expect.verdict,
            "expected {}, got: {}{told}",
            fixture.expect.verdict,
            output.stdout
        );
        // A default may bring the object to where the CRD refuses it, which the object as written was not.
        let as_told = fixture.expect.schema == (door == Door::Crd)
            || (door == Door::Crd && Self::defaults_change(fixture));
        ensure!(as_told, "refused by {door:?}, `schema` says otherwise: {told}");
        if door == Door::Webhook {
            for problem in &fixture.expect.problems {
                ensure!(told.contains(&problem.rule), "{} is not told: {told}", problem.rule);
            }
        }
        Ok(door)
    }

    /// Whether the mutating call changes the object.
    fn defaults_change(fixture: &Fixture) -> bool {
        let object = fixture.object.as_ref().map(Value::to_string).unwrap_or_default();
        let request = Request {
            stage: Stage::Mutate,
            operation: fixture.operation,
            namespace: &fixture.namespace,
            object: Some(&Raw::from(&*object)),
            old: None,
        };
        let (enforcement, settings) = (Enforcement::default(), Settings::default());
        let context = Against { lookup: &Nothing, enforcement: &enforcement, settings: &settings };
        !(fixture.kind.evaluate)(&request, &context).patch.is_empty()
    }

    /// Removes all objects of ours.
    async fn clean(&self) -> Result<()> {
        for kind in concierge_shared::kind::KINDS {
            for found in self.all(kind).list_metadata(&ListParams::default()).await?.items {
                let namespace = found.metadata.namespace.unwrap_or_default();
                let name = found.metadata.name.unwrap_or_default();
                let api = self.api(kind, &namespace);
                if !found.metadata.finalizers.unwrap_or_default().is_empty() {
                    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                    api.patch(&name, &PatchParams::default(), &none).await?;
                }
                match api.delete(&name, &DeleteParams::default()).await {
                    Err(Error::Api(status)) if status.reason == "NotFound" => {}
                    deleted => drop(deleted?),
                }
            }
        }
        Ok(())
    }

    fn api(&self, kind: &KindInfo, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.past.clone(), namespace, &resource(kind))
    }

    fn all(&self, kind: &KindInfo) -> Api<DynamicObject> {
        Api::all_with(self.past.clone(), &resource(kind))
    }
}

fn resource(kind: &KindInfo) -> ApiResource {
    ApiResource {
        group: (kind.group)(),
        version: (kind.version)(),
        api_version: kind.api_version(),
        kind: kind.name.to_owned(),
        plural: (kind.plural)(),
    }
}
