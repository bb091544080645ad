//! Volumes of the persistent HDFS, which outlive their machines: an interrupted spot slave's, a replaced master's with the only
//! metadata of its namenode. The next machine of the same place gets the volume of the one before; `destroy` deletes it.
//!
//! No call launches a machine with a volume that exists. So the machine is launched without, says by a tag which volume it
//! is to get, and is complete once it has it: a crash in between is seen by whoever looks.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Volume, VolumeAttachment};
use mesosflow_workflow::ErrorClass;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::Api;
use super::failure::Failure;
use super::instances::{Seen, by_id};
use super::network::{self, refused};
use super::volumes::holding;
use super::{tags, volumes};
use crate::provider::ec2_facts::VOLUME_DEVICE;
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
    /// Its machine still holds it, or somebody else's does; there are several; or it is in another zone than the subnet, where no
    /// machine could have it.
    pub(super) async fn waiting_for(
        &self,
        api: &Api,
        machines: &[Seen],
        slot: &Slot,
        subnet: Option<&str>,
    ) -> Result<Option<String>, ProviderError> {
        let all = self.look(api, slot).await?;
        let name = slot.node_name();
        let volume = match of_place(&all, machines, slot)[..] {
            [] => return Ok(None),
            [volume] => volume,
            ref several => return Err(undecided(&name, several)),
        };
        let id = volume.volume_id().unwrap_or_default();
        if let Some(holder) = holder(volume) {
            return Err(not_free(api.region(), machines, &name, id, holder));
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

/// Whether a volume was made for a persistent HDFS, as far as it tells itself.
pub(super) fn is_of_hdfs(volume: &Volume) -> bool {
    !is_root(volume, &[])
}

/// The volumes that were made for a place's persistent HDFS, wherever they are attached by now, the oldest first.
fn of_place<'v>(all: &'v [Volume], machines: &[Seen], slot: &Slot) -> Vec<&'v Volume> {
    let is_tagged = |volume: &Volume, key: &str, value: &str| tags::value(volume.tags(), key) == Some(value);
    let mut found: Vec<_> = all
        .iter()
        .filter(|volume| {
            is_tagged(volume, tags::ROLE, slot.role.as_str())
                && is_tagged(volume, tags::INDEX, &slot.index.to_string())
                && !is_root(volume, machines)
        })
        .collect();
    found.sort_by_key(|volume| (volume.create_time().map(DateTime::as_nanos), volume.volume_id()));
    found
}

/// Root disks are made from a snapshot, that of the image, and go with their machine; what is attached by hand does not.
fn is_root(volume: &Volume, machines: &[Seen]) -> bool {
    let is_root_of = |held: &VolumeAttachment| {
        let holder = machines.iter().find(|seen| Some(seen.id()) == held.instance_id());
        let is_its = holder
            .and_then(Seen::root_device)
            .is_some_and(|root| held.device() == Some(root));
        is_its || held.device() != Some(VOLUME_DEVICE) && held.delete_on_termination() == Some(true)
    };
    volume.snapshot_id().is_some_and(|snapshot| !snapshot.is_empty())
        || volume.attachments().iter().any(is_root_of)
}

/// How a volume is held.
fn holder(volume: &Volume) -> Option<&VolumeAttachment> {
    volume.attachments().iter().find(|held| {
        let state = held.state().map_or("", |state| state.as_str());
        state != "detached"
    })
}

/// The machine before it lets its volume go by ending; whoever else has attached it is asked to.
fn not_free(region: &str, machines: &[Seen], name: &str, id: &str, held: &VolumeAttachment) -> ProviderError {
    let holder = machines.iter().find(|seen| Some(seen.id()) == held.instance_id());
    let is_theirs = holder.is_none() && held.device() != Some(VOLUME_DEVICE);
    let state = holder.map_or("not shown", Seen::state_word);
    ProviderError {
        doing: format!("volume {id} of {name} is not free"),
        class: match is_theirs {
            true => ErrorClass::Operator,
            false => ErrorClass::Transient,
        },
        hint: is_theirs.then(|| {
            format!(
                "let it go: `aws ec2 detach-volume --region {region} --volume-id {id}`; then `mesosflow resume`"
            )
        }),
        source: Answer(match is_theirs {
            true => format!("{}, which is no machine of the run's", holding(held)),
            false => format!("{}, which is {state}", holding(held)),
        }),
    }
}

