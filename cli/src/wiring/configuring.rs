//! What a new configuration would meet with.

use mesosflow_steps::act::ActError;
use mesosflow_steps::cluster::{ClusterSpec, Node};
use mesosflow_steps::provider::{Groups, Image};
use mesosflow_steps::{NewConfiguration, World};
use mesosflow_workflow::ErrorReport;

use crate::error::CliError;
use crate::exit::Exit;

/// What it would change on the nodes.
pub(crate) async fn new_configuration(
    world: &World,
    specs: (&ClusterSpec, &ClusterSpec),
    nodes: &[Node],
    made: (Option<&Image>, Option<&Groups>),
) -> Result<NewConfiguration, CliError> {
    let asked = mesosflow_steps::new_configuration(world, specs, nodes, made).await;
    asked.map_err(|error| {
        let exit = match error {
            ActError::Template(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        CliError::new(exit, "it cannot be seen what the configuration would change")
            .because_of_report(&ErrorReport::of(&error))
    })
}
