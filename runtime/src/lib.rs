//! What both binaries need of a running process: logs, signals, the admin port, the kube client and the watch caches.
