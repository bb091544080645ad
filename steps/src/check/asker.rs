//! Asking nodes until one moment, whoever asks: a run behind its fence, or an everyday command outside of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::act::ActError;
use crate::cluster::Node;
use crate::outside::Outside;
use crate::remote::{Command, Output, RemoteError, Session};
use crate::script::Script;
use crate::world::World;

/// How much of an answer is kept: what a master says of a thousand agents.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The way to nodes.
pub trait Ways: Send + Sync {
    /// The node's session; it connects when it is first used.
    fn session(&self, node: &Node) -> Arc<Session>;
}

impl Ways for World {
    fn session(&self, node: &Node) -> Arc<Session> {
        World::session(self, node)
    }
}

impl Ways for Outside {
    fn session(&self, node: &Node) -> Arc<Session> {
        Outside::session(self, node)
    }
}

/// Asks nodes until a moment.
pub(super) struct Asker<'a> {
    ways: &'a dyn Ways,
    pub(super) until: Instant,
    limit: Duration,
}

impl<'a> Asker<'a> {
    pub(super) fn new(ways: &'a dyn Ways, limit: Duration) -> Self {
        Self {
            ways,
            until: Instant::now() + limit,
            limit,
        }
    }

    pub(super) fn session(&self, node: &Node) -> Arc<Session> {
        self.ways.session(node)
    }

    /// How long there is still time.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The script as a command that the node itself ends in time.
    pub(super) fn command(&self, node: &Node, script: Script<'_>) -> Result<Command, RemoteError> {
        let left = self.left().max(Duration::from_secs(1));
        Ok(script.within(left).command(node)?.max_output(MAX_ANSWER))
    }

    /// Runs a script that has to succeed.
    pub(super) async fn run(&self, node: &Node, script: Script<'_>) -> Result<Output, ActError> {
        let title = script.title.to_owned();
        let command = self.command(node, script)?;
        let session = self.session(node);
        self.in_time(node, &title, session.run(command)).await
    }

    /// Runs a script that answers with what it prints, or with exit status 1 that there is no answer.
    pub(super) async fn answer(&self, node: &Node, script: Script<'_>) -> Result<Option<String>, ActError> {
        match self.run(node, script).await {
            Ok(output) => Ok(Some(output.stdout_str())),
            Err(ActError::Remote(error)) if error.exit_status() == Some(1) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for `work` on a node as long as there is time.
    pub(super) async fn in_time<T>(
        &self,
        node: &Node,
        title: &str,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, ActError> {
        match timeout_at(self.until, work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(self.too_late(node, title)),
        }
    }

    fn too_late(&self, node: &Node, title: &str) -> ActError {
        ActError::not_yet(format!(
            "{}: {title}: no answer after {} s",
            node.name,
            self.limit.as_secs()
        ))
    }
}
