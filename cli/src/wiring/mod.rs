//! Where the program is put together: the only room that knows which journal and which steps it is made of.

mod configuring;
mod departure;
mod driver;
mod journal;
mod node;
mod provider;
mod redeploying;
mod replacing;
mod view;
mod workflow;
mod world;

pub(crate) use ipnet::IpNet;
pub(crate) use mesosflow_journal::{Report as JournalReport, backup_folder, look_at, restore};
pub(crate) use mesosflow_steps::check::{Check, Extent, Finding, What};
#[cfg(test)]
pub(crate) use mesosflow_steps::cluster::is_nobodys;
pub(crate) use mesosflow_steps::cluster::{
    Change, ClusterSpec, Ec2Spec, HostKeySource, Instance, Inventory, MESOS_MASTER_PORT, MadeBy, Member,
    MesosSource, MesosSpec, Node, ProviderKind, Role, SpecError, change_of, fixed_flags, keys as config_keys,
};
pub(crate) use mesosflow_steps::copy::Copy;
pub(crate) use mesosflow_steps::image::{Disk, KEEPS, Outlook};
pub(crate) use mesosflow_steps::jobs::{About, Jobs, Submission, Submitted};
pub(crate) use mesosflow_steps::life::is_of;
pub(crate) use mesosflow_steps::outside::Outside;
pub(crate) use mesosflow_steps::provider::Stranger;
pub(crate) use mesosflow_steps::record::{FOUNDS, Record, STOPS, asked, deleted};
pub(crate) use mesosflow_steps::remote::{Command as RemoteCommand, JobId, JobStatus, LocalFile, Piece};
pub(crate) use mesosflow_steps::roles::export::{Export, ExportError, Exported};
pub(crate) use mesosflow_steps::spark::{command as spark_command, is_placed};
pub(crate) use mesosflow_steps::uis::{WebInterface, web_interfaces};
pub(crate) use mesosflow_steps::workflows::{
    AddSlaves as AddSlavesWorkflow, AddSlavesSpec, Adopt as AdoptWorkflow, Configure as ConfigureWorkflow,
    ConfigureSpec, Destroy as DestroyWorkflow, DestroyPlan, DestroySpec, FileSystems, KeepSlavesSpec,
    Lacking, Redeploy as RedeployWorkflow, RedeploySpec, RemoveSlaves as RemoveSlavesWorkflow,
    RemoveSlavesSpec, ReplaceNode as ReplaceNodeWorkflow, ReplaceNodeSpec, Rollback as RollbackWorkflow,
    RollbackSpec, Start as StartWorkflow, StartSpec, Stop as StopWorkflow, StopSpec, Undo, Workflow,
    ansible_variables,
};
pub(crate) use mesosflow_steps::{
    ChangedFile, Dns, Ledger, LockedOut, Need, NewConfiguration, Orphans, Plan, PlannedStep, Report,
    Restarting, Tagged, Verified, World,
};
pub(crate) use mesosflow_workflow::{Resource, RunState};

pub(crate) use configuring::new_configuration;
pub(crate) use departure::{answering, has_ended, has_parted, leaving};
pub(crate) use driver::{guard, readmitted, refuse_makers, refuse_strangers, strangers};
pub(crate) use journal::{Journal, made_by, made_here, open, open_existing, open_file, user_and_host};
pub(crate) use node::{address, join_words, known, leading_master, look_at_image, prepare_image};
pub(crate) use provider::{
    Machine, another_type, end_orphans, examine, joined, joining, machines, owned, precheck, settle, survey,
    tagged, verify,
};
pub(crate) use redeploying::{begin_anew, built_mesos, has_mesos, has_rolled, rolled};
pub(crate) use replacing::{Replacing, exchanges, replacing};
pub(crate) use view::{
    adopted, awaited, awaited_hosts, formatted_volumes, has_persistent, launched_from, launches, nodes,
    reachable, replication_change, report, user_data, wiped_by_stop,
};
pub(crate) use workflow::{
    catalogue, catalogue_of, first_acts, formats, frozen_spec, give_up, give_way, outage, plan, planned,
    replayed, workflow, workflow_of,
};
pub(crate) use world::{delete, key_if_kept, key_of, look, open_outside, open_world, outside, remembering};
