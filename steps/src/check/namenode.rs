//! What a namenode says of itself: whether it takes writes, what it misses, and of which datanodes it hears.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Blocks, Hdfs};
use crate::world::World;

/// Datanodes say every three seconds that they live. The namenode itself goes on believing in one for ten minutes.
const SILENT_AFTER_S: i64 = 30;

/// What a namenode says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// Why it takes no writes; empty where it does.
    safe_mode: String,
    blocks: Blocks,
    /// The datanodes that it believes in, and how long ago it heard of each, seconds.
    live: BTreeMap<IpAddr, i64>,
}

/// One of its beans.
#[derive(Deserialize)]
struct Beans {
    beans: Vec<BTreeMap<String, Value>>,
}

/// An entry of `LiveNodes`.
#[derive(Deserialize)]
struct Datanode {
    /// `ADDRESS:PORT`
    xferaddr: String,
    #[serde(rename = "lastContact")]
    last_contact: i64,
}

impl Check<'_> {
    /// Tells of a file system's namenode, and what that says of its blocks and of each slave's datanode.
    pub(super) async fn namenode(&self, hdfs: Hdfs) {
        let hub = self.inventory.first_master();
        let said = match self.ask_namenode(hdfs, hub).await {
            Ok(said) => said,
            // Without it, nothing can be said of the others.
            Err(error) => return self.tell(What::Namenode(hdfs), Some(hub), Err(error)),
        };
        let serves = match said.safe_mode.is_empty() {
            true => Ok("takes writes".to_owned()),
            false => Err(ActError::not_yet(format!("takes no writes: {}", said.safe_mode))),
        };
        self.tell(What::Namenode(hdfs), Some(hub), serves);
        let blocks = match said.blocks {
            Blocks {
                missing: 0,
                corrupt: 0,
            } => Ok("no block is missing".to_owned()),
            Blocks { missing: 0, .. } => Ok(said.blocks.text(hdfs)),
            _ => Err(ActError::wrong(said.blocks.text(hdfs))),
        };
        self.tell(What::Blocks(hdfs), Some(hub), blocks);
        for slave in &self.inventory.slaves {
            self.tell(What::Datanode(hdfs), Some(slave), heard_of(slave, &said.live));
        }
    }

    async fn ask_namenode(&self, hdfs: Hdfs, hub: &Node) -> Result<Said, ActError> {
        let answer = self.asker.run(hub, hdfs.beans_script(hub)).await?;
        understood(hdfs, hub, &answer.stdout)
    }
}

/// The blocks that a file system's namenode has not, or not whole.
///
/// # Errors
/// The node cannot be reached, or its namenode does not answer.
pub async fn blocks(hdfs: Hdfs, world: &World, hub: &Node) -> Result<Blocks, ActError> {
    let answer = world.run(hub, hdfs.beans_script(hub)).await?;
    Ok(understood(hdfs, hub, &answer.stdout)?.blocks)
}

fn heard_of(slave: &Node, live: &BTreeMap<IpAddr, i64>) -> Result<String, ActError> {
    match live.get(&slave.private_ip) {
        None => Err(ActError::not_yet("is not known to the namenode as live")),
        Some(seconds) if *seconds > SILENT_AFTER_S => Err(ActError::not_yet(format!(
            "has not been heard of by the namenode for {seconds} s"
        ))),
        Some(_) => Ok("is live".to_owned()),
    }
}

fn understood(hdfs: Hdfs, hub: &Node, answer: &[u8]) -> Result<Said, ActError> {
    said(answer).map_err(|reason| {
        ActError::not_yet(format!(
            "{}: cannot understand the {} namenode: {reason}",
            hub.name,
            hdfs.as_str()
        ))
    })
}

/// Several documents in a row, whose beans are read as one.
fn said(answer: &[u8]) -> Result<Said, String> {
    let mut all = BTreeMap::new();
    for document in serde_json::Deserializer::from_slice(answer).into_iter::<Beans>() {
        let document = document.map_err(|error| error.to_string())?;
        all.extend(document.beans.into_iter().flatten());
    }
    let field = |name: &str| all.get(name).ok_or_else(|| format!("it has no {name}"));
    let text = |name: &str| {
        let text = field(name)?.as_str();
        text.ok_or_else(|| format!("its {name} is no text"))
    };
    let number = |name: &str| {
        let number = field(name)?.as_u64();
        number.ok_or_else(|| format!("its {name} is no number"))
    };
    let nodes: BTreeMap<String, Datanode> =
        serde_json::from_str(text("LiveNodes")?).map_err(|error| format!("its LiveNodes: {error}"))?;
    let live = nodes.into_values().filter_map(|node| {
        let (address, _port) = node.xferaddr.rsplit_once(':')?;
        let address = address.trim_matches(['[', ']']).parse().ok()?;
        Some((address, node.last_contact))
    });
    Ok(Said {
        safe_mode: text("Safemode")?.to_owned(),
        blocks: Blocks {
            missing: number("NumberOfMissingBlocks")?,
            corrupt: number("CorruptBlocks")?,
        },
        live: live.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Hadoop 2.7.3 says it, shortened.
    const ANSWER: &str = r#"{
  "beans" : [ {
    "name" : "Hadoop:service=NameNode,name=NameNodeInfo",
    "Safemode" : "",
    "NumberOfMissingBlocks" : 2,
    "LiveNodes" : "{\"demo-slave-1:50010\":{\"infoAddr\":\"10.0.0.3:50075\",\"xferaddr\":\"10.0.0.3:50010\",\"lastContact\":1,\"usedSpace\":24576},\"demo-slave-2:50010\":{\"xferaddr\":\"10.0.0.4:50010\",\"lastContact\":45}}"
  } ]
}{
  "beans" : [ { "name" : "Hadoop:service=NameNode,name=FSNamesystem", "CorruptBlocks" : 1 } ]
}"#;

    #[test]
    fn a_namenode_is_understood() {
        let said = said(ANSWER.as_bytes()).unwrap();
        assert_eq!((said.blocks.missing, said.blocks.corrupt), (2, 1));
        assert_eq!(said.safe_mode, "");
        let of = |address: &str| said.live.get(&address.parse().unwrap()).copied();
        assert_eq!(
            (of("10.0.0.3"), of("10.0.0.4"), of("10.0.0.5")),
            (Some(1), Some(45), None)
        );
    }

    #[test]
    fn what_it_does_not_say_is_not_taken_for_well() {
        for wrong in ["", "{}", r#"{"beans":[]}"#, r#"{"beans":[{"Safemode":""}]}"#] {
            assert!(said(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let without = ANSWER.replace("CorruptBlocks", "Others");
        assert!(said(without.as_bytes()).unwrap_err().contains("CorruptBlocks"));
    }
}
