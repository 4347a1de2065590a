//! A card that the shop charges.

use std::{borrow::Cow, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use super::{
    ObjectRef, SecretKeyRef, Shop, UsedAccount, UsesAccount,
    digits::has_card_number,
    fingerprint::hex,
    refs::{ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account},
    text::{check_no_card_number, check_optional},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::Fill,
        problem::{Problems, Reason},
        reference::Reference,
        review::Review,
        rule::Rule as AdmissionRule,
    },
    field::{FieldPath, at},
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

const CEL_ONE_TOKEN: &str = "has(self.cardToken) != has(self.cardTokenSecretRef)";
/// Demanded of the object that holds the token: of a field, the API server would repeat the value.
const CEL_TOKEN: &str = "!has(self.cardToken) || \
     (self.cardToken.matches('^tok_[A-Za-z0-9_]+$') && !self.cardToken.matches('[0-9]{13}'))";
const CEL_TOKEN_MESSAGE: &str =
    "cardToken must be a Stripe token: 'tok_' and letters, digits and '_'; never a card number";

/// What a card is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeCard",
    plural = "coffeecards",
    shortname = "ccard",
    shortname = "cc",
    namespaced,
    status = "CoffeeCardStatus",
    category = "coffee",
    doc = "A payment card that the Terminal shop charges.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "CardID", type_ = "string", json_path = ".status.cardId"),
    printcolumn(name = "Last4", type_ = "string", json_path = ".status.last4"),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
    validation = Rule::new(CEL_ONE_TOKEN).message("give exactly one of cardToken and cardTokenSecretRef"),
    validation = Rule::new(CEL_TOKEN).message(CEL_TOKEN_MESSAGE),
    validation = Rule::new("!has(oldSelf.cardToken) || !has(self.cardToken) || self.cardToken == oldSelf.cardToken")
        .message("cardToken is immutable; create another CoffeeCard instead"),
    validation = Rule::new("!has(oldSelf.cardTokenSecretRef) || (has(self.cardTokenSecretRef) && self.cardTokenSecretRef == oldSelf.cardTokenSecretRef)")
        .message("cardTokenSecretRef is immutable; create another CoffeeCard instead"),
)]
pub struct CoffeeCardSpec {
    /// Stripe's token for the card, `tok_…`, in clear. Prefer cardTokenSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_token: Option<CardToken>,
    /// The entry of a Secret in this namespace that holds Stripe's token for the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_token_secret_ref: Option<SecretKeyRef>,
    /// Which card it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

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

/// Where a card stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CardPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop has it.
    Registered,
    /// Something must be mended first.
    Failed,
}

/// What Concierge found out about a card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeCardStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<CardPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `crd_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_id: Option<String>,
    /// Its brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Its last four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
    /// When it expires, `YYYY-MM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// When an order was last placed with it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_used: Option<String>,
    /// The account at which the remote thing was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<UsedAccount>,
    /// The call at the shop that may be sent at most once and is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Where the object stands, in detail.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The last token of the annotation concierge.dev/reconcile-at that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<String>,
}

rules! {
    ONE_TOKEN = Deny "coffee.card.one-token", "A card has exactly one of cardToken and cardTokenSecretRef.";
    TOKEN = Deny "coffee.card.token", "A card's token is 'tok_' and letters, digits and '_'; its Secret reference names a Secret and a key.";
    CARD_NUMBER = Deny "coffee.card.card-number", "No text of a card contains a card number.";
    TEST_TOKEN = Deny "coffee.card.test-token", "A production account has no Stripe test token.";
    TOKEN_CLEAR = Warn "coffee.card.token-clear", "A card's token is in a Secret, not in clear.";
    DESCRIPTION = Deny "coffee.card.description", "A card's description has up to 255 characters.";
    UNIQUE = Deny "coffee.card.unique", "No two cards of an account have the same token.";
    ACCOUNT_EXISTS = Deny "coffee.card.account-exists", "The TerminalAccount that a card names exists and permits its namespace.";
    IMMUTABLE = Deny "coffee.card.immutable", "A card's token and accountRef never change.";
    MOVED = Warn "coffee.card.moved", "A card's token that moves into a Secret stays the same.";
    IN_USE = Deny "coffee.card.in-use", "A card is deleted after what uses it is final.";
}

static CARD_RULES: CardRules = CardRules {
    one: &ONE_TOKEN,
    token: &TOKEN,
    number: &CARD_NUMBER,
    test: &TEST_TOKEN,
    clear: &TOKEN_CLEAR,
};

impl Kind for CoffeeCard {
    const NAME: &'static str = "CoffeeCard";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);

