//! Where the nodes of a cluster come from, and what follows from that whoever asks: what one of them alone knows, its own folder
//! under `provider/` says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where nodes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Containers of this machine's engine.
    Local,
    /// Instances of Amazon EC2.
    Ec2,
    /// Machines of one's own, listed in the configuration.
    Hosts,
}

impl ProviderKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Ec2, Self::Hosts];

    /// The word for it on the command line, in the config and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Ec2 => "ec2",
            Self::Hosts => "hosts",
        }
    }

    /// The one that the journal calls so; none where this version has none of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether its machines are made for a cluster, and end with it; otherwise they are there already, and the user's own.
    pub const fn makes_machines(self) -> bool {
        match self {
            Self::Local | Self::Ec2 => true,
            Self::Hosts => false,
        }
    }

    /// Whether the machines of what the journal calls so are the user's own: given back in the end, and not deleted.
    pub fn has_lent(word: &str) -> bool {
        Self::named(word).is_some_and(|kind| !kind.makes_machines())
    }

    /// Whether it stops and starts machines; the power of others is their owner's affair.
    pub const fn has_power(self) -> bool {
        self.makes_machines()
    }

    /// Whether its nodes are containers of this machine: they share its kernel, and no network lies between.
    pub const fn is_here(self) -> bool {
        matches!(self, Self::Local)
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterSpec;

    #[test]
    fn a_provider_is_found_by_the_word_that_journals_have_for_it() {
        for kind in ProviderKind::ALL {
            assert_eq!(ProviderKind::named(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(ProviderKind::has_lent(kind.as_str()), kind == ProviderKind::Hosts);
        }
        assert!(!ProviderKind::has_lent("gce"));
        assert_eq!(ProviderKind::named("gce"), None);
    }

    #[test]
    fn a_table_counts_only_where_its_provider_was_chosen() {
        for provider in ProviderKind::ALL {
            let spec = ClusterSpec {
                provider,
                ..ClusterSpec::default()
            };
            let counts = [spec.of_ec2().is_some(), spec.of_hosts().is_some()];
            let wanted = match provider {
                ProviderKind::Local => [false, false],
                ProviderKind::Ec2 => [true, false],
                ProviderKind::Hosts => [false, true],
            };
            assert_eq!(counts, wanted, "{provider}");
        }
    }
}
