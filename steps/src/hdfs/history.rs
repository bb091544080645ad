//! Spark's history server: on the first master, where the configuration asks for it, of the event logs that the persistent file system keeps.

use std::time::Duration;

use super::Hdfs;
use crate::act::ActError;
use crate::cluster::Node;
use crate::on_node::SPARK_CONF;
use crate::remote::RemoteError;
use crate::service::{DEPLOYED_UNITS, Service};
use crate::world::{Script, World};

/// It shows them.
pub(crate) const HISTORY: Service = Service {
    unit: "mesosflow-spark-history.service",
    units: DEPLOYED_UNITS,
    config: SPARK_CONF,
};
/// Its page (`spark.history.ui.port`).
pub(crate) const HISTORY_PORT: u16 = 18080;
/// Three programs of Java, on a starved machine.
const LIMIT: Duration = Duration::from_secs(120);

const FOLDER: &str = shell!("spark-history.sh");

/// Makes the folder of the event logs, where the persistent file system runs: a job that is to keep one and finds no folder fails.
///
/// # Errors
/// The node cannot be reached, or the file system takes no writes.
pub(crate) async fn have_folder(world: &World, hub: &Node) -> Result<(), RemoteError> {
    let make = Script::new("make the folder of Spark's event logs", FOLDER);
    world.run(hub, make.within(LIMIT)).await.map(drop)
}

/// Whether it runs, under the deployed unit and configuration; or, where it is not asked for, does not.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn is_as_asked(world: &World, hub: &Node, is_asked: bool) -> Result<bool, RemoteError> {
    match is_asked {
        true => HISTORY.is_current(world, hub).await,
        false => HISTORY.is_retired(world, hub).await,
    }
}

/// Has it run, or not. Its folder needs a file system that takes writes.
///
/// # Errors
/// The node cannot be reached, or systemd refuses.
pub(crate) async fn have_it(world: &World, hub: &Node, is_asked: bool) -> Result<(), ActError> {
    match is_asked {
        true => {
            have_folder(world, hub).await?;
            HISTORY.ensure(world, hub).await?;
        }
        false => HISTORY.retire(world, hub).await?,
    }
    Ok(())
}

impl Hdfs {
    /// The daemons of the node that has the names, in the order in which they are stopped: who reads the file system all the time is first.
    pub(super) fn beside_names(self) -> impl Iterator<Item = Service> {
        let reader = (self == Self::Persistent).then_some(HISTORY);
        reader.into_iter().chain([self.namenode()])
    }
}
