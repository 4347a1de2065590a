//! The life of the webhook's certificates: CA, leaves, rotation, caBundle.
