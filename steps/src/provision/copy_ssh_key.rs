//! `copy-ssh-key` (notes 1.6.b): the cluster's own key on the first master, from which it reaches the other nodes.
//!
//! - Changes: the private key and a client configuration (0600), in the folder `/root/.ssh/mesosflow`.
//! - Twice is safe: the same files are written again, each whole or not at all.
//! - Not undone; the key opens nothing but this cluster's nodes.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::act::ActError;
use crate::cluster::Node;
use crate::hub::{KEY_PATH, SSH_CONFIG, SSH_CONFIG_PATH, SSH_FOLDER};
use crate::world::{Script, World};

/// Where the key goes.
#[derive(Debug, Serialize)]
pub struct CopySshKey {
    /// The first master.
    pub hub: Node,
    /// The public half, which says which key it is.
    pub public_key: String,
}

/// Which key is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Its public half as an `authorized_keys` line: by it a lost or another key is told.
    pub public_key: String,
}

impl CopySshKey {
    fn copied(&self) -> Copied {
        Copied {
            public_key: self.public_key.clone(),
        }
    }

    fn private(cx: &StepCx<World>) -> Result<Vec<u8>, ActError> {
        let path = cx.world().key().path();
        cx.world().key().private().map_err(|source| ActError::Local {
            doing: format!("cannot read {}", path.display()),
            source,
        })
    }

    async fn is_there(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let script = Script::new(
            "look at the cluster's key",
            r#"[ "$(stat -c %a "$key" 2>/dev/null)" = 600 ] && [ "$(stat -c %a "$config" 2>/dev/null)" = 600 ] || exit 1
printf '%s  %s\n' "$digest" "$key" "$config_digest" "$config" | sha256sum --check --status --strict - || exit 1"#,
        )
        .var("key", KEY_PATH)
        .var("config", SSH_CONFIG_PATH)
        .var("digest", hex::encode(Sha256::digest(Self::private(cx)?)))
        .var("config_digest", hex::encode(Sha256::digest(SSH_CONFIG)));
        Ok(cx.world().ask(&self.hub, script).await?)
    }
}

impl Step for CopySshKey {
    type World = World;
    type Output = Copied;
    type Error = ActError;

    const ID: StepId = StepId::from_static("copy-ssh-key");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Copied>, ActError> {
        Ok(if self.is_there(cx).await? {
            Probe::Done(self.copied())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Copied, ActError> {
        let make = Script::new(
            "make the folder of the cluster's key",
            r#"mkdir -p -m 700 -- "$folder""#,
        );
        cx.world().run(&self.hub, make.var("folder", SSH_FOLDER)).await?;
        let session = cx.world().session(&self.hub);
        session.upload_bytes(KEY_PATH, Self::private(cx)?, 0o600).await?;
        session.upload_bytes(SSH_CONFIG_PATH, SSH_CONFIG, 0o600).await?;
        Ok(self.copied())
    }

    async fn verify(&self, cx: &StepCx<World>, _copied: &Copied) -> Result<(), ActError> {
        if self.is_there(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "the cluster's key is not on {}",
            self.hub.name
        )))
    }
}
