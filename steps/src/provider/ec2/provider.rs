//! The provider itself: each act of the trait, in terms of the rooms beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::Tag;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use mesosflow_workflow::{Driver, EffectKey, ErrorClass, Resource, RunId};

use super::api::Api;
use super::consoles::Consoles;
use super::crowd::Crowd;
use super::delete::Ends;
use super::failure::Failure;
use super::groups::{self, GROUP, RULE};
use super::instances::{self, INSTANCE, Seen, VOLUME, VOLUME_DEVICE, by_id, held};
use super::kept::Shelf;
use super::network::refused;
use super::power::Power;
use super::sight::Sight;
use super::user_data::UserData;
use super::{consoles, delete, frozen, host_keys, image, kept, launch, tags, volumes};
use crate::cluster::{ClusterSpec, HostKeySource, Instance, MadeBy, ProviderKind, Role};
use crate::provider::{
    Answer, Condition, Deletion, Groups, HostKeys, Image, Launch, Launched, Machine, Outdated, Owner,
    Provider, ProviderError, Slot, Tagged,
};

/// How often machines are made to say who made them, all that were launched since at once.
const SIGN_EVERY: Duration = Duration::from_secs(2);

/// Instances of Amazon EC2.
pub struct Ec2Provider {
    api: Api,
    spec: ClusterSpec,
    /// The run's folder, where host keys are kept that were made here.
    folder: Option<PathBuf>,
    sight: Sight,
    ends: Ends,
    power: Power,
    shelf: Shelf,
    /// Machines that have yet to say who made them.
    signing: Crowd,
    consoles: Consoles,
}

impl Ec2Provider {
    /// Opens the way to the API.
    ///
    /// # Errors
    /// No region is named, or the credentials belong to another account than the run's.
    pub async fn open(spec: &ClusterSpec, folder: Option<&Path>) -> Result<Self, ProviderError> {
        Ok(Self {
            api: Api::open(&spec.ec2).await?,
            spec: spec.clone(),
            folder: folder.map(Path::to_owned),
            sight: Sight::default(),
            ends: Ends::default(),
            power: Power::default(),
            signing: Crowd::new(SIGN_EVERY),
            shelf: Shelf::default(),
            consoles: Consoles::default(),
        })
    }

    fn folder(&self) -> Result<&Path, ProviderError> {
        self.folder.as_deref().ok_or_else(|| {
            refused(
                "a host key cannot be made".into(),
                "there is no run whose folder could keep it".into(),
                "this is a defect: please report it",
            )
        })
    }

    /// Roles whose group belongs to somebody else who has machines in it.
    async fn occupied(&self, owner: &Owner, found: &groups::Found) -> Result<Vec<Role>, ProviderError> {
        let foreign = found.foreign(owner);
        if foreign.is_empty() || self.strangers_in(owner, &found.ids()).await?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(foreign)
    }

    /// Machines alive in these groups, or under the cluster's tag, that are not the run's.
    async fn strangers_in(&self, owner: &Owner, groups: &[&str]) -> Result<Vec<String>, Failure> {
        let alive = tags::filter(
            "instance-state-name",
            &["pending", "running", "stopping", "stopped"],
        );
        let cluster = tags::filter(&format!("tag:{}", tags::CLUSTER), &[&owner.cluster]);
        let mut filters = vec![cluster];
        if !groups.is_empty() {
            filters.push(tags::filter("instance.group-id", groups));
        }
        let run = owner.run.to_string();
        let mut strangers = Vec::new();
        for filter in filters {
            let call = self
                .api
                .reads()
                .describe_instances()
                .filters(alive.clone())
                .filters(filter);
            let pages = || call.clone().into_paginator().items().send().try_collect();
            let found: Vec<aws_sdk_ec2::types::Reservation> =
                self.api.read("DescribeInstances", pages).await?;
            let instances = found
                .into_iter()
                .flat_map(|found| found.instances.unwrap_or_default());
            for seen in instances.map(Seen::new) {
                if seen.tag(tags::RUN) != run {
                    strangers.push(format!("{} ({})", seen.name(), seen.id()));
                }
            }
        }
        strangers.sort();
        strangers.dedup();
        Ok(strangers)
    }

