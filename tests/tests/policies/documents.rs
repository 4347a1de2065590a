//! Which documents are accepted, and why not: by us, by versitygw (bucket policies) and by moto (policies of users).

use aws_sdk_s3::error::ProvideErrorMetadata;
use concierge_shared::admission::rule::Level;
use concierge_shared::s3::policy::{PolicyKind, Profile, Subject, lint};
use concierge_tests::s3::Server;

use crate::cases::{BUCKET, Case, generated, hand_made, identity};
use crate::table::{ACCEPTS, Rows, assert_told};

const SEED: u64 = 20_261_126;
const GENERATED: usize = 300;
/// How many of the generated ones are played every day.
const DAILY: usize = 60;

/// What versitygw says, and how the ids of our rules begin that say the same.
const REASONS: &[(&str, &[&str])] = &[
    ("Policies must be valid JSON", &["doc"]),
    ("This policy contains invalid Json", &["doc", "stm", "act", "res", "prn", "cnd"]),
    ("Could not parse the policy: Statement is empty!", &["doc-11"]),
    ("Missing required field Statement", &["doc-10", "doc-05"]),
    ("The policy must contain a valid version string", &["doc-06"]),
    ("Invalid effect", &["stm-02"]),
    ("Missing required field Effect", &["stm-02"]),
    ("Policy has invalid action", &["act", "stm-09"]),
    ("Policy has invalid resource", &["res", "stm-09"]),
    ("Invalid principal in policy", &["prn", "stm-05"]),
    ("Action does not apply to any resource(s) in statement", &["act-09", "stm-03", "stm-04"]),
    ("Conditions do not apply to combination of actions and resources", &["cnd-27"]),
    ("Policy has an invalid condition key", &["cnd"]),
    ("Invalid IP address in Conditions", &["cnd-13"]),
    ("Invalid Condition type", &["cnd-01", "cnd-03"]),
];

/// Rules about what is meant: no service minds.
const OF_INTENT: &[&str] = &["act-14-public"];

/// The short ids of the rules of the language for which we refuse a document.
fn refusals(text: &str, subject: &Subject<'_>) -> Vec<&'static str> {
    let wrong = lint(text, subject).into_iter().filter(|one| one.rule.level == Level::Deny);
    let mut ids: Vec<_> = wrong.map(|one| one.rule.id.trim_start_matches("s3.policy.")).collect();
    ids.retain(|id| !OF_INTENT.contains(id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn said(refusals: &[&str]) -> String {
    match refusals {
        [] => ACCEPTS.to_owned(),
        ids => format!("refuses ({})", ids.join(", ")),
    }
}

/// Whether one of our reasons is that of the other.
fn is_alike(message: &str, refusals: &[&str]) -> bool {
    let known = REASONS.iter().find(|(begins, _)| message.starts_with(begins));
    known.is_some_and(|(_, ids)| refusals.iter().any(|one| ids.iter().any(|id| one.starts_with(id))))
}

fn cases(all: bool) -> Vec<Case> {
    let made = hand_made();
    assert!(made.len() >= 60, "{} were made by hand", made.len());
    let generated = generated(SEED, if all { GENERATED } else { DAILY }).into_iter();
    // Addresses of this machine mean something where requests are sent, and nothing to a service elsewhere.
    let elsewhere =
        generated.map(|case| Case { document: case.document.replace("127.0.0.", "198.51.100."), ..case });
    made.into_iter().chain(elsewhere).collect()
}

/// Users ann and bob, and the account that they are in.
pub(crate) struct Users {
    pub(crate) ann: String,
    pub(crate) bob: String,
    pub(crate) account: String,
}

impl Users {
    pub(crate) async fn make(server: &Server) -> Self {
        let iam = server.clients(&server.admin).unwrap().iam.unwrap();
        let mut arns = Vec::new();
        for name in ["ann", "bob"] {
            let made = iam.create_user().user_name(name).send().await.unwrap();
            arns.push(made.user().unwrap().arn().to_owned());
        }
        let account = arns[0].split(':').nth(4).unwrap().to_owned();
        let [ann, bob] = arns.try_into().unwrap();
        Self { ann, bob, account }
    }

    /// The document with these users.
    pub(crate) fn in_document(&self, case: &Case) -> String {
        let text = case.document.replace("{ann}", &self.ann).replace("{bob}", &self.bob);
        text.replace("{account}", &self.account)
    }
}

/// What a service said of a document; `None` when it took it.
fn message<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, E>) -> Option<String> {
    let error = answer.err()?;
    let message = error.message().map(str::to_owned);
    Some(message.or_else(|| error.code().map(str::to_owned)).unwrap_or_else(|| format!("{error:?}")))
}

async fn at_versitygw(all: bool) {
    let server = Server::versitygw().await.unwrap();
    let users = Users::make(&server).await;
    let s3 = server.clients(server.root.as_ref().unwrap()).unwrap().s3;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    // What is meant is no matter of the language.
    let subject = Subject {
        profile: Profile::Versitygw,
        bucket: Some(BUCKET),
        account: Some(&users.account),
        allow_public: true,
        allow_lockout: true,
        ..Subject::new(PolicyKind::Bucket)
    };
    let (mut rows, mut alike, mut count) = (Rows::default(), 0, 0);
    for case in cases(all) {
        let text = users.in_document(&case);
        let ours = refusals(&text, &subject);
        let theirs = message(s3.put_bucket_policy().bucket(BUCKET).policy(&text).send().await);
        count += 1;
        match theirs {
            None if ours.is_empty() => alike += 1,
            Some(message) if is_alike(&message, &ours) => alike += 1,
            None => rows.add(case.what, said(&ours), ACCEPTS.to_owned()),
            Some(message) => rows.add(
                case.what,
                said(&ours),
                format!("refuses: {}", message.replace(&users.account, "ACCOUNT")),
            ),
        }
    }
    println!(
        "{count} bucket policies, {alike} judged as versitygw does, for the same reason; {} differences",
        rows.len()
    );
    assert_told("versitygw", "versitygw 1.8.0", &rows, all);
}

async fn at_moto(all: bool) {
    let server = Server::moto().await.unwrap();
    let iam = server.clients(&server.admin).unwrap().iam.unwrap();
    iam.create_user().user_name("ann").send().await.unwrap();
    let subject = Subject { profile: Profile::Aws, ..Subject::new(PolicyKind::Managed) };
    let (mut rows, mut alike, mut count) = (Rows::default(), 0, 0);
    for case in cases(all).iter().filter_map(identity) {
        let ours = refusals(&case.document, &subject);
        let put = iam.put_user_policy().user_name("ann").policy_name("tried");
        let theirs = message(put.policy_document(&case.document).send().await);
        count += 1;
        match theirs {
            None if ours.is_empty() => alike += 1,
            Some(_) if !ours.is_empty() => alike += 1,
            None => rows.add(case.what, said(&ours), ACCEPTS.to_owned()),
            Some(message) => {
                rows.add(case.what, said(&ours), format!("refuses: {}", message.replace('\n', " ")))
            }
        }
    }
    println!("{count} policies of users, {alike} judged as moto does; {} differences", rows.len());
    assert_told("moto", "moto 5.2.5", &rows, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn versitygw_judges_bucket_policies_as_we_do_but_for_what_is_told() {
    at_versitygw(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_judges_policies_of_users_as_we_do_but_for_what_is_told() {
    at_moto(false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn all_differences_from_versitygw_and_moto_are_told_and_no_others() {
    at_versitygw(true).await;
    at_moto(true).await;
}
