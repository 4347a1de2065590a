//! How often others are asked while they are well, and while they are not: in one process, on paused time. What asks is a reconciler that
//! wants to know everything, four times a minute, for each of its objects.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use concierge_reconciler::catalyst::remote::{
    Branch, ImageName, Lookup, RegistryAuth, RemoteSettings, Remotes, SecretText,
};
use concierge_reconciler::engine::{
    Account, Context, Deletion, Failure, Guard, Kinds, ObjectKey, Outcome, Plan, Reconcile,
};
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_shared::pets::Pet;
use concierge_shared::status::ConditionReason;
use concierge_tests::catalyst::services::{GIT_TOKEN, MANIFEST, REFS, SECRETS, Services, TOKEN};
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::simulation::{MINUTE, Process, ProcessOptions, Server, Simulated};
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// How many objects want to know.
const OBJECTS: usize = 20;
const OUTAGE: Duration = Duration::from_secs(300);
/// How often each object is looked at.
const OFTEN: Duration = Duration::from_secs(15);

/// Asks for all that there is to ask for.
struct Asks(Remotes);

impl Reconcile for Asks {
    type Kind = Pet;
    type Remote = ();
    type Observed = Vec<Failure>;
    type Step = Infallible;

    async fn connect(&self, _: &Context, _: &Pet) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), pet: &Pet) -> Result<Vec<Failure>, Failure> {
        let Asks(remotes) = self;
        let branch = Branch {
            source: "web",
            repository: "https://git.example/acme/shop",
            branch: "main",
            installation: Some("4711"),
            namespace: None,
        };
        let tag = pet.metadata.name.clone().unwrap_or_default();
        let image = ImageName { registry: "registry.example".into(), repository: "acme/shop".into(), tag };
        let auth = RegistryAuth { user: "jane".into(), password: SecretText::new("right") };
        let lookup = Lookup { image: &image, auth: Some(&auth), insecure: false };
        let all = [
            remotes.newest_commit(ctx, "acme", &branch).await.err(),
            remotes.is_pushed(ctx, "acme", lookup).await.err(),
            remotes.secrets(ctx, "environment-1").await.err(),
        ];
        Ok(all.into_iter().flatten().collect())
    }

    fn plan(&self, _: &Pet, failures: &Vec<Failure>, _: Timestamp) -> Plan<Infallible> {
        let plan = match failures.first() {
            None => Plan::ready(),
            Some(failure) => Plan::not_ready(failure.reason(), failure.to_string()),
        };
        plan.look_again(OFTEN)
    }

    async fn act(&self, _: &Guard, (): &(), _: &Pet, step: &Infallible) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &Pet, _: &Vec<Failure>, _: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn needs_finalizer(&self, _: &Pet, _: Option<&Vec<Failure>>) -> bool {
        false
    }
}

struct World {
    server: Arc<Server>,
    services: Services,
    token: NamedTempFile,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let settings = RemoteSettings {
            web: Some("https://web.example/".parse().unwrap()),
            token_file: self.token.path().to_owned(),
            allow_internal: false,
        };
        Kinds::default().with(Asks(Remotes::new(Arc::new(self.services.clone()), settings)))
    }
}

impl World {
    /// All is well: a closed repository, a registry that asks for a token, and the web application.
    fn new() -> Self {
        let (services, token) = (Services::default(), NamedTempFile::new().unwrap());
        std::fs::write(token.path(), "own\n").unwrap();
        services.push("acme/shop", "main", COMMIT);
        services.close_repositories("ghs_0123456789");
        services.install("4711", "ghs_0123456789");
        services.ask_for_token("https://registry.example/token", Some(("jane", "right")));
        services.keep_secrets("own", "environment-1", json!({ "A": "s3cret" }));
        Self { server: Server::new(), services, token }
    }

    fn objects(&self) -> Vec<ObjectKey> {
        let make = |n| {
            let name = format!("asks-{n}");
            self.server.user_makes(
                "petstore.example.com/v1",
                "Pet",
                &name,
                json!({}),
                json!({ "id": n, "name": name }),
            )
        };
        (1..=OBJECTS).map(make).collect()
    }

    async fn begin(&self) -> (Process, Vec<ObjectKey>) {
        let objects = self.objects();
        let process = self.start("one", ProcessOptions::default());
        let ready = || objects.iter().all(|object| self.server.is_ready(object));
        assert!(self.server.until(MINUTE, ready).await, "{}", self.server.message(&objects[0], "Ready"));
        (process, objects)
    }

    fn counts(&self) -> [usize; 5] {
        [REFS, GIT_TOKEN, MANIFEST, TOKEN, SECRETS].map(|operation| self.services.count(operation))
    }

    /// How often each was asked during `time`.
    async fn counts_during(&self, time: Duration) -> [usize; 5] {
        let before = self.counts();
        tokio::time::sleep(time).await;
        let after = self.counts();
        std::array::from_fn(|n| after[n] - before[n])
    }

