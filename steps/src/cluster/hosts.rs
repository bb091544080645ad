//! Machines of one's own: the `[hosts]` table.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Role;
use crate::host_key::HostKey;

/// The `[hosts]` table: what the hosts provider works on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostsSpec {
    /// A private key that may log in to every host. It stays on this machine; the hosts get the cluster's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<PathBuf>,
    /// From where people reach the cluster's ports, beside SSH. Kept also where there is none: it may be given anew.
    pub admin_cidr: Vec<IpNet>,
    /// What keeps everybody else from them; by default nftables where `admin_cidr` is given, and nothing otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallChoice>,
    /// The hosts, as `[[hosts.nodes]]` tables.
    pub nodes: Vec<HostSpec>,
}

/// What keeps strangers from the ports of the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallChoice {
    /// A table of nftables of mesosflow's own, on every host.
    Nftables,
    /// Nothing of mesosflow's.
    None,
}

impl HostsSpec {
    /// Whether the hosts get a firewall.
    pub fn has_firewall(&self) -> bool {
        match self.firewall {
            Some(choice) => choice == FirewallChoice::Nftables,
            None => !self.admin_cidr.is_empty(),
        }
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// Its name; by default `<cluster>-<role>-<number>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    pub role: Role,
    /// Its address, from here and from the other hosts.
    pub address: IpAddr,
    /// Its address from the other hosts, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<IpAddr>,
    /// Who logs in; anyone but root needs `sudo` without a password.
    #[serde(default = "root")]
    pub user: String,
    /// The SSH port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// The host key that it must show: a line of `/etc/ssh/ssh_host_ed25519_key.pub`.
    pub host_key: HostKey,
}

fn root() -> String {
    "root".into()
}

const fn ssh_port() -> u16 {
    22
}
