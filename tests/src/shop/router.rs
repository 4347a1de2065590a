//! The shop's 37 operations in one table.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::AccountData;
use super::problem::{Fields, Problem};
use super::state::State;
use super::{address, app, card, cart, order, product, profile, subscription, token};
use crate::faults::{Hidden, Request, Response};

/// One request on its way through a handler.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut State,
    /// Whose account; 0 and unused where none is needed.
    pub(super) account: usize,
    /// What stood for `{id}`.
    pub(super) id: &'a str,
    pub(super) body: &'a [u8],
    pub(super) at: Timestamp,
    pub(super) hidden: Option<Hidden>,
    pub(super) number: u64,
}

impl Call<'_> {
    pub(super) fn data(&mut self) -> &mut AccountData {
        &mut self.state.accounts[self.account]
    }

    pub(super) fn fields(&self) -> Result<Fields, Problem> {
        Fields::read(self.body)
    }

    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        self.state.id(prefix, self.at)
    }
}

type Handler = fn(&mut Call) -> Result<Value, Problem>;

const ROUTES: [(&str, Handler); 37] = [
    ("GET /product", product::list),
    ("GET /product/{id}", product::get),
    ("GET /profile", profile::get),
    ("PUT /profile", profile::put),
    ("GET /address", address::list),
    ("POST /address", address::create),
    ("GET /address/{id}", address::get),
    ("DELETE /address/{id}", address::delete),
    ("GET /card", card::list),
    ("POST /card", card::create),
    ("POST /card/collect", card::collect),
    ("GET /card/{id}", card::get),
    ("DELETE /card/{id}", card::delete),
    ("GET /cart", cart::get),
    ("DELETE /cart", cart::clear),
    ("PUT /cart/item", cart::set_item),
    ("PUT /cart/address", cart::set_address),
    ("PUT /cart/card", cart::set_card),
    ("POST /cart/convert", cart::convert),
    ("GET /order", order::list),
    ("POST /order", order::create),
    ("GET /order/{id}", order::get),
    ("GET /subscription", subscription::list),
    ("POST /subscription", subscription::create),
    ("GET /subscription/{id}", subscription::get),
    ("PUT /subscription/{id}", subscription::update),
    ("DELETE /subscription/{id}", subscription::delete),
    ("GET /token", token::list),
    ("POST /token", token::create),
    ("GET /token/{id}", token::get),
    ("DELETE /token/{id}", token::delete),
    ("GET /app", app::list),
    ("POST /app", app::create),
    ("GET /app/{id}", app::get),
    ("DELETE /app/{id}", app::delete),
    ("GET /view/init", profile::init),
    ("POST /email", profile::email),
];

/// Operations that need no account.
const OPEN: [&str; 3] = ["GET /product", "GET /product/{id}", "POST /email"];

/// The operation a request asks for.
pub(super) fn operation(request: &Request) -> &'static str {
    find(request).map_or("unknown", |(name, _, _)| name)
}

/// Does what a request asks for.
pub(super) fn handle(state: &mut State, request: &Request, at: Timestamp) -> Response {
    let result = route(state, request, at);
    result.map_or_else(|problem| problem.response(), |data| Response::json(200, &json!({"data": data})))
}

fn route(state: &mut State, request: &Request, at: Timestamp) -> Result<Value, Problem> {
    let (name, handler, id) = find(request).ok_or_else(|| Problem::status(404))?;
    let account = match state.account_of(request) {
        Some(account) => account,
        None if OPEN.contains(&name) => 0,
        None => return Err(Problem::status(401)),
    };
    let Request { number, hidden, body, .. } = request;
    handler(&mut Call { state, account, id, body, at, hidden: *hidden, number: *number })
}

fn find(request: &Request) -> Option<(&'static str, Handler, &str)> {
    ROUTES.iter().find_map(|(name, handler)| {
        let path = name.strip_prefix(request.method.as_str())?.strip_prefix(' ')?;
        let id = match path.strip_suffix("{id}") {
            Some(start) => {
                request.path().strip_prefix(start).filter(|id| !id.is_empty() && !id.contains('/'))?
            }
            None => (request.path() == path).then_some("")?,
        };
        Some((*name, *handler, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_operation() {
        let check = |method: &str, target: &str, expect: &str| {
            let request = Request { method: method.into(), target: target.into(), ..Request::default() };
            assert_eq!(operation(&request), expect, "{method} {target}");
        };
        check("GET", "/order", "GET /order");
        check("GET", "/order/ord_1", "GET /order/{id}");
        check("POST", "/card/collect", "POST /card/collect");
        check("GET", "/card/collect", "GET /card/{id}");
        check("DELETE", "/cart?x=1", "DELETE /cart");
        check("GET", "/order/", "unknown");
        check("GET", "/order/a/b", "unknown");
        check("PATCH", "/order", "unknown");
    }
}
