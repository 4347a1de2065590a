//! Calls of the SDK in the engine's hands.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;

use super::Connection;
use crate::{
    aws::{self, Answer, Answered, Found, Sent, failure},
    engine::{Context, Failure, Guard},
};

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
        let now = ctx.now();
        let asked = aws::ask(ctx, operation, missing, call, move |error| self.failure(operation, error, now));
        Box::pin(async move { asked.await.map_err(unanswered) })
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
        let now = guard.now();
        aws::try_write(guard, operation, call, move |error| self.failure(operation, error, now))
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

/// That nothing was sent says no more of a question than that no answer came.
pub(in crate::s3) fn unanswered(failure: Failure) -> Failure {
    match failure {
        Failure::NeverSent(why) => Failure::Transient(why),
        other => other,
    }
}
