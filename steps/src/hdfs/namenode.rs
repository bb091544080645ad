//! What a namenode says of itself: whether it takes writes, what it misses, and how each datanode is in its eyes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::{Blocks, Hdfs};
use crate::act::ActError;
use crate::cluster::Node;
use crate::world::{Script, World};

const SNAPSHOTS: &str =
    r#"curl -fsS --max-time 10 "http://$address:$ui/jmx?qry=Hadoop:service=NameNode,name=SnapshotInfo""#;

/// What a namenode says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Why it takes no writes; empty where it does.
    pub safe_mode: String,
    /// The file system that it serves.
    pub cluster_id: String,
    /// What it cannot give.
    pub blocks: Blocks,
    /// The datanodes that it believes in. It does so for a minute and a half after it has last heard of one.
    pub live: BTreeMap<IpAddr, Datanode>,
    /// Those that it has given up, and how long ago it has last heard of each, seconds.
    pub dead: BTreeMap<IpAddr, i64>,
    /// Files of which blocks are missing, a hundred at most.
    pub corrupt_files: Vec<String>,
}

/// A datanode in the eyes of its namenode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datanode {
    /// How long ago it was heard of, seconds.
    pub last_contact: i64,
    /// Whether it gets and keeps blocks.
    pub service: InService,
    /// What its blocks take, bytes.
    pub used: u64,
    /// What it has room for, bytes.
    pub remaining: u64,
}

/// Whether a datanode gets and keeps blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InService {
    /// It does.
    Yes,
    /// It is about to leave: others get what it has.
    Leaving(Left),
    /// Others have all it has.
    Left,
    /// An operator has it rest for a while (Hadoop 3 calls it maintenance).
    Rests,
}

/// How far one is that leaves. The namenode counts it anew every few seconds (`dfs.namenode.decommission.interval`), and says 0 of each
/// before the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Left {
    /// Blocks of its own that others have not often enough.
    pub blocks: u64,
    /// Of those: in files that somebody has open for writing.
    pub in_open_files: u64,
    /// Of those: that no other has at all, but for others that leave too.
    pub on_none_else: u64,
}

/// The beans of an answer.
#[derive(Deserialize)]
struct Beans {
    beans: Vec<BTreeMap<String, Value>>,
}

/// An entry of `LiveNodes`.
#[derive(Deserialize)]
struct Live {
    /// `ADDRESS:PORT`
    xferaddr: String,
    #[serde(rename = "lastContact")]
    last_contact: i64,
    /// Hadoop's own words.
    #[serde(rename = "adminState", default)]
    admin_state: String,
    #[serde(default)]
    used: u64,
    #[serde(default)]
    remaining: u64,
}

/// An entry of `DeadNodes`.
#[derive(Deserialize)]
struct Dead {
    xferaddr: String,
    #[serde(rename = "lastContact")]
    last_contact: i64,
}

/// An entry of `DecomNodes`.
#[derive(Deserialize)]
struct Leaving {
    xferaddr: String,
    #[serde(rename = "underReplicatedBlocks")]
    blocks: u64,
    #[serde(rename = "underReplicateInOpenFiles", default)]
    in_open_files: u64,
    #[serde(rename = "decommissionOnlyReplicas")]
    on_none_else: u64,
}

/// An entry of `Snapshots`.
#[derive(Deserialize)]
struct Snapshot {
    #[serde(rename = "snapshotDirectory")]
    folder: String,
}

impl Hdfs {
    /// What the namenode says.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode does not answer.
    pub(crate) async fn view(self, world: &World, namenode: &Node) -> Result<View, ActError> {
        let answer = self.asked(world, namenode, self.beans_script(namenode)).await?;
        self.understood(namenode, &answer.stdout)
    }

    /// The same, or why it does not answer yet.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub(crate) async fn view_if_any(
        self,
        world: &World,
        namenode: &Node,
    ) -> Result<Result<View, ActError>, ActError> {
        match self.view(world, namenode).await {
            Err(ActError::Remote(error)) => Err(error.into()),
            said => Ok(said),
        }
    }

    /// What the answer to [`Hdfs::beans_script`] says.
    ///
    /// # Errors
    /// It is no such answer.
    pub(crate) fn understood(self, namenode: &Node, answer: &[u8]) -> Result<View, ActError> {
        View::of(answer).map_err(|reason| self.strange(namenode, &reason))
    }

    /// The folders of all snapshots.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode does not answer.
    pub(super) async fn snapshots(self, world: &World, namenode: &Node) -> Result<Vec<String>, ActError> {
        let title = format!("ask the {} namenode for its snapshots", self.as_str());
        let script = Script::new(&title, SNAPSHOTS)
            .var("address", namenode.private_ip)
            .var("ui", self.ui_port());
        let answer = self.asked(world, namenode, script).await?;
        snapshots(&answer.stdout).map_err(|reason| self.strange(namenode, &reason))
    }

    fn strange(self, namenode: &Node, reason: &str) -> ActError {
        ActError::not_yet(format!(
            "{}: cannot understand the {} namenode: {reason}",
            namenode.name,
            self.as_str()
        ))
    }
}