    /// Whether each of `objects` says `reason` and `text` of its being not ready.
    fn tell(&self, objects: &[ObjectKey], reason: ConditionReason, text: &str) -> bool {
        objects.iter().all(|object| {
            let condition = self.server.condition(object, "Ready");
            condition.contains(reason.as_str()) && self.server.message(object, "Ready").contains(text)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn while_all_is_well_others_are_asked_as_seldom_as_is_said() {
    let world = World::new();
    let (_process, _) = world.begin().await;
    let [refs, tokens, manifests, registry_tokens, secrets] = world.counts_during(10 * MINUTE).await;
    // One branch for all, each minute; an image that is missing, of each object, four times a minute; secrets of each, once or twice.
    assert!((9..=12).contains(&refs), "{refs} lists of branches");
    assert!(tokens <= 2, "{tokens} tokens for repositories");
    assert!(secrets <= 2 * OBJECTS, "{secrets} times secrets");
    assert!(
        manifests <= 2 * OBJECTS * 41 && registry_tokens <= OBJECTS * 41,
        "{manifests} and {registry_tokens}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_connection_for_five_minutes_ends_in_conditions_and_few_calls() {
    for (host, at) in [
        ("git.example", "the repository of source \"web\""),
        ("registry.example", "registry registry.example"),
    ] {
        let world = World::new();
        let (_process, objects) = world.begin().await;
        world.services.take_down(host);
        tokio::time::sleep(2 * MINUTE).await;
        assert!(
            world.tell(&objects, ConditionReason::NeverSent, ""),
            "{host}: {}",
            world.server.message(&objects[0], "Ready")
        );
        let message = world.server.message(&objects[0], "Ready");
        assert!(message.contains(at) || message.contains("there was no connection"), "{message}");
        tokio::time::sleep(OUTAGE - 2 * MINUTE).await;
        world.services.bring_up();
        let ready = || objects.iter().all(|object| world.server.is_ready(object));
        assert!(
            world.server.until(MINUTE, ready).await,
            "{host}: {}",
            world.server.message(&objects[0], "Ready")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_in_trouble_for_five_minutes_is_asked_twice_a_minute_by_all_together() {
    for (nth, operation) in [(0, REFS), (2, MANIFEST), (4, SECRETS)] {
        let world = World::new();
        // Else nobody asks for them for ten minutes.
        if operation == SECRETS {
            world.services.faults().inject(Rule::on(SECRETS), Fault::StatusBefore(503));
            let objects = world.objects();
            let _process = world.start("one", ProcessOptions::default());
            outage(&world, &objects, nth, operation).await;
            continue;
        }
        let (_process, objects) = world.begin().await;
        world.services.faults().inject(Rule::on(operation), Fault::StatusBefore(503));
        outage(&world, &objects, nth, operation).await;
    }
}

async fn outage(world: &World, objects: &[ObjectKey], nth: usize, operation: &str) {
    tokio::time::sleep(2 * MINUTE).await;
    assert!(
        !objects.iter().any(|object| world.server.is_ready(object)),
        "{operation}: who is ready has not asked"
    );
    let calls = world.counts_during(OUTAGE).await[nth];
    assert!((1..=11).contains(&calls), "{operation}: {calls} calls in five minutes");
    let message = world.server.message(&objects[0], "Ready");
    assert!(message.contains("503"), "{operation}: {message}");
    world.services.faults().clear();
    let ready = || objects.iter().all(|object| world.server.is_ready(object));
    assert!(
        world.server.until(2 * MINUTE, ready).await,
        "{operation}: {}",
        world.server.message(&objects[0], "Ready")
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_stops_its_installation_alone() {
    let world = World::new();
    world.services.install("4711", "ghs_wrong");
    let objects = world.objects();
    let _process = world.start("one", ProcessOptions::default());
    assert!(
        world.server.until(MINUTE, || world.tell(&objects, ConditionReason::Unauthorised, "")).await,
        "{}",
        world.server.message(&objects[0], "Ready")
    );
    tokio::time::sleep(10 * MINUTE).await;
    let calls = world.counts_during(10 * MINUTE).await;
    // Each five minutes: as nobody, for a token, and with it.
    assert!(calls[0] <= 6 && calls[1] <= 3, "{calls:?}");
    assert!(calls[2] > 0, "the registry is asked all the same");
    assert!(
        world.tell(&objects, ConditionReason::Unauthorised, ""),
        "{}",
        world.server.message(&objects[0], "Ready")
    );
    world.services.install("4711", "ghs_0123456789");
    world.server.user_annotates(&objects[0], json!({ "concierge.dev/reconcile-at": "now" }));
    let ready = || objects.iter().all(|object| world.server.is_ready(object));
    assert!(
        world.server.until(MINUTE, ready).await,
        "whoever asks for it is heard at once: {}",
        world.server.message(&objects[0], "Ready")
    );
}

#[tokio::test(start_paused = true)]
async fn a_web_application_that_refuses_us_is_left_alone_and_nothing_of_it_is_told() {
    let world = World::new();
    world.services.faults().inject(Rule::on(SECRETS), Fault::Echo(401));
    let objects = world.objects();
    let _process = world.start("one", ProcessOptions::default());
    assert!(
        world.server.until(MINUTE, || world.tell(&objects, ConditionReason::Unauthorised, "refuse")).await
    );
    tokio::time::sleep(10 * MINUTE).await;
    let calls = world.counts_during(10 * MINUTE).await[4];
    assert!(calls <= 2, "{calls} calls");
    for object in &objects {
        let status = world.server.status(object).to_string();
        assert!(!status.contains("Bearer") && !status.contains("s3cret"), "{status}");
    }
}
