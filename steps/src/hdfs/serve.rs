//! A file system that is served: its daemons are started, seen and stopped.

use std::time::Duration;

use tokio::time::Instant;

use super::Hdfs;
use super::format::Formatted;
use super::namenode::{InService, View};
use crate::act::ActError;
use crate::cluster::Node;
use crate::remote::RemoteError;
use crate::world::{Script, World, on_each};

/// A namenode of a small cluster is up in seconds; a large image is read at some 10 MB/s.
const START_LIMIT: Duration = Duration::from_secs(240);
const SAVE: &str = r#"hdfs="/root/$kind-hdfs/bin/hdfs"
"$hdfs" dfsadmin -safemode enter
"$hdfs" dfsadmin -saveNamespace"#;
/// How often it is asked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Hdfs {
    /// Stops every daemon of this file system and sees them gone.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn stop(self, world: &World, namenode: &Node, slaves: &[Node]) -> Result<(), RemoteError> {
        on_each(
            slaves,
            |slave| async move { self.datanode().stop(world, slave).await },
        )
        .await?;
        for daemon in self.beside_names() {
            daemon.stop(world, namenode).await?;
        }
        Ok(())
    }

    /// Stops every daemon of this file system until somebody starts it, datanodes first.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn retire(
        self,
        world: &World,
        namenode: Option<&Node>,
        slaves: &[Node],
    ) -> Result<(), RemoteError> {
        on_each(slaves, |slave| async move {
            self.datanode().retire(world, slave).await
        })
        .await?;
        if let Some(namenode) = namenode {
            for daemon in self.beside_names() {
                daemon.retire(world, namenode).await?;
            }
        }
        Ok(())
    }

    /// Whether none of its daemons runs, or will after a reboot.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn is_retired(
        self,
        world: &World,
        namenode: Option<&Node>,
        slaves: &[Node],
    ) -> Result<bool, RemoteError> {
        let stopped = on_each(slaves, |slave| async move {
            self.datanode().is_retired(world, slave).await
        });
        if stopped.await?.contains(&false) {
            return Ok(false);
        }
        if let Some(namenode) = namenode {
            for daemon in self.beside_names() {
                if !daemon.is_retired(world, namenode).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether the namenode serves this very file system with all its datanodes, and takes writes.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn is_live(
        self,
        world: &World,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Result<bool, ActError> {
        if !self.namenode().is_current(world, namenode).await? {
            return Ok(false);
        }
        let datanodes = on_each(slaves, |slave| async move {
            self.datanode().is_current(world, slave).await
        })
        .await?;
        if datanodes.contains(&false) {
            return Ok(false);
        }
        let served = self.served(world, namenode, slaves, formatted).await?;
        Ok(matches!(served, Served::Whole))
    }

    /// Starts what does not run as it should, and waits until every datanode is live and in service, and writes are taken. A departure
    /// that nobody went on with ends here.
    ///
    /// # Errors
    /// A daemon does not come up; says what it said last.
    pub async fn start(
        self,
        world: &World,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Result<(), ActError> {
        let datanodes = on_each(slaves, |slave| async move {
            self.datanode().ensure(world, slave).await
        });
        let service = self.namenode();
        let (namenode_started, datanodes_started) = tokio::join!(service.ensure(world, namenode), datanodes);
        namenode_started?;
        datanodes_started?;
        let give_up = Instant::now() + START_LIMIT;
        loop {
            let lacks = match self.served(world, namenode, slaves, formatted).await? {
                Served::Whole => return Ok(()),
                Served::Leaving(nodes) => {
                    self.readmit(world, namenode, &nodes).await?;
                    "a datanode is about to leave".to_owned()
                }
                Served::Lacks(what) => what,
            };
            if Instant::now() >= give_up {
                let error = ActError::not_yet(format!(
                    "{}: the {} HDFS is not whole after {} s: {lacks}",
                    namenode.name,
                    self.as_str(),
                    START_LIMIT.as_secs()
                ));
                return Err(self.namenode().explain(world, namenode, error).await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Has the namenode take no writes any more, and write all that it knows into one image. One that does not run has written what it knows.
    ///
    /// # Errors
    /// The node cannot be reached, or the namenode cannot write.
    pub(crate) async fn save(self, world: &World, namenode: &Node, limit: Duration) -> Result<(), ActError> {
        if self.namenode().is_retired(world, namenode).await? {
            return Ok(());
        }
        let title = format!("have the {} namenode write its image", self.as_str());
        let script = Script::new(&title, SAVE).var("kind", self.as_str()).within(limit);
        world.run(namenode, script).await?;
        Ok(())
    }

    /// What its namenode says of the file system. Datanodes that are none of the cluster's, or not any more, count for nothing, and one
    /// that an operator has taken out of service is left so.
    async fn served(
        self,
        world: &World,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Result<Served, ActError> {
        let view = match self.view_if_any(world, namenode).await? {
            Ok(view) => view,
            Err(error) => return Ok(Served::Lacks(error.to_string())),
        };
        if let Some(what) = lacks(&view, slaves, formatted) {
            return Ok(Served::Lacks(what));
        }
        let is_out = |slave: &&Node| view.service_of(slave) != Some(InService::Yes);
        let out: Vec<_> = slaves.iter().filter(is_out).cloned().collect();
        if out.is_empty() {
            return Ok(Served::Whole);
        }
        let list = self.excluded(world, namenode).await?;
        let ours: Vec<_> = out
            .into_iter()
            .filter(|slave| list.lists_as_ours(slave))
            .collect();
        Ok(match ours.is_empty() {
            true => Served::Whole,
            false => Served::Leaving(ours),
        })
    }
}

/// How a file system is served.
enum Served {
    /// By all its datanodes.
    Whole,
    /// By all, of which some are about to leave, since a run has begun that.
    Leaving(Vec<Node>),
    /// It is not; why.
    Lacks(String),
}

/// What a file system lacks.
fn lacks(view: &View, slaves: &[Node], formatted: &Formatted) -> Option<String> {
    if view.cluster_id != formatted.cluster_id {
        return Some(format!("it is {}, not {}", view.cluster_id, formatted.cluster_id));
    }
    let unknown: Vec<_> = slaves
        .iter()
        .filter(|slave| view.service_of(slave).is_none())
        .map(|slave| slave.name.as_str())
        .collect();
    if !unknown.is_empty() {
        return Some(format!("no datanode of {} has come", unknown.join(", ")));
    }
    (!view.safe_mode.is_empty()).then(|| format!("it takes no writes: {}", view.safe_mode))
}