    /// What a machine is told, as `RunInstances` takes it: the same however often its launch is tried.
    fn user_data(&self, launch: &Launch) -> Result<String, ProviderError> {
        let name = launch.slot.node_name();
        let unusable = |what: String| {
            refused(
                format!("{name} cannot be given its user data"),
                what,
                "correct `user_data` under `[ec2]`",
            )
        };
        let folder = self.folder()?;
        let make = || self.new_user_data(folder, launch);
        let text = frozen::of_launch(folder, launch.effect_key.as_str(), make).map_err(unusable)?;
        Ok(BASE64.encode(text))
    }

    /// What a machine is told, as this program has it.
    fn new_user_data(&self, folder: &Path, launch: &Launch) -> Result<String, String> {
        let name = launch.slot.node_name();
        let generation = launch.slot.generation.to_string();
        let further = frozen::own(folder, &self.spec.ec2)?;
        let host_key = match self.spec.ec2.host_keys {
            HostKeySource::UserData => {
                let made = host_keys::make(folder, &name, &generation)?;
                Some((made.private, made.public))
            }
            HostKeySource::Console | HostKeySource::AcceptNew => None,
        };
        let data = UserData {
            login_user: launch
                .order
                .as_ref()
                .map(|order| order.login_user.clone())
                .unwrap_or_default(),
            authorized_keys: vec![launch.authorized_key.clone()],
            host_key,
            further,
        };
        data.checked().map_err(|error| error.to_string())
    }
}

/// The owner while nobody has begun to drive yet: a rule that named this driver would be a stranger's to the next one.
fn nobodys(owner: &Owner) -> Owner {
    Owner {
        driver: None,
        ..owner.clone()
    }
}

