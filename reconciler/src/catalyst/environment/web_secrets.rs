//! The secrets that the web application keeps for an environment: asked for at each look, and the last ones kept while it does not answer.

use concierge_runtime::cache::ChildKey;
use concierge_shared::{admission::review::annotation, catalyst::ID_ANNOTATION, child::Child};
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    basis::{Basis, Wishes},
    part::{Part, Trouble},
    workload::{Around, SECRETS},
};
use crate::{
    catalyst::remote::WebSecrets,
    engine::{Failure, Owned},
};

const ANYBODY: &str = "the secrets of the web application are not asked for, since anybody may write the annotation catalyst.dev/environment-id, another \
                       environment's id too; an operator names in rules.catalyst.environmentIdSetters who may";

/// Wants the Secret with them; false when there are none to go on with. Without them, nothing starts: it would run as if it had none.
pub(super) async fn wish(
    basis: &Basis<'_>,
    around: &mut Around,
    wishes: &mut Wishes,
) -> Result<bool, Failure> {
    let remotes = &basis.means.remotes;
    let id = annotation(basis.environment(), ID_ANNOTATION).filter(|id| !id.is_empty() && remotes.has_web());
    let Some(id) = id else { return Ok(true) };
    if basis.place.settings.environment_id_setters.is_empty() {
        wishes.refuse(Part::Secrets, "NotConfigured", ANYBODY);
        return Ok(false);
    }
    let secret = match remotes.secrets(basis.ctx, id).await {
        Ok(found) => {
            wishes.troubles.extend(left_out(&found));
            made_of(basis, &found)
        }
        Err(failure) => {
            let trouble = Trouble::of(Part::Secrets, &failure);
            let Some(last) = last(basis).await? else {
                wishes.troubles.push(trouble);
                return Ok(false);
            };
            wishes.troubles.push(trouble.borne("the last ones that it gave stay"));
            last
        }
    };
    around.reads(&secret);
    wishes.add(basis.environment(), Part::Secrets, &secret)?;
    Ok(true)
}

fn made_of(basis: &Basis<'_>, found: &WebSecrets) -> Secret {
    let bytes = found
        .values
        .iter()
        .map(|(name, value)| (name.clone(), ByteString(value.expose().as_bytes().to_vec())));
    Secret { metadata: basis.place.named(SECRETS), data: Some(bytes.collect()), ..Secret::default() }
}

/// The Secret as it was made last.
async fn last(basis: &Basis<'_>) -> Result<Option<Secret>, Failure> {
    let key = ChildKey {
        resource: Child::of::<Secret>(),
        namespace: basis.place.namespace.to_owned(),
        name: SECRETS.to_owned(),
    };
    if !basis.known.iter().any(|(known, _)| *known == key) {
        return Ok(None);
    }
    Ok(match basis.ctx.child::<_, Secret>(basis.environment(), &key).await? {
        Owned::Ours(Secret { data, .. }) => {
            Some(Secret { metadata: basis.place.named(SECRETS), data, ..Secret::default() })
        }
        Owned::Absent | Owned::Foreign(_) => None,
    })
}

/// That some have names that no variable can have.
fn left_out(found: &WebSecrets) -> Option<Trouble> {
    let names = found.left_out.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let message = format!("no variable can be called {names}; rename these secrets in the web application");
    let trouble = Trouble::lasting(Part::Secrets, "SecretsLeftOut", message);
    (!found.left_out.is_empty()).then_some(Trouble { ready: None, ..trouble })
}
