//! Certificates, replicas and trust change under a stream of creates, and no call fails.
