//! The file by which a node's boot script knows its cluster: facts, one a line, of which the script refuses all where one cannot be.

use std::fmt::Write as _;

use mesosflow_workflow::Epoch;
use serde::Serialize;

use crate::cluster::{ClusterSpec, Inventory, MESOS_MASTER_PORT, Node, ProviderKind, Role};
use crate::provider::Facts;
use crate::templates::DeployVars;

/// The first line of a file of this format.
const HEAD: &str = "# mesosflow cluster 1\n";
/// The last line of a file that is whole.
const END: &str = "# end";

/// Where a machine asks for its cluster beside the file that comes with it: names in DNS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Dns {
    /// The domain with the records `_mesos-zk._tcp`.
    #[serde(rename = "dns_domain", skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// A name whose addresses are the ZooKeepers'.
    #[serde(rename = "dns_name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What the file of one node says, but for the epoch, which is that of whoever writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClusterFile {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Where its machines come from: the metadata service is asked on EC2 alone.
    pub(crate) provider: ProviderKind,
    /// `mesos-master` or `mesos-slave`.
    pub(crate) role: &'static str,
    /// The node's private name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Its address inside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<String>,
    /// Its address from outside, where it has another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<String>,
    /// How many masters there are.
    pub(crate) masters: usize,
    /// `ip:2181,…`; empty where there is none.
    pub(crate) zookeepers: String,
    /// The only master's `ip:5050`, where there is no ZooKeeper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) master: Option<String>,
    /// Address of the first master, as the deployed configuration has it.
    pub(crate) first_master: String,
    /// Its name.
    pub(crate) first_master_name: String,
    /// Home of the Java runtime.
    pub(crate) java_home: String,
    /// What an agent's tasks write to, beside the agent's own folders.
    pub(crate) folders: String,
    /// Further flags of this role's daemon.
    pub(crate) flags: Vec<String>,
    /// Where else to ask, in DNS.
    #[serde(flatten)]
    pub(crate) dns: Dns,
}

impl ClusterFile {
    /// The file of a master or slave of a cluster. One that joined by itself keeps the name that its machine has, under which its agent is
    /// registered.
    pub(crate) fn of(node: &Node, spec: &ClusterSpec, inventory: &Inventory, vars: &DeployVars) -> Self {
        if spec.is_adopted(&node.id) {
            return Self::of_joining(spec, inventory, vars, &Dns::default());
        }
        Self {
            name: Some(node.name.clone()),
            ip: Some(node.private_ip.to_string()),
            public: Some(node.public_ip.unwrap_or(node.private_ip).to_string()),
            ..Self::of_role(node.role, spec, inventory, vars)
        }
    }

    /// The file of a slave that joins the cluster by itself: its name and addresses are for its boot script to find.
    pub(crate) fn of_joining(
        spec: &ClusterSpec,
        inventory: &Inventory,
        vars: &DeployVars,
        dns: &Dns,
    ) -> Self {
        Self {
            dns: dns.clone(),
            ..Self::of_role(Role::Slave, spec, inventory, vars)
        }
    }

    fn of_role(role: Role, spec: &ClusterSpec, inventory: &Inventory, vars: &DeployVars) -> Self {
        let first = inventory.first_master();
        let (word, flags, folders) = match role {
            Role::Master => ("mesos-master", &vars.mesos_master_flags, String::new()),
            Role::Slave | Role::Zookeeper => (
                "mesos-slave",
                &vars.mesos_agent_flags,
                vars.mapred_local_dirs.clone(),
            ),
        };
        let is_lone = inventory.zookeepers.is_empty();
        Self {
            cluster: spec.cluster.clone(),
            provider: spec.provider,
            role: word,
            name: None,
            ip: None,
            public: None,
            masters: inventory.masters.len(),
            zookeepers: inventory.zookeeper_connect(),
            master: is_lone.then(|| format!("{}:{MESOS_MASTER_PORT}", first.private_ip)),
            first_master: first.private_ip.to_string(),
            first_master_name: first.name.clone(),
            java_home: vars.java_home.clone(),
            folders,
            flags: flags.clone(),
            dns: Dns::default(),
        }
    }

    /// Whether a text is such a file from its first line to its last: what is not, the boot script refuses.
    pub(crate) fn is_whole(text: &str) -> bool {
        text.starts_with(HEAD) && text.lines().next_back() == Some(END)
    }

    /// The text of such a file with other flags of that kind.
    pub(crate) fn with_flags(text: &str, kind: &str, flags: &[String]) -> String {
        let is_flag = |line: &&str| line.strip_prefix(kind).is_some_and(|rest| rest.starts_with('='));
        let others = text.lines().filter(|line| !is_flag(line));
        let (facts, end): (Vec<_>, Vec<_>) = others.partition(|line| *line != END);
        let flags = flags.iter().map(|flag| format!("{kind}={flag}"));
        let lines = facts.into_iter().map(str::to_owned).chain(flags);
        lines
            .chain(end.into_iter().map(str::to_owned))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Where the daemons find the cluster, and the file that says so: `/etc/mesos/zk` or `/etc/mesos/master`.
    pub(crate) fn location(&self) -> (&'static str, String) {
        match &self.master {
            Some(master) => ("/etc/mesos/master", master.clone()),
            None => (
                "/etc/mesos/zk",
                format!("zk://{}{}", self.zookeepers, crate::cluster::MEETING_PLACE),
            ),
        }
    }

    /// What a machine's tags say of it, as the driver of that epoch writes them.
    pub(crate) fn facts(&self, epoch: Epoch) -> Facts {
        let mut facts = Facts::from([
            ("epoch", epoch.to_string()),
            ("masters", self.masters.to_string()),
            ("zookeepers", self.zookeepers.clone()),
        ]);
        facts.extend(self.master.clone().map(|master| ("master", master)));
        facts
    }

    /// Its text, as the driver of that epoch writes it.
    pub(crate) fn text(&self, epoch: Epoch) -> String {
        let Self {
            cluster,
            provider,
            role,
            name,
            ip,
            public,
            masters,
            zookeepers,
            master,
            first_master,
            first_master_name,
            java_home,
            folders,
            flags,
            dns,
        } = self;
        let numbers = (epoch.to_string(), masters.to_string());
        let facts = [
            ("cluster", Some(cluster.as_str())),
            ("epoch", Some(&*numbers.0)),
            ("provider", Some(provider.as_str())),
            ("role", Some(*role)),
            ("name", name.as_deref()),
            ("ip", ip.as_deref()),
            ("public", public.as_deref()),
            ("masters", Some(&*numbers.1)),
            ("zookeepers", Some(zookeepers)),
            ("first_master", Some(first_master)),
            ("first_master_name", Some(first_master_name)),
            ("java_home", Some(java_home)),
            ("dns_domain", dns.domain.as_deref()),
            ("dns_name", dns.name.as_deref()),
            ("master", master.as_deref()),
            ("folders", Some(&**folders).filter(|folders| !folders.is_empty())),
        ];
        let mut text = HEAD.to_owned();
        for (key, value) in facts {
            if let Some(value) = value {
                let _ = writeln!(text, "{key}={value}");
            }
        }
        let kind = if *role == "mesos-master" {
            "master_flag"
        } else {
            "agent_flag"
        };
        for flag in flags {
            let _ = writeln!(text, "{kind}={flag}");
        }
        text.push_str(END);
        text.push('\n');
        text
    }
}
