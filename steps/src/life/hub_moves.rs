//! `keep-hub`, `bring-hub`, `forget-kept`, `fetch-mesos`: what only the first master has moves to its next machine, by way of another node,
//! since both have one address: both namenodes' folders, the shared volume, Mesos as it was made, the masters' registry.
//!
//! - Changes: a copy on the node that keeps it; then that copy on the new machine; then the copy is gone. Whoever writes to any of it is
//!   stopped before.
//! - Twice is safe: rsync moves what differs, and a folder that was brought is written to by nobody before the step has ended.
//! - Nothing to undo: what is kept is the same as what is still there.

use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hub::between_nodes;
use crate::mesos::REGISTRY;
use crate::on_node::{MESOS, SSH_CONFIG_PATH};
use crate::remote::{JobLimits, RemoteError};
use crate::software::Choice;
use crate::world::{Script, World, on_each};

/// Where another node keeps it: on its largest disk, as far as it has one of its own.
const KEPT: &str = "/mnt/mesosflow-kept";
/// What a volume has that goes from one machine to the next.
const ON_VOLUME: &str = "/vol/persistent-hdfs";
/// What moves.
const MOVING: [&str; 5] = ["/mnt/ephemeral-hdfs", ON_VOLUME, "/mnt/nfs", MESOS, REGISTRY];
/// Names of what is laid down anew in /root and on the disks by the set-up, or is HDFS' own and elsewhere by then.
const OURS: [&str; 24] = [
    ".bashrc",
    ".cache",
    ".profile",
    ".ssh",
    ".ansible",
    ".mesosflow-mesos.former",
    ".mesosflow-mesos.next",
    "ephemeral-hdfs",
    "hadoop",
    "hadoop-logs",
    "lost+found",
    "mesos",
    "mesos-cache",
    "mesos-ec2",
    "mesos-logs",
    "mesos-work",
    "mesosflow",
    "mesosflow-kept",
    "mesosflow.swap",
    "nfs",
    "persistent-hdfs",
    "spark",
    "swap",
    "swapfile",
];

/// Those of them in /root that are laid out, unless the nodes have them by themselves.
const HOMES: [&str; 3] = ["ephemeral-hdfs", "persistent-hdfs", "spark"];

const LOOK: &str = shell!("moving-look.sh");
const KEEP: &str = shell!("moving-keep.sh");
const BRING: &str = shell!("moving-bring.sh");
const BRINGS: (&str, &str) = ("lay down what another node has for it", BRING);
const ROOM: &str = r#"df -Pk -- "${kept%/*}" | awk 'NR == 2 { print $4 }'"#;
const HELD: &str = r#"for path in $moving; do [ ! -e "$kept$path" ] || printf '%s ' "$path"; done"#;

/// A shared volume may be large; rsync says something all the time.
const LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(24 * 3600),
    silence: Duration::from_secs(15 * 60),
};

/// What a machine has beside what is laid down anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belongings {
    /// What moves with its node: the paths, and KiB of each.
    pub moves: Vec<(String, u64)>,
    /// What ends with the machine, likewise.
    pub stays: Vec<(String, u64)>,
}

impl Belongings {
    fn of(said: &str) -> Self {
        let mut found = Self::default();
        for line in said.lines() {
            let mut words = line.splitn(3, ' ');
            let (what, size) = (words.next(), words.next().and_then(|size| size.parse().ok()));
            let path = words.next().map(str::to_owned);
            match (what, size, path) {
                (Some("moves"), Some(size), Some(path)) => found.moves.push((path, size)),
                (Some("stays"), Some(size), Some(path)) => found.stays.push((path, size)),
                _ => {}
            }
        }
        found
    }
}

/// The paths that move with the first master; a volume of its own goes by itself, and what is on it.
fn moving(hub: &Node) -> String {
    let by_itself = |path: &&&str| hub.volume.is_some() && **path == ON_VOLUME;
    let paths: Vec<_> = MOVING.iter().filter(|path| !by_itself(path)).copied().collect();
    paths.join(" ")
}

/// What a machine has.
///
/// # Errors
/// The node cannot be reached.
pub async fn belongings(world: &World, node: &Node, is_hub: bool) -> Result<Belongings, RemoteError> {
    // A home that nothing is laid out in is the node's own.
    let homes = Choice::of(world.spec()).homes();
    let is_laid = |name: &&&str| !HOMES.contains(*name) || homes.contains(**name);
    let of_root: Vec<_> = OURS.iter().filter(is_laid).copied().collect();
    let look = Script::new("look what ends with the machine", LOOK)
        .var("moving", if is_hub { moving(node) } else { String::new() })
        .var("ours", OURS.join(" "))
        .var("ours_of_root", of_root.join(" "))
        .within(Duration::from_secs(600));
    Ok(Belongings::of(&world.run(node, look).await?.stdout_str()))
}

