//! `render-config` (notes 1.6.a i–iv): the deployed tree, rendered.
//!
//! - Changes: the rendered tree stands in the run's folder on this machine.
//! - Twice is safe: the tree is a pure function of its variables and of the overlay.
//! - Undone by `push-config`, which removes the local copy.

use std::path::PathBuf;

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::templates::{DeployVars, RenderedTree, render};
use crate::world::World;

/// What the tree is rendered from.
#[derive(Debug, Serialize)]
pub struct RenderConfig {
    /// The variables.
    pub vars: DeployVars,
    /// One's own templates, laid over the embedded ones.
    pub overlay: Option<PathBuf>,
}

/// What was rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedConfig {
    /// SHA-256 of the tree's manifest, hex.
    pub digest: String,
    /// How many files.
    pub files: usize,
}

impl RenderedConfig {
    fn of(tree: &RenderedTree) -> Self {
        Self {
            digest: tree.digest(),
            files: tree.len(),
        }
    }
}

/// Where the rendered tree stands until it is pushed.
pub(super) fn folder(cx: &StepCx<World>) -> PathBuf {
    cx.world().folder().join("rendered")
}

impl RenderConfig {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("render-config");
}

impl Step for RenderConfig {
    type World = World;
    type Output = RenderedConfig;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<RenderedConfig>, ActError> {
        // Rendering takes less than finding out whether it was done.
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<RenderedConfig, ActError> {
        let tree = render(&self.vars, self.overlay.as_deref())?;
        tree.write_to(&folder(cx))?;
        Ok(RenderedConfig::of(&tree))
    }

    async fn verify(&self, cx: &StepCx<World>, rendered: &RenderedConfig) -> Result<(), ActError> {
        let tree = render(&self.vars, self.overlay.as_deref())?;
        for (path, file) in tree.files() {
            let local = folder(cx).join(path);
            let text = std::fs::read_to_string(&local).map_err(|source| ActError::Local {
                doing: format!("cannot read {}", local.display()),
                source,
            })?;
            if text != file.text {
                return Err(ActError::wrong(format!(
                    "{} is not what was rendered",
                    local.display()
                )));
            }
        }
        if *rendered != RenderedConfig::of(&tree) {
            return Err(ActError::wrong("the templates changed while they were rendered"));
        }
        Ok(())
    }
}