#[async_trait]
impl Provider for Ec2Provider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Ec2
    }

    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError> {
        let found = groups::look(&self.api, &self.spec, owner).await?;
        let occupied = self.occupied(owner, &found).await?;
        // A door that is open and should not be is as good a reason to act as one that is shut.
        let obsolete = groups::obsolete(&self.api, &self.spec, owner, &found, &occupied).await?;
        Ok(found
            .complete(&self.spec, &occupied)
            .filter(|_| obsolete.is_empty()))
    }

    async fn ensure_groups(&self, owner: &Owner, made: &mut Vec<Resource>) -> Result<Groups, ProviderError> {
        let found = groups::look(&self.api, &self.spec, owner).await?;
        groups::make(&self.api, &self.spec, owner, &found, made).await?;
        let found = found.again(&self.api, owner).await?;
        let occupied = self.occupied(owner, &found).await?;
        groups::complete(&self.api, &self.spec, owner, &found, &occupied, made).await?;
        groups::shut(&self.api, &self.spec, owner, &found, &occupied).await?;
        let found = found.again(&self.api, owner).await?;
        found
            .complete(&self.spec, &occupied)
            .ok_or_else(|| ProviderError {
                doing: format!("the groups of {} are not all there yet", owner.cluster),
                class: ErrorClass::Transient,
                hint: None,
                source: Answer("EC2 does not show everything that was made a moment ago".into()),
            })
    }

    async fn lost_groups(&self, groups: &Groups) -> Result<Vec<Role>, ProviderError> {
        Ok(groups::lost(&self.api, groups).await?)
    }

    async fn let_in(&self, owner: &Owner) -> Result<(), ProviderError> {
        let owner = &nobodys(owner);
        let found = groups::look(&self.api, &self.spec, owner).await?;
        let occupied = self.occupied(owner, &found).await?;
        groups::complete(&self.api, &self.spec, owner, &found, &occupied, &mut Vec::new()).await
    }

    async fn readmit(&self, owner: &Owner, made: &mut Vec<Resource>) -> Result<(), ProviderError> {
        let owner = &nobodys(owner);
        let found = groups::look(&self.api, &self.spec, owner).await?;
        let occupied = self.occupied(owner, &found).await?;
        groups::complete(&self.api, &self.spec, owner, &found, &occupied, made).await?;
        groups::shut(&self.api, &self.spec, owner, &found, &occupied).await
    }

    async fn strangers(&self, owner: &Owner) -> Result<Vec<String>, ProviderError> {
        let found = groups::look(&self.api, &self.spec, owner).await?;
        Ok(self.strangers_in(owner, &found.ids()).await?)
    }

    async fn ensure_image(&self, _run: RunId) -> Result<Image, ProviderError> {
        let found = self.find_image().await?;
        found.ok_or_else(|| {
            refused(
                format!("there is no image `{}` in {}", self.spec.ec2.ami, self.api.region()),
                format!("none is available, as far as this account can see (os = {:?})", self.spec.os),
                "name one with --ami ami-…, or a system with --os debian12, ubuntu22.04, ubuntu24.04 or al2023",
            )
        })
    }

    async fn find_image(&self) -> Result<Option<Image>, ProviderError> {
        image::find(&self.api, &self.spec).await
    }

    async fn find(&self, slot: &Slot) -> Result<Option<Machine>, ProviderError> {
        let all = self.sight.look(&self.api).await?;
        let current = held(&all, slot)
            .current
            .filter(|seen| seen.is_pending() || seen.is_running());
        if let Some(seen) = current {
            self.refuse_foreign(seen, slot.role)?;
        }
        let current = current.filter(|seen| seen.has_its_volume());
        Ok(current.and_then(|seen| seen.machine(slot)))
    }

    async fn launch(&self, launch: &Launch) -> Result<Machine, ProviderError> {
        let slot = &launch.slot;
        let user_data = self.user_data(launch)?;
        let all = self.sight.look(&self.api).await?;
        let held = held(&all, slot);
        if let Some(stopped) = held
            .current
            .filter(|seen| !seen.is_pending() && !seen.is_running())
        {
            return Err(ProviderError {
                class: ErrorClass::Operator,
                ..refused(
                    format!("{} ({}) does not run", slot.node_name(), stopped.id()),
                    stopped.reason(),
                    "start it, or terminate it to have it replaced; then resume",
                )
            });
        }
        let launched = match held.current {
            Some(current) => {
                self.refuse_foreign(current, slot.role)?;
                current.clone()
            }
            None => {
                let kept = self.kept_for(launch, &all).await?;
                let ordered = launch::Ordered {
                    launch,
                    user_data: &user_data,
                    spent: &held.spent,
                    kept: kept.as_deref(),
                };
                launch::launch(&self.api, &self.sight, &self.spec.ec2, &ordered).await?
            }
        };
        let launched = match launched.tag(tags::KEPT).to_owned() {
            none if none.is_empty() => launched,
            volume => {
                let attached = kept::attach(&self.api, launched, &volume).await;
                attached.map_err(|error| error.after_effect())?
            }
        };
        // From here on there is a machine: a failure says no more that nothing was done.
        let driver = self.signed(&launched, slot).await;
        let driver = driver.map_err(|error| error.after_effect())?;
        let machine = launched
            .machine(slot)
            .map(|machine| Machine { driver, ..machine });
        machine.ok_or_else(|| ProviderError {
            doing: format!("{} ({}) has no address yet", slot.node_name(), launched.id()),
            class: ErrorClass::Ambiguous,
            hint: None,
            source: Answer(launched.reason()),
        })
    }

    async fn outdated(&self, slot: &Slot) -> Result<Vec<Outdated>, ProviderError> {
        let all = self.sight.look(&self.api).await?;
        let held = held(&all, slot);
        let has_current = held.current.is_some();
        let with_driver = |seen: &Seen| {
            let driver = seen.driver();
            let resources = seen.resources_without_kept(slot, has_current).into_iter();
            resources.map(move |resource| Outdated { resource, driver })
        };
        let outdated = held.outdated;
        Ok(outdated.into_iter().flat_map(with_driver).collect())
    }

    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError> {
        let all = self.sight.look(&self.api).await?;
        let shown = match all.iter().find(|seen| seen.id() == instance.id) {
            Some(seen) => Some(seen.clone()),
            None => by_id(&self.api, &instance.id).await?,
        };
        let Some(seen) = shown else {
            return Ok(Condition::Unknown("EC2 does not show it".into()));
        };
        if seen.is_alive() {
            self.refuse_foreign(&seen, instance.role)?;
        }
        let lacks_volume = self.spec.ec2.volume_gb(instance.role) > 0 && seen.volume().is_none();
        Ok(match (seen.is_running(), seen.is_pending(), seen.is_alive()) {
            (true, ..) if lacks_volume => {
                Condition::Booting(format!("no volume is attached at {VOLUME_DEVICE} yet"))
            }
            (true, ..) => Condition::Running(Box::new(seen.refreshed(instance))),
            (_, true, _) => Condition::Booting("it is pending".into()),
            (.., true) if seen.is_stopping() => Condition::Stopping(seen.reason()),
            (.., true) => Condition::Stopped(seen.reason()),
            _ => Condition::Dead(seen.reason()),
        })
    }

    async fn stop(&self, instance: &Instance) -> Result<(), ProviderError> {
        self.power.stop(&self.api, &instance.id).await
    }

    async fn start(&self, instance: &Instance) -> Result<(), ProviderError> {
        self.power.start(&self.api, &instance.id).await
    }

    fn starting(&self, instance: &Instance) -> String {
        let region = self.api.region();
        format!(
            "aws ec2 start-instances --region {region} --instance-ids {}",
            instance.id
        )
    }

    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError> {
        match self.spec.ec2.host_keys {
            HostKeySource::AcceptNew => Ok(HostKeys::AcceptNew),
            HostKeySource::UserData => {
                let all = self.sight.look(&self.api).await?;
                let Some(seen) = all.iter().find(|seen| seen.id() == instance.id) else {
                    return Ok(HostKeys::NotYet("EC2 does not show it yet".into()));
                };
                let key = host_keys::public(self.folder()?, &instance.name, seen.tag(tags::GENERATION))
                    .map_err(|what| {
                        refused(
                            format!("the host key of {} is lost", instance.name),
                            what,
                            "replay from launch-slaves",
                        )
                    })?;
                Ok(HostKeys::Known(vec![key], Some(HostKeySource::UserData)))
            }
            HostKeySource::Console => {
                let age = self.sight.last(&instance.id).await.and_then(|seen| seen.age());
                // It is asked before the limit in any case.
                let limit = Duration::from_secs(self.spec.ec2.boot_limit_s.into());
                if age.is_some_and(|age| age < consoles::FIRST.min(limit / 2)) {
                    return Ok(HostKeys::NotYet("it has hardly begun to boot".into()));
                }
                let keys = self.consoles.host_keys(&self.api, &instance.id).await?;
                Ok(match keys.is_empty() {
                    true => HostKeys::NotYet("its console does not show a host key yet".into()),
                    false => HostKeys::Known(keys, Some(HostKeySource::Console)),
                })
            }
        }
    }

    fn settle_time(&self) -> Duration {
        Duration::from_secs(self.spec.ec2.settle_limit_s.into())
    }

    async fn launched(&self, effects: &[EffectKey]) -> Result<Vec<Launched>, ProviderError> {
        let mut all = self.sight.look(&self.api).await?.to_vec();
        all.extend(instances::by_tokens(&self.api, &launch::tokens(effects)).await?);
        let of = |effect: &EffectKey| {
            let tokens = launch::tokens(std::slice::from_ref(effect));
            let is_of = |seen: &&Seen| tokens.iter().any(|token| token == seen.token());
            let (gone, there): (Vec<&Seen>, Vec<&Seen>) =
                all.iter().filter(is_of).partition(|seen| seen.is_gone());
            let alive = there.iter().filter(|seen| seen.is_alive());
            let alive = alive.map(|seen| seen.id().to_owned()).collect();
            let mut found: Vec<_> = there.into_iter().flat_map(Seen::goes_with_it).collect();
            found.dedup();
            Launched {
                effect_key: effect.clone(),
                found,
                alive,
                gone: gone.into_iter().map(|seen| seen.id().to_owned()).collect(),
            }
        };
        Ok(effects.iter().map(of).collect())
    }

    fn asked(&self) -> String {
        format!(
            "EC2 in {} for spot requests, instances, volumes, security groups and their rules with the tag {}",
            self.api.region(),
            tags::RUN
        )
    }

    async fn owned(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        let all = self.everything(Some(owner.run)).await?;
        Ok(all.into_iter().map(|with| with.resource).collect())
    }

    async fn data_volumes(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        let all = volumes::existing(&self.api, tags::of_run(owner.run)).await?;
        let ours = all.iter().filter(|volume| kept::is_of_hdfs(volume));
        let resource = |volume: &aws_sdk_ec2::types::Volume| {
            let id = volume.volume_id().unwrap_or_default();
            Resource {
                kind: VOLUME.to_owned(),
                id: id.to_owned(),
                name: tags::value(volume.tags(), tags::NAME).unwrap_or(id).to_owned(),
            }
        };
        Ok(ours.map(resource).collect())
    }

    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError> {
        let all = self.everything(None).await?;
        let tagged = all.into_iter().map(|with| Tagged {
            provider: ProviderKind::Ec2,
            place: Some(self.api.region().to_owned()),
            kind: with.resource.kind,
            id: with.resource.id,
            name: with.resource.name,
            cluster: with.cluster,
            run: with.run,
            driver: with.driver,
            made_by: with.made_by,
            made_at: with.made_at,
        });
        Ok(tagged.collect())
    }

    async fn release(&self, resources: &[Resource]) -> Result<(), ProviderError> {
        self.ends.release(&self.api, resources).await
    }

    async fn holds(&self, resource: &Resource) -> Result<Vec<String>, ProviderError> {
        if resource.kind != INSTANCE {
            return Ok(Vec::new());
        }
        let all = self.sight.look(&self.api).await?;
        let shown = match all.iter().find(|seen| seen.id() == resource.id) {
            Some(seen) => Some(seen.clone()),
            None => by_id(&self.api, &resource.id).await?,
        };
        // What has ended holds nothing any more.
        let alive = shown.filter(Seen::is_alive);
        Ok(alive.map(|seen| seen.holds()).unwrap_or_default())
    }

    async fn delete(&self, resource: &Resource) -> Result<Deletion, ProviderError> {
        self.ends.delete(&self.api, &self.sight, resource).await
    }
}

