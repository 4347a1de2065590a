//! The images that are built: looked for in the registry, and built where they are not there. One after the other: the quota is that of one
//! environment.

use std::time::Duration;

use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    basis::{Basis, Wishes},
    part::{Again, Part, Trouble},
    source::Sources,
};
use crate::{
    catalyst::{
        attempt::{self, Attempt},
        build::{self, BuildInput, BuildSettings, Builder},
        remote::{ImageName, Lookup, RegistryAuth},
    },
    engine::Failure,
};

/// The key of the credentials in their Secret.
pub(super) const CONFIG_KEY: &str = ".dockerconfigjson";

/// Sees to it that there are the images of all builds; false while one is not.
pub(super) async fn wish(
    basis: &Basis<'_>,
    credentials: Option<&Secret>,
    sources: &Sources<'_>,
    wishes: &mut Wishes,
) -> Result<bool, Failure> {
    let builds = basis.builds();
    if builds.is_empty() {
        return Ok(true);
    }
    let settings = match settings(basis) {
        Ok(settings) => settings,
        Err(message) => {
            wishes.refuse(Part::Build, "NotConfigured", message);
            return Ok(false);
        }
    };
    for build in builds {
        let Some(at) = sources.get(build.source_ref.as_str()) else { return Ok(false) };
        let whose = basis.place.hierarchy;
        let image = build::image(&basis.place.settings.registry, &whose, build, at.repository, &at.commit);
        let input = BuildInput {
            namespace: basis.place.namespace,
            build,
            repository: at.repository,
            commit: &at.commit,
            installation: basis.installation(),
            image: &image,
            credentials: credentials.is_some(),
        };
        if !is_there(basis, &input, &settings, credentials, wishes).await? {
            return Ok(false);
        }
        wishes.images.insert(build.name.clone(), image.to_string());
    }
    wishes.met.push(Part::Build);
    Ok(true)
}

/// With what images are built; what an operator has to set first otherwise.
fn settings(basis: &Basis<'_>) -> Result<BuildSettings, &'static str> {
    let settings = basis.place.settings;
    if settings.registry.is_empty() {
        return Err("there is no registry to build into; an operator sets rules.catalyst.registry");
    }
    let builder = Builder::named(&settings.builder)
        .ok_or("the builder is neither kaniko nor buildah; an operator corrects rules.catalyst.builder")?;
    let image = match settings.builder_image.as_str() {
        "" => builder.usual_image(),
        image => image,
    };
    let minutes = u64::try_from(settings.build_minutes).unwrap_or(1);
    Ok(BuildSettings {
        builder,
        image: image.to_owned(),
        git_image: settings.git_image.clone(),
        web_url: basis.means.remotes.web_address().map(str::to_owned),
        insecure: settings.registry_insecure,
        timeout: Duration::from_secs(60 * minutes),
    })
}

/// Whether the image is there. What was found once, or built, is not asked for again until somebody changes the Environment.
async fn is_there(
    basis: &Basis<'_>,
    input: &BuildInput<'_>,
    settings: &BuildSettings,
    credentials: Option<&Secret>,
    wishes: &mut Wishes,
) -> Result<bool, Failure> {
    let Basis { ctx, known, .. } = *basis;
    let attempt = attempt::of(ctx, basis.environment(), known, &input.base()).await?;
    if is_recorded(basis, input) {
        wishes.kept.extend(attempt::jobs(known, &input.base()).map(|(key, ..)| key.clone()));
        return Ok(true);
    }
    match attempt {
        Attempt::Done(key) => {
            wishes.kept.push(key);
            Ok(true)
        }
        Attempt::Runs(key) => {
            wishes.wait(Part::Build, format!("waits for {key}, which builds {}", input.image));
            wishes.kept.push(key);
            Ok(false)
        }
        Attempt::Failed(failed) => {
            let why = build::outcome(&input.build.name, &failed.job, &failed.pods);
            let trouble = Trouble::lasting(Part::Build, why.reason, failed.with_next(&why.message));
            wishes.troubles.push(Trouble { again: Some(Again::At(failed.again)), ..trouble });
            wishes.kept.push(failed.key);
            Ok(false)
        }
        Attempt::Due(number) => match is_pushed(basis, input.image, credentials).await {
            Ok(true) => Ok(true),
            Ok(false) => {
                wishes.add(basis.environment(), Part::Build, &build::of(input, settings, number))?;
                Ok(false)
            }
            Err(failure) => {
                wishes.troubles.push(Trouble::of(Part::Build, &failure));
                Ok(false)
            }
        },
    }
}

fn is_recorded(basis: &Basis<'_>, input: &BuildInput<'_>) -> bool {
    let status = basis.environment().status.as_ref();
    let image = status.and_then(|status| status.images.as_ref()?.get(&input.build.name));
    !basis.ctx.is_edited() && image.is_some_and(|image| *image == input.image.to_string())
}

async fn is_pushed(
    basis: &Basis<'_>,
    image: &ImageName,
    credentials: Option<&Secret>,
) -> Result<bool, Failure> {
    let config = credentials.and_then(|secret| secret.data.as_ref()?.get(CONFIG_KEY));
    let auth = config.and_then(|ByteString(config)| RegistryAuth::of(config, &image.registry));
    let lookup = Lookup { image, auth: auth.as_ref(), insecure: basis.place.settings.registry_insecure };
    basis.means.remotes.is_pushed(basis.ctx, basis.team(), lookup).await
}
