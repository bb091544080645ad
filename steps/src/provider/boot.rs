//! How a provider's machines come up.

use crate::cluster::{ClusterSpec, ProviderKind};

/// How long a listed host may take to answer and to install what it lacks, seconds.
const HOST_LIMIT_S: u32 = 600;

/// What there is to wait for until a machine is a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boot {
    /// How long it may take, seconds; none for containers, which boot in a moment.
    pub(crate) limit_s: Option<u32>,
    /// Whether the machine may lack packages of its system, which are then installed.
    pub(crate) completes: bool,
    /// Whether a machine without an address from outside is reached through the first master.
    pub(crate) is_reached_through_first: bool,
}

impl Boot {
    /// How the machines of this spec come up.
    pub(crate) const fn of(spec: &ClusterSpec) -> Self {
        match spec.provider {
            ProviderKind::Local => Self {
                limit_s: None,
                completes: false,
                is_reached_through_first: false,
            },
            ProviderKind::Ec2 => Self {
                limit_s: Some(spec.ec2.boot_limit_s),
                completes: true,
                is_reached_through_first: true,
            },
            ProviderKind::Hosts => Self {
                limit_s: Some(HOST_LIMIT_S),
                completes: true,
                is_reached_through_first: false,
            },
        }
    }
}
