//! The tags by which everything that mesosflow made is known.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use mesosflow_workflow::{Driver, RunId};

use crate::cluster::MadeBy;
use crate::provider::{Owner, Slot, driver_in, driver_tag};

/// The cluster's name.
pub(super) const CLUSTER: &str = "mesosflow:cluster";
/// The run's id.
pub(super) const RUN: &str = "mesosflow:run";
/// The cluster's id.
pub(super) const CLUSTER_ID: &str = "mesosflow:cluster-id";
/// The driver that made it. Of machines it comes after the call that makes them: a call that is repeated by the next driver
/// under the same client token has to be the same call.
pub(super) const DRIVER: &str = "mesosflow:driver";
/// Which generation of which run asked for it, of machines.
pub(super) const GENERATION: &str = "mesosflow:generation";
/// `master`, `slave` or `zookeeper`, of machines and groups.
pub(super) const ROLE: &str = "mesosflow:role";
/// The number within the role, of machines.
pub(super) const INDEX: &str = "mesosflow:index";
/// The id of the journal that its run is in.
pub(super) const JOURNAL: &str = "mesosflow:journal";
/// Digest of the user and host that began its run.
pub(super) const BY: &str = "mesosflow:by";
/// The volume that a machine is to get, where its place has one already.
pub(super) const KEPT: &str = "mesosflow:volume";
/// What a machine is told of its cluster carries this before its name.
const FACT: &str = "mesosflow:";
/// What AWS' own pages show.
pub(super) const NAME: &str = "Name";

/// The tags of a thing as it is made.
#[derive(Debug, Clone)]
pub(super) struct Tags(Vec<(String, String)>);

impl Tags {
    /// Those of everything, whichever driver makes it: name, cluster and run, after the user's own.
    pub(super) fn of_owner<'t>(
        owner: &Owner,
        name: &str,
        further: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Self {
        let mut tags: Vec<_> = further
            .into_iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let id = owner.driver.map(|token| (CLUSTER_ID, token.cluster.to_string()));
        let own = [
            (NAME, name.to_owned()),
            (CLUSTER, owner.cluster.clone()),
            (RUN, owner.run.to_string()),
        ];
        let by = owner
            .made_by
            .iter()
            .flat_map(|by| [(JOURNAL, by.journal.clone()), (BY, by.user.clone())]);
        for (key, value) in own.into_iter().chain(id).chain(by) {
            tags.retain(|(taken, _)| taken != key);
            tags.push((key.to_owned(), value));
        }
        Self(tags)
    }

    /// Those of a machine and what comes with it.
    pub(super) fn of_slot<'t>(
        slot: &Slot,
        further: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Self {
        Self::of_owner(&slot.owner, &slot.node_name(), further)
            .with(GENERATION, &slot.asked_by())
            .with(ROLE, slot.role.as_str())
            .with(INDEX, &slot.index.to_string())
    }

    /// The driver that makes it.
    pub(super) fn made_by(self, owner: &Owner) -> Self {
        match &owner.driver {
            Some(token) => self.with(DRIVER, &driver_tag(&token.driver())),
            None => self,
        }
    }

    /// One more.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.push((key.to_owned(), value.to_owned()));
        self
    }

    /// As a call takes them, for what it makes of that type.
    pub(super) fn on(&self, kind: ResourceType) -> TagSpecification {
        let tags = self
            .0
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(tags.collect()))
            .build()
    }
}

/// The key of a fact that a machine is told.
pub(super) fn fact(name: &str) -> String {
    format!("{FACT}{name}")
}

/// The driver as a tag of its own.
pub(super) fn of_driver(driver: &Driver) -> Tag {
    Tag::builder().key(DRIVER).value(driver_tag(driver)).build()
}

/// The driver that the tags name.
pub(super) fn driver(tags: &[Tag]) -> Option<Driver> {
    driver_in(value(tags, DRIVER)?)
}

/// Whose journal made it, as the tags say.
pub(super) fn made_by(tags: &[Tag]) -> Option<MadeBy> {
    Some(MadeBy {
        journal: value(tags, JOURNAL)?.to_owned(),
        user: value(tags, BY)?.to_owned(),
    })
}

/// The value of a tag.
pub(super) fn value<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()
}

/// What carries a run's tag.
pub(super) fn of_run(run: RunId) -> Filter {
    filter(&format!("tag:{RUN}"), &[&run.to_string()])
}

/// What carries any run's tag.
pub(super) fn of_any_run() -> Filter {
    filter("tag-key", &[RUN])
}

/// A filter as the API takes it: the values are alternatives.
pub(super) fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}
