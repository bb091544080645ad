//! What those who ask an operator's questions stand on: scripts on nodes, and what is known of a machine beside Mesos.

use async_trait::async_trait;

use crate::act::ActError;
use crate::cluster::Node;
use crate::mesos;
use crate::provider::Condition;
use crate::remote::{Output, RemoteError};
use crate::world::{Script, World};

/// How much of an answer is kept: what a master says of thousands of agents.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The ground.
#[async_trait]
pub(crate) trait Ground: Send + Sync {
    /// Runs a script on a node.
    async fn run(&self, node: &Node, script: Script<'_>) -> Result<Output, RemoteError>;

    /// Why the machine of a node does not run, where its provider says so.
    async fn why_gone(&self, node: &Node) -> Result<Option<String>, ActError>;

    /// Whether the node's agent runs as a daemon, registered or not. Of a node that does not answer nothing is known, which is an error.
    async fn has_agent(&self, node: &Node) -> Result<bool, ActError>;

    /// Starts the node's agent, also for its next boots.
    async fn start_agent(&self, node: &Node) -> Result<(), ActError>;
}

#[async_trait]
impl Ground for World {
    async fn run(&self, node: &Node, script: Script<'_>) -> Result<Output, RemoteError> {
        let command = script.command(node)?.max_output(MAX_ANSWER);
        self.session(node).run(command).await
    }

    async fn why_gone(&self, node: &Node) -> Result<Option<String>, ActError> {
        Ok(match self.provider().condition(&node.instance).await? {
            Condition::Dead(why) | Condition::Stopped(why) => Some(why),
            _ => None,
        })
    }

    async fn has_agent(&self, node: &Node) -> Result<bool, ActError> {
        let unit = mesos::SLAVE.unit;
        let look = Script::new(
            "look whether the Mesos agent runs",
            r#"systemctl is-active --quiet "$unit" || exit 1"#,
        );
        Ok(self.ask(node, look.var("unit", unit)).await?)
    }

    async fn start_agent(&self, node: &Node) -> Result<(), ActError> {
        Ok(mesos::SLAVE.ensure(self, node).await?)
    }
}