/// A resource, with what its tags name.
struct WithTags {
    resource: Resource,
    cluster: String,
    run: String,
    driver: Option<Driver>,
    made_by: Option<MadeBy>,
    made_at: Option<Timestamp>,
}

impl Ec2Provider {
    /// Refuses a machine that has somebody's volume in the place of its own: nothing of it may be used or formatted.
    fn refuse_foreign(&self, seen: &Seen, role: Role) -> Result<(), ProviderError> {
        let wants_one = self.spec.ec2.volume_gb(role) > 0;
        let Some(volume) = seen.foreign_volume().filter(|_| wants_one) else {
            return Ok(());
        };
        let (name, id) = (seen.name(), seen.id());
        Err(ProviderError {
            class: ErrorClass::Operator,
            ..refused(
                format!("{name} ({id}) has a volume at {VOLUME_DEVICE} that is not its own"),
                format!(
                    "{volume} does not carry the tag {} of its run: it is somebody's, and neither used nor deleted",
                    tags::RUN
                ),
                "detach it or attach it as another device, and attach the machine's own volume there; or terminate the \
                 machine to have it replaced; then resume",
            )
        })
    }

    /// The volume that waits for this machine.
    async fn kept_for(&self, launch: &Launch, all: &[Seen]) -> Result<Option<String>, ProviderError> {
        match launch.order.as_ref().filter(|order| order.volume_gb > 0) {
            None => Ok(None),
            Some(order) => {
                let subnet = order.subnet.as_deref();
                self.shelf.waiting_for(&self.api, all, &launch.slot, subnet).await
            }
        }
    }

