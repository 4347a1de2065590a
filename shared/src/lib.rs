//! Concierge's types, defaults, rules, references and claims. No I/O.
