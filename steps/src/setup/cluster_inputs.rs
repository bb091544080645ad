//! `cluster-inputs` (notes 2.2, 2.3): the lists on the first master are read back and must be the cluster.
//!
//! - Changes nothing.
//! - Twice is safe: it only reads.
//! - Nothing to undo.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{Inventory, Node, input};
use crate::world::{Script, World};

/// The lists that have to be there.
#[derive(Debug, Serialize)]
pub struct ClusterInputs {
    /// The nodes.
    #[serde(serialize_with = "input::inventory")]
    pub inventory: Inventory,
}

/// What was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Addresses of the masters, the active one first.
    pub masters: Vec<String>,
    /// Addresses of the slaves.
    pub slaves: Vec<String>,
    /// Addresses of the ZooKeepers; none with one master.
    pub zookeepers: Vec<String>,
    /// Where Mesos finds its master.
    pub cluster_url: String,
}

impl ClusterInputs {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("cluster-inputs");

    fn expected(&self) -> Inputs {
        let list = |nodes: &[Node]| nodes.iter().map(|n| n.private_ip.to_string()).collect();
        Inputs {
            masters: list(&self.inventory.masters),
            slaves: list(&self.inventory.slaves),
            zookeepers: list(&self.inventory.zookeepers),
            cluster_url: self.inventory.cluster_url(),
        }
    }
}

async fn read(cx: &StepCx<World>, hub: &Node, name: &str) -> Result<Vec<String>, ActError> {
    let title = format!("read the list {name}");
    let script = Script::new(&title, r#"cat -- "/root/mesos-ec2/$name""#).var("name", name);
    let text = cx.world().run(hub, script).await?.stdout_str();
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "NONE" && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

impl Step for ClusterInputs {
    type World = World;
    type Output = Inputs;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Inputs>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Inputs, ActError> {
        let hub = self.inventory.first_master();
        Ok(Inputs {
            masters: read(cx, hub, "masters").await?,
            slaves: read(cx, hub, "slaves").await?,
            zookeepers: read(cx, hub, "zoo").await?,
            cluster_url: read(cx, hub, "cluster-url").await?.join("\n"),
        })
    }

    async fn verify(&self, _cx: &StepCx<World>, read: &Inputs) -> Result<(), ActError> {
        let wanted = self.expected();
        let lists = [
            ("masters", &read.masters, &wanted.masters),
            ("slaves", &read.slaves, &wanted.slaves),
            ("zoo", &read.zookeepers, &wanted.zookeepers),
        ];
        let wrong = |name: &str, found: &str, wanted: &str| {
            ActError::wrong(format!(
                "/root/mesos-ec2/{name} on the first master holds {found}, but the cluster has {wanted}"
            ))
            .hinted("correct the template in `deploy_dir` that replaces it, then `mesosflow replay --from render-config`")
        };
        for (name, found, wanted) in lists {
            if found != wanted {
                return Err(wrong(name, &found.join(" "), &wanted.join(" ")));
            }
        }
        if read.cluster_url != wanted.cluster_url {
            return Err(wrong("cluster-url", &read.cluster_url, &wanted.cluster_url));
        }
        Ok(())
    }
}
