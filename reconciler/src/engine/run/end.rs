//! How a run ends.

use std::{convert::Infallible, ops::ControlFlow};

use crate::engine::{
    cluster::ClusterError,
    retry::{Failure, Requeue},
};

/// How a run ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The conditions say all there is to say.
    Requeue(Requeue),
    /// A step, or what leads to it, went wrong.
    Failed(Failure),
    /// The API server did not take a write of ours.
    Cluster(ClusterError),
    /// There is nothing left to write a status to.
    Gone,
    /// All places at the account are taken; the account wakes the object.
    Parked,
}

/// Goes on with a value, or ends the run.
pub(crate) type Flow<T = ()> = ControlFlow<End, T>;

/// Ends the run in any case.
pub(crate) type Ended = ControlFlow<End, Infallible>;

/// Lets `?` end the run on an error.
pub(crate) trait OrEnd<T> {
    fn or_end(self) -> Flow<T>;
}

impl<T, E: Into<End>> OrEnd<T> for Result<T, E> {
    fn or_end(self) -> Flow<T> {
        match self {
            Ok(value) => Flow::Continue(value),
            Err(error) => Flow::Break(error.into()),
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Failed(failure)
    }
}

impl From<ClusterError> for End {
    fn from(error: ClusterError) -> Self {
        End::Cluster(error)
    }
}
