//! Who is told when a run has ended: a command, a web hook, or both.

mod channels;
mod command;
mod notice;
mod notices;
mod table;
mod webhook;

pub(crate) use channels::{Channels, check_command};
pub(crate) use notice::Notice;
pub(crate) use notices::Notices;
pub(crate) use table::{KEYS, read};
