//! What only a living cluster knows: the steps of the workflows after its deploy. One file per step.

mod delete;
mod find_resources;
mod see_gone;

pub(crate) use delete::delete_steps;
pub use delete::{
    CancelSpotRequests, Delete, DeleteGroups, DeleteMachines, DeleteNetworks, DeleteRules, DeleteVolumes,
    Ended, ReleaseHosts, Together,
};
pub use find_resources::FindResources;
pub use see_gone::{Gone, Past, SeeGone};
