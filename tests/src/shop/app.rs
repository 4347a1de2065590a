//! OAuth apps.

use serde_json::{Value, json};

use super::problem::Problem;
use super::router::Call;
use super::token::obfuscated;

/// A registered app.
#[derive(Clone, Debug)]
pub struct App {
    /// `cli_...`
    pub id: String,
    pub name: String,
    /// Where users return to.
    pub redirect_uri: String,
    /// The secret, which the shop shows once.
    pub secret: String,
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(call.data().apps.list(at).iter().map(App::shown).collect())
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let app = call.data().apps.get(id, at);
    Ok(app.ok_or_else(|| Problem::not_found("App", id))?.shown())
}

pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let fields = call.fields()?;
    let (name, redirect_uri) = (fields.text("name")?, fields.text("redirectURI")?);
    if !redirect_uri.contains("://") {
        return Err(Problem::invalid("redirectURI", "redirectURI must be an absolute URI"));
    }
    let (id, secret) = (call.new_id("cli"), call.new_id("sec"));
    let app = App { id: id.clone(), name, redirect_uri, secret: secret.clone() };
    let (hidden, at) = (call.hidden, call.at);
    call.data().apps.add(&id, app, hidden, at);
    Ok(json!({"id": id, "secret": secret}))
}

pub(super) fn delete(call: &mut Call) -> Result<Value, Problem> {
    let id = call.id;
    match call.data().apps.remove(id) {
        true => Ok(json!("ok")),
        false => Err(Problem::not_found("App", id)),
    }
}

impl App {
    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "redirectURI": self.redirect_uri,
            "secret": obfuscated(&self.secret),
        })
    }
}
