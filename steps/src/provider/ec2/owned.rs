//! Everything that mesosflow has made in a region, by its tags.

use std::collections::BTreeMap;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::Tag;
use jiff::Timestamp;
use mesosflow_workflow::{Driver, Resource, RunId};

use super::groups::{self, GROUP, RULE};
use super::instances::{INSTANCE, SPOT_REQUEST, VOLUME};
use super::provider::Ec2Provider;
use super::{delete, tags, volumes};
use crate::cluster::MadeBy;
use crate::provider::ProviderError;

/// A resource, with what its tags name.
pub(super) struct WithTags {
    pub(super) resource: Resource,
    pub(super) cluster: String,
    pub(super) run: String,
    pub(super) driver: Option<Driver>,
    pub(super) made_by: Option<MadeBy>,
    pub(super) made_at: Option<Timestamp>,
    /// All of them.
    pub(super) tags: BTreeMap<String, String>,
}

impl Ec2Provider {
    /// Everything that exists and carries a run's tag, or any run's.
    pub(super) async fn everything(&self, run: Option<RunId>) -> Result<Vec<WithTags>, ProviderError> {
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
                    tags: all_of(tags),
                });
            };
        for request in delete::spot_requests(&self.api, tag()).await? {
            add(
                SPOT_REQUEST,
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

/// Tags by name.
fn all_of(tags: &[Tag]) -> BTreeMap<String, String> {
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let pairs = tags.iter().map(|tag| (text(tag.key()), text(tag.value())));
    pairs.collect()
}
