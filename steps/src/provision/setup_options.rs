//! `setup-options` (notes 1.6.c): the options are handed over to the deployed scripts.
//!
//! - Changes: `/root/mesos-ec2/options` on the first master, `name=value` lines that a shell can read.
//! - Twice is safe: the file is replaced as a whole.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::remote::quote::quote;
use crate::templates::DeployVars;
use crate::world::World;

/// Where the options lie.
pub(crate) const PATH: &str = "/root/mesos-ec2/options";
/// More than the file can reasonably be.
const LIMIT: usize = 64 * 1024;

/// The options, by the names that the predecessor gave them.
#[derive(Debug, Serialize)]
pub struct SetupOptions {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The operating system of the nodes.
    pub os: String,
    /// Where Mesos comes from: `none`, `tarball` or `git`.
    pub download: String,
    /// The branch it is built from; empty if it is not.
    pub branch: String,
    /// Swap of every node, MiB.
    pub swap_mb: u32,
}

impl SetupOptions {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("setup-options");

    /// The step for what the templates see of a cluster.
    pub(crate) fn of(hub: &Node, vars: &DeployVars) -> Self {
        Self {
            hub: hub.clone(),
            os: vars.os.clone(),
            download: vars.download.clone(),
            branch: vars.branch.clone(),
            swap_mb: vars.swap_mb,
        }
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> Result<String, ActError> {
        let swap = self.swap_mb.to_string();
        let mut text = String::new();
        for (name, value) in [
            ("os", &self.os),
            ("download", &self.download),
            ("branch", &self.branch),
            ("swap", &swap),
        ] {
            let quoted = quote(value).map_err(|error| ActError::wrong(format!("option {name}: {error}")))?;
            text.push_str(&format!("{name}={quoted}\n"));
        }
        Ok(text)
    }

    async fn is_there(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let session = cx.world().session(&self.hub);
        // Only fetched if it is there: its absence is an answer, not an error.
        if session.file_digest(PATH).await?.is_none() {
            return Ok(false);
        }
        Ok(session.download(PATH, LIMIT).await? == self.text()?.into_bytes())
    }
}

impl Step for SetupOptions {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_there(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        cx.world()
            .session(&self.hub)
            .upload_bytes(PATH, self.text()?, 0o644)
            .await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_there(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{PATH} on {} is not what was written",
            self.hub.name
        )))
    }
}
