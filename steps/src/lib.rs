//! The set-up steps of a Mesos cluster, and the adapters they act through.
//!
//! A workflow is a table of contents: one async function that awaits the steps of its catalogue in order, as
//! [`workflows::deploy`] does. A step touches the world only through [`World`].

#[macro_use]
mod shell;

pub mod act;
mod agent_identity;
mod answers;
mod aside;
mod authorized;
mod catalogue;
pub mod check;
mod claim;
pub mod cluster;
mod configuring;
pub mod copy;
pub mod destroy;
mod disks;
pub mod doctor;
pub mod election;
mod file_digest;
mod firewall;
mod guard;
mod hdfs;
mod host_key;
mod hub;
pub mod image;
mod in_doubt;
pub mod jobs;
mod joining;
pub mod key;
pub mod life;
mod makers;
mod memory;
mod mesos;
mod mesos_beside;
mod mesos_make;
mod mounts;
mod netrc;
mod node_setup;
pub mod on_node;
mod operator;
mod orphans;
pub mod outside;
mod packages;
mod plan;
pub mod provider;
pub mod provision;
mod reach;
pub mod record;
mod redeploying;
pub mod remote;
pub mod roles;
mod script;
mod service;
pub mod setup;
mod software;
pub mod spark;
mod system;
mod templates;
pub mod uis;
mod view;
pub mod workflows;
pub mod world;
mod world_error;
mod zookeeper;

pub use answers::answering;
pub use catalogue::catalogue;
pub use configuring::{ChangedFile, NewConfiguration, Restarting, new_configuration};
pub use destroy::{DestroyError, Ledger, destroy};
pub use hdfs::{
    Checkpoint, Enough, Hdfs, Leaving, Room, Wanting, files_wanting, newest_checkpoint, what_leaving,
};
pub use in_doubt::may_come;
pub use joining::{UserDataError, user_data};
pub use key::KeyExpected;
pub use memory::Memory;
pub use orphans::{Orphans, end_orphans};
pub use plan::{Plan, PlannedStep, plan, planned};
pub use provider::{
    Need, PlannedResource, ProviderError, Tagged, Verified, open_provider, precheck, settle, survey, verify,
};
pub use reach::{LockedOut, address_of};
pub use redeploying::{begin_anew, has_mesos};
pub use roles::Dns;
pub use setup::Report;
pub use templates::replications;
pub use view::{
    adopted, age, awaited, formatted_volumes, has_persistent, is_deleted, key_of, launched_from, memory,
    nodes, reachable, report,
};
pub use world::{World, WorldError};
