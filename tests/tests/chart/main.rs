//! The chart as users get it: rendered by real helm, and living on a real API server.

mod decisions;
mod helm;
mod release;
mod render;
mod rights;
mod shared;
mod values;