/// Which of several holds the data, nobody but the user knows.
fn undecided(name: &str, several: &[&Volume]) -> ProviderError {
    let told = several.iter().map(|volume| {
        let made = volume
            .create_time()
            .map_or_else(String::new, |at| format!(", made {at}"));
        let held = holder(volume).map_or_else(String::new, |held| format!("; {}", holding(held)));
        let size = volume.size().unwrap_or_default();
        format!(
            "{} ({size} GiB{made}{held})",
            volume.volume_id().unwrap_or_default()
        )
    });
    ProviderError {
        doing: format!(
            "{name} has more than one volume, and any of them may hold its part of the persistent HDFS"
        ),
        class: ErrorClass::Operator,
        hint: Some(format!(
            "take the tag {} off those that it is not to get (`aws ec2 delete-tags`), or delete them; then `mesosflow resume`",
            tags::INDEX
        )),
        source: Answer(told.collect::<Vec<_>>().join(", ")),
    }
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
    use aws_sdk_ec2::types::{Instance, Tag};
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
            run: RunId::generate(),
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

    fn ids(all: &[Volume], index: u16) -> Vec<&str> {
        // Its root device is what the image calls it.
        let machine = Instance::builder()
            .instance_id("i-1")
            .root_device_name("/dev/xvda");
        let found = of_place(all, &[Seen::new(machine.build())], &slot(index));
        found.into_iter().filter_map(Volume::volume_id).collect()
    }

    #[test]
    fn a_place_gets_its_own_volume_and_never_a_root_disk() {
        let going = VolumeAttachment::builder()
            .device("/dev/sda1")
            .instance_id("i-not-shown")
            .delete_on_termination(true)
            .build();
        let all = [
            volume("vol-root", "slave", "1", 1).snapshot_id("snap-1").build(),
            volume("vol-other-root", "slave", "1", 1)
                .attachments(on("/dev/xvda"))
                .build(),
            volume("vol-root-of-another", "slave", "1", 1)
                .attachments(going)
                .build(),
            volume("vol-first", "slave", "1", 2)
                .snapshot_id("")
                .attachments(on(VOLUME_DEVICE))
                .build(),
            volume("vol-master", "master", "1", 1).build(),
            volume("vol-two", "slave", "2", 1).build(),
        ];
        assert_eq!(ids(&all, 1), ["vol-first"]);
        assert_eq!(ids(&all, 2), ["vol-two"]);
        assert!(ids(&all, 3).is_empty());
        assert_eq!(
            holder(&all[3]).and_then(VolumeAttachment::instance_id),
            Some("i-1")
        );
        assert_eq!(holder(&all[5]), None);
    }

    #[test]
    fn a_volume_that_somebody_has_attached_elsewhere_is_still_the_places() {
        let rescued = volume("vol-1", "slave", "1", 1)
            .attachments(on("/dev/sdf"))
            .build();
        assert_eq!(ids(std::slice::from_ref(&rescued), 1), ["vol-1"]);
        let held = holder(&rescued).unwrap();
        let theirs = not_free("us-east-1", &[], "demo-slave-1", "vol-1", held);
        assert_eq!(theirs.class, ErrorClass::Operator);
        assert!(
            theirs.source.0.contains("attached to i-1 as /dev/sdf"),
            "{theirs:?}"
        );
        assert!(theirs.hint.unwrap().contains("detach-volume"));
        let machine = Seen::new(Instance::builder().instance_id("i-1").build());
        let before = not_free("us-east-1", &[machine], "demo-slave-1", "vol-1", held);
        assert_eq!(before.class, ErrorClass::Transient);
    }

    #[test]
    fn of_several_volumes_none_is_taken_and_each_is_named() {
        let all = [
            volume("vol-second", "slave", "1", 3).build(),
            volume("vol-first", "slave", "1", 2)
                .attachments(on("/dev/sdf"))
                .build(),
        ];
        assert_eq!(ids(&all, 1), ["vol-first", "vol-second"]);
        let error = undecided("demo-slave-1", &of_place(&all, &[], &slot(1)));
        assert_eq!(error.class, ErrorClass::Operator);
        for part in ["vol-first", "vol-second", "attached to i-1 as /dev/sdf"] {
            assert!(error.source.0.contains(part), "{error:?}");
        }
    }
}
