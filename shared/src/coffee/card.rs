//! A card that the shop charges.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    CardToken, Shop, TokenSource, UsedAccount, UsesAccount,
    account_ref::{
        self, ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account,
        check_account_immutable,
    },
    card_token::{self, CEL_ONE_TOKEN, CEL_TOKEN, CEL_TOKEN_MESSAGE, card_keys, check_token, token_source},
    texts::{self, check_description},
};
use crate::{
    access::Access,
    admission::{
        claim::Claim,
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, SecretKeyRef},
    field::at,
    kind::Kind,
    rules, status,
};

/// What a card is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
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
    #[validate(length(max = 255, code = "coffee.text.description"))]
    pub description: Option<String>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
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

status! {
    /// What Concierge found out about a card.
    pub struct CoffeeCardStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<CardPhase>,
        /// The shop's id of it, `crd_…`.
        pub card_id: Option<String>,
        /// Its brand.
        pub brand: Option<String>,
        /// Its last four digits.
        pub last4: Option<String>,
        /// When it expires, `YYYY-MM`.
        pub expiration: Option<String>,
        /// When an order was last placed with it, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_used: Option<String>,
    }
}

rules! {
    use account_ref::RULES, card_token::RULES, &[&texts::DESCRIPTION, &texts::CARD_NUMBER];
    UNIQUE = Deny protects_others "coffee.card.unique", "No two cards of an account have the same token.";
    IMMUTABLE = Deny "coffee.card.immutable", "A card's token and accountRef never change.";
    MOVED = Warn "coffee.card.moved", "A card's token that moves into a Secret stays the same.";
    IN_USE = Deny protects_others "coffee.card.in-use", "A card is deleted after what uses it is final.";
}

impl Kind for CoffeeCard {
    const NAME: &'static str = "CoffeeCard";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.cardToken"];

    fn fill_defaults(&mut self, _fill: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        let given = (spec.card_token.as_ref(), spec.card_token_secret_ref.as_ref());
        check_token(problems, &at("spec"), given, Shop::around(review));
        problems.add_invalid_fields(&**review.object);
        check_description(problems, "spec.description", spec.description.as_deref());
        check_account(review, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
        if let Some(old) = review.old {
            check_token_change(&old.spec, spec, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, true).into_iter().collect()
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
        let id = self.status.as_ref().and_then(|status| status.card_id.as_deref());
        let card = card_keys(self.metadata.namespace.as_deref(), self.spec.token_source(), id);
        account_index_keys(self, true).into_iter().chain(card).collect()
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
            problems.add(&MOVED, Cause::Invalid, "spec.cardTokenSecretRef", message);
        }
        (Some(before), Some(after)) if before != after => {
            let field = if new.card_token.is_some() { "spec.cardToken" } else { "spec.cardTokenSecretRef" };
            let message = "is immutable; create another CoffeeCard, and refer to that";
            problems.add(&IMMUTABLE, Cause::Forbidden, field, message);
        }
        _ => {}
    }
}

impl CoffeeCardSpec {
    /// Where the token is; `None` unless exactly one place is given.
    pub fn token_source(&self) -> Option<TokenSource<'_>> {
        token_source(self.card_token.as_ref(), self.card_token_secret_ref.as_ref())
    }
}
