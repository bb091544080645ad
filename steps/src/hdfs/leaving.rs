//! What the departure of datanodes would meet with, found out before anything is touched.

use std::net::IpAddr;

use mesosflow_workflow::ErrorClass;
use serde::{Deserialize, Serialize};

use super::Hdfs;
use super::namenode::{Left, View};
use super::wanting::{Wanting, datanodes, files_wanting};
use crate::act::ActError;
use crate::cluster::Node;
use crate::world::{Script, World};

/// What a namenode runs with, whatever its files say by now.
const CONFIGURATION: &str = r#"curl -fsS --max-time 10 "http://$address:$ui/conf?format=json""#;
const DATANODES: &str = shell!("hdfs-datanodes.sh");

/// When a datanode has given enough to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enough {
    /// Others have every copy that files want: HDFS itself says so.
    #[default]
    EveryCopy,
    /// Others have one copy at least of each block: a datanode that takes its place gets those that are lacking then, and no file has to
    /// want fewer of them meanwhile.
    OneCopy,
}

impl Enough {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn is_every_copy(&self) -> bool {
        *self == Self::EveryCopy
    }

    /// The blocks that it has still to give.
    pub(crate) const fn lacks(self, left: Left) -> u64 {
        match self {
            Self::EveryCopy => left.blocks,
            Self::OneCopy => left.on_none_else,
        }
    }
}

/// What a departure would meet with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// `ephemeral` or `persistent`.
    pub hdfs: String,
    /// Files that want more copies than there will be datanodes.
    pub wanting: Wanting,
    /// Whether those in snapshots would keep it from ending: they do where new files get more copies than there will be datanodes.
    pub snapshots_hold: bool,
    /// Whether what they have finds room.
    pub room: Room,
    /// Those that are to leave and that the namenode does not hear of: they cannot give what they have.
    pub silent: Vec<String>,
    /// Those that are to stay, likewise.
    pub absent: Vec<String>,
    /// Blocks of which no copy is left already.
    pub missing: u64,
}

/// What has to find room, and the room that there is: bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What those have that leave.
    pub leaving: u64,
    /// What all files take, with no more copies than there will be datanodes.
    pub stored: u64,
    /// What those have that stay.
    pub held: u64,
    /// What those have room for that stay.
    pub remaining: u64,
}

impl Room {
    fn of(view: &View, leaving: &[IpAddr], stored: u64) -> Self {
        let those = view.live.iter().filter(|(address, _)| leaving.contains(address));
        let mut room = Self {
            leaving: those.map(|(_, datanode)| datanode.used).sum(),
            stored,
            ..Self::default()
        };
        for (_, datanode) in view.in_service(leaving) {
            room.held += datanode.used;
            room.remaining += datanode.remaining;
        }
        room
    }

    /// Either is enough: all that leaves finds room, also where others have it already; or all that is to be there does. A tenth of the
    /// room stays, since blocks are large and disks are not equally full; sums over blocks take a hundredth of them.
    pub const fn fits(&self) -> bool {
        let room = self.remaining / 10 * 9;
        self.leaving <= room || self.stored / 100 * 101 <= self.held.saturating_add(room)
    }
}

/// What would become of a file system if datanodes left it. Changes nothing.
///
/// # Errors
/// The first master cannot be reached, or its namenode does not answer.
pub async fn what_leaving(
    world: &World,
    hdfs: Hdfs,
    namenode: &Node,
    leaving: &[Node],
    staying: &[Node],
) -> Result<Leaving, ActError> {
    let view = hdfs.view(world, namenode).await?;
    if !view.safe_mode.is_empty() {
        return Err(ActError::not_yet(format!(
            "{}: the {} HDFS takes no writes: {}",
            namenode.name,
            hdfs.as_str(),
            view.safe_mode
        )));
    }
    let addresses: Vec<_> = leaving.iter().map(|node| node.private_ip).collect();
    let left = view.in_service(&addresses).count() as u64;
    let wanting = files_wanting(world, hdfs, namenode, left).await?;
    let unheard = |nodes: &[Node]| {
        let unheard = nodes.iter().filter(|node| view.service_of(node).is_none());
        unheard.map(|node| node.name.clone()).collect()
    };
    Ok(Leaving {
        hdfs: hdfs.as_str().to_owned(),
        snapshots_hold: wanting.in_snapshots > 0 && hdfs.copies(world, namenode).await? > left,
        room: Room::of(&view, &addresses, wanting.stored),
        wanting,
        silent: unheard(leaving),
        absent: unheard(staying),
        missing: view.blocks.missing,
    })
}