    /// Has a machine say which driver made it, if it does not yet; whom it names.
    async fn signed(&self, seen: &Seen, slot: &Slot) -> Result<Option<Driver>, ProviderError> {
        let driver = match (seen.driver(), &slot.owner.driver) {
            (Some(named), _) => return Ok(Some(named)),
            (None, None) => return Ok(None),
            (None, Some(token)) => token.driver(),
        };
        let call = async |ids: Vec<String>| {
            let call = self.api.writes().create_tags().set_resources(Some(ids));
            let call = call.tags(tags::of_driver(&driver));
            self.api
                .write("CreateTags", || call.clone().send())
                .await
                .map(drop)
        };
        let refused = self.signing.ask(&[seen.id().to_owned()], call).await?;
        refused
            .into_iter()
            .next()
            .map_or(Ok(Some(driver)), |(_, failure)| Err(failure.into()))
    }

    /// Everything that exists and carries a run's tag, or any run's.
    async fn everything(&self, run: Option<RunId>) -> Result<Vec<WithTags>, ProviderError> {
        let tag = || run.map_or_else(tags::of_any_run, tags::of_run);
        let mut all = Vec::new();
        let mut add =
            |kind: &str, id: Option<&str>, tags: &[Tag], name: Option<&str>, at: Option<&DateTime>| {
                let text = |key| tags::value(tags, key).unwrap_or_default().to_owned();
                let id = id.unwrap_or_default().to_owned();
                let made_at = at.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok());
                let name = name
                    .or_else(|| tags::value(tags, tags::NAME))
                    .unwrap_or(&id)
                    .to_owned();
                let resource = Resource {
                    kind: kind.to_owned(),
                    id,
                    name,
                };
                all.push(WithTags {
                    resource,
                    cluster: text(tags::CLUSTER),
                    run: text(tags::RUN),
                    driver: tags::driver(tags),
                    made_by: tags::made_by(tags),
                    made_at,
                });
            };
        for request in delete::spot_requests(&self.api, tag()).await? {
            add(
                super::instances::SPOT_REQUEST,
                request.spot_instance_request_id(),
                request.tags(),
                None,
                request.create_time(),
            );
        }
        let run = run.map(|run| run.to_string());
        for seen in self.sight.look(&self.api).await?.iter() {
            let is_meant = run.as_deref().is_none_or(|run| seen.tag(tags::RUN) == run);
            if is_meant && !seen.is_gone() {
                add(INSTANCE, Some(seen.id()), seen.tags(), None, seen.launch_time());
            }
        }
        for volume in volumes::existing(&self.api, tag()).await? {
            add(
                VOLUME,
                volume.volume_id(),
                volume.tags(),
                None,
                volume.create_time(),
            );
        }
        let groups = groups::tagged_groups(&self.api, tag()).await?;
        for rule in groups::tagged_rules(&self.api, tag()).await? {
            let goes_with_its_group = groups.iter().any(|group| group.group_id() == rule.group_id());
            if !goes_with_its_group {
                add(RULE, rule.security_group_rule_id(), rule.tags(), None, None);
            }
        }
        for group in &groups {
            add(GROUP, group.group_id(), group.tags(), group.group_name(), None);
        }
        Ok(all)
    }
}
