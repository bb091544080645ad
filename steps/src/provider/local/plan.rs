//! What a deploy would make on this machine.

use crate::cluster::ClusterSpec;
use crate::provider::PlannedResource;
use crate::provider::planned::machines;

/// The network, and the containers in it.
pub(in crate::provider) fn creates(spec: &ClusterSpec) -> Vec<PlannedResource> {
    let made = |kind: &str, name, detail: &str| PlannedResource::new(kind, name, detail.to_owned());
    let detail = "a bridge network of the cluster's own";
    let mut all = vec![made("network", spec.cluster.clone(), detail)];
    let detail = "a container of this machine's engine";
    all.extend(machines(spec, |_, name| vec![made("instance", name, detail)]));
    all
}