impl View {
    fn of(answer: &[u8]) -> Result<Self, String> {
        let all = beans(answer)?;
        let field = |name: &str| all.get(name).ok_or_else(|| format!("it has no {name}"));
        let text = |name: &str| {
            let text = field(name)?.as_str();
            text.ok_or_else(|| format!("its {name} is no text"))
        };
        let number = |name: &str| {
            let number = field(name)?.as_u64();
            number.ok_or_else(|| format!("its {name} is no number"))
        };
        Ok(Self {
            safe_mode: text("Safemode")?.to_owned(),
            cluster_id: text("ClusterId")?.to_owned(),
            blocks: Blocks {
                missing: number("NumberOfMissingBlocks")?,
                corrupt: number("CorruptBlocks")?,
            },
            live: datanodes(text("LiveNodes")?, text("DecomNodes")?)?,
            dead: listed::<Dead>("DeadNodes", text("DeadNodes")?)?
                .into_values()
                .filter_map(|node| Some((address(&node.xferaddr)?, node.last_contact)))
                .collect(),
            corrupt_files: match all.get("CorruptFiles").and_then(Value::as_str) {
                Some(files) => {
                    serde_json::from_str(files).map_err(|error| format!("its CorruptFiles: {error}"))?
                }
                None => Vec::new(),
            },
        })
    }

    /// Those who get and keep blocks, but for some.
    pub(crate) fn in_service<'v>(
        &'v self,
        but: &'v [IpAddr],
    ) -> impl Iterator<Item = (&'v IpAddr, &'v Datanode)> {
        let stays = |(address, datanode): &(&IpAddr, &Datanode)| {
            datanode.service == InService::Yes && !but.contains(address)
        };
        self.live.iter().filter(stays)
    }

    /// How a node is in its eyes; none of one that it does not believe in.
    pub(crate) fn service_of(&self, node: &Node) -> Option<InService> {
        self.live.get(&node.private_ip).map(|datanode| datanode.service)
    }
}

/// Lists that a bean has as texts.
fn datanodes(live: &str, leaving: &str) -> Result<BTreeMap<IpAddr, Datanode>, String> {
    let live: BTreeMap<String, Live> = listed("LiveNodes", live)?;
    let leaving: BTreeMap<String, Leaving> = listed("DecomNodes", leaving)?;
    let left: BTreeMap<_, _> = leaving
        .into_values()
        .filter_map(|node| {
            let left = Left {
                blocks: node.blocks,
                in_open_files: node.in_open_files,
                on_none_else: node.on_none_else,
            };
            Some((address(&node.xferaddr)?, left))
        })
        .collect();
    let datanode = |node: Live| {
        let address = address(&node.xferaddr)?;
        let service = match node.admin_state.as_str() {
            "Decommission In Progress" => InService::Leaving(left.get(&address).copied().unwrap_or_default()),
            "Decommissioned" => InService::Left,
            // Versions that say nothing of it know nothing else.
            "In Service" | "" => InService::Yes,
            _ => InService::Rests,
        };
        let datanode = Datanode {
            last_contact: node.last_contact,
            service,
            used: node.used,
            remaining: node.remaining,
        };
        Some((address, datanode))
    };
    Ok(live.into_values().filter_map(datanode).collect())
}

fn listed<'t, T: Deserialize<'t>>(name: &str, text: &'t str) -> Result<BTreeMap<String, T>, String> {
    serde_json::from_str(text).map_err(|error| format!("its {name}: {error}"))
}

fn address(of_transfer: &str) -> Option<IpAddr> {
    let (address, _port) = of_transfer.rsplit_once(':')?;
    address.trim_matches(['[', ']']).parse().ok()
}

/// Several documents in a row, whose beans are read as one.
fn beans(answer: &[u8]) -> Result<BTreeMap<String, Value>, String> {
    let mut all = BTreeMap::new();
    for document in serde_json::Deserializer::from_slice(answer).into_iter::<Beans>() {
        let document = document.map_err(|error| error.to_string())?;
        all.extend(document.beans.into_iter().flatten());
    }
    Ok(all)
}

