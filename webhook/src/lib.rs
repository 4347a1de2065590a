//! Concierge at the door: the admission webhook, and the same rules offline.
