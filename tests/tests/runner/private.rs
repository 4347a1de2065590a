//! Where the source comes from.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use concierge_reconciler::catalyst::runner::{JobOutcome, Step};
use concierge_shared::catalyst::DeploymentMode;
use concierge_tests::catalyst::git::GitServer;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;

use crate::config_map;
use crate::world::Environment;

const TOKEN: &str = "ghs_hunter2";

/// A web application: it gives the token to whoever the API server knows, and notes who asked.
#[derive(Clone)]
struct Web {
    client: Client,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn token(
    State(web): State<Web>,
    Path(installation): Path<String>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let spec = TokenReviewSpec { token: bearer.map(str::to_owned), ..TokenReviewSpec::default() };
    let review = TokenReview { spec, ..TokenReview::default() };
    let answer = Api::<TokenReview>::all(web.client.clone()).create(&PostParams::default(), &review).await;
    let user =
        answer.ok().and_then(|answer| answer.status?.user?.username).ok_or(StatusCode::UNAUTHORIZED)?;
    web.asked.lock().push(format!("{user} {installation}"));
    if installation == "42" { Ok(TOKEN.to_owned()) } else { Err(StatusCode::FORBIDDEN) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_repository_is_read_with_the_token_that_the_web_application_gives_to_the_pod() -> Result<()>
{
    let mut environment = Environment::new("private", DeploymentMode::Manifest, "k8s").await?;
    let git = GitServer::start_closed(environment.world.plane.dir(), TOKEN).await?;
    let commit = git.commit("private", &[("k8s/one.yaml", &config_map("one"))]).await?;
    environment.repository = git.url("private");
    let JobOutcome::Failed { step: Step::Git, reason: "RepositoryDenied", message } =
        environment.deploy_commit(&commit).await?
    else {
        bail!("it was read without a token");
    };
    ensure!(message.contains("githubInstallationId"), "{message}");

    let asked = Arc::<Mutex<Vec<String>>>::default();
    let web = Web { client: environment.world.plane.client().await?, asked: asked.clone() };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    environment.web_url = Some(format!("http://{}", listener.local_addr()?));
    let router = Router::new().route("/api/git-token/{installation}", get(token)).with_state(web);
    let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
    let outcome = environment.deploy_commit(&commit).await?;
    server.abort();
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    let asked = asked.lock().clone();
    ensure!(asked.first().context("nobody asked")? == "system:serviceaccount:private:runner 42", "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_and_a_repository_that_are_not_there_are_told() -> Result<()> {
    let mut environment = Environment::new("nowhere", DeploymentMode::Manifest, "k8s").await?;
    environment.world.git.commit("nowhere", &[("README", "")]).await?;
    let absent = "0123456789012345678901234567890123456789";
    for (commit, repository, expect) in [
        (absent, environment.repository.clone(), "CommitNotFound"),
        (absent, environment.world.git.url("other"), "RepositoryNotFound"),
        ("--upload-pack=id", environment.repository.clone(), "SourceUnavailable"),
        (absent, "http://127.0.0.1:1/x.git".to_owned(), "SourceUnavailable"),
    ] {
        environment.repository = repository;
        let outcome = environment.deploy_commit(commit).await?;
        let JobOutcome::Failed { step: Step::Git, reason, message } = &outcome else { bail!("{outcome:?}") };
        ensure!(*reason == expect, "{reason}: {message}");
    }
    Ok(())
}
