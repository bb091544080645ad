//! `push-config` (notes 1.6.a v): the rendered tree goes to the first master; the local copy goes away.
//!
//! - Changes: the files of the tree under `/root` of the first master. Files that are not in the tree stay. A `/root/mesos-ec2` that
//!   mesosflow did not put there is moved aside, and so are homes of HDFS and Spark, and the configuration in them.
//! - Twice is safe: the copy goes to a staging folder, and rsync moves over what differs.
//! - Not undone; a later push replaces it.

use std::path::PathBuf;

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::RenderedConfig;
use super::render_config::folder;
use crate::act::ActError;
use crate::claim;
use crate::cluster::{Node, input};
use crate::hdfs::have_folder;
use crate::on_node::{HDFS_CONF, SCRIPTS_FOLDER, SPARK_CONF};
use crate::remote::transfer::TreeOptions;
use crate::software;
use crate::templates::{DeployVars, RenderedTree, render};
use crate::world::{Script, World};

/// What is pushed, and where to.
#[derive(Debug, Serialize)]
pub struct PushConfig {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// What `render-config` rendered.
    pub rendered: RenderedConfig,
    /// What it was rendered from.
    pub vars: DeployVars,
    /// One's own templates, laid over the embedded ones.
    pub overlay: Option<PathBuf>,
    /// Which homes of HDFS and Spark are mesosflow's.
    #[serde(skip)]
    pub(crate) homes: &'static str,
}

impl PushConfig {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("push-config");

    fn tree(&self) -> Result<RenderedTree, ActError> {
        let tree = render(&self.vars, self.overlay.as_deref())?;
        if tree.digest() != self.rendered.digest {
            return Err(ActError::wrong("the templates are not those that were rendered")
                .hinted("`mesosflow replay --from render-config` takes the new ones"));
        }
        Ok(tree)
    }

    async fn is_there(&self, cx: &StepCx<World>, tree: &RenderedTree) -> Result<bool, ActError> {
        let compare = Script::new(
            "compare the deployed tree",
            "cd / && sha256sum --check --status --strict - || exit 1",
        );
        Ok(cx.world().ask(&self.hub, compare.stdin(tree.manifest())).await?)
    }
}

impl Step for PushConfig {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        if self.is_there(cx, &self.tree()?).await? {
            remove_local(cx)?;
            return Ok(Probe::Done(()));
        }
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        // A crash after an earlier push may have removed the local copy.
        self.tree()?.write_to(&folder(cx))?;
        let local = folder(cx).join("root");
        software::claim_homes(cx.world(), &self.hub, self.homes).await?;
        for folder in [SCRIPTS_FOLDER, HDFS_CONF[0], HDFS_CONF[1], SPARK_CONF] {
            claim::folder(cx.world(), &self.hub, folder).await?;
        }
        if self.vars.spark_history {
            // Before the configuration by which every job wants it.
            have_folder(cx.world(), &self.hub).await?;
        }
        cx.world()
            .session(&self.hub)
            .upload_tree(&local, "/root", TreeOptions::default())
            .await?;
        remove_local(cx)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_there(cx, &self.tree()?).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "the tree on {} is not what was pushed",
            self.hub.name
        )))
    }
}

fn remove_local(cx: &StepCx<World>) -> Result<(), ActError> {
    let local = folder(cx);
    match std::fs::remove_dir_all(&local) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ActError::Local {
            doing: format!("cannot remove {}", local.display()),
            source,
        }),
        _ => Ok(()),
    }
}
