//! Files that somebody writes, and that end on datanodes which leave: the namenode lets those go all the same, and lets nobody close the file
//! from the moment on that they are to leave, since it counts no copy of theirs.

use std::time::Duration;

use super::Hdfs;
use super::wanting::paths;
use crate::act::ActError;
use crate::cluster::Node;
use crate::world::{Script, World};

const OPEN: &str = shell!("hdfs-open.sh");
/// A namenode shows some ten thousand files a second.
const OPEN_LIMIT: Duration = Duration::from_secs(30 * 60);

impl Hdfs {
    /// Files that are open for writing and whose newest block is on none but these datanodes: the first few.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode does not answer.
    pub(crate) async fn open_only_on(
        self,
        world: &World,
        namenode: &Node,
        leaving: &[Node],
    ) -> Result<Vec<String>, ActError> {
        let title = format!("look for open files of the {} HDFS", self.as_str());
        let addresses: Vec<_> = leaving.iter().map(|node| node.private_ip.to_string()).collect();
        let script = Script::new(&title, OPEN)
            .var("kind", self.as_str())
            .var("leaving", addresses.join(" "));
        let answer = self.asked(world, namenode, script.within(OPEN_LIMIT)).await?;
        Ok(paths(&answer.stdout))
    }
}
