//! What a redeployment would meet with: whether the nodes have that Mesos already, and whose agents would begin anew.

use crate::act::ActError;
use crate::agent_identity;
use crate::cluster::{MesosSpec, Node};
use crate::mesos_make::{has_mark, is_settled, mark};
use crate::on_node::MESOS;
use crate::world::{World, on_each};

/// Whether every one of these nodes has what the source gives, as far as that can be told: a branch may have moved on.
///
/// # Errors
/// A node cannot be reached, or the tarball not be read.
pub async fn has_mesos(world: &World, mesos: &MesosSpec, nodes: &[Node]) -> Result<bool, ActError> {
    let wanted = mark(mesos)?;
    if !is_settled(mesos) {
        return Ok(false);
    }
    let have = on_each(nodes, |node| has_mark(world, node, MESOS, &wanted)).await?;
    Ok(!have.contains(&false))
}

/// The names of those of these slaves whose agents would begin anew if they were started now: they have got another name, other
/// attributes or other resources since, and their tasks end.
///
/// # Errors
/// A node cannot be reached.
pub async fn begin_anew(world: &World, slaves: &[Node]) -> Result<Vec<String>, ActError> {
    let anew = on_each(slaves, |node| agent_identity::begins_anew(world, node)).await?;
    let of_those = slaves.iter().zip(anew).filter(|(_, anew)| *anew);
    Ok(of_those.map(|(node, _)| node.name.clone()).collect())
}