impl Leaving {
    /// Why the departure is refused, where files may be made to want fewer copies or may not; none where nothing stands against it.
    pub fn refusal(&self, hdfs: Hdfs, lowers: bool, enough: Enough) -> Option<ActError> {
        let program = format!("/root/{}-hdfs/bin/hdfs dfs", self.hdfs);
        let refused = |what: String, hint: String| {
            Some(ActError::Unmet {
                what,
                class: ErrorClass::Operator,
                hint: Some(hint),
            })
        };
        let again = "then `mesosflow resume`";
        let left = self.wanting.left;
        if left == 0 {
            return refused(
                format!("the {} HDFS would have no datanode left", self.hdfs),
                "let at least one stay".to_owned(),
            );
        }
        if !self.absent.is_empty() {
            let absent = self.absent.join(", ");
            let what = format!(
                "the {} namenode does not hear of {absent}, which would stay: what leaves would be copied to too few",
                self.hdfs
            );
            return refused(
                what,
                format!("bring it back, {again} (`mesosflow check` says what is down); or let it leave too"),
            );
        }
        let wants_all = enough == Enough::EveryCopy;
        if self.snapshots_hold && wants_all {
            let hint =
                format!("on the first master, `{program} -deleteSnapshot FOLDER NAME` deletes one; {again}");
            return refused(self.wanting.text(hdfs), hint);
        }
        if self.wanting.files > 0 && !lowers && wants_all {
            let hint = format!(
                "`--yes` has them want {left} at most; or see to them by `{program} -setrep {left} PATH` on the first master, {again}"
            );
            return refused(self.wanting.text(hdfs), hint);
        }
        if !self.room.fits() {
            let what = format!(
                "what leaves the {} HDFS finds no room: {} bytes, where {} have {} left",
                self.hdfs,
                self.room.leaving,
                datanodes(left),
                self.room.remaining
            );
            return refused(
                what,
                format!("delete what is not needed any more, or let fewer leave at a time; {again}"),
            );
        }
        None
    }
}

/// A property of the configuration.
#[derive(Deserialize)]
struct Configuration {
    properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    key: String,
    value: String,
}

impl Hdfs {
    /// How many copies the namenode takes to be enough: those of files that ask for none.
    async fn copies(self, world: &World, namenode: &Node) -> Result<u64, ActError> {
        let configuration = self.configuration(world, namenode).await?;
        self.number(namenode, &configuration, "dfs.replication")
    }

    /// How long after its last word a datanode's blocks are counted as gone, at the latest, seconds: it is called dead after two looks at all of
    /// them and ten heartbeats, and its blocks go with the look after that.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode does not answer.
    pub(crate) async fn counted_after(self, world: &World, namenode: &Node) -> Result<u64, ActError> {
        let configuration = self.configuration(world, namenode).await?;
        let number = |key| self.number(namenode, &configuration, key);
        let look = number("dfs.namenode.heartbeat.recheck-interval")?.div_ceil(1000);
        let heartbeat = number("dfs.heartbeat.interval")?;
        Ok(3 * look + 10 * heartbeat + heartbeat)
    }

    /// What the namenode runs with.
    async fn configuration(self, world: &World, namenode: &Node) -> Result<Vec<u8>, ActError> {
        let title = format!("ask the {} namenode for its configuration", self.as_str());
        let script = Script::new(&title, CONFIGURATION)
            .var("address", namenode.private_ip)
            .var("ui", self.ui_port());
        Ok(self.asked(world, namenode, script).await?.stdout)
    }

    fn number(self, namenode: &Node, configuration: &[u8], key: &str) -> Result<u64, ActError> {
        number(configuration, key).ok_or_else(|| {
            ActError::wrong(format!(
                "{}: the {} namenode says no number for `{key}`",
                namenode.name,
                self.as_str()
            ))
        })
    }