    fn assemble(metadata: ObjectMeta, spec: CoffeeCardSpec, status: Option<CoffeeCardStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, _fill: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        let given = (spec.card_token.as_ref(), spec.card_token_secret_ref.as_ref());
        check_token(problems, &CARD_RULES, &at("spec"), given, &Shop::around(review));
        let description = spec.description.as_deref().unwrap_or_default();
        check_optional(problems, &DESCRIPTION, "spec.description", description, 255);
        check_no_card_number(problems, &CARD_NUMBER, "spec.description", description);
        check_account(review, &ACCOUNT_EXISTS, &IMMUTABLE, problems);
        if let Some(old) = review.old {
            check_token_change(&old.spec, spec, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, &ACCOUNT_EXISTS, true).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let account = self.account_key();
        let (field, key) = match self.spec.token_source() {
            // A digest of anything else than a token might be undone by trying all card numbers.
            Some(TokenSource::Clear(token)) if token.is_well_formed() => {
                (at("spec.cardToken"), format!("{account}/{}", token.digest(&account)))
            }
            Some(TokenSource::Secret(entry)) => {
                let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
                let key = format!("{account}/secret/{namespace}/{}/{}", entry.name, entry.key);
                (at("spec.cardTokenSecretRef"), key)
            }
            _ => return Vec::new(),
        };
        let taken = "another CoffeeCard of the account has this token; refer to that one";
        vec![Claim { field, rule: &UNIQUE, key, taken: Some(taken) }]
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

impl UsesAccount for CoffeeCard {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

fn check_token_change(old: &CoffeeCardSpec, new: &CoffeeCardSpec, problems: &mut Problems) {
    match (old.token_source(), new.token_source()) {
        (Some(TokenSource::Clear(_)), Some(TokenSource::Secret(_))) => {
            let message = "must hold the token that was in cardToken: a registered card is not registered \
                           again; for another token create another CoffeeCard";
            problems.add(&MOVED, Reason::Invalid, "spec.cardTokenSecretRef", message);
        }
        (Some(before), Some(after)) if before != after => {
            let field = if new.card_token.is_some() { "spec.cardToken" } else { "spec.cardTokenSecretRef" };
            let message = "is immutable; create another CoffeeCard, and refer to that";
            problems.add(&IMMUTABLE, Reason::Forbidden, field, message);
        }
        _ => {}
    }
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
    fn is_well_formed(&self) -> bool {
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

fn token_source<'a>(
    clear: Option<&'a CardToken>,
    secret: Option<&'a SecretKeyRef>,
) -> Option<TokenSource<'a>> {
    match (clear, secret) {
        (Some(token), None) => Some(TokenSource::Clear(token)),
        (None, Some(entry)) => Some(TokenSource::Secret(entry)),
        _ => None,
    }
}

impl CoffeeCardSpec {
    /// Where the token is; `None` unless exactly one place is given.
    pub fn token_source(&self) -> Option<TokenSource<'_>> {
        token_source(self.card_token.as_ref(), self.card_token_secret_ref.as_ref())
    }
}

impl InlineCard {
    /// Where the token is; `None` unless exactly one place is given.
    pub fn token_source(&self) -> Option<TokenSource<'_>> {
        token_source(self.card_token.as_ref(), self.card_token_secret_ref.as_ref())
    }
}

/// The rules of a kind that holds a card's token.
pub(super) struct CardRules {
    /// One place.
    pub(super) one: &'static AdmissionRule,
    /// The token's shape.
    pub(super) token: &'static AdmissionRule,
    /// No card number.
    pub(super) number: &'static AdmissionRule,
    /// No test token in production.
    pub(super) test: &'static AdmissionRule,
    /// Better in a Secret.
    pub(super) clear: &'static AdmissionRule,
}

/// Checks the token given below `root`, in clear or in a Secret. No message repeats it.
pub(super) fn check_token(
    problems: &mut Problems,
    rules: &CardRules,
    root: &FieldPath,
    given: (Option<&CardToken>, Option<&SecretKeyRef>),
    shop: &Shop,
) {
    let (clear, secret) = given;
    if clear.is_some() == secret.is_some() {
        let reason = if clear.is_some() { Reason::Forbidden } else { Reason::Required };
        let message = "needs exactly one of cardToken and cardTokenSecretRef";
        problems.add(rules.one, reason, root.clone(), message);
    }
    if let Some(entry) = secret {
        entry.check(root.clone().field("cardTokenSecretRef"), rules.token, problems);
    }
    let Some(token) = clear else { return };
    let field = root.clone().field("cardToken");
    if has_card_number(token.reveal()) {
        check_no_card_number(problems, rules.number, field, token.reveal());
    } else if !token.is_well_formed() {
        let message = "is no Stripe token; it is 'tok_' and letters, digits and '_'";
        problems.add(rules.token, Reason::Invalid, field, message);
    } else {
        if token.is_for_tests() && shop.is_production() {
            let message = "is one of Stripe's test tokens, which a production account can't charge; register \
                           a real card";
            problems.add(rules.test, Reason::NotSupported, field.clone(), message);
        }
        let message = "is in clear for all who may read the object, its history and its managed fields; \
                       use cardTokenSecretRef";
        problems.add(rules.clear, Reason::Forbidden, field, message);
    }
}
