//! Acting on a node: sessions over SSH, commands with limits, transfers, and jobs that outlive the controller.
//!
//! A [`Pool`] hands out one [`Session`] per node. A session is a durable handle: it connects when first used, is shared by
//! every step of the run, and connects again if its transport died. [`Session::run`] runs a [`Command`], which always has a
//! deadline and a limit on silence; [`Session::run_job`] runs a [`Job`], which survives the controller and is found again
//! by its id. Files go through [`Session::upload_bytes`], [`Session::upload_file`] and [`Session::upload_tree`].
//!
//! The sessions of a pool with a token are behind the [`fence`]: a node refuses them once somebody newer has been there.
//!
//! # How one connection carries several commands
//!
//! libssh2 is a state machine without locks. Five of its habits decide the shape of this module:
//!
//! 1. Some states belong to the whole session, not to a channel (handshake, authentication, opening a channel): an operation
//!    that uses one must be repeated until it is done before another of its kind begins. The same holds for starting a
//!    command: its wait for the server's answer fails when another channel's answer comes first.
//! 2. An operation that answers `EAGAIN` with *outbound* among the block directions has sent half a packet. Only the same
//!    call with the same arguments can send the rest; until then nothing else may be sent.
//! 3. Reading for one channel takes whatever is in the socket, also the packets of the others, and queues them inside
//!    libssh2. Readiness of the socket therefore says nothing about one channel.
//! 4. `EAGAIN` does not say that the socket is empty. With some ciphers it also means that the last read ended in the middle
//!    of a packet, and the rest may be there already.
//! 5. Freeing a channel touches the session, and the `ssh2` crate does it without its lock.
//!
//! So nobody but one task per connection (`driver`, a task and not a thread) ever calls libssh2. It owns the session and
//! all channels, and what a command's future holds is only a queue to it:
//!
//! - Channels are opened and commands started one at a time, by the driver (1).
//! - An operation that is stuck outbound is remembered, and until it is through the driver repeats it and does nothing
//!   else. It cannot be abandoned half-way by a future that is dropped, because no future runs it (2, 5).
//! - The driver makes *passes*: every channel is asked for what it has until a whole pass brings nothing. Only then does it
//!   wait. A packet that one channel's read put in the queue of another is found in the same or the next pass, so there is
//!   no wake-up to lose between channels (3).
//!
//! What is waited for after an idle pass is the union of everything that can make a pass useful again: the socket has
//! something new (or takes more, when stuck), a request arrived, a peer of a channel has more input or took some output
//! (`Notify`, which keeps a permit when nobody waits yet), a limit expired. The socket's readiness is edge-triggered. It is
//! cleared when it is seen, before the pass that it causes; and before each wait the driver looks into the socket for
//! what is left there (4). What arrives before that look is seen by it, what arrives afterwards makes a new edge.
//!
//! A command whose future is dropped asks the driver to close its channel; the close handshake goes on in the background,
//! and the channel counts against the connection's limit until it is over. On the node the closed channel ends the
//! command: see [`command`] for how.

pub mod command;
pub mod error;
pub mod fence;
pub mod job;
pub mod pool;
pub mod quote;
pub mod session;
pub mod target;
pub mod transfer;

mod channel;
mod connect;
mod contact;
mod driver;
mod exec;
mod feed;
mod fence_scripts;
mod fenced;
mod job_scripts;
mod job_view;
mod output;
mod socket;
mod stream;
mod tail;
mod tunnel;

pub use crate::host_key::HostKey;
pub use command::Command;
pub use error::RemoteError;
pub use fence::Lineage;
pub use job::{Job, JobId, JobLimits, JobOutput, JobSettled, JobStatus};
pub use job_view::JobEntry;
pub use output::{Output, Piece};
pub use pool::Pool;
pub use quote::quote;
pub use session::Session;
pub use target::Target;
pub use transfer::{LocalFile, ModePolicy, TreeOptions};
