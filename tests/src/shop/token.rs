//! Personal access tokens.

use serde_json::{Value, json};

use super::problem::Problem;
use super::router::Call;
use super::state::written;

/// A minted token.
#[derive(Clone, Debug)]
pub struct Token {
    /// `pat_...`
    pub id: String,
    /// When it was minted.
    pub created: String,
    /// The token itself, which the shop shows once.
    pub text: String,
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(call.data().tokens.list(at).iter().map(Token::shown).collect())
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let token = call.data().tokens.get(id, at);
    Ok(token.ok_or_else(|| Problem::not_found("Token", id))?.shown())
}

/// The new token opens the account at once.
pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let id = call.new_id("pat");
    let place = if call.data().sandbox { "test" } else { "live" };
    let text = format!("trm_{place}_{:020x}", call.state.rng.u128(..) >> 48);
    let token = Token { id: id.clone(), created: written(call.at), text: text.clone() };
    let (hidden, at, account) = (call.hidden, call.at, call.account);
    call.data().tokens.add(&id, token, hidden, at);
    call.state.admit(&text, account);
    Ok(json!({"id": id, "token": text}))
}

/// The token opens nothing from now on.
pub(super) fn delete(call: &mut Call) -> Result<Value, Problem> {
    let id = call.id;
    let tokens = &mut call.data().tokens;
    let text =
        tokens.find(id).map(|token| token.text.clone()).ok_or_else(|| Problem::not_found("Token", id))?;
    tokens.remove(id);
    call.state.revoke(&text);
    Ok(json!("ok"))
}

impl Token {
    fn shown(&self) -> Value {
        json!({"id": self.id, "created": self.created, "token": obfuscated(&self.text)})
    }
}

/// A secret as lists show it: how it begins and how it ends.
pub(super) fn obfuscated(secret: &str) -> String {
    let end = secret.get(secret.len().saturating_sub(4)..).unwrap_or_default();
    format!("{}******{end}", secret.get(..4).unwrap_or_default())
}
