//! Ports for programs that can't be told to take any.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Ports of loopback that nobody listens at, from below the range the system takes ports of outgoing
/// connections from: those are never taken between this and the program's start.
///
/// # Errors
/// When there are not as many.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == count {
            break;
        }
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_240..32_768))));
    }
    if held.len() < count {
        bail!("no {count} free ports");
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
