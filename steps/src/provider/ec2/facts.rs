//! What a machine is told of its cluster: tags, which it reads in its own metadata. Whatever was told and holds no more becomes an
//! empty tag, so that one call says all of it: between two, a machine that boots would believe half of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::types::{InstanceMetadataTagsState, Tag};
use mesosflow_workflow::ErrorClass;
use tokio::time::Instant;

use super::api::Api;
use super::crowd::Crowd;
use super::failure::Failure;
use super::instances::{Seen, by_id};
use super::network::refused;
use super::sight::Sight;
use super::tags;
use crate::cluster::{Instance, TAG_VALUE_LENGTH, is_shown_to_machines};
use crate::provider::{FACTS, Facts, ProviderError};

/// How often machines are told, all that are to be told the same since then at once.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// How long EC2 may take to show what it was told: seconds, as it says.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tags as they are to be: keys and values.
type Wanted = Vec<(String, String)>;

/// Those who wait for the call that tells the same.
#[derive(Debug, Default)]
pub(super) struct Telling {
    crowds: Mutex<BTreeMap<Wanted, Arc<Crowd>>>,
}

impl Telling {
    /// Tells a machine, and waits until EC2 shows it. One that is told already is left alone.
    pub(super) async fn tell(
        &self,
        api: &Api,
        sight: &Sight,
        instance: &Instance,
        facts: &Facts,
    ) -> Result<(), ProviderError> {
        let wanted = wanted(instance, facts)?;
        let seen = look(api, sight, instance).await?;
        if !seen.is_shown_its_tags() {
            show_tags(api, &seen, instance).await?;
        }
        let news = news(&seen, wanted.clone());
        if !news.is_empty() {
            self.tag(api, &instance.id, news).await?;
        }
        let give_up = Instant::now() + SHOWN_WITHIN;
        loop {
            // A look that begins later than that decides.
            let is_last = Instant::now() >= give_up;
            let seen = look(api, sight, instance).await?;
            if is_told(&seen, wanted.clone()) {
                return Ok(());
            }
            if is_last {
                return Err(ProviderError {
                    class: ErrorClass::Transient,
                    hint: None,
                    ..refused(
                        format!(
                            "EC2 does not show what {} ({}) was told",
                            instance.name, instance.id
                        ),
                        format!(
                            "its tags are others {} s after they were accepted",
                            SHOWN_WITHIN.as_secs()
                        ),
                        "",
                    )
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether EC2 shows that a machine is told this, and can see it.
    pub(super) async fn told(
        &self,
        api: &Api,
        sight: &Sight,
        instance: &Instance,
        facts: &Facts,
    ) -> Result<bool, ProviderError> {
        let wanted = wanted(instance, facts)?;
        Ok(is_told(&look(api, sight, instance).await?, wanted))
    }

    /// In one call for all that are to be told the same.
    async fn tag(&self, api: &Api, id: &str, news: Wanted) -> Result<(), ProviderError> {
        let crowd = {
            // What a panic leaves behind is still good.
            let mut crowds = self.crowds.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Crowd::new(TELL_EVERY));
            crowds.entry(news.clone()).or_insert_with(new).clone()
        };
        let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
        let tags: Vec<_> = news.iter().map(tag).collect();
        let call = async |ids: Vec<String>| {
            let call = api.writes().create_tags().set_resources(Some(ids));
            let call = call.set_tags(Some(tags.clone()));
            api.write("CreateTags", || call.clone().send()).await.map(drop)
        };
        let refused: Vec<(String, Failure)> = crowd.ask(&[id.to_owned()], call).await?;
        refused
            .into_iter()
            .next()
            .map_or(Ok(()), |(_, failure)| Err(failure.into()))
    }
}

/// The tags of all facts: of those that do not hold, empty ones.
fn wanted(instance: &Instance, facts: &Facts) -> Result<Wanted, ProviderError> {
    let of = untold(instance);
    let defect = "this is a defect: please report it";
    if let Some(unknown) = facts.keys().find(|name| !FACTS.contains(name)) {
        return Err(refused(
            of,
            format!("there is no such fact as {unknown:?}"),
            defect,
        ));
    }
    let long = |value: &&String| value.chars().count() > TAG_VALUE_LENGTH;
    if let Some((name, value)) = facts.iter().find(|(_, value)| long(value)) {
        let length = value.chars().count();
        return Err(refused(
            of,
            format!(
                "{} would have {length} characters, and EC2 takes {TAG_VALUE_LENGTH}",
                tags::fact(name)
            ),
            defect,
        ));
    }
    let value = |name: &str| facts.get(name).cloned().unwrap_or_default();
    Ok(FACTS.iter().map(|name| (tags::fact(name), value(name))).collect())
}

fn untold(instance: &Instance) -> String {
    format!(
        "{} ({}) cannot be told of its cluster",
        instance.name, instance.id
    )
}

/// What of it a machine is not told yet. That something does not hold which it was never told is no news.
fn news(seen: &Seen, mut wanted: Wanted) -> Wanted {
    let has = |key: &str| tags::value(seen.tags(), key);
    wanted.retain(|(key, value)| has(key).unwrap_or_default() != value);
    wanted
}

/// Whether a machine is told exactly this, and can see it.
fn is_told(seen: &Seen, wanted: Wanted) -> bool {
    seen.sees_its_tags() && news(seen, wanted).is_empty()
}

/// The machine, alive.
async fn look(api: &Api, sight: &Sight, instance: &Instance) -> Result<Seen, ProviderError> {
    let all = sight.look(api).await?;
    let shown = match all.iter().find(|seen| seen.id() == instance.id) {
        Some(seen) => Some(seen.clone()),
        None => by_id(api, &instance.id).await?,
    };
    let unable = |class, why: String| ProviderError {
        class,
        hint: None,
        ..refused(untold(instance), why, "")
    };
    match shown {
        None => Err(unable(ErrorClass::Transient, "EC2 does not show it".into())),
        Some(seen) if !seen.is_alive() => Err(unable(ErrorClass::Permanent, seen.reason())),
        Some(seen) => Ok(seen),
    }
}

/// Lets a machine see its tags that was launched without.
async fn show_tags(api: &Api, seen: &Seen, instance: &Instance) -> Result<(), ProviderError> {
    let keys = seen.tags().iter().filter_map(Tag::key);
    if let Some(key) = keys.into_iter().find(|key| !is_shown_to_machines(key)) {
        return Err(ProviderError {
            class: ErrorClass::Operator,
            ..refused(
                format!("{} ({}) cannot be shown its tags", instance.name, instance.id),
                format!(
                    "it has one of the key {key:?}, and EC2 shows letters (A to Z), digits and + - = . , _ : @ only"
                ),
                "take that tag away (`aws ec2 delete-tags`, the console), or write its key otherwise; then resume",
            )
        });
    }
    let call = api
        .writes()
        .modify_instance_metadata_options()
        .instance_id(&instance.id)
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled);
    api.write("ModifyInstanceMetadataOptions", || call.clone().send())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        Instance as Ec2Instance, InstanceMetadataOptionsResponse, InstanceMetadataOptionsState,
        InstanceState, InstanceStateName,
    };

    use super::*;
    use crate::cluster::Role;

    fn machine(shown: Option<InstanceMetadataOptionsState>, tags: &[(&str, &str)]) -> Seen {
        machine_that(InstanceStateName::Running, shown, tags)
    }

    fn machine_that(
        state: InstanceStateName,
        shown: Option<InstanceMetadataOptionsState>,
        tags: &[(&str, &str)],
    ) -> Seen {
        let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
        let options = InstanceMetadataOptionsResponse::builder()
            .set_state(shown.clone())
            .set_instance_metadata_tags(shown.map(|_| InstanceMetadataTagsState::Enabled));
        Seen::new(
            Ec2Instance::builder()
                .instance_id("i-1")
                .state(InstanceState::builder().name(state).build())
                .set_tags(Some(tags.iter().map(tag).collect()))
                .metadata_options(options.build())
                .build(),
        )
    }

    fn instance() -> Instance {
        Instance {
            id: "i-1".into(),
            name: "demo-slave-1".into(),
            role: Role::Slave,
            index: 1,
            private_ip: [10, 0, 0, 4].into(),
            public_ip: None,
            volume: None,
        }
    }

    #[test]
    fn what_holds_no_more_is_told_as_nothing_and_what_never_held_is_no_news() {
        let with_zookeepers = Facts::from([
            ("epoch", "7".to_owned()),
            ("masters", "3".to_owned()),
            ("zookeepers", "10.0.0.1:2181".to_owned()),
        ]);
        let wanted = wanted(&instance(), &with_zookeepers).unwrap();
        let keys = |news: Wanted| -> Vec<String> { news.into_iter().map(|(key, _)| key).collect() };
        let shown = Some(InstanceMetadataOptionsState::Applied);
        let first = news(&machine(shown.clone(), &[("mesosflow:run", "r")]), wanted.clone());
        assert_eq!(
            keys(first),
            ["mesosflow:epoch", "mesosflow:masters", "mesosflow:zookeepers"]
        );
        let told = [
            ("mesosflow:epoch", "7"),
            ("mesosflow:masters", "3"),
            ("mesosflow:zookeepers", "10.0.0.1:2181"),
        ];
        assert!(is_told(&machine(shown.clone(), &told), wanted.clone()));
        // Told, and nobody can see it, or not yet.
        assert!(!is_told(&machine(None, &told), wanted.clone()));
        let pending = Some(InstanceMetadataOptionsState::Pending);
        assert!(!is_told(&machine(pending.clone(), &told), wanted.clone()));
        let stopped = machine_that(InstanceStateName::Stopped, pending, &told);
        assert!(is_told(&stopped, wanted.clone()));

        let before = [&told[..2], &[("mesosflow:master", "10.0.0.1:5050")]].concat();
        let change = news(&machine(shown, &before), wanted);
        let expected = [
            ("mesosflow:zookeepers", "10.0.0.1:2181"),
            ("mesosflow:master", ""),
        ];
        assert_eq!(
            change,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn what_no_tag_can_hold_is_refused() {
        let long = Facts::from([("zookeepers", "1".repeat(257))]);
        let error = wanted(&instance(), &long).unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(
            error
                .source
                .0
                .contains("mesosflow:zookeepers would have 257 characters"),
            "{error:?}"
        );
        assert!(wanted(&instance(), &Facts::from([("zookeepers", "1".repeat(256))])).is_ok());
        assert!(wanted(&instance(), &Facts::from([("weather", "fine".to_owned())])).is_err());
    }
}
