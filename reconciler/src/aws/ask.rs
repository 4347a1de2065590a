//! Calls of the SDK that ask for something: what a service says of this one question is told, and no failure.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::future::BoxFuture;

use super::{Answered, another_document};
use crate::engine::{Context, Failure, Guard};

/// What a service answered when it was asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// This.
    Present(T),
    /// There is none.
    Missing,
    /// It does not know what was asked for.
    Unsupported(String),
    /// It does not allow the question.
    Denied(String),
}

impl<T> Found<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Present(value) => Found::Present(change(value)),
            Found::Missing => Found::Missing,
            Found::Unsupported(why) => Found::Unsupported(why),
            Found::Denied(why) => Found::Denied(why),
        }
    }

    pub(crate) fn present(&self) -> Option<&T> {
        match self {
            Found::Present(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> Found<Option<T>> {
    /// What an answer holds. To some operations the SDK takes no document at all for the right one.
    pub(crate) fn of_its_kind(self, operation: &str) -> Found<T> {
        match self {
            Found::Present(Some(value)) => Found::Present(value),
            Found::Present(None) => Found::Unsupported(another_document(operation)),
            Found::Missing => Found::Missing,
            Found::Unsupported(why) => Found::Unsupported(why),
            Found::Denied(why) => Found::Denied(why),
        }
    }

    /// What an answer holds. One that is called a success and holds nothing tells nothing.
    pub(crate) fn held(self, operation: &str) -> Result<Found<T>, Failure> {
        Ok(match self {
            Found::Present(Some(value)) => Found::Present(value),
            Found::Present(None) => {
                return Err(Failure::Transient(format!(
                    "{operation} was answered without what was asked for"
                )));
            }
            Found::Missing => Found::Missing,
            Found::Unsupported(why) => Found::Unsupported(why),
            Found::Denied(why) => Found::Denied(why),
        })
    }
}

/// A call of the SDK, whose futures are large: they are kept on the heap.
pub(crate) type Sent<'a, T, E> = BoxFuture<'a, Result<T, SdkError<E, HttpResponse>>>;
/// What comes of a call.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// Asks for something; `missing` are the service's words for that it is not there, `failure` says what else an error means.
pub(crate) fn ask<'a, T, E>(
    ctx: &'a Context,
    operation: &'static str,
    missing: &'static [&'static str],
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    failure: impl FnOnce(&SdkError<E, HttpResponse>) -> Failure + Send + 'a,
) -> Answer<'a, Found<T>>
where
    T: Send + 'a,
    E: ProvideErrorMetadata + Send + Sync + 'a,
{
    let call: Sent<'a, T, E> = Box::pin(call);
    let call = async move {
        let error = match call.await {
            Ok(value) => return Ok(Found::Present(value)),
            Err(error) => error,
        };
        let why = failure(&error);
        match Answered::of(&error) {
            Some(answered) if answered.is_missing(missing) => Ok(Found::Missing),
            // It looks like an answer and is one to another question. Nothing is deleted after it.
            Some(answered) if answered.is_another_document() => Ok(Found::Unsupported(why.to_string())),
            answered => told(why, answered.is_some_and(|answered| answered.is_denied())),
        }
    };
    Box::pin(ctx.read(operation, call))
}

/// Makes a call that changes something: that it is not allowed, or not known, is told and no failure.
pub(crate) fn try_write<'a, T, E>(
    guard: &'a Guard,
    operation: &'static str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    failure: impl FnOnce(&SdkError<E, HttpResponse>) -> Failure + Send + 'a,
) -> Answer<'a, Found<T>>
where
    T: Send + 'a,
    E: ProvideErrorMetadata + Send + Sync + 'a,
{
    let call: Sent<'a, T, E> = Box::pin(call);
    let call = async move {
        let error = match call.await {
            Ok(value) => return Ok(Found::Present(value)),
            Err(error) => error,
        };
        told(failure(&error), Answered::of(&error).is_some_and(|answered| answered.is_denied()))
    };
    Box::pin(guard.write(operation, call))
}

/// What concerns this operation alone is told; everything else went wrong.
fn told<T>(why: Failure, denied: bool) -> Result<Found<T>, Failure> {
    match why {
        Failure::Unsupported(why) => Ok(Found::Unsupported(why)),
        // Of the credentials as a whole, whatever the status.
        Failure::Auth(_) => Err(why),
        why if denied => Ok(Found::Denied(why.to_string())),
        why => Err(why),
    }
}
