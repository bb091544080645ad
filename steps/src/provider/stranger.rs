//! Machines in a cluster's place that mesosflow has not launched for it.

use std::fmt;
use std::net::IpAddr;

/// A machine in a cluster's place (its groups, its name, its list) that is not the cluster's.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stranger {
    /// Its name, or its id.
    pub name: String,
    /// The provider's id.
    pub id: String,
    /// Its address inside the cluster, where it has one.
    pub private_ip: Option<IpAddr>,
    /// Its address from outside, if it has one.
    pub public_ip: Option<IpAddr>,
    /// Its name in the provider's DNS.
    pub private_name: Option<String>,
    /// Whose it is, where that is known.
    pub owner: Option<String>,
    /// Whether it runs, where it belongs to slaves.
    pub may_join: bool,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.name != self.id {
            write!(f, " ({})", self.id)?;
        }
        match &self.owner {
            Some(owner) => write!(f, " belongs to {owner}"),
            None => Ok(()),
        }
    }
}
