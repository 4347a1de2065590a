//! Concierge's end-to-end tests: a real control plane, fakes of remote services, load and benchmarks.
