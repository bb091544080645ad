//! What a deploy would leave on the listed hosts.

use crate::cluster::{ClusterSpec, HostSpec, Instance};
use crate::provider::PlannedResource;

/// A key and a mark on each, and the firewall if there is one.
pub(in crate::provider) fn creates(spec: &ClusterSpec) -> Vec<PlannedResource> {
    let left = |(instance, host): (Instance, &HostSpec)| {
        let key = format!("the cluster's key for {}@{}, and a mark", host.user, host.address);
        let detail = match spec.hosts.has_firewall() {
            true => format!("{key}, and the firewall `inet mesosflow`"),
            false => key,
        };
        PlannedResource::new("authorized-key", instance.name, detail)
    };
    spec.listed().into_iter().map(left).collect()
}