/// The folders of snapshots; a namenode that knows none may say nothing of them.
fn snapshots(answer: &[u8]) -> Result<Vec<String>, String> {
    let Some(said) = beans(answer)?.remove("Snapshots") else {
        return Ok(Vec::new());
    };
    let listed = Vec::<Snapshot>::deserialize(said).map_err(|error| format!("its Snapshots: {error}"))?;
    Ok(listed.into_iter().map(|snapshot| snapshot.folder).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Hadoop 2.7.3 says it, shortened: one that leaves, one that has left, one that is silent, one that is dead.
    const ANSWER: &str = r#"{
  "beans" : [ {
    "name" : "Hadoop:service=NameNode,name=NameNodeInfo",
    "ClusterId" : "CID-01m8cbzeqj6zt1ebrzdjh9ag46-g1-hdfs-format",
    "Safemode" : "",
    "NumberOfMissingBlocks" : 2,
    "LiveNodes" : "{\"demo-slave-3:50010\":{\"infoAddr\":\"10.0.0.5:50075\",\"infoSecureAddr\":\"10.0.0.5:0\",\"xferaddr\":\"10.0.0.5:50010\",\"lastContact\":1,\"usedSpace\":24576,\"adminState\":\"Decommission In Progress\",\"nonDfsUsedSpace\":243243106304,\"capacity\":269479432192,\"numBlocks\":7,\"version\":\"2.7.3\",\"used\":24576,\"remaining\":26236301312,\"blockScheduled\":0,\"blockPoolUsed\":24576,\"blockPoolUsedPercent\":9.119805E-6,\"volfails\":0},\"demo-slave-1:50010\":{\"infoAddr\":\"10.0.0.3:50075\",\"infoSecureAddr\":\"10.0.0.3:0\",\"xferaddr\":\"10.0.0.3:50010\",\"lastContact\":45,\"usedSpace\":24576,\"adminState\":\"In Service\",\"used\":9098977,\"remaining\":26211786752},\"demo-slave-2:50010\":{\"xferaddr\":\"10.0.0.4:50010\",\"lastContact\":0,\"adminState\":\"Decommissioned\",\"used\":6075530,\"remaining\":0}}",
    "DeadNodes" : "{\"demo-slave-4:50010\":{\"lastContact\":113,\"decommissioned\":true,\"xferaddr\":\"10.0.0.6:50010\"}}",
    "DecomNodes" : "{\"demo-slave-3:50010\":{\"xferaddr\":\"10.0.0.5:50010\",\"underReplicatedBlocks\":5,\"decommissionOnlyReplicas\":1,\"underReplicateInOpenFiles\":2}}",
    "CorruptFiles" : "[\"/a b\"]"
  } ]
}{
  "beans" : [ { "name" : "Hadoop:service=NameNode,name=FSNamesystem", "CorruptBlocks" : 1 } ]
}"#;

    const OF_SNAPSHOTS: &str = r#"{
  "beans" : [ {
    "name" : "Hadoop:service=NameNode,name=SnapshotInfo",
    "SnapshottableDirectories" : [ { "group" : "supergroup", "path" : "/d", "permission" : 755, "snapshotNumber" : 1 } ],
    "Snapshots" : [ { "modificationTime" : 1795712273895, "snapshotDirectory" : "/d/.snapshot/s 1", "snapshotID" : "s 1" } ]
  } ]
}"#;

    #[test]
    fn a_namenode_is_understood() {
        let view = View::of(ANSWER.as_bytes()).unwrap();
        assert_eq!((view.blocks.missing, view.blocks.corrupt), (2, 1));
        assert_eq!(view.safe_mode, "");
        assert_eq!(view.cluster_id, "CID-01m8cbzeqj6zt1ebrzdjh9ag46-g1-hdfs-format");
        assert_eq!(view.corrupt_files, ["/a b"]);
        assert_eq!(view.dead, [("10.0.0.6".parse().unwrap(), 113)].into());
        let of = |address: &str| view.live.get(&address.parse().unwrap());
        let left = Left {
            blocks: 5,
            in_open_files: 2,
            on_none_else: 1,
        };
        let services =
            ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"].map(|address| Some(of(address)?.service));
        assert_eq!(
            services,
            [
                Some(InService::Yes),
                Some(InService::Left),
                Some(InService::Leaving(left)),
                None
            ]
        );
        let silent = of("10.0.0.3").unwrap();
        assert_eq!(
            (silent.last_contact, silent.used, silent.remaining),
            (45, 9_098_977, 26_211_786_752)
        );
        assert_eq!(view.in_service(&[]).count(), 1);
        assert_eq!(view.in_service(&["10.0.0.3".parse().unwrap()]).count(), 0);
    }

    #[test]
    fn what_it_does_not_say_is_not_taken_for_well() {
        for wrong in ["", "{}", r#"{"beans":[]}"#, r#"{"beans":[{"Safemode":""}]}"#] {
            assert!(View::of(wrong.as_bytes()).is_err(), "{wrong}");
        }
        for field in ["CorruptBlocks", "DecomNodes", "DeadNodes", "ClusterId"] {
            let without = ANSWER.replace(&format!("\"{field}\""), "\"Others\"");
            assert!(View::of(without.as_bytes()).unwrap_err().contains(field));
        }
    }

    #[test]
    fn snapshots_are_folders() {
        assert_eq!(snapshots(OF_SNAPSHOTS.as_bytes()).unwrap(), ["/d/.snapshot/s 1"]);
        assert!(snapshots(br#"{"beans":[]}"#).unwrap().is_empty());
        assert!(snapshots(br#"{"beans":[{"Snapshots":7}]}"#).is_err());
    }
}
