//! Everyday commands on the nodes of a cluster: outside the fence, and without its provider, since what answers is known.

use std::path::Path;
use std::sync::Arc;

use crate::cluster::{ClusterSpec, Node};
use crate::key::{ClusterKey, KeyExpected};
use crate::reach::{LockedOut, target};
use crate::remote::{Pool, RemoteError, Session};
use crate::script::Script;
use crate::world::WorldError;

/// The nodes of a cluster, as who knows its key reaches them. Nothing of it carries a fencing token: it raises no epoch, and no
/// driver ends it.
#[derive(Debug)]
pub struct Outside {
    pool: Pool,
}

impl Outside {
    /// Opens the way to the nodes of `cluster`, whose key is in `folder`. No node is asked yet.
    ///
    /// # Errors
    /// The key cannot be read, or is lost.
    pub fn open(cluster: &str, folder: &Path, expected: &KeyExpected) -> Result<Self, WorldError> {
        let key = ClusterKey::open(folder, "", expected).map_err(|source| WorldError::Key {
            cluster: cluster.to_owned(),
            source,
        })?;
        let pool = Pool::new(key.path());
        Ok(Self { pool })
    }

    /// The private key that opens the nodes.
    pub fn key(&self) -> &Path {
        self.pool.private_key()
    }

    /// The node's session; it connects when it is first used.
    pub fn session(&self, node: &Node) -> Arc<Session> {
        self.pool.handle(&target(node))
    }

    /// Runs a script that answers with what it prints, or with exit status 1 that there is no answer.
    ///
    /// # Errors
    /// The node cannot be reached, or the script ends with another status.
    pub async fn answer(&self, node: &Node, script: Script<'_>) -> Result<Option<String>, RemoteError> {
        let command = script.command(node)?;
        match self.session(node).run(command).await {
            Ok(output) => Ok(Some(output.stdout_str())),
            Err(error) if error.exit_status() == Some(1) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why nobody answers, where everybody was asked in vain and the cluster lets in only some.
    pub fn locked_out(&self, spec: &ClusterSpec) -> Option<LockedOut> {
        LockedOut::guess(&self.pool.unanswered()?, spec)
    }
}
