//! The toy flow: like the real one, with as few steps as show every way in which steps are put together.

use std::time::Duration;

use mesosflow_workflow::{
    CatalogueEntry, Effect, Flow, Halt, ItemKey, Limits, Probe, Retry, Settle as _, Settled, Step, StepCx,
    StepId,
};
use serde::Serialize;

use crate::world::{Made, Trouble, World};

/// Three tries a minute long, with waits that are seen well beside the seconds that an apply takes.
pub(crate) const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(60),
    retry: Retry {
        attempts: 3,
        initial: Duration::from_secs(8),
        ceiling: Duration::from_secs(16),
    },
};

/// What the flow is asked to do; a later program may ask for something else.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) cluster: String,
    pub(crate) nodes: Vec<&'static str>,
    pub(crate) image: &'static str,
    pub(crate) zookeepers: u8,
    /// A step that the catalogue does not have.
    pub(crate) unknown_step: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            cluster: "demo".into(),
            nodes: vec!["n1", "n2", "n3", "n4", "n5"],
            image: "jammy",
            zookeepers: 0,
            unknown_step: false,
        }
    }
}

macro_rules! toy_step {
    ($name:ident, $id:literal, { $($field:ident: $type:ty),* }, $item:expr) => {
        #[derive(Debug, Serialize)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
        }

        impl $name {
            pub(crate) const ID: StepId = StepId::from_static($id);

            fn item(&self) -> Option<&str> {
                let item: fn(&Self) -> Option<&str> = $item;
                item(self)
            }
        }

        impl Step for $name {
            type World = World;
            type Output = Made;
            type Error = Trouble;

            fn id(&self) -> StepId {
                Self::ID
            }

            async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Made>, Trouble> {
                cx.world().probe(cx, &self.id(), self.item()).await
            }

            async fn apply(&self, cx: &StepCx<World>) -> Result<Made, Trouble> {
                cx.world().apply(cx, &self.id(), self.item()).await
            }

            async fn verify(&self, cx: &StepCx<World>, made: &Made) -> Result<(), Trouble> {
                cx.world().verify(cx, &self.id(), self.item(), made)
            }

            async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, Trouble> {
                cx.world().settle(effect);
                Ok(Settled::Ended)
            }

            fn limits(&self) -> Limits {
                LIMITS
            }
        }
    };
}

toy_step!(Groups, "groups", { cluster: String }, |_| None);
toy_step!(Launch, "launch", { node: &'static str, image: &'static str, group: String }, |step| Some(step.node));
toy_step!(Quorum, "quorum", { zookeepers: u8 }, |_| None);
toy_step!(Format, "format", { nodes: Vec<String> }, |_| None);
toy_step!(Start, "start", { filesystem: String }, |_| None);
toy_step!(Share, "share", { server: String }, |_| None);
toy_step!(Health, "health", { hdfs: String, share: String }, |_| None);
toy_step!(Unknown, "unknown", {}, |_| None);

pub(crate) fn catalogue() -> Vec<CatalogueEntry> {
    vec![
        CatalogueEntry::new(Groups::ID, "1.1", "security groups"),
        CatalogueEntry::new(Launch::ID, "1.4", "instances").over("nodes"),
        CatalogueEntry::new(Quorum::ID, "2.19", "ZooKeeper"),
        CatalogueEntry::new(Format::ID, "2.17", "HDFS formatted").destructive(),
        CatalogueEntry::new(Start::ID, "2.17", "HDFS started"),
        CatalogueEntry::new(Share::ID, "2.15", "NFS"),
        CatalogueEntry::new(Health::ID, "-", "the cluster works"),
    ]
}

/// Groups, then nodes, then HDFS and NFS beside each other, then a look at all of it.
pub(crate) async fn deploy(flow: Flow<World>, plan: Plan) -> Result<Vec<(ItemKey, Made)>, Halt> {
    let group = flow
        .step(Groups {
            cluster: plan.cluster,
        })
        .await?;
    let launch = |node: &'static str| Launch {
        node,
        image: plan.image,
        group: group.id.clone(),
    };
    let nodes = flow
        .fan_out(
            Launch::ID,
            plan.nodes.iter().map(|node| ((*node).into(), launch(node))),
        )
        .await?;
    if plan.zookeepers == 0 {
        flow.skip(Quorum::ID, "one master needs no ZooKeeper").await?;
    } else {
        flow.step(Quorum {
            zookeepers: plan.zookeepers,
        })
        .await?;
    }
    if plan.unknown_step {
        flow.step(Unknown {}).await?;
    }
    let ids: Vec<_> = nodes.iter().map(|(_, made)| made.id.clone()).collect();
    let server = ids.first().cloned().unwrap_or_default();
    let hdfs = async {
        let formatted = flow.step(Format { nodes: ids }).await?;
        flow.step(Start {
            filesystem: formatted.id,
        })
        .await
    };
    let (hdfs, share) = tokio::join!(hdfs, flow.step(Share { server })).settle()?;
    flow.step(Health {
        hdfs: hdfs.id,
        share: share.id,
    })
    .await?;
    Ok(nodes)
}
