//! `approve-zookeepers` (notes 2.7): the first master knows the ZooKeepers' host keys, and each has its number.
//!
//! - Changes: lines in the cluster's own `known_hosts` on the first master; `/tmp/zookeeper/myid` on the ZooKeeper, for
//!   whoever looks there. Nothing of mesosflow's reads it.
//! - Twice is safe: the lines of a host are replaced, the number is written again.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::Approval;
use crate::act::ActError;
use crate::world::{Script, World};

/// Anybody may write to `/tmp`, and have put there what root must not write through or read. What is root's alone in a
/// sticky folder, nobody else can replace.
const OURS: &str = r#"folder=/tmp/zookeeper
kind() { LC_ALL=C stat --format '%F %u' -- "$1" 2>/dev/null; }
is_ours() { [ "$(kind "$folder")" = 'directory 0' ] && [ -z "$(find "$folder" -maxdepth 0 -perm /022)" ]; }
"#;
const IS_DROPPED: &str = r#"is_ours && [ "$(kind "$folder/myid")" = 'regular file 0' ] || exit 1
[ "$(cat "$folder/myid")" = "$id" ] || exit 1"#;
/// Folder and file are made, never opened. What is in the way is put where only root looks: it may be somebody's data.
const DROP: &str = r#"[ -k /tmp ] && [ "$(stat --dereference --format %u /tmp)" = 0 ] || {
  echo "/tmp is not root's, or not sticky: whatever is put there may be replaced by others" >&2; exit 4
}
aside= tries=0
until is_ours; do
  tries=$((tries + 1))
  [ "$tries" -le 20 ] || { echo "$folder is made again by $(stat --format %U -- "$folder" || echo somebody) as often as it is removed" >&2; exit 4; }
  if [ -e "$folder" ] || [ -L "$folder" ]; then
    [ -n "$aside" ] || aside=$(mktemp -d /tmp/mesosflow-aside.XXXXXX)
    mv -T -- "$folder" "$aside/zookeeper.$tries" 2>/dev/null || true
  fi
  mkdir -m 755 -- "$folder" 2>/dev/null || true
done
new=$(mktemp -- "$folder/.myid.XXXXXX")
printf '%s\n' "$id" > "$new"
chmod 644 "$new"
mv -fT -- "$new" "$folder/myid""#;

/// One ZooKeeper; its number is its index.
#[derive(Debug, Serialize)]
pub struct ApproveZookeeper(pub Approval);

impl ApproveZookeeper {
    async fn has_number(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let script = Script::new("look at myid", IS_DROPPED).before(OURS);
        Ok(cx
            .world()
            .ask(&self.0.node, script.var("id", self.0.node.index))
            .await?)
    }
}

impl Step for ApproveZookeeper {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("approve-zookeepers");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let done = self.has_number(cx).await? && self.0.is_proven(cx).await?;
        Ok(if done { Probe::Done(()) } else { Probe::NotDone })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.0.pin(cx).await?;
        let script = Script::new("drop myid", DROP).before(OURS);
        cx.world()
            .run(&self.0.node, script.var("id", self.0.node.index))
            .await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.0.prove(cx).await?;
        if self.has_number(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!("{} lost its number", self.0.node.name)))
    }
}

#[cfg(test)]
mod tests;
