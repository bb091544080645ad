//! What is asked of single nodes, and done to them.

use std::net::IpAddr;

use mesosflow_steps::World;
use mesosflow_steps::act::ActError;
use mesosflow_steps::check::{Finding, What};
use mesosflow_steps::cluster::Node;
use mesosflow_steps::election;
use mesosflow_steps::image::Outlook;
use mesosflow_steps::outside::Outside;
use mesosflow_workflow::ErrorReport;

use crate::error::CliError;
use crate::exit::Exit;

/// Where a node is reached: from outside, or by the node through which the way leads.
pub(crate) fn address(node: &Node) -> IpAddr {
    mesosflow_steps::address_of(node)
}

/// The address of the master that leads, as the first of these ZooKeepers says that answers; without any, as the masters say. None
/// where no master leads. Of failures each is told as one line.
pub(crate) async fn leading_master(
    outside: &Outside,
    zookeepers: &[Node],
    masters: &[Node],
) -> Result<Option<IpAddr>, Vec<String>> {
    let asked = match zookeepers {
        [] => election::by_masters(outside, masters).await,
        servers => election::by_zookeeper(outside, servers).await,
    };
    asked.map_err(|failures| failures.iter().map(ToString::to_string).collect())
}

/// A finding of which the history tells; `Err` where it is bad.
pub(crate) fn known(what: What, node: Option<&str>, detail: Result<String, String>) -> Finding {
    Finding {
        what,
        node: node.map(str::to_owned),
        outcome: detail.map_err(ActError::wrong),
    }
}

/// A command line of which each word means itself; none where a word holds what no command line can carry.
pub(crate) fn join_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    mesosflow_steps::remote::quote::join(words).ok()
}

/// What a node has of its cluster.
pub(crate) async fn look_at_image(world: &World, node: &Node) -> Result<Outlook, CliError> {
    let looked = mesosflow_steps::image::look(world, node).await;
    looked.map_err(|error| unprepared(node, &error))
}

/// Takes everything of its cluster off a node. Returns what somebody else has put there that names the cluster.
pub(crate) async fn prepare_image(
    world: &World,
    node: &Node,
    nodes: &[Node],
) -> Result<Vec<String>, CliError> {
    let prepared = mesosflow_steps::image::prepare(world, node, nodes).await;
    prepared.map_err(|error| unprepared(node, &error))
}

fn unprepared(node: &Node, error: &ActError) -> CliError {
    let message = format!("{} cannot be made fit to be an image", node.name);
    CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
}
