//! The file by which a node's boot script knows its cluster: facts, one a line, of which the script refuses all where one cannot be.

use std::fmt::Write as _;

use mesosflow_workflow::Epoch;
use serde::Serialize;

use crate::cluster::{ClusterSpec, Inventory, MESOS_MASTER_PORT, Node, ProviderKind, Role};
use crate::provider::Facts;
use crate::templates::DeployVars;

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
    pub(crate) name: String,
    /// Its address inside the cluster.
    pub(crate) ip: String,
    /// Its address from outside, where it has another.
    pub(crate) public: String,
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
}

impl ClusterFile {
    /// The file of a master or slave of a cluster.
    pub(crate) fn of(node: &Node, spec: &ClusterSpec, inventory: &Inventory, vars: &DeployVars) -> Self {
        let first = inventory.first_master();
        let is_master = node.role == Role::Master;
        let (role, flags) = match is_master {
            true => ("mesos-master", &vars.mesos_master_flags),
            false => ("mesos-slave", &vars.mesos_agent_flags),
        };
        let lone = inventory.zookeepers.is_empty();
        Self {
            cluster: spec.cluster.clone(),
            provider: spec.provider,
            role,
            name: node.name.clone(),
            ip: node.private_ip.to_string(),
            public: node.public_ip.unwrap_or(node.private_ip).to_string(),
            masters: inventory.masters.len(),
            zookeepers: inventory.zookeeper_connect(),
            master: lone.then(|| format!("{}:{MESOS_MASTER_PORT}", first.private_ip)),
            first_master: first.private_ip.to_string(),
            first_master_name: first.name.clone(),
            java_home: vars.java_home.clone(),
            folders: match is_master {
                true => String::new(),
                false => vars.mapred_local_dirs.clone(),
            },
            flags: flags.clone(),
        }
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
        } = self;
        let mut text = format!(
            "# mesosflow cluster 1\ncluster={cluster}\nepoch={epoch}\nprovider={provider}\nrole={role}\nname={name}\nip={ip}\n\
             public={public}\nmasters={masters}\nzookeepers={zookeepers}\nfirst_master={first_master}\n\
             first_master_name={first_master_name}\njava_home={java_home}\n"
        );
        let kind = if *role == "mesos-master" { "master_flag" } else { "agent_flag" };
        let further = master.iter().map(|master| ("master", master));
        let further = further.chain(Some(folders).filter(|it| !it.is_empty()).map(|it| ("folders", it)));
        for (key, value) in further.chain(flags.iter().map(|flag| (kind, flag))) {
            let _ = writeln!(text, "{key}={value}");
        }
        text.push_str("# end\n");
        text
    }
}
