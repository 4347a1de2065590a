//! Charts, compose files and manifests are deployed by a Job in the environment itself.
