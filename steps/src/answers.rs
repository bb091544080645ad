//! Which nodes answer, asked all at once.

use std::time::Duration;

use futures_util::future::join_all;

use crate::cluster::Node;
use crate::world::{Script, World};

/// How long a node may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The names of those of these nodes that answer over SSH.
pub async fn answering(world: &World, nodes: &[Node]) -> Vec<String> {
    let ask = |node: &Node| {
        let node = node.clone();
        async move {
            let script = Script::new("look whether it answers", "true").within(LIMIT);
            match tokio::time::timeout(LIMIT, world.run(&node, script)).await {
                Ok(Ok(_)) => Some(node.name.clone()),
                Ok(Err(error)) => {
                    tracing::info!(node = %node.name, %error, "does not answer");
                    None
                }
                Err(_) => None,
            }
        }
    };
    join_all(nodes.iter().map(ask))
        .await
        .into_iter()
        .flatten()
        .collect()
}
