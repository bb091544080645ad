//! The boot script of `steps/roles/` by itself, without a cluster: in a plain container of the node image, with real files, a real DNS
//! server, a real ZooKeeper and a metadata service that speaks version 2 alone. What it does to units is in a container with systemd.
//!
//! `MESOSFLOW_ROLE_SHELL` names the shell that runs it (`bash --posix`), where it is not the node's `sh`.

mod boots;
mod daemon;
mod dns;
mod garbage;
mod killed;
mod metadata;
mod moved;
mod rig;
mod sources;
mod written;
