//! Calls of the SDK in the engine's hands.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Connection;
use crate::{
    aws::{Answered, another_document, failure},
    engine::{Context, Failure, Guard},
};

/// What a service answered when it was asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::s3) enum Found<T> {
    Present(T),
    Missing,
    /// It does not know what was asked for.
    Unsupported(String),
    /// It does not allow the question.
    Denied(String),
}

impl<T> Found<T> {
    pub(in crate::s3) fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Present(value) => Found::Present(change(value)),
            Found::Missing => Found::Missing,
            Found::Unsupported(why) => Found::Unsupported(why),
            Found::Denied(why) => Found::Denied(why),
        }
    }

    pub(in crate::s3) fn present(&self) -> Option<&T> {
        match self {
            Found::Present(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> Found<Option<T>> {
    /// What an answer holds. To some operations the SDK takes no document at all for the right one.
    pub(in crate::s3) fn of_its_kind(self, operation: &str) -> Found<T> {
        match self {
            Found::Present(Some(value)) => Found::Present(value),
            Found::Present(None) => Found::Unsupported(another_document(operation)),
            Found::Missing => Found::Missing,
            Found::Unsupported(why) => Found::Unsupported(why),
            Found::Denied(why) => Found::Denied(why),
        }
    }

    /// What an answer holds. One that is called a success and holds nothing tells nothing.
    pub(in crate::s3) fn held(self, operation: &str) -> Result<Found<T>, Failure> {
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
type Sent<'a, T, E> = BoxFuture<'a, Result<T, SdkError<E, HttpResponse>>>;
/// What comes of a call.
type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

impl Connection {
    /// Asks for something; `missing` are the service's words for that it is not there.
    pub(in crate::s3) fn ask<'a, T, E>(
        &'a self,
        ctx: &'a Context,
        operation: &'static str,
        missing: &'static [&'static str],
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> Answer<'a, Found<T>>
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + Send + Sync + 'a,
    {
        let (call, now): (Sent<'a, T, E>, _) = (Box::pin(call), ctx.now());
        let call = async move {
            let error = match call.await {
                Ok(value) => return Ok(Found::Present(value)),
                Err(error) => error,
            };
            let why = self.failure(operation, &error, now);
            match Answered::of(&error) {
                Some(answered) if answered.is_missing(missing) => Ok(Found::Missing),
                // It looks like an answer and is one to another question. Nothing is deleted after it.
                Some(answered) if answered.is_another_document() => Ok(Found::Unsupported(why.to_string())),
                answered => told(why, answered.is_some_and(|answered| answered.is_denied())),
            }
        };
        Box::pin(async move { ctx.read(operation, call).await.map_err(unanswered) })
    }

    /// Makes a call that changes something.
    pub(in crate::s3) fn write<'a, T, E>(
        &'a self,
        guard: &'a Guard,
        operation: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> Answer<'a, T>
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + Send + Sync + 'a,
    {
        let (call, now): (Sent<'a, T, E>, _) = (Box::pin(call), guard.now());
        let call = async move { call.await.map_err(|error| self.failure(operation, &error, now)) };
        Box::pin(guard.write(operation, call))
    }

    /// Makes a call that changes one thing among many: that it is not allowed, or not known, is told and no failure.
    pub(in crate::s3) fn try_write<'a, T, E>(
        &'a self,
        guard: &'a Guard,
        operation: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> Answer<'a, Found<T>>
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + Send + Sync + 'a,
    {
        let (call, now): (Sent<'a, T, E>, _) = (Box::pin(call), guard.now());
        let call = async move {
            let error = match call.await {
                Ok(value) => return Ok(Found::Present(value)),
                Err(error) => error,
            };
            let denied = Answered::of(&error).is_some_and(|answered| answered.is_denied());
            told(self.failure(operation, &error, now), denied)
        };
        Box::pin(guard.write(operation, call))
    }

    /// What a call failed with. A service does not know a new key at once: that passes, and says nothing of the credentials.
    pub(in crate::s3) fn failure<E: ProvideErrorMetadata>(
        &self,
        operation: &str,
        error: &SdkError<E, HttpResponse>,
        now: Timestamp,
    ) -> Failure {
        let unknown = Answered::of(error).is_some_and(|answered| answered.is_unknown_key());
        match failure(operation, error, now) {
            Failure::Auth(why) if unknown && self.key_is_new() => {
                Failure::Conflict(format!("{why} The key was made a moment ago, and is tried again."))
            }
            failure => failure,
        }
    }
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

/// That nothing was sent says no more of a question than that no answer came.
pub(in crate::s3) fn unanswered(failure: Failure) -> Failure {
    match failure {
        Failure::NeverSent(why) => Failure::Transient(why),
        other => other,
    }
}