/// How much room each of these nodes has where another's things would be kept, KiB.
///
/// # Errors
/// A node cannot be reached, or says no number.
pub async fn rooms(world: &World, nodes: &[Node]) -> Result<Vec<u64>, ActError> {
    on_each(nodes, |node| async move {
        let look = Script::new("look how much room there is", ROOM).var("kept", KEPT);
        let said = world.run(node, look).await?.stdout_str();
        let room = said.trim().parse();
        room.map_err(|_| ActError::wrong(format!("{}: {said:?} is no number of KiB", node.name)))
    })
    .await
}

/// Which of these moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubMove {
    /// To the node that keeps it.
    Keep,
    /// From there to the new machine.
    Bring,
    /// Mesos alone, from a node that has it as it was made: the machine of before is lost.
    FetchMesos,
    /// Nothing is kept any more.
    Forget,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct MoveHub {
    /// Which.
    #[serde(skip)]
    pub way: HubMove,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// Who keeps it.
    #[serde(serialize_with = "input::node")]
    pub keeper: Node,
}

impl MoveHub {
    /// Its id in the catalogue.
    pub const fn id_of(way: HubMove) -> StepId {
        StepId::from_static(match way {
            HubMove::Keep => "keep-hub",
            HubMove::Bring => "bring-hub",
            HubMove::FetchMesos => "fetch-mesos",
            HubMove::Forget => "forget-kept",
        })
    }

    /// Copies between both, as a job of the first master's.
    async fn copy(
        &self,
        cx: &StepCx<World>,
        (title, body): (&str, &str),
        (kept, moving): (&str, &str),
    ) -> Result<(), ActError> {
        let script = Script::new(title, body)
            .var("moving", moving)
            .var("kept", kept)
            .var("config", SSH_CONFIG_PATH)
            .var("user", &self.keeper.user)
            .var("port", self.keeper.port)
            .var("address", self.keeper.private_ip);
        let copied = cx.world().job(&self.hub, cx.effect_key(), script, LIMITS).await;
        copied.map(drop).map_err(between_nodes)
    }

    /// What the other node keeps, of what moves.
    async fn held(&self, world: &World) -> Result<String, ActError> {
        let look = Script::new("look what is kept", HELD)
            .var("moving", moving(&self.hub))
            .var("kept", KEPT);
        let held = world.run(&self.keeper, look).await?.stdout_str();
        match held.trim() {
            "" => Err(ActError::wrong(format!(
                "{} keeps nothing of {}'s in {KEPT}",
                self.keeper.name, self.hub.name
            ))),
            held => Ok(held.to_owned()),
        }
    }
}

impl Step for MoveHub {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.way)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        match self.way {
            // What is equal is found by the copy itself.
            HubMove::Keep | HubMove::Bring | HubMove::FetchMesos => Ok(Probe::NotDone),
            HubMove::Forget => {
                let look =
                    Script::new("look for what was kept", r#"[ ! -e "$kept" ] || exit 1"#).var("kept", KEPT);
                Ok(Probe::done_if(cx.world().ask(&self.keeper, look).await?))
            }
        }
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        match self.way {
            HubMove::Keep => {
                let what = ("copy what moves to another node", KEEP);
                self.copy(cx, what, (KEPT, &moving(&self.hub))).await
            }
            HubMove::Bring => {
                let held = self.held(world).await?;
                self.copy(cx, BRINGS, (KEPT, &held)).await
            }
            // It lies there where it does here.
            HubMove::FetchMesos => self.copy(cx, BRINGS, ("", MESOS)).await,
            HubMove::Forget => {
                let delete = Script::new("delete what was kept", r#"rm -rf -- "$kept""#).var("kept", KEPT);
                world.run(&self.keeper, delete).await?;
                Ok(())
            }
        }
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        // rsync has compared by itself, and its status was 0.
        Ok(())
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        Ok(World::settle(cx, &self.hub, effect, LIMITS).await?)
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMITS.deadline + Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_has_is_read() {
        let found = Belongings::of("moves 12 /mnt/nfs\nstays 4 /root/my notes\nnonsense\n");
        assert_eq!(found.moves, [("/mnt/nfs".to_owned(), 12)]);
        assert_eq!(found.stays, [("/root/my notes".to_owned(), 4)]);
    }
}
