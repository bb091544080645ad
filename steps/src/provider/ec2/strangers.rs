//! Who else lives in a cluster's place.

use super::failure::Failure;
use super::groups;
use super::instances::Seen;
use super::provider::Ec2Provider;
use super::tags;
use crate::cluster::Role;
use crate::provider::{Owner, ProviderError, Stranger};

impl Ec2Provider {
    /// Roles whose group belongs to somebody else who has machines in it.
    pub(super) async fn occupied(
        &self,
        owner: &Owner,
        found: &groups::Found,
    ) -> Result<Vec<Role>, ProviderError> {
        let foreign = found.foreign(owner);
        if foreign.is_empty() || self.strangers_in(owner, found).await?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(foreign)
    }

    /// Machines alive in these groups, or under the cluster's tag, that are not the run's.
    pub(super) async fn strangers_in(
        &self,
        owner: &Owner,
        found: &groups::Found,
    ) -> Result<Vec<Stranger>, Failure> {
        let alive = tags::filter(
            "instance-state-name",
            &["pending", "running", "stopping", "stopped"],
        );
        let cluster = tags::filter(&format!("tag:{}", tags::CLUSTER), &[&owner.cluster]);
        let (mut filters, groups) = (vec![cluster], found.ids());
        if !groups.is_empty() {
            filters.push(tags::filter("instance.group-id", &groups));
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
            let reserved: Vec<aws_sdk_ec2::types::Reservation> =
                self.api.read("DescribeInstances", pages).await?;
            let instances = reserved
                .into_iter()
                .flat_map(|found| found.instances.unwrap_or_default());
            for seen in instances.map(Seen::new) {
                if seen.tag(tags::RUN) != run {
                    strangers.push(seen.stranger(&owner.cluster, found.of_slaves()));
                }
            }
        }
        strangers.sort();
        strangers.dedup();
        Ok(strangers)
    }
}
