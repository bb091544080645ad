//! `see-zookeepers`, `see-masters`: who serves, and who leads, when daemons are about to be started anew one by one: those that do not serve
//! come first, who leads comes last, so that there is one election and no more.
//!
//! - Changes: nothing.
//! - Twice is safe. What was seen stays the order, whoever leads later.

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::well;
use crate::act::ActError;
use crate::cluster::{Node, Role, input};
use crate::mesos;
use crate::world::{World, on_each};
use crate::zookeeper;

/// Those of whom one may lead.
#[derive(Debug, Serialize)]
pub struct SeeRanks {
    /// Masters or ZooKeepers.
    #[serde(skip)]
    pub role: Role,
    /// Their nodes.
    #[serde(serialize_with = "input::nodes")]
    pub nodes: Vec<Node>,
}

/// How they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranks {
    /// The names of those that do not serve.
    pub silent: Vec<String>,
    /// The name of the one that leads; none where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

impl Ranks {
    /// The nodes in the order in which they are started anew.
    pub fn in_order<'n>(&self, nodes: &'n [Node]) -> Vec<&'n Node> {
        let rank = |node: &&Node| match &self.leader {
            _ if self.silent.contains(&node.name) => 0,
            Some(leader) if *leader == node.name => 2,
            _ => 1,
        };
        let mut all: Vec<_> = nodes.iter().collect();
        all.sort_by_key(rank);
        all
    }
}

impl SeeRanks {
    /// Its id in the catalogue, of masters or of ZooKeepers.
    pub const fn id_of(role: Role) -> StepId {
        StepId::from_static(match role {
            Role::Zookeeper => "see-zookeepers",
            Role::Master | Role::Slave => "see-masters",
        })
    }

    async fn of_zookeepers(&self, world: &World) -> Result<Ranks, ActError> {
        let modes = on_each(&self.nodes, |node| zookeeper::mode(world, node)).await?;
        let mut ranks = Ranks::default();
        for (node, mode) in self.nodes.iter().zip(modes) {
            match mode.as_deref() {
                None => ranks.silent.push(node.name.clone()),
                Some("leader") => ranks.leader = Some(node.name.clone()),
                Some(_) => {}
            }
        }
        Ok(ranks)
    }

    /// Where nobody leads, none is waited for: what keeps them from it may be what the new configuration mends.
    async fn of_masters(&self, world: &World) -> Result<Ranks, ActError> {
        let lacks = on_each(&self.nodes, |node| well::lacks(world, node)).await?;
        let silent = self.nodes.iter().zip(lacks).filter(|(_, lacks)| lacks.is_some());
        let asked = world.answer(&self.nodes[0], mesos::leader_script(&self.nodes));
        let address = asked.await?;
        let leads = |node: &&Node| Some(node.private_ip.to_string()) == address;
        Ok(Ranks {
            silent: silent.map(|(node, _)| node.name.clone()).collect(),
            leader: self.nodes.iter().find(leads).map(|node| node.name.clone()),
        })
    }
}

impl Step for SeeRanks {
    type World = World;
    type Output = Ranks;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.role)
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Ranks>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Ranks, ActError> {
        match self.role {
            Role::Zookeeper => self.of_zookeepers(cx.world()).await,
            Role::Master | Role::Slave => self.of_masters(cx.world()).await,
        }
    }

    async fn verify(&self, _cx: &StepCx<World>, _ranks: &Ranks) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::STANDARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_serve_comes_first_and_who_leads_last() {
        let node = |name: &str| -> Node {
            serde_json::from_value(serde_json::json!({
                "id": name, "name": name, "role": "master", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
                "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
            }))
            .unwrap()
        };
        let nodes = ["a", "b", "c"].map(node);
        let order = |silent: &[&str], leader: Option<&str>| {
            let ranks = Ranks {
                silent: silent.iter().map(|name| (*name).to_owned()).collect(),
                leader: leader.map(str::to_owned),
            };
            let order = ranks.in_order(&nodes).into_iter();
            order.map(|node| node.name.clone()).collect::<String>()
        };
        assert_eq!(order(&[], None), "abc");
        assert_eq!(order(&[], Some("a")), "bca");
        assert_eq!(order(&["c"], Some("a")), "cba");
        assert_eq!(order(&["a", "c"], None), "acb");
    }
}
