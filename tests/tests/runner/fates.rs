//! What becomes of what was deployed: each end with its reason and a remedy.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use concierge_reconciler::catalyst::runner::{JobOutcome, Step};
use concierge_shared::catalyst::DeploymentMode;

use crate::world::Environment;
use crate::{CHART, deployment};

/// Deploys a container of `image` and expects a failure.
async fn check(
    name: &str,
    mode: DeploymentMode,
    image: &str,
    quota: &str,
    expect: (&str, &str),
) -> Result<()> {
    let path = if mode == DeploymentMode::Helm { "chart" } else { "" };
    let mut environment = Environment::within(name, mode, path, "baseline", quota).await?;
    environment.timeout = Duration::from_secs(if image == "hang" { 5 } else { 60 });
    let compose = format!(
        "services:\n  app:\n    image: {image}\n    deploy: {{ resources: {{ reservations: {{ cpus: '1' }} }} }}\n"
    );
    let files = match mode {
        DeploymentMode::Helm => vec![
            ("chart/Chart.yaml", CHART.to_owned()),
            ("chart/templates/app.yaml", deployment("app", image)),
        ],
        _ => vec![("compose.yaml", compose)],
    };
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    match environment.deploy(&files).await? {
        JobOutcome::Failed { step: Step::Wait, reason, message } => {
            ensure!(reason == expect.0 && message.contains(expect.1), "{name}: {reason}: {message}");
            Ok(())
        }
        other => bail!("{name}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deployed_and_does_not_run_is_told_with_its_reason_and_a_remedy() -> Result<()> {
    use DeploymentMode::{DockerCompose, Helm};
    let pull = ("ImageNotPulled", "correct its name");
    let hang = ("NotReadyInTime", "does its readiness probe succeed");
    let exit = ("ContainerExited", "exit code 1; see why with: kubectl logs -n");
    tokio::try_join!(
        check("fate-nopull", DockerCompose, "nopull", "2", pull),
        check("fate-fail", DockerCompose, "fail", "2", exit),
        check("fate-exit137", DockerCompose, "exit137", "2", ("ContainerKilled", "limits.memory")),
        check("fate-hang", DockerCompose, "hang", "2", hang),
        check(
            "fate-quota",
            DockerCompose,
            "run",
            "500m",
            ("QuotaExceeded", "raise resources.defaultQuota in the Project")
        ),
        check("fate-helm-nopull", Helm, "nopull", "2", pull),
        check("fate-helm-fail", Helm, "fail", "2", exit),
        check("fate-helm-hang", Helm, "hang", "2", hang),
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_starts_slowly_is_waited_for() -> Result<()> {
    let environment = Environment::new("fate-slow", DeploymentMode::DockerCompose, "").await?;
    let outcome = environment.deploy(&[("compose.yaml", "services: { app: { image: slow } }")]).await?;
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_that_can_not_be_rendered_is_told_and_leaves_nothing() -> Result<()> {
    let mut environment = Environment::new("fate-chart", DeploymentMode::Helm, "chart").await?;
    environment.values = serde_json::json!({ "password": "swordfish" });
    let template = "{{ fail (printf \"no %s\" .Values.password) }}";
    let files = [("chart/Chart.yaml", CHART), ("chart/templates/app.yaml", template)];
    let JobOutcome::Failed { step: Step::Deploy, reason: "ChartFailed", message } =
        environment.deploy(&files).await?
    else {
        bail!("it was deployed");
    };
    ensure!(message.contains("correct the chart") && !message.contains("swordfish"), "{message}");
    let secrets = environment.world.get_all("fate-chart", &["secrets", "-o=name"]).await?;
    ensure!(!secrets.contains("helm.release"), "{secrets}");
    let JobOutcome::Failed { reason: "ChartFailed", message, .. } =
        environment.deploy(&[("README", "")]).await?
    else {
        bail!("it was deployed");
    };
    ensure!(message.contains("no Chart.yaml) at \"chart\""), "{message}");
    Ok(())
}
