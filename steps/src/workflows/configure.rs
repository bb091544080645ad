//! Another configuration for a cluster that works, and goes on working meanwhile: doors and tags, then the deploy's own set-up, by which only
//! what it changes is started anew, in turns.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Run, Settings, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::anew::Turns;
use super::deploy::sorted;
use super::set_up::{self, Setting, set_up};
use super::{Workflow, entry, read, without};
use crate::agent_identity::moves;
use crate::catalogue::catalogue as of_deploy;
use crate::cluster::{ClusterSpec, Node};
use crate::hdfs::FileSystems;
use crate::life::Anew;
use crate::provider::{Groups, Image, UserTags};
use crate::provision::{SecurityGroups, TagResources};
use crate::setup::Report;
use crate::world::World;

/// What a new configuration needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfigureSpec {
    /// The cluster as it is to be.
    pub cluster: ClusterSpec,
    /// The cluster as it was: what an undoing puts back.
    pub before: ClusterSpec,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// Whether the file has administrators come from elsewhere, which an undoing takes back; who is let in anew on the way stays let in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moves_doors: bool,
    /// What machines are launched from; none of listed hosts.
    pub image: Option<Image>,
    /// What they are launched into; none of listed hosts.
    pub groups: Option<Groups>,
    /// The file systems that there are.
    pub file_systems: FileSystems,
    /// How many agents, or datanodes, are started anew at once.
    pub batch: u16,
    /// The names of the slaves whose agents may begin anew, by which their tasks end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anew: Vec<String>,
    /// How long tasks of those may take to end by themselves, seconds.
    pub drain_timeout_s: u64,
}

impl ConfigureSpec {
    /// The nodes that it acts on, and could go on without: those that stay, and those that leave.
    fn nodes(&self) -> (&[Node], &[Node]) {
        (&self.nodes, &[])
    }

    /// Whether the cluster's doors are to be others.
    fn opens(&self) -> bool {
        let (before, now) = (self.before.of_ec2(), self.cluster.of_ec2());
        before.map(|ec2| &ec2.admin_cidr) != now.map(|ec2| &ec2.admin_cidr)
    }

    /// What leads to the tags that everything is to carry; none where they stay.
    fn tags(&self) -> Option<UserTags> {
        let tags = |spec: &ClusterSpec| spec.of_ec2().map(|ec2| ec2.tags.clone()).unwrap_or_default();
        let (before, now) = (tags(&self.before), tags(&self.cluster));
        (before != now).then(|| UserTags::between(&before, &now))
    }

    /// How what it changes is started anew.
    fn turns(&self) -> Turns {
        let flags = |spec: &ClusterSpec| spec.mesos.agent_flags.clone();
        let by = Anew {
            moves: moves(&flags(&self.before), &flags(&self.cluster)),
            timeout_s: self.drain_timeout_s,
        };
        Turns {
            batch: Some(self.batch),
            anew: self.anew.clone(),
            by: (!self.anew.is_empty()).then_some(by),
        }
    }
}

/// The workflow.
#[derive(Debug)]
pub struct Configure;

#[async_trait(?Send)]
impl Workflow for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    fn aim(&self) -> &'static str {
        "is configured anew"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<ConfigureSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(configure_steps(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        without::drive(run, world, settings, stop, ConfigureSpec::nodes, configure).await
    }
}

/// The steps of a new configuration.
pub(super) fn configure_steps(spec: &ConfigureSpec) -> Vec<CatalogueEntry> {
    let doors = of_deploy().into_iter();
    let doors = doors.filter(|entry| entry.id == SecurityGroups::ID && spec.opens());
    let tags = spec.tags().map(|_| {
        entry(
            TagResources::ID,
            "everything carries the tags of the configuration",
        )
    });
    doors.chain(tags).chain(set_up::steps()).collect()
}

/// Configures the cluster.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(super) async fn configure(flow: Flow<World>, spec: Arc<ConfigureSpec>) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let inventory = sorted(&flow, without::there(&spec.nodes, &spec.without))?;
    let mut groups = spec.groups.clone();
    if spec.opens() {
        let step = SecurityGroups {
            cluster: cluster.cluster.clone(),
        };
        groups = Some(flow.step(step).await?);
    }
    if let Some(tags) = spec.tags() {
        flow.step(TagResources { tags }).await?;
    }
    let made = (spec.image.as_ref(), groups.as_ref());
    let setting = Setting::up(&cluster, inventory, made, &spec.file_systems).in_turns(spec.turns());
    let report = Box::pin(set_up(&flow, setting)).await?;
    without::told(&flow, &spec.without).await?;
    Ok(report)
}
