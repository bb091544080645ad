//! Instances as the API shows them.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    Instance as Ec2Instance, InstanceMetadataOptionsState, InstanceMetadataTagsState, InstanceStateName,
    Reservation, Tag,
};
use mesosflow_workflow::{Driver, Resource};

use super::api::Api;
use super::failure::{Failure, Stage};
use super::tags;
use crate::cluster::Instance;
use crate::provider::ec2_facts::VOLUME_DEVICE;
use crate::provider::{Machine, Outdated, Slot, Stranger};

/// Kinds of resources that come with an instance, in the journal's words.
pub(super) const INSTANCE: &str = "instance";
pub(super) const VOLUME: &str = "volume";
pub(super) const SPOT_REQUEST: &str = "spot-request";

/// Whose the disk at [`VOLUME_DEVICE`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The launch's, as far as anybody has looked.
    Own,
    /// Nobody can tell yet.
    Unknown,
    /// Somebody has attached it.
    Foreign,
}

/// An instance, as far as a deploy cares.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    found: Ec2Instance,
    whose: Whose,
}

impl Seen {
    pub(super) const fn new(found: Ec2Instance) -> Self {
        let whose = Whose::Own;
        Self { found, whose }
    }

    pub(super) fn id(&self) -> &str {
        self.found.instance_id().unwrap_or_default()
    }

    pub(super) fn tags(&self) -> &[Tag] {
        self.found.tags()
    }

    pub(super) fn tag(&self, key: &str) -> &str {
        tags::value(self.tags(), key).unwrap_or_default()
    }

    /// Whether it is to see its own tags in its metadata.
    pub(super) fn is_shown_its_tags(&self) -> bool {
        let options = self.found.metadata_options();
        let set = options.and_then(|options| options.instance_metadata_tags());
        set == Some(&InstanceMetadataTagsState::Enabled)
    }

    /// Whether it does, or will when it boots: options of a machine that is stopped are pending until it is started.
    pub(super) fn sees_its_tags(&self) -> bool {
        let state = self.found.metadata_options().and_then(|options| options.state());
        let waits = state == Some(&InstanceMetadataOptionsState::Pending);
        self.is_shown_its_tags() && !(waits && (self.is_running() || self.is_pending()))
    }

    /// The driver that made it.
    pub(super) fn driver(&self) -> Option<Driver> {
        tags::driver(self.tags())
    }

    /// Its node's name, or its id.
    pub(super) fn name(&self) -> &str {
        match self.tag(tags::NAME) {
            "" => self.id(),
            name => name,
        }
    }

    fn state(&self) -> Option<&InstanceStateName> {
        self.found.state()?.name()
    }

    pub(super) fn state_word(&self) -> &str {
        self.state().map_or("in no state", |state| state.as_str())
    }

