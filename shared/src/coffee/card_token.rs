//! The token that stands for a card: where it is, what it looks like, and that it is shown nowhere.

use std::{borrow::Cow, fmt};

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use super::{Shop, texts::check_no_card_number};
use crate::{
    admission::{
        problem::{Cause, Problems},
        seen::Seen,
    },
    common::{SecretKeyRef, card_number::has_card_number, words::hex},
    field::FieldPath,
    rules,
};

rules! {
    ONE_TOKEN = Deny "coffee.card.one-token", "A card has exactly one of cardToken and cardTokenSecretRef.";
    TOKEN = Deny "coffee.card.token", "A card's token is 'tok_' and letters, digits and '_'; its Secret reference names a Secret and a key.";
    TEST_TOKEN = Deny "coffee.card.test-token", "A production account has no Stripe test token.";
    TOKEN_CLEAR = Warn "coffee.card.token-clear", "A card's token is in a Secret, not in clear.";
}

pub(super) const CEL_ONE_TOKEN: &str = "has(self.cardToken) != has(self.cardTokenSecretRef)";
/// Demanded of the object that holds the token: of a field, the API server would repeat the value.
pub(super) const CEL_TOKEN: &str = "!has(self.cardToken) || \
     (self.cardToken.matches('^tok_[A-Za-z0-9_]+$') && !self.cardToken.matches('[0-9]{13}'))";
pub(super) const CEL_TOKEN_MESSAGE: &str =
    "cardToken must be a Stripe token: 'tok_' and letters, digits and '_'; never a card number";

/// A card inside another object.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(CEL_ONE_TOKEN).message("give exactly one of cardToken and cardTokenSecretRef"),
    validation = Rule::new(CEL_TOKEN).message(CEL_TOKEN_MESSAGE),
)]
pub struct InlineCard {
    /// Stripe's token for the card, `tok_…`, in clear. Prefer cardTokenSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_token: Option<CardToken>,
    /// The entry of a Secret in this namespace that holds Stripe's token for the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_token_secret_ref: Option<SecretKeyRef>,
}

/// Stripe's token for a card. It is not shown in errors and debug output.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct CardToken(String);

impl CardToken {
    /// The token, to be sent to the shop and shown nowhere.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A digest of the token at `account`, 64 hexadecimal digits, from which it can't be had back.
    pub fn digest(&self, account: &str) -> String {
        hex(&Sha256::new().chain_update(account).chain_update([0]).chain_update(&self.0).finalize())
    }

    /// `tok_` and letters, digits and `_`, and no card number.
    pub(super) fn is_well_formed(&self) -> bool {
        let rest = self.0.strip_prefix("tok_").unwrap_or_default();
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        !rest.is_empty() && self.0.len() <= 255 && rest.bytes().all(allowed) && !has_card_number(&self.0)
    }

    /// True for Stripe's test tokens, which are words: `tok_visa`. A real one has digits and many characters.
    fn is_for_tests(&self) -> bool {
        let rest = self.0.strip_prefix("tok_").unwrap_or_default();
        let is_word = rest.len() < 14 || rest.contains('_') || !rest.bytes().any(|c| c.is_ascii_digit());
        is_word || rest.starts_with("threeDSecure")
    }
}

impl From<String> for CardToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardToken(…)")
    }
}

impl JsonSchema for CardToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CardToken".into()
    }

    // No pattern: the API server would repeat what does not match it.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 255})
    }
}

impl<'de> Deserialize<'de> for CardToken {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        // Into a value first: a decoder's own error would repeat what it did not expect.
        match serde_json::Value::deserialize(json)? {
            serde_json::Value::String(token) => Ok(Self(token)),
            _ => Err(de::Error::custom("must be a string")),
        }
    }
}

/// Where a card's token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSource<'a> {
    /// In the object.
    Clear(&'a CardToken),
    /// In a Secret of the object's namespace.
    Secret(&'a SecretKeyRef),
}

impl TokenSource<'_> {
    /// The key of the objects of `namespace` whose card has its token there. The token itself is not in it.
    pub fn index_key(&self, namespace: &str) -> String {
        match self {
            TokenSource::Clear(token) => format!("card-token-of:{namespace}#{}", token.digest(namespace)),
            TokenSource::Secret(entry) => format!("card-token-of:{namespace}/{}/{}", entry.name, entry.key),
        }
    }
}

/// The key of the object that has registered the card with this id.
pub fn registered_card_key(id: &str) -> String {
    format!("registered-card:{id}")
}

/// The keys of an object of `namespace` with a card of its own, whose token is in `source`, which is registered as `id`.
pub(super) fn card_keys(
    namespace: Option<&str>,
    source: Option<TokenSource<'_>>,
    id: Option<&str>,
) -> Vec<String> {
    let source = source.map(|source| source.index_key(namespace.unwrap_or_default()));
    source.into_iter().chain(id.map(registered_card_key)).collect()
}

pub(super) fn token_source<'a>(
    clear: Option<&'a CardToken>,
    secret: Option<&'a SecretKeyRef>,
) -> Option<TokenSource<'a>> {
    match (clear, secret) {
        (Some(token), None) => Some(TokenSource::Clear(token)),
        (None, Some(entry)) => Some(TokenSource::Secret(entry)),
        _ => None,
    }
}

impl InlineCard {
    /// Where the token is; `None` unless exactly one place is given.
    pub fn token_source(&self) -> Option<TokenSource<'_>> {
        token_source(self.card_token.as_ref(), self.card_token_secret_ref.as_ref())
    }
}

/// Checks the token given below `root`, in clear or in a Secret. No message repeats it.
pub(super) fn check_token(
    problems: &mut Problems,
    root: &FieldPath,
    given: (Option<&CardToken>, Option<&SecretKeyRef>),
    shop: Seen<Shop>,
) {
    let (clear, secret) = given;
    if clear.is_some() == secret.is_some() {
        let cause = if clear.is_some() { Cause::Forbidden } else { Cause::Required };
        let message = "needs exactly one of cardToken and cardTokenSecretRef";
        problems.add(&ONE_TOKEN, cause, root.clone(), message);
    }
    if let Some(entry) = secret {
        entry.check(root.clone().field("cardTokenSecretRef"), &TOKEN, problems);
    }
    let Some(token) = clear else { return };
    let field = root.clone().field("cardToken");
    if has_card_number(token.reveal()) {
        check_no_card_number(problems, field, token.reveal());
    } else if !token.is_well_formed() {
        let message = "is no Stripe token; it is 'tok_' and letters, digits and '_'";
        problems.add(&TOKEN, Cause::Invalid, field, message);
    } else {
        if token.is_for_tests() {
            shop.check(problems, field.clone(), &[&TEST_TOKEN], |shop, problems| {
                if shop.is_production() {
                    let message = "is one of Stripe's test tokens, which a production account can't charge; \
                                   register a real card";
                    problems.add(&TEST_TOKEN, Cause::NotSupported, field.clone(), message);
                }
            });
        }
        let message = "is in clear for all who may read the object, its history and its managed fields; \
                       use cardTokenSecretRef";
        problems.add(&TOKEN_CLEAR, Cause::Forbidden, field, message);
    }
}
