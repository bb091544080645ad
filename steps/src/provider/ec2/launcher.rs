//! What only a provider that makes machines is asked, in terms of the rooms beside it.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mesosflow_workflow::{Driver, EffectKey, ErrorClass, Resource};

use super::groups;
use super::instances::{self, Seen, held};
use super::network::refused;
use super::provider::Ec2Provider;
use super::user_data::UserData;
use super::{frozen, host_keys, image, kept, launch, tags};
use crate::cluster::{HostKeySource, Role};
use crate::provider::{
    Answer, Groups, Image, Launch, Launched, Launcher, Machine, Outdated, Owner, ProviderError, Slot,
};

/// The owner while nobody has begun to drive yet: a rule that named this driver would be a stranger's to the next one.
fn nobodys(owner: &Owner) -> Owner {
    Owner {
        driver: None,
        ..owner.clone()
    }
}

#[async_trait]
impl Launcher for Ec2Provider {
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

    async fn ensure_image(&self) -> Result<Image, ProviderError> {
        image::existing(&self.api, &self.spec).await
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
}

impl Ec2Provider {
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
        let generation = launch.slot.asked_by();
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
}
