//! The shop's errors, and reading a request body into values or such errors.

use serde_json::{Map, Value, json};

use crate::faults::Response;

/// An error in the shop's own form.
#[derive(Debug)]
pub(super) struct Problem {
    status: u16,
    kind: &'static str,
    code: &'static str,
    message: String,
    param: Option<String>,
}

impl Problem {
    /// A value the shop does not take.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::of(400, "validation", "invalid_parameter", message).about(param)
    }

    /// A validation error with a code of its own.
    pub(super) fn validation(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(400, "validation", code, message)
    }

    /// Nothing of this id belongs to the account.
    pub(super) fn not_found(what: &str, id: &str) -> Self {
        Self::of(404, "not_found", "resource_not_found", format!("{what} {id} was not found"))
    }

    /// The error for a status, without particulars.
    pub(super) fn status(status: u16) -> Self {
        let (kind, code, message) = match status {
            400 => ("validation", "invalid_parameter", "The request is not valid"),
            401 => ("authentication", "unauthorized", "Authentication is required"),
            403 => ("forbidden", "permission_denied", "This token may not do that"),
            404 => ("not_found", "resource_not_found", "There is no such resource"),
            429 => ("rate_limit", "too_many_requests", "Too many requests"),
            _ => ("internal", "internal_error", "Something went wrong"),
        };
        Self::of(status, kind, code, message)
    }

    fn of(status: u16, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code, message: message.into(), param: None }
    }

    fn about(self, param: &str) -> Self {
        Self { param: Some(param.to_owned()), ..self }
    }

    pub(super) fn response(&self) -> Response {
        let mut body = json!({"type": self.kind, "code": self.code, "message": self.message});
        if let Some(param) = &self.param {
            body["param"] = json!(param);
        }
        Response::json(self.status, &body)
    }
}

/// The fields of a request body.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body that must be a JSON object.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Problem::status(400)),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn text(&self, name: &str) -> Result<String, Problem> {
        match self.optional_text(name)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(Problem::invalid(name, format!("{name} must not be empty"))),
            None => Err(missing(name)),
        }
    }

    /// A text that may be absent.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Problem::invalid(name, format!("{name} must be a string"))),
        }
    }

    /// A whole number that must be there and be at least `least`.
    pub(super) fn integer(&self, name: &str, least: i64) -> Result<i64, Problem> {
        integer(name, self.get(name).ok_or_else(|| missing(name))?, least)
    }

    /// An object that must be there.
    pub(super) fn object(&self, name: &str) -> Result<&Map<String, Value>, Problem> {
        match self.get(name) {
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(Problem::invalid(name, format!("{name} must be an object"))),
            None => Err(missing(name)),
        }
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

/// A whole number of at least `least`.
pub(super) fn integer(name: &str, value: &Value, least: i64) -> Result<i64, Problem> {
    value
        .as_i64()
        .filter(|number| *number >= least)
        .ok_or_else(|| Problem::invalid(name, format!("{name} must be a whole number of at least {least}")))
}

fn missing(name: &str) -> Problem {
    Problem::validation("missing_required_field", format!("{name} is required")).about(name)
}
