//! The account holder, the overview, and the newsletter.

use serde_json::{Value, json};

use super::problem::Problem;
use super::router::Call;
use super::{address, app, card, cart, order, product, subscription, token};

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    Ok(json!({"user": call.data().user}))
}

pub(super) fn put(call: &mut Call) -> Result<Value, Problem> {
    let fields = call.fields()?;
    let (name, email) = (fields.text("name")?, fields.text("email")?);
    check_email(&email)?;
    let user = &mut call.data().user;
    (user.name, user.email) = (Some(name), Some(email));
    get(call)
}

pub(super) fn init(call: &mut Call) -> Result<Value, Problem> {
    Ok(json!({
        "profile": get(call)?,
        "products": product::list(call)?,
        "cart": cart::get(call)?,
        "addresses": address::list(call)?,
        "cards": card::list(call)?,
        "subscriptions": subscription::list(call)?,
        "orders": order::list(call)?,
        "tokens": token::list(call)?,
        "apps": app::list(call)?,
        "region": "na",
    }))
}

pub(super) fn email(call: &mut Call) -> Result<Value, Problem> {
    check_email(&call.fields()?.text("email")?)?;
    Ok(json!("ok"))
}

fn check_email(email: &str) -> Result<(), Problem> {
    let parts = email.split_once('@');
    let good =
        parts.is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    if good { Ok(()) } else { Err(Problem::invalid("email", "email must be an e-mail address")) }
}
