//! One daemon of a file system that is served, started anew: the file system is as it was before, then.

use std::time::Duration;

use tokio::time::Instant;

use super::{Hdfs, View};
use crate::act::ActError;
use crate::cluster::Node;
use crate::service::Service;
use crate::world::World;

/// A large image is read at some 10 MB/s, and a datanode's blocks are reported after it has registered.
const WELL_LIMIT: Duration = Duration::from_secs(300);
/// How long a datanode that serves is not heard of at most, seconds.
const SILENT_S: u64 = 10;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Hdfs {
    fn daemon<'n>(self, namenode: &'n Node, datanode: Option<&'n Node>) -> (Service, &'n Node) {
        match datanode {
            None => (self.namenode(), namenode),
            Some(node) => (self.datanode(), node),
        }
    }

    /// Whether a daemon runs as it should, and is well; also where its node never had it. It is the namenode's that none names.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub(crate) async fn is_well(
        self,
        world: &World,
        namenode: &Node,
        datanode: Option<&Node>,
    ) -> Result<bool, ActError> {
        let (service, node) = self.daemon(namenode, datanode);
        if !service.is_enabled(world, node).await? {
            return Ok(true);
        }
        if !service.is_current(world, node).await? {
            return Ok(false);
        }
        let view = self.view_if_any(world, namenode).await?;
        Ok(view.is_ok_and(|view| lacks(&view, datanode, None).is_none()))
    }

    /// Starts it anew unless it runs as it should, and waits until it is well.
    ///
    /// # Errors
    /// It does not get well; says what it said last.
    pub(crate) async fn start_anew(
        self,
        world: &World,
        namenode: &Node,
        datanode: Option<&Node>,
    ) -> Result<(), ActError> {
        let (service, node) = self.daemon(namenode, datanode);
        let mut anew = None;
        if !service.is_current(world, node).await? {
            let before = self.view_if_any(world, namenode).await?;
            let missing = before.map_or(u64::MAX, |view| view.blocks.missing);
            tracing::info!(target: "mesosflow::progress", "{}: {} starts anew", node.name, service.unit);
            service.restart(world, node).await?;
            anew = Some((Instant::now(), missing));
        }
        let begun = Instant::now();
        loop {
            let since = anew.map(|(at, missing)| (at.elapsed(), missing));
            let lacks = match self.view_if_any(world, namenode).await? {
                Ok(view) => lacks(&view, datanode, since),
                Err(error) => Some(error.to_string()),
            };
            let Some(lacks) = lacks else { return Ok(()) };
            if begun.elapsed() >= WELL_LIMIT {
                let error = ActError::not_yet(format!(
                    "{}: {} is not well after {} s: {lacks}",
                    node.name,
                    service.unit,
                    WELL_LIMIT.as_secs()
                ))
                .hinted("see to it, then `mesosflow resume`");
                return Err(service.explain(world, node, error).await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What the namenode lacks to be well, and to have that datanode, of which it has to have heard since it was started that long ago; it
/// may miss so many blocks, as it did before.
fn lacks(view: &View, datanode: Option<&Node>, anew: Option<(Duration, u64)>) -> Option<String> {
    if let Some(node) = datanode {
        let Some(live) = view.live.get(&node.private_ip) else {
            return Some(format!("its namenode has not heard of {}", node.name));
        };
        // Seconds are cut: one that is heard of in the same second as it was stopped is the one of before.
        let heard = u64::try_from(live.last_contact).unwrap_or_default() + 1;
        // Three heartbeats; whoever went on here does not know when it was started.
        let within = anew.map_or(SILENT_S, |(since, _)| since.as_secs());
        if heard >= within {
            return Some(format!("its namenode has not heard of {} lately", node.name));
        }
        if anew.is_some_and(|(_, missing)| view.blocks.missing > missing) {
            return Some(format!("{} blocks are missing", view.blocks.missing));
        }
    }
    (!view.safe_mode.is_empty()).then(|| format!("it takes no writes: {}", view.safe_mode))
}

#[cfg(test)]
mod tests {
    use super::super::{Datanode, InService};
    use super::*;

    #[test]
    fn a_datanode_is_back_once_it_was_heard_of_since_its_start_and_nothing_more_is_missing() {
        let node: Node = serde_json::from_value(serde_json::json!({
            "id": "i-1", "name": "demo-slave-1", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
        }))
        .unwrap();
        let view = |last_contact: i64, missing: u64| {
            let mut view = View::default();
            view.blocks.missing = missing;
            let service = InService::Yes;
            let datanode = Datanode {
                last_contact,
                service,
                used: 0,
                remaining: 0,
            };
            view.live.insert(node.private_ip, datanode);
            view
        };
        let back = |view: &View, since: u64| {
            lacks(view, Some(&node), Some((Duration::from_secs(since), 1))).is_none()
        };
        assert!(!back(&view(5, 0), 3), "that was the one of before");
        assert!(!back(&view(2, 0), 3));
        assert!(back(&view(1, 0), 3));
        assert!(back(&view(0, 1), 3), "it was missing before");
        assert!(!back(&view(0, 2), 3));
        assert!(!back(&View::default(), 3));
        assert!(lacks(&view(3, 9), Some(&node), None).is_none());
        assert!(lacks(&view(12, 0), Some(&node), None).is_some());
        let mut safe = view(0, 0);
        safe.safe_mode = "Safe mode is ON.".into();
        assert!(!back(&safe, 9));
        assert!(lacks(&safe, None, None).is_some());
    }
}
