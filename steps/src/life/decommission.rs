//! `hdfs-decommission`, `persistent-hdfs-decommission`: datanodes leave a file system without a block of it being lost: others have all
//! that they had, and they get nothing new.
//!
//! - Changes: their lines in the list of datanodes that leave (`dfs.hosts.exclude`), and through it where copies are. Where that is wanted,
//!   files that are to have more copies than there will be datanodes are to have so many: HDFS would wait for them for ever.
//! - Twice is safe: the namenode is asked how far they are, whoever had them leave. Before anything is touched it is counted what stands
//!   against it, and waited for files that somebody writes on none but them.
//! - Undone by `hdfs-recommission`, but for the numbers of copies.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::patience::{Blocks, Patience};
use super::standing::{Left, Standing, standing, written};
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{Enough, Hdfs, Leaving, Wanting, what_leaving};
use crate::world::World;

/// How long no block may go, or a file be written: HDFS itself gives a copy five minutes before it begins another.
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
    /// When they have given enough.
    #[serde(skip_serializing_if = "Enough::is_every_copy")]
    pub enough: Enough,
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
        standing(world, self.hdfs, &self.namenode, &self.leaving, self.enough).await
    }

    /// Has them leave. HDFS lets nobody close a file whose last block is on none but datanodes that leave: where there is such a file, they
    /// stay, or are back in service, until it is closed.
    async fn leave(&self, world: &World) -> Result<Decommissioned, ActError> {
        let met = self.met(world).await?;
        let mut lowered = 0;
        loop {
            self.until_nobody_writes(world).await?;
            self.hdfs.exclude(world, &self.namenode, &self.leaving).await?;
            // Somebody may have begun to write meanwhile, who goes on trying to close for some ten seconds.
            if !self.written(world).await?.is_empty() {
                continue;
            }
            lowered += self.lower(world, &met).await?;
            if let Some(left) = self.wait(world, &mut lowered).await? {
                return Ok(left.after(lowered));
            }
        }
    }

    async fn written(&self, world: &World) -> Result<Vec<String>, ActError> {
        let view = self.hdfs.view(world, &self.namenode).await?;
        written(world, self.hdfs, &self.namenode, &self.leaving, &view).await
    }

    /// Waits, in service, until nobody writes a file that ends on none but them.
    async fn until_nobody_writes(&self, world: &World) -> Result<(), ActError> {
        let begun = Instant::now();
        let mut said = Said::default();
        loop {
            let asked = Instant::now();
            let open = self.written(world).await?;
            if open.is_empty() {
                return Ok(());
            }
            if said.at.is_none() {
                self.hdfs.readmit(world, &self.namenode, &self.leaving).await?;
            }
            let now = Instant::now();
            let what = format!(
                "no other datanode has the end of {}, which somebody is writing",
                open.join(", ")
            );
            if now.duration_since(begun) >= SILENCE {
                return Err(self.stuck(&what));
            }
            said.say(world, self.told(&what), &Blocks::new(), now);
            pause(asked).await;
        }
    }

    /// Waits until they have left; none where somebody writes a file that ends on them.
    async fn wait(&self, world: &World, lowered: &mut u64) -> Result<Option<Left>, ActError> {
        let (mut patience, mut said) = (Patience::begun(Instant::now()), Said::default());
        let mut looked = Instant::now();
        loop {
            let asked = Instant::now();
            let waits = match self.standing(world).await? {
                Standing::Left(left) => return Ok(Some(left)),
                Standing::Written(_) => return Ok(None),
                Standing::Waits(waits) => waits,
            };
            let now = Instant::now();
            patience.hears(&waits.blocks, now);
            let silence = patience.silence(now);
            if silence >= SILENCE {
                return Err(self.stuck(&waits.what));
            }
            if silence >= CLOSER && now.duration_since(looked) >= CLOSER {
                // Files were written meanwhile, perhaps.
                *lowered += self.lower(world, &self.met(world).await?).await?;
                looked = Instant::now();
            }
            said.say(world, self.told(&waits.what), &waits.blocks, now);
            pause(asked).await;
        }
    }

    /// Refuses where something stands against the departure.
    async fn met(&self, world: &World) -> Result<Leaving, ActError> {
        let met = what_leaving(world, self.hdfs, &self.namenode, &self.leaving, &self.staying).await?;
        match met.refusal(self.hdfs, self.lower_replication, self.enough) {
            Some(refusal) => Err(refusal),
            None => Ok(met),
        }
    }

    /// Has files want fewer copies, as far as there are such; how many. Those that leave do not count by now: otherwise copies of those
    /// that stay might be the ones that go.
    async fn lower(&self, world: &World, met: &Leaving) -> Result<u64, ActError> {
        let Wanting { files, left, .. } = met.wanting;
        if files == 0 || self.enough == Enough::OneCopy {
            return Ok(0);
        }
        let what = format!("{files} files are made to want {left} copies");
        tracing::info!(target: "mesosflow::progress", "{}", self.told(&what));
        self.hdfs.lower(world, &self.namenode, left).await
    }

    fn told(&self, what: &str) -> String {
        format!("the {} HDFS: {what}", self.hdfs.as_str())
    }

    fn stuck(&self, what: &str) -> ActError {
        let hdfs = format!("/root/{}-hdfs/bin/hdfs", self.hdfs.as_str());
        ActError::Unmet {
            what: format!(
                "{}, and nothing has gone forward for {} minutes",
                self.told(what),
                SILENCE.as_secs() / 60
            ),
            class: ErrorClass::Operator,
            hint: Some(format!(
                "end what writes files that are open (an hour after their writer died they are closed by themselves); on the first master \
                 `{hdfs} fsck / -files -blocks -locations` shows where blocks are; then `mesosflow resume`"
            )),
        }
    }
}

/// Until the next look. To look through all files for those that are open is work for a large namenode.
async fn pause(asked: Instant) {
    tokio::time::sleep(LOOK_EVERY.max(2 * asked.elapsed())).await;
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
            Standing::Written(_) | Standing::Waits(_) => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Decommissioned, ActError> {
        let world = cx.world();
        let left = self.leave(world).await;
        world.wait_for(None);
        let left = left?;
        for silent in &left.silent {
            tracing::warn!(
                target: "mesosflow::progress",
                "the {} HDFS: {silent} was dead already; blocks of which no copy is left: {}",
                self.hdfs.as_str(),
                left.missing
            );
        }
        Ok(left)
    }

    async fn verify(&self, cx: &StepCx<World>, _left: &Decommissioned) -> Result<(), ActError> {
        match self.standing(cx.world()).await? {
            Standing::Left(_) => Ok(()),
            Standing::Written(open) => {
                let what = format!("somebody has begun to write {}", open.join(", "));
                Err(ActError::not_yet(self.told(&what)))
            }
            Standing::Waits(waits) => {
                let what = format!("{}, although they had left", waits.what);
                Err(ActError::not_yet(self.told(&what)))
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT)
    }
}
