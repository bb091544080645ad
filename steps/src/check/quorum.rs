//! The ZooKeepers: what each says of itself, and whether they are a quorum together.

use futures_util::future::join_all;

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::zookeeper::mode_script;

impl Check<'_> {
    /// Tells of each server, and of all of them together, since each knows its own mode only. Of none, nothing is claimed.
    /// Returns the name of the one that leads.
    pub(super) async fn quorum(&self) -> Option<String> {
        let servers = &self.inventory.zookeepers;
        if servers.is_empty() {
            return None;
        }
        let modes = join_all(servers.iter().map(|server| self.mode(server))).await;
        let with = |wanted: &str| -> Vec<&Node> {
            let all = servers.iter().zip(&modes);
            all.filter(|(_, mode)| mode.as_deref() == Some(wanted))
                .map(|(server, _)| server)
                .collect()
        };
        let (leaders, followers) = (with("leader"), with("follower"));
        let outcome = match leaders[..] {
            [leader] if followers.len() + 1 == servers.len() => {
                Ok(format!("{} leads, {} follow", leader.name, followers.len()))
            }
            [leader] => Err(ActError::not_yet(format!(
                "{} leads, and only {} of {} follow",
                leader.name,
                followers.len(),
                servers.len() - 1
            ))),
            [] => Err(ActError::not_yet("no server leads")),
            _ => Err(ActError::not_yet("several servers lead")),
        };
        let leader = leaders.first().map(|leader| leader.name.clone());
        self.tell(What::Quorum, None, outcome);
        leader
    }

    async fn mode(&self, server: &Node) -> Option<String> {
        let mode = self.asker.answer(server, mode_script(server)).await;
        let outcome = mode.and_then(|mode| match mode {
            Some(mode) if mode == "leader" || mode == "follower" => Ok(mode),
            Some(mode) => Err(ActError::not_yet(format!(
                "is {mode:?}, neither leader nor follower"
            ))),
            None => Err(ActError::not_yet(
                "does not answer, or belongs to no quorum".to_owned(),
            )),
        });
        let mode = outcome.as_ref().ok().cloned();
        self.tell(What::Zookeeper, Some(server), outcome);
        mode
    }
}
