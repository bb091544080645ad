//! Volumes of the persistent HDFS, which outlive their machines: an interrupted spot slave's, a replaced master's with the only
//! metadata of its namenode. The next machine of the same place gets the volume of the one before; `destroy` deletes it.
//!
//! No call launches a machine with a volume that exists. So the machine is launched without, says by a tag which volume it
//! is to get, and is complete once it has it: a crash in between is seen by whoever looks.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::Volume;
use mesosflow_workflow::ErrorClass;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::Api;
use super::failure::Failure;
use super::instances::{Seen, VOLUME_DEVICE, by_id};
use super::network::{self, refused};
use super::{tags, volumes};
use crate::provider::{Answer, ProviderError, Slot};

/// How long a machine may be pending before a volume can be attached to it, and how long until it shows that one.
const ATTACH_LIMIT: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The last look at the volumes of a run; shared by those who ask at the same time, like that at its machines.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    last: Mutex<Option<(Instant, Arc<Vec<Volume>>)>>,
}

impl Shelf {
    async fn look(&self, api: &Api, slot: &Slot) -> Result<Arc<Vec<Volume>>, Failure> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, all)) = &*last
            && *begun > asked
        {
            return Ok(all.clone());
        }
        let begun = Instant::now();
        let all = Arc::new(volumes::existing(api, tags::of_run(slot.owner.run)).await?);
        *last = Some((begun, all.clone()));
        Ok(all)
    }

    /// The volume that waits for the next machine of a place in `subnet`; none where there never was one.
    ///
    /// # Errors
    /// Its machine still holds it; or it is in another zone than the subnet, where no machine could have it.
    pub(super) async fn waiting_for(
        &self,
        api: &Api,
        machines: &[Seen],
        slot: &Slot,
        subnet: Option<&str>,
    ) -> Result<Option<String>, ProviderError> {
        let all = self.look(api, slot).await?;
        let Some(volume) = of_place(&all, slot) else {
            return Ok(None);
        };
        let id = volume.volume_id().unwrap_or_default();
        let name = slot.node_name();
        if let Some(holder) = holder(volume) {
            let state = machines
                .iter()
                .find(|seen| seen.id() == holder)
                .map_or("not shown", Seen::state_word);
            return Err(ProviderError {
                doing: format!("volume {id} of {name} is not free yet"),
                class: ErrorClass::Transient,
                hint: None,
                source: Answer(format!("it is attached to {holder}, which is {state}")),
            });
        }
        let zone = volume.availability_zone().unwrap_or_default();
        if let Some(subnet) = subnet
            && let Some(other) = network::zone_of(api, subnet).await?
            && other != zone
        {
            return Err(refused(
                format!("{name} cannot have its volume {id} back"),
                format!(
                    "the volume, which holds its persistent HDFS, is in {zone}; subnet {subnet} is in {other}"
                ),
                "use a subnet in that zone, or delete the volume to begin with an empty one; then resume",
            ));
        }
        tracing::info!(node = name, volume = id, "gets the volume of its place");
        Ok(Some(id.to_owned()))
    }
}

/// Whether a volume was made for a persistent HDFS. Root disks are made from a snapshot, that of the image.
pub(super) fn is_of_hdfs(volume: &Volume) -> bool {
    let mut held = volume.attachments().iter();
    volume.snapshot_id().is_none_or(str::is_empty) && held.all(|held| held.device() == Some(VOLUME_DEVICE))
}

/// The first volume that was made for a place's persistent HDFS.
fn of_place<'v>(all: &'v [Volume], slot: &Slot) -> Option<&'v Volume> {
    let is_tagged = |volume: &Volume, key: &str, value: &str| tags::value(volume.tags(), key) == Some(value);
    let mut found: Vec<_> = all
        .iter()
        .filter(|volume| {
            is_tagged(volume, tags::ROLE, slot.role.as_str())
                && is_tagged(volume, tags::INDEX, &slot.index.to_string())
                && is_of_hdfs(volume)
        })
        .collect();
    found.sort_by_key(|volume| (volume.create_time().map(DateTime::as_nanos), volume.volume_id()));
    found.first().copied()
}

