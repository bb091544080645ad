//! The remote layer against real OpenSSH servers on this machine. Needs root, `sshd`, `rsync`, `flock` and `setpriv`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "remote/commands.rs"]
mod commands;
#[path = "remote/connections.rs"]
mod connections;
#[path = "remote/fence.rs"]
mod fence;
#[path = "remote/jobs.rs"]
mod jobs;
#[path = "remote/sshd.rs"]
mod sshd;
#[path = "remote/transfers.rs"]
mod transfers;