    /// Whether it costs something, or can again.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(
            self.state(),
            Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown)
        )
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state(), Some(InstanceStateName::Terminated))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state(), Some(InstanceStateName::Running))
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.state(), Some(InstanceStateName::Stopping))
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state(), Some(InstanceStateName::Pending))
    }

    /// Why it is in its state, in the API's words.
    pub(super) fn reason(&self) -> String {
        let reason = self.found.state_reason();
        let parts = [
            reason.and_then(|reason| reason.code()),
            reason.and_then(|reason| reason.message()),
            self.found.state_transition_reason(),
        ];
        let mut said: Vec<&str> = Vec::new();
        for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
            if !said.iter().any(|before| before.contains(part)) {
                said.push(part);
            }
        }
        match said.is_empty() {
            true => format!("it is {}", self.state_word()),
            false => format!("it is {} ({})", self.state_word(), said.join("; ")),
        }
    }

    /// It as a machine that nobody of the cluster has launched; it may have joined that from within the slaves' group. One that is said to
    /// be another cluster's has not.
    pub(super) fn stranger(&self, cluster: &str, slaves: Option<&str>) -> Stranger {
        let address = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let mut within = self.found.security_groups().iter();
        let is_within = within.any(|group| slaves.is_some() && group.group_id() == slaves);
        let is_others = ![cluster, ""].contains(&self.tag(tags::CLUSTER));
        Stranger {
            name: self.name().to_owned(),
            id: self.id().to_owned(),
            private_ip: address(self.found.private_ip_address()),
            public_ip: address(self.found.public_ip_address()),
            private_name: self.found.private_dns_name().map(str::to_owned),
            owner: None,
            may_join: is_within && !is_others && self.is_running() && self.tag(tags::RUN).is_empty(),
        }
    }

    /// The client token that it was launched under.
    pub(super) fn token(&self) -> &str {
        self.found.client_token().unwrap_or_default()
    }

    /// When it was launched; its id orders what came at once.
    fn launched(&self) -> (Option<i128>, &str) {
        (self.found.launch_time().map(DateTime::as_nanos), self.id())
    }

    /// How long ago it was launched, by this machine's clock; none where that clock is behind.
    pub(super) fn age(&self) -> Option<Duration> {
        let launched = SystemTime::try_from(*self.found.launch_time()?).ok()?;
        SystemTime::now().duration_since(launched).ok()
    }

    /// Whether it stands in that place of the run, in whichever generation.
    fn is_in_place(&self, slot: &Slot) -> bool {
        self.tag(tags::RUN) == slot.owner.run.to_string()
            && self.tag(tags::ROLE) == slot.role.as_str()
            && self.tag(tags::INDEX) == slot.index.to_string()
    }

    /// Whether it was launched for that place in that generation.
    pub(super) fn is_in(&self, slot: &Slot) -> bool {
        self.is_in_place(slot) && self.tag(tags::GENERATION) == slot.asked_by()
    }

    /// The volume for the persistent HDFS: its launch's own, or the one that waited for it.
    pub(super) fn volume(&self) -> Option<String> {
        self.attached()
            .filter(|_| self.whose == Whose::Own)
            .map(str::to_owned)
    }

    /// A volume of somebody's in the place of that one.
    pub(super) fn foreign_volume(&self) -> Option<&str> {
        self.attached().filter(|_| self.whose == Whose::Foreign)
    }

    /// Whatever is attached where that one belongs.
    fn attached(&self) -> Option<&str> {
        let mappings = self.found.block_device_mappings();
        let mapping = mappings
            .iter()
            .find(|mapping| mapping.device_name() == Some(VOLUME_DEVICE))?;
        mapping.ebs()?.volume_id()
    }

    /// What is attached there, if its tags have to say whose it is.
    pub(super) fn to_be_judged(&self) -> Option<&str> {
        let attached = self.attached().filter(|_| self.is_alive())?;
        (self.tag(tags::KEPT) != attached).then_some(attached)
    }

    /// Judges what is attached there by the run that it carries the tag of (none where it is not shown); whether it is its own.
    pub(super) fn judge(&mut self, run: Option<&str>) -> bool {
        self.whose = match run {
            Some(run) if run == self.tag(tags::RUN) => Whose::Own,
            Some(_) => Whose::Foreign,
            None => Whose::Unknown,
        };
        self.whose == Whose::Own
    }

    /// The device of its root disk, as its image calls it.
    pub(super) fn root_device(&self) -> Option<&str> {
        self.found.root_device_name()
    }

    pub(super) fn launch_time(&self) -> Option<&DateTime> {
        self.found.launch_time()
    }

    /// It and what goes with it, each with the driver that made it: not the volume that stays for its place.
    pub(super) fn goes_with_it(&self) -> impl Iterator<Item = Outdated> + use<> {
        let (driver, stays) = (self.driver(), self.stays());
        let mut all = self.resources();
        all.retain(|resource| Some(resource.id.as_str()) != stays);
        all.into_iter().map(move |resource| Outdated { resource, driver })
    }

    /// The volume that outlives it.
    fn stays(&self) -> Option<&str> {
        let mappings = self.found.block_device_mappings().iter();
        mappings
            .filter(|mapping| mapping.device_name() == Some(VOLUME_DEVICE))
            .filter_map(|mapping| mapping.ebs())
            .find(|disk| disk.delete_on_termination() == Some(false))
            .and_then(|disk| disk.volume_id())
    }

    /// Whether it has the volume that it was launched for, if it was for one that had been there.
    pub(super) fn has_its_volume(&self) -> bool {
        let kept = self.tag(tags::KEPT);
        kept.is_empty() || self.volume().as_deref() == Some(kept)
    }

    /// The same less its volume, where that stays for the next machine of the place: a second machine that was launched
    /// for one generation leaves none that anybody waits for.
    pub(super) fn resources_without_kept(&self, slot: &Slot, has_current: bool) -> Vec<Resource> {
        let stays = self.stays();
        let is_spare = has_current && self.is_in(slot) && self.tag(tags::KEPT).is_empty();
        let mut all = self.resources();
        all.retain(|resource| is_spare || Some(resource.id.as_str()) != stays);
        all
    }

    /// Whether the launch mapped a disk at this device: the root disk, or the volume of the persistent HDFS. What an image has
    /// beside them is found by its tag, and what somebody has attached since is theirs.
    fn came_at(&self, device: Option<&str>) -> bool {
        let is_own = self.whose != Whose::Foreign;
        device.is_some_and(|device| {
            device == VOLUME_DEVICE && is_own || self.found.root_device_name() == Some(device)
        })
    }

    /// It and what came with it, each to be deleted one day.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let resource = |kind: &str, id: &str| Resource {
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: self.name().to_owned(),
        };
        let mut all = vec![resource(INSTANCE, self.id())];
        let mappings = self.found.block_device_mappings();
        let volumes = mappings
            .iter()
            .filter(|mapping| self.came_at(mapping.device_name()))
            .filter_map(|mapping| mapping.ebs()?.volume_id());
        all.extend(volumes.map(|volume| resource(VOLUME, volume)));
        let request = self.found.spot_instance_request_id().filter(|id| !id.is_empty());
        all.extend(request.map(|request| resource(SPOT_REQUEST, request)));
        all
    }

    /// Ids of what cannot be deleted while it is there: its volumes, and the groups that it is in.
    pub(super) fn holds(&self) -> Vec<String> {
        let mappings = self.found.block_device_mappings().iter();
        let volumes = mappings.filter_map(|mapping| mapping.ebs()?.volume_id());
        let interfaces = self.found.network_interfaces().iter();
        let of_interfaces = interfaces.flat_map(|interface| interface.groups());
        let groups = self.found.security_groups().iter().chain(of_interfaces);
        let groups = groups.filter_map(|group| group.group_id());
        volumes.chain(groups).map(str::to_owned).collect()
    }

    /// The machine that it is for a slot; none while it has no address.
    pub(super) fn machine(&self, slot: &Slot) -> Option<Machine> {
        let instance = Instance {
            id: self.id().to_owned(),
            name: slot.node_name(),
            role: slot.role,
            index: slot.index,
            private_ip: self.found.private_ip_address()?.parse().ok()?,
            public_ip: self.public_ip(),
            volume: self.volume(),
        };
        Some(Machine {
            instance,
            resources: self.resources(),
            driver: self.driver(),
        })
    }

    /// What is known of it now, over what was known when it was launched.
    pub(super) fn refreshed(&self, before: &Instance) -> Machine {
        let address = self.found.private_ip_address().and_then(|text| text.parse().ok());
        Machine {
            instance: Instance {
                private_ip: address.unwrap_or(before.private_ip),
                public_ip: self.public_ip(),
                volume: self.volume(),
                ..before.clone()
            },
            resources: self.resources(),
            driver: self.driver(),
        }
    }

    fn public_ip(&self) -> Option<std::net::IpAddr> {
        self.found
            .public_ip_address()
            .filter(|text| !text.is_empty())?
            .parse()
            .ok()
    }
}

