//! Concierge's types, defaults, rules, references and claims. No I/O, no clock, no async runtime.
//!
//! ```text
//! webhook   bytes -> envelope -> typed -> DEFAULTED -> problems -> answer -> bytes
//!                     (borrowed)          (+patch ops)     ^
//! check     files  ->  the very same stages                | references, claims, lookups: a trait
//! tests     fixtures -> the very same stages               |   cluster cache | files on disk | nothing
//!
//! reconcile  watch event -> re-validate (same rules) -> observe -> plan -> guard -> act -> status
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`kind`] | the trait [`Kind`](kind::Kind) and the table [`KINDS`](kind::KINDS): one line per kind |
//! | [`assemble`] | objects made of their parts |
//! | [`admission`] | the one-way flow, one module per stage |
//! | [`access`] | what the reconciler touches beside the objects themselves |
//! | [`child`] | objects of Kubernetes' own kinds that are made for ours |
//! | [`group`] | what a group declares once, and the table [`GROUPS`](group::GROUPS) |
//! | [`field`] | paths to fields, as Kubernetes writes them |
//! | [`index`] | objects in memory, found by name or by index key |
//! | [`status`] | conditions, reasons, intents: the vocabulary every kind's status uses |
//! | [`common`] | references, names, texts, web addresses: the vocabulary every group's spec uses |
//! | [`coffee`] | the group `coffee.terminal.sh` |
//! | [`pets`] | the group `petstore.example.com` |
//! | [`s3`] | the group `s3.cloud37.dev` |
//! | [`catalyst`] | the group `catalyst.catalyst.dev` |
//! | [`orasi`] | the group `orasi.io` |

// The schema derive copies each kind's struct, `pub` included, into a function.
#![allow(unreachable_pub)]

pub mod access;
pub mod admission;
pub mod assemble;
pub mod catalyst;
pub mod child;
pub mod coffee;
pub mod common;
pub mod field;
pub mod group;
pub mod index;
pub mod kind;
pub mod orasi;
pub mod pets;
pub mod s3;
pub mod settings;
pub mod status;

#[cfg(test)]
mod schemas;
