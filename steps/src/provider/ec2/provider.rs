//! The provider itself, and what is asked of every one, in terms of the rooms beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, Resource};

use super::api::Api;
use super::consoles::Consoles;
use super::crowd::Crowd;
use super::delete::Ends;
use super::facts::Telling;
use super::groups;
use super::instances::{INSTANCE, Seen, VOLUME, by_id};
use super::kept::Shelf;
use super::network::refused;
use super::power::Power;
use super::sight::Sight;
use super::{consoles, host_keys, kept, tags, volumes};
use crate::cluster::{ClusterSpec, HostKeySource, Instance, ProviderKind, Role};
use crate::provider::ec2_facts::VOLUME_DEVICE;
use crate::provider::{
    Condition, Deletion, Facts, HostKeys, Launcher, Owner, Provider, ProviderError, Stranger, Tagged,
    UserTags,
};

/// How often machines are made to say who made them, all that were launched since at once.
const SIGN_EVERY: Duration = Duration::from_secs(2);

/// Instances of Amazon EC2.
pub struct Ec2Provider {
    pub(super) api: Api,
    pub(super) spec: ClusterSpec,
    /// The run's folder, where host keys are kept that were made here.
    pub(super) folder: Option<PathBuf>,
    pub(super) sight: Sight,
    pub(super) ends: Ends,
    pub(super) power: Power,
    pub(super) shelf: Shelf,
    /// Machines that have yet to say who made them.
    pub(super) signing: Crowd,
    pub(super) telling: Telling,
    pub(super) consoles: Consoles,
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
            telling: Telling::default(),
            consoles: Consoles::default(),
        })
    }

    pub(super) fn folder(&self) -> Result<&Path, ProviderError> {
        self.folder.as_deref().ok_or_else(|| {
            refused(
                "a host key cannot be made".into(),
                "there is no run whose folder could keep it".into(),
                "this is a defect: please report it",
            )
        })
    }

    /// Refuses a machine that has somebody's volume in the place of its own: nothing of it may be used or formatted.
    pub(super) fn refuse_foreign(&self, seen: &Seen, role: Role) -> Result<(), ProviderError> {
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
}

#[async_trait]
impl Provider for Ec2Provider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Ec2
    }

    fn launcher(&self) -> Option<&dyn Launcher> {
        Some(self)
    }

    async fn strangers(&self, owner: &Owner) -> Result<Vec<Stranger>, ProviderError> {
        let found = groups::look(&self.api, &self.spec, owner).await?;
        Ok(self.strangers_in(owner, &found).await?)
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
        // Whoever has launched it has seen to its disks.
        let is_adopted = self.spec.is_adopted(&instance.id);
        if seen.is_alive() && !is_adopted {
            self.refuse_foreign(&seen, instance.role)?;
        }
        let wants_volume = self.spec.ec2.volume_gb(instance.role) > 0 && !is_adopted;
        let lacks_volume = wants_volume && seen.volume().is_none();
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

    fn starting(&self, instance: &Instance, _: &Condition) -> String {
        let region = self.api.region();
        format!(
            "aws ec2 start-instances --region {region} --instance-ids {}",
            instance.id
        )
    }

    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError> {
        let source = match self.spec.ec2.host_keys {
            // None was made for a machine that somebody else has launched.
            HostKeySource::UserData if self.spec.is_adopted(&instance.id) => HostKeySource::Console,
            source => source,
        };
        match source {
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

    /// Machines of somebody else's have their own tags: they are left as they are.
    async fn tell(&self, instance: &Instance, facts: &Facts) -> Result<(), ProviderError> {
        if self.spec.is_adopted(&instance.id) {
            return Ok(());
        }
        self.telling.tell(&self.api, &self.sight, instance, facts).await
    }

    async fn told(&self, instance: &Instance, facts: &Facts) -> Result<bool, ProviderError> {
        if self.spec.is_adopted(&instance.id) {
            return Ok(true);
        }
        self.telling.told(&self.api, &self.sight, instance, facts).await
    }

    async fn retag(&self, owner: &Owner, tags: &UserTags) -> Result<(), ProviderError> {
        self.retag_all(owner, tags).await
    }

    async fn is_retagged(&self, owner: &Owner, tags: &UserTags) -> Result<bool, ProviderError> {
        Ok(self.lacking(owner, tags).await?.is_empty())
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