    /// Those of the nodes whose datanode answers the first master, be it known to the namenode or not.
    ///
    /// # Errors
    /// The first master cannot be reached.
    pub(crate) async fn answering<'n>(
        self,
        world: &World,
        namenode: &Node,
        nodes: &[&'n Node],
    ) -> Result<Vec<&'n Node>, ActError> {
        let title = format!(
            "see whether datanodes of the {} HDFS answer that its namenode does not know",
            self.as_str()
        );
        let addresses: Vec<_> = nodes.iter().map(|node| node.private_ip.to_string()).collect();
        let script = Script::new(&title, DATANODES)
            .var("addresses", addresses.join(" "))
            .var("page", self.datanode_ui_port());
        let limit = std::time::Duration::from_secs(30 + 5 * nodes.len() as u64);
        let answer = self
            .asked(world, namenode, script.within(limit))
            .await?
            .stdout_str();
        let answers = |node: &&&Node| answer.lines().any(|line| line.parse() == Ok(node.private_ip));
        Ok(nodes.iter().filter(answers).copied().collect())
    }
}

/// A number of the configuration; those of times may say in what (`3s`).
fn number(configuration: &[u8], key: &str) -> Option<u64> {
    let read: Configuration = serde_json::from_slice(configuration).ok()?;
    let property = read.properties.into_iter().find(|property| property.key == key)?;
    property.value.trim_end_matches('s').parse().ok()
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::StepError as _;

    use super::*;

    fn met(change: impl FnOnce(&mut Leaving)) -> Leaving {
        let mut leaving = Leaving {
            hdfs: "persistent".to_owned(),
            wanting: Wanting {
                left: 2,
                ..Wanting::default()
            },
            snapshots_hold: false,
            room: Room::default(),
            silent: Vec::new(),
            absent: Vec::new(),
            missing: 0,
        };
        change(&mut leaving);
        leaving
    }

    fn refused(lowers: bool, change: impl FnOnce(&mut Leaving)) -> Option<String> {
        let error = met(change).refusal(Hdfs::Persistent, lowers, Enough::EveryCopy)?;
        assert_eq!(error.class(), ErrorClass::Operator);
        Some(error.to_string())
    }

    #[test]
    fn a_departure_is_refused_for_one_reason_at_a_time() {
        assert_eq!(refused(false, |_| {}), None);
        let says = |lowers, part: &str, change: fn(&mut Leaving)| {
            let said = refused(lowers, change).unwrap_or_default();
            assert!(said.contains(part), "{said}");
        };
        says(true, "no datanode left", |of| of.wanting.left = 0);
        says(true, "does not hear of demo-slave-2", |of| {
            of.absent = vec!["demo-slave-2".to_owned()];
        });
        says(true, "in snapshots", |of| {
            (of.snapshots_hold, of.wanting.in_snapshots) = (true, 1);
        });
        says(false, "3 files that want", |of| of.wanting.files = 3);
        assert_eq!(refused(true, |of| of.wanting.files = 3), None);
        says(true, "no room", |of| {
            (of.room.leaving, of.room.stored) = (100, 100)
        });
        // Another one takes its place: nothing has to want less meanwhile.
        let replaced = met(|of| (of.wanting.files, of.snapshots_hold) = (3, true));
        let replaced = replaced.refusal(Hdfs::Persistent, false, Enough::OneCopy);
        assert!(replaced.is_none());
        // Where those in snapshots only have fewer copies than they want, nothing hangs.
        assert_eq!(refused(true, |of| of.wanting.in_snapshots = 1), None);
    }

    #[test]
    fn room_is_enough_where_all_that_leaves_fits_or_all_that_is_to_be_there() {
        let room = |leaving, stored, held, remaining| Room {
            leaving,
            stored,
            held,
            remaining,
        };
        assert!(room(900, 1_000_000, 0, 1000).fits());
        assert!(!room(901, 1_000_000, 0, 1000).fits());
        // Three copies on three, of which two are to be: both that stay have all of it.
        assert!(room(800, 1600, 1600, 400).fits());
        assert!(!room(800, 2400, 1600, 400).fits());
    }

    #[test]
    fn what_a_namenode_runs_with_is_read() {
        let said = br#"{"properties":[{"key":"a","value":"1","isFinal":false,"resource":"core-default.xml"},{"key":"dfs.replication","value":"3","isFinal":false,"resource":"hdfs-site.xml"}]}"#;
        assert_eq!(number(said, "dfs.replication"), Some(3));
        assert_eq!(number(said, "dfs.heartbeat.interval"), None);
        let said = br#"{"properties":[{"key":"a","value":"3s"},{"key":"b","value":"300000"},{"key":"c","value":"x"}]}"#;
        assert_eq!(
            ["a", "b", "c"].map(|key| number(said, key)),
            [Some(3), Some(300_000), None]
        );
    }
}