/// The machine that a volume is attached to.
fn holder(volume: &Volume) -> Option<&str> {
    let held = volume.attachments().iter().find(|held| {
        let state = held.state().map_or("", |state| state.as_str());
        state != "detached"
    });
    held?.instance_id()
}

/// Attaches a volume to a machine that was launched for it, once it runs, and sees it there.
///
/// # Errors
/// The machine ends, or it takes too long; or the volume is attached to another one.
pub(super) async fn attach(api: &Api, machine: Seen, volume: &str) -> Result<Seen, ProviderError> {
    let give_up = Instant::now() + ATTACH_LIMIT;
    let mut seen = machine;
    let mut is_asked = false;
    loop {
        if seen.volume().as_deref() == Some(volume) {
            return Ok(seen);
        }
        if !seen.is_pending() && !seen.is_running() || Instant::now() >= give_up {
            return Err(ProviderError {
                doing: format!("{} does not get volume {volume}", seen.name()),
                class: ErrorClass::Transient,
                hint: None,
                source: Answer(seen.reason()),
            });
        }
        if seen.is_running() && !is_asked {
            let call = api.writes().attach_volume();
            let call = call
                .instance_id(seen.id())
                .volume_id(volume)
                .device(VOLUME_DEVICE);
            match api.write("AttachVolume", || call.clone().send()).await {
                Ok(_) => {}
                // Asked for before, by whoever was killed then; or another machine has it, and the next look says so.
                Err(failure) if failure.is(&["VolumeInUse"]) => {}
                Err(failure) => return Err(failure.into()),
            }
            is_asked = true;
        } else {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if let Some(shown) = by_id(api, seen.id()).await? {
            seen = shown;
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{Tag, VolumeAttachment};
    use mesosflow_workflow::{Generation, RunId};

    use super::*;
    use crate::cluster::Role;
    use crate::provider::Owner;

    fn volume(
        id: &str,
        role: &str,
        index: &str,
        made_at: i64,
    ) -> aws_sdk_ec2::types::builders::VolumeBuilder {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        Volume::builder()
            .volume_id(id)
            .create_time(DateTime::from_secs(made_at))
            .tags(tag(tags::ROLE, role))
            .tags(tag(tags::INDEX, index))
    }

    fn slot(index: u16) -> Slot {
        Slot {
            owner: Owner {
                cluster: "demo".into(),
                run: RunId::generate(),
                driver: None,
                made_by: None,
            },
            generation: Generation(2),
            round: 0,
            role: Role::Slave,
            index,
        }
    }

    fn on(device: &str) -> VolumeAttachment {
        VolumeAttachment::builder()
            .device(device)
            .instance_id("i-1")
            .build()
    }

    #[test]
    fn a_place_gets_its_own_first_volume_and_never_a_root_disk() {
        let all = [
            volume("vol-root", "slave", "1", 1).snapshot_id("snap-1").build(),
            volume("vol-other-root", "slave", "1", 1)
                .attachments(on("/dev/xvda"))
                .build(),
            volume("vol-second", "slave", "1", 3).build(),
            volume("vol-first", "slave", "1", 2)
                .snapshot_id("")
                .attachments(on(VOLUME_DEVICE))
                .build(),
            volume("vol-master", "master", "1", 1).build(),
            volume("vol-two", "slave", "2", 1).build(),
        ];
        let id = |index| of_place(&all, &slot(index)).and_then(Volume::volume_id);
        assert_eq!(id(1), Some("vol-first"));
        assert_eq!(id(2), Some("vol-two"));
        assert_eq!(id(3), None);
        assert_eq!(holder(&all[3]), Some("i-1"));
        assert_eq!(holder(&all[2]), None);
    }
}
