//! `script-permissions` (notes 2.4): what will be called can be called.
//!
//! - Changes: the mode of the deployed scripts on the first master.
//! - Twice is safe.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::world::{Script, World};

/// Prints the scripts (files that begin with `#!`) below the deployed folder which cannot be executed.
const FIND: &str = r#"find /root/mesos-ec2 -type f ! -perm -0111 -print0 |
  xargs -0 -r awk 'FNR == 1 && /^#!/ { print FILENAME } { nextfile }'"#;

/// The first master, whose tree is copied to the others.
#[derive(Debug, Serialize)]
pub struct ScriptPermissions {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
}

impl ScriptPermissions {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("script-permissions");

    async fn missing(&self, cx: &StepCx<World>) -> Result<String, ActError> {
        Ok(cx
            .world()
            .run(
                &self.hub,
                Script::new("look for scripts that cannot be called", FIND),
            )
            .await?
            .stdout_str())
    }
}

impl Step for ScriptPermissions {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.missing(cx).await?.is_empty()))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let body = format!("{FIND} | tr '\\n' '\\0' | xargs -0 -r chmod 755 --");
        cx.world()
            .run(&self.hub, Script::new("make scripts executable", &body))
            .await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let missing = self.missing(cx).await?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "scripts on {} are still not executable: {missing}",
            self.hub.name
        )))
    }
}
