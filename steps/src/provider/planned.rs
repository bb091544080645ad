//! What a deploy would make that has to be deleted one day.

use serde::Serialize;

use crate::cluster::{ClusterSpec, Role};

/// One thing that a deploy would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedResource {
    /// `instance`, `network`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub detail: String,
    /// Size of a machine's root disk, GiB, unless its image asks for more; none where it has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_gb: Option<u32>,
    /// The same where its type turns out to have instance stores, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_gb_beside_stores: Option<u32>,
}

impl PlannedResource {
    /// A thing that has no disk of its own.
    pub(super) fn new(kind: &str, name: String, detail: String) -> Self {
        Self {
            kind: kind.into(),
            name,
            detail,
            root_gb: None,
            root_gb_beside_stores: None,
        }
    }
}

/// The machines of a spec whose provider makes them, in the order in which they are made: for each, what it and what comes with
/// it is, by its name.
pub(super) fn machines(
    spec: &ClusterSpec,
    of: impl Fn(Role, String) -> Vec<PlannedResource>,
) -> impl Iterator<Item = PlannedResource> {
    let roles = [Role::Slave, Role::Master, Role::Zookeeper];
    let places = roles
        .into_iter()
        .flat_map(|role| spec.places(role).into_iter().map(move |index| (role, index)));
    places.flat_map(move |(role, index)| of(role, role.node_name(&spec.cluster, index)))
}
