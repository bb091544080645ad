//! `nfs-unmount`: a slave has the shared volume mounted no more, and does not mount it with a boot.
//!
//! - Changes: the automount and the mount end, and the unit that mounts with a boot is disabled.
//! - Twice is safe.
//! - Undone by `nfs-mount`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::setup::SHARED_VOLUME;
use crate::world::{Script, World};

const UNMOUNT: &str = shell!("nfs-unmount.sh");
const IS_UNMOUNTED: &str = r#"! findmnt --noheadings --mountpoint /mnt/nfs >/dev/null || exit 1
! systemctl is-enabled --quiet "$unit" 2>/dev/null || exit 1"#;
const UNMOUNT_LIMIT: Duration = Duration::from_secs(90);

/// The mount on one slave.
#[derive(Debug, Serialize)]
pub struct NfsUnmount {
    /// The slave.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
}

impl NfsUnmount {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("nfs-unmount");

    fn script(title: &'static str, body: &'static str) -> Script<'static> {
        Script::new(title, body).var("unit", SHARED_VOLUME)
    }

    async fn is_unmounted(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let look = Self::script("look whether /mnt/nfs is mounted", IS_UNMOUNTED);
        Ok(cx.world().ask(&self.node, look).await?)
    }
}

impl Step for NfsUnmount {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_unmounted(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let unmount = Self::script("unmount /mnt/nfs", UNMOUNT).within(UNMOUNT_LIMIT);
        cx.world().run(&self.node, unmount).await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_unmounted(cx).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(
                "/mnt/nfs was mounted again right after its unmount",
            )),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(240))
    }
}
