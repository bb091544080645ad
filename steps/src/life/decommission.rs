//! `hdfs-decommission`, `persistent-hdfs-decommission`: datanodes leave a file system without a block of it being lost: others have all
//! that they had, and they get nothing new.
//!
//! - Changes: their lines in the list of datanodes that leave (`dfs.hosts.exclude`), and through it where copies are. Where that is wanted,
//!   files that are to have more copies than there will be datanodes are to have so many: HDFS would wait for them for ever.
//! - Twice is safe: the namenode is asked how far they are, whoever had them leave. Before anything is touched it is counted what stands
//!   against it.
//! - Undone by `hdfs-recommission`, but for the numbers of copies.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::patience::{Blocks, Patience};
use super::standing::{Left, Standing, Waits, standing};
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{Hdfs, shown, what_leaving};
use crate::world::World;

/// How long no block may go: HDFS itself gives a copy five minutes before it begins another.
const SILENCE: Duration = Duration::from_secs(15 * 60);
/// After how long without one it is looked for what holds it up, and how often again.
const CLOSER: Duration = Duration::from_secs(60);
/// How often the namenode is asked, and how often it is told how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SAY_EVERY: Duration = Duration::from_secs(15);
/// Copies go on as long as they do: ten terabytes over a slow network take two days.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The departure.
#[derive(Debug, Serialize)]
pub struct Decommission {
    /// Of which file system.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// Those that leave.
    #[serde(serialize_with = "input::nodes")]
    pub leaving: Vec<Node>,
    /// Those that stay.
    #[serde(serialize_with = "input::nodes")]
    pub staying: Vec<Node>,
    /// Whether files that want more copies than there will be datanodes are made to want fewer; otherwise they are refused.
    pub lower_replication: bool,
}

/// Datanodes that have left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decommissioned {
    /// How many files want fewer copies by now, as far as this very attempt has seen to it.
    pub lowered: u64,
    /// Those that were dead already: what they had, others have, but for what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// Blocks of which no copy is left, where some were dead; none of the persistent file system.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Left {
    fn after(self, lowered: u64) -> Decommissioned {
        Decommissioned {
            lowered,
            silent: self.silent,
            missing: self.missing,
        }
    }
}

impl Decommission {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-decommission",
            Hdfs::Persistent => "persistent-hdfs-decommission",
        })
    }

    async fn standing(&self, world: &World) -> Result<Standing, ActError> {
        standing(world, self.hdfs, &self.namenode, &self.leaving).await
    }

    /// Waits until they have left; how many files were made to want fewer copies meanwhile, and how they stand.
    async fn wait(&self, world: &World) -> Result<(u64, Left), ActError> {
        let (mut patience, mut lowered) = (Patience::begun(Instant::now()), 0);
        let (mut said, mut looked) = (Said::default(), Instant::now());
        let mut holds = String::new();
        loop {
            let waits = match self.standing(world).await? {
                Standing::Left(left) => return Ok((lowered, left)),
                Standing::Waits(waits) => waits,
            };
            let now = Instant::now();
            patience.hears(&waits.blocks, now);
            let silence = patience.silence(now);
            if silence < CLOSER {
                holds.clear();
            } else if now.duration_since(looked) >= CLOSER {
                lowered += self.what_holds(world, &mut holds).await?;
                looked = Instant::now();
            }
            if silence >= SILENCE {
                return Err(self.stuck(&waits, &holds));
            }
            let what = format!("the {} HDFS: {}{holds}", self.hdfs.as_str(), waits.what);
            said.say(world, what, &waits.blocks, now);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks for what keeps them: files that were written meanwhile and want too many copies, which are seen to or refused as before, and
    /// files that somebody writes.
    async fn what_holds(&self, world: &World, holds: &mut String) -> Result<u64, ActError> {
        let lowered = self.prepare(world).await?;
        let open = self.hdfs.open_only_on(world, &self.namenode, &self.leaving);
        let open: Vec<_> = open.await?.iter().map(|path| shown(path)).collect();
        *holds = match open.is_empty() {
            true => String::new(),
            false => format!("; open for writing there: {}", open.join(", ")),
        };
        Ok(lowered)
    }

    /// Refuses where something stands against the departure, and has files want fewer copies where that is wanted.
    async fn prepare(&self, world: &World) -> Result<u64, ActError> {
        let met = what_leaving(world, self.hdfs, &self.namenode, &self.leaving, &self.staying).await?;
        if let Some(refusal) = met.refusal(self.hdfs, self.lower_replication) {
            return Err(refusal);
        }
        if met.wanting.files == 0 {
            return Ok(0);
        }
        // Once those that leave do not count any more: otherwise copies of those that stay might be the ones that go.
        self.hdfs.exclude(world, &self.namenode, &self.leaving).await?;
        tracing::info!(
            target: "mesosflow::progress",
            "the {} HDFS: {} files are made to want {} copies",
            self.hdfs.as_str(),
            met.wanting.files,
            met.wanting.left
        );
        let lowered = self.hdfs.lower(world, &self.namenode, met.wanting.left);
        lowered.await
    }

    fn stuck(&self, waits: &Waits, holds: &str) -> ActError {
        let conf = format!("/root/{}-hdfs/bin/hdfs", self.hdfs.as_str());
        ActError::Unmet {
            what: format!(
                "the {} HDFS: {}, and nothing has gone forward for {} minutes{holds}",
                self.hdfs.as_str(),
                waits.what,
                SILENCE.as_secs() / 60
            ),
            class: ErrorClass::Operator,
            hint: Some(format!(
                "end what writes files that are open (an hour after their writer died they are closed by themselves); on the first master \
                 `{conf} fsck / -files -blocks -locations` shows where blocks are; then `mesosflow resume`"
            )),
        }
    }
}

/// What was said last.
#[derive(Default)]
struct Said {
    blocks: Blocks,
    at: Option<Instant>,
}

impl Said {
    /// Tells who interrupts it what is waited for, and who looks on how far it is, where that has changed.
    fn say(&mut self, world: &World, what: String, blocks: &Blocks, now: Instant) {
        let is_due = self.at.is_none_or(|at| now.duration_since(at) >= SAY_EVERY);
        if is_due && (self.at.is_none() || self.blocks != *blocks) {
            tracing::info!(target: "mesosflow::progress", "{what}");
            self.blocks.clone_from(blocks);
            self.at = Some(now);
        }
        world.wait_for(Some(what));
    }
}

impl Step for Decommission {
    type World = World;
    type Output = Decommissioned;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Decommissioned>, ActError> {
        Ok(match self.standing(cx.world()).await? {
            Standing::Left(left) => Probe::Done(left.after(0)),
            Standing::Waits(_) => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Decommissioned, ActError> {
        let world = cx.world();
        let before = self.prepare(world).await?;
        self.hdfs.exclude(world, &self.namenode, &self.leaving).await?;
        let waited = self.wait(world).await;
        world.wait_for(None);
        let (meanwhile, left) = waited?;
        for silent in &left.silent {
            tracing::warn!(
                target: "mesosflow::progress",
                "the {} HDFS: {silent} was dead already; blocks of which no copy is left: {}",
                self.hdfs.as_str(),
                left.missing
            );
        }
        Ok(left.after(before + meanwhile))
    }

    async fn verify(&self, cx: &StepCx<World>, _left: &Decommissioned) -> Result<(), ActError> {
        match self.standing(cx.world()).await? {
            Standing::Left(_) => Ok(()),
            Standing::Waits(waits) => Err(ActError::not_yet(format!(
                "the {} HDFS: {}, although they had left",
                self.hdfs.as_str(),
                waits.what
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT)
    }
}