/// What a place holds: the machine that counts, and what should not be there.
pub(super) struct Held<'s> {
    pub(super) current: Option<&'s Seen>,
    pub(super) outdated: Vec<&'s Seen>,
    /// Tokens under which a machine was launched for this place in this generation that is gone by now.
    pub(super) spent: Vec<&'s str>,
}

/// Sorts out what a place holds. Of several machines of one generation, which a lost answer can leave, the first counts.
pub(super) fn held<'s>(all: &'s [Seen], slot: &Slot) -> Held<'s> {
    let mut alive: Vec<_> = all
        .iter()
        .filter(|seen| seen.is_alive() && seen.is_in_place(slot))
        .collect();
    alive.sort_by(|a, b| a.launched().cmp(&b.launched()));
    let current = alive.iter().find(|seen| seen.is_in(slot)).copied();
    let outdated = alive
        .into_iter()
        .filter(|seen| current.is_none_or(|current| current.id() != seen.id()))
        .collect();
    let spent = all
        .iter()
        .filter(|seen| !seen.is_alive() && seen.is_in(slot))
        .map(Seen::token)
        .collect();
    Held {
        current,
        outdated,
        spent,
    }
}

/// One instance by its id, where a look by tags does not show it: they may not be known everywhere yet, or gone with it.
pub(super) async fn by_id(api: &Api, id: &str) -> Result<Option<Seen>, Failure> {
    let call = api.reads().describe_instances().instance_ids(id);
    match api.read("DescribeInstances", || call.clone().send()).await {
        Ok(found) => Ok(found
            .reservations
            .unwrap_or_default()
            .into_iter()
            .flat_map(|reservation| reservation.instances.unwrap_or_default())
            .map(Seen::new)
            .next()),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The most values of one filter ("Filtering" in the EC2 API reference).
pub(super) const FILTER_VALUES: usize = 200;

/// Instances that were launched under these tokens, whether or not they have their tags yet. What stands in for EC2 need not be
/// able to tell: there, tags have to do.
pub(super) async fn by_tokens(api: &Api, tokens: &[String]) -> Result<Vec<Seen>, Failure> {
    let mut all = Vec::new();
    for some in tokens.chunks(FILTER_VALUES) {
        let some: Vec<_> = some.iter().map(String::as_str).collect();
        let call = api
            .reads()
            .describe_instances()
            .filters(tags::filter("client-token", &some));
        let pages = || call.clone().into_paginator().items().send().try_collect();
        let found: Result<Vec<Reservation>, Failure> = api.read_once("DescribeInstances", pages).await;
        let found = match found {
            Ok(found) => found,
            Err(failure) if !api.is_own() && matches!(failure.stage, Stage::Refused(_)) => {
                tracing::info!(%failure, "the endpoint does not look by client token");
                return Ok(all);
            }
            Err(failure) => return Err(failure),
        };
        let instances = found
            .into_iter()
            .flat_map(|found| found.instances.unwrap_or_default());
        all.extend(instances.map(Seen::new));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        EbsInstanceBlockDevice, GroupIdentifier, InstanceBlockDeviceMapping, InstanceState,
    };

    use super::*;

    fn at(device: &str, volume: &str) -> InstanceBlockDeviceMapping {
        let disk = EbsInstanceBlockDevice::builder().volume_id(volume).build();
        InstanceBlockDeviceMapping::builder()
            .device_name(device)
            .ebs(disk)
            .build()
    }

    #[test]
    fn a_machine_may_join_from_among_the_slaves_and_not_as_another_clusters() {
        let may_join = |group: &str, tags: &[(&str, &str)]| {
            let state = InstanceState::builder().name(InstanceStateName::Running);
            let mut machine = Ec2Instance::builder()
                .instance_id("i-1")
                .state(state.build())
                .security_groups(GroupIdentifier::builder().group_id(group).build());
            for (key, value) in tags {
                machine = machine.tags(Tag::builder().key(*key).value(*value).build());
            }
            let seen = Seen::new(machine.build());
            seen.stranger("demo", Some("sg-slaves")).may_join
        };
        assert!(may_join("sg-slaves", &[]));
        assert!(may_join("sg-slaves", &[(tags::CLUSTER, "demo")]));
        // A machine of the user's beside the masters, another cluster's, and one that a run has launched.
        assert!(!may_join("sg-masters", &[]));
        assert!(!may_join("sg-slaves", &[(tags::CLUSTER, "other")]));
        assert!(!may_join("sg-slaves", &[(tags::RUN, "01jd3k")]));
    }

    #[test]
    fn a_volume_that_somebody_has_attached_does_not_go_with_the_machine() {
        let found = Ec2Instance::builder()
            .instance_id("i-1")
            .root_device_name("/dev/xvda")
            .block_device_mappings(at("/dev/xvda", "vol-root"))
            .block_device_mappings(at(VOLUME_DEVICE, "vol-hdfs"))
            .block_device_mappings(at("/dev/sdf", "vol-theirs"))
            .build();
        let seen = Seen::new(found);
        let ids = |resources: Vec<Resource>| -> Vec<String> {
            resources.into_iter().map(|resource| resource.id).collect()
        };
        let own = ["i-1", "vol-root", "vol-hdfs"];
        assert_eq!(ids(seen.resources()), own);
        assert_eq!(ids(seen.goes_with_it().map(|with| with.resource).collect()), own);
    }

    #[test]
    fn a_volume_in_the_place_of_its_own_is_the_machines_only_where_it_is_of_its_run() {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let machine = Ec2Instance::builder()
            .instance_id("i-1")
            .tags(tag(tags::RUN, "01jd3k00000000000000000abc"))
            .block_device_mappings(at(VOLUME_DEVICE, "vol-1"));
        let judged = |run| {
            let mut seen = Seen::new(machine.clone().build());
            assert_eq!(seen.to_be_judged(), Some("vol-1"));
            seen.judge(run);
            let own = seen.volume();
            (
                own,
                seen.foreign_volume().map(str::to_owned),
                seen.resources().len(),
            )
        };
        let volume = Some("vol-1".to_owned());
        assert_eq!(
            judged(Some("01jd3k00000000000000000abc")),
            (volume.clone(), None, 2)
        );
        // Somebody else's, and another run's.
        assert_eq!(judged(Some("")), (None, volume.clone(), 1));
        assert_eq!(judged(Some("01jd3k00000000000000000xyz")), (None, volume, 1));
        // Attached, and its tags are not shown yet.
        assert_eq!(judged(None), (None, None, 2));
        let given = machine.tags(tag(tags::KEPT, "vol-1")).build();
        assert_eq!(Seen::new(given).to_be_judged(), None);
    }
}
