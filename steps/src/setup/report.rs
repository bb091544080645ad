//! `report` (notes 1.7): addresses, web interfaces, how to log in, what is not as it would be elsewhere.
//!
//! - Changes nothing.
//! - Twice is safe.
//! - Nothing to undo.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::{Frameworks, Health, LostBlocks, MountKind, Mounted, NfsServer, NfsServerKind};
use crate::act::ActError;
use crate::check::{Task, job_text};
use crate::cluster::{HostKeySource, Inventory, input};
use crate::hdfs::Hdfs;
use crate::spark::RUNS_LOCALLY;
use crate::uis::web_interfaces;
use crate::world::World;

/// What the report is made of.
#[derive(Debug, Serialize)]
pub struct ReportStep {
    /// The nodes.
    #[serde(serialize_with = "input::pinned_inventory")]
    pub inventory: Inventory,
    /// What was seen to work.
    pub health: Health,
    /// What serves the shared volume.
    pub shared: NfsServer,
    /// What mounts it, on each slave.
    pub mounted: Vec<Mounted>,
    /// What `mesos-master --version` prints.
    pub mesos_version: String,
    /// The versions of Spark and Hadoop.
    pub frameworks: Frameworks,
    /// Whether there is Spark's history server.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_history: bool,
}

/// What the user wants to know of a cluster that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where frameworks find the leading master.
    pub cluster_url: String,
    /// The master that led when the report was made.
    pub leading_master: String,
    /// The leader of the ZooKeepers; none without them.
    pub zookeeper_leader: Option<String>,
    /// What `mesos-master --version` prints.
    pub mesos_version: String,
    /// Version of Spark, where that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark_version: Option<String>,
    /// Version of Hadoop, where it is asked for or was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hadoop_version: Option<String>,
    /// Addresses of web interfaces.
    pub uis: Vec<Ui>,
    /// Addresses of the file systems.
    pub hdfs: Vec<String>,
    /// A command that logs in to the first master.
    pub login: String,
    /// What stands in for something else, and why.
    pub substitutions: Vec<String>,
    /// What is not as it should be, and does not keep the cluster from its work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A web interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ui {
    /// What it shows.
    pub name: String,
    /// Its address.
    pub url: String,
}

impl ReportStep {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("report");

    fn uis(&self) -> Vec<Ui> {
        let all = web_interfaces(self.inventory.all(), self.has_history).into_iter();
        let shown = all.map(|ui| Ui {
            url: ui.url(ui.node.public_ip.unwrap_or(ui.node.private_ip), ui.port),
            name: ui.name,
        });
        shown.collect()
    }

    fn is_standin(&self) -> bool {
        self.mesos_version.contains("standin")
    }

    fn substitutions(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.shared.kind == NfsServerKind::Ganesha {
            said.push("/mnt/nfs is served by nfs-ganesha instead of the kernel's NFS server".to_owned());
        }
        if self
            .mounted
            .iter()
            .any(|mounted| mounted.kind == MountKind::Sshfs)
        {
            said.push(
                "the slaves mount /mnt/nfs read-only by sshfs, since their kernel has no NFS client; \
                 the NFS export itself was read by nfs-cat"
                    .to_owned(),
            );
        }
        if self
            .inventory
            .all()
            .any(|node| node.host_key_source == Some(HostKeySource::AcceptNew))
        {
            said.push(
                "host keys were taken from the network unseen, as --accept-new-host-keys asked for"
                    .to_owned(),
            );
        }
        if self.is_standin() {
            said.push("Mesos is a stand-in that elects and registers but schedules nothing".to_owned());
        }
        said
    }
}

/// What is not as it should be; that a stand-in runs no task, and no job of Spark, is among what it stands in for.
fn warnings(health: &Health, is_standin: bool) -> Vec<String> {
    let lost = health.lost_blocks.iter().map(LostBlocks::text);
    let no_task = health.task.as_ref().filter(|_| !is_standin);
    let no_task = no_task.filter(|task| matches!(task, Task::NotRun { .. }));
    let local = (health.spark_is_local && !is_standin).then(|| RUNS_LOCALLY.to_owned());
    let no_job = health.spark_job.as_ref();
    let no_job = no_job.filter(|job| matches!(job, Task::NotRun { .. }));
    lost.chain(no_task.map(Task::text))
        .chain(local)
        .chain(no_job.map(job_text))
        .collect()
}

impl Step for ReportStep {
    type World = World;
    type Output = Report;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Report>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Report, ActError> {
        let hub = self.inventory.first_master();
        let folder = cx.world().folder();
        let known_hosts = folder.join("known_hosts");
        let lines: String = self
            .inventory
            .all()
            .map(|node| {
                let host = node.public_ip.unwrap_or(node.private_ip).to_string();
                format!("{}\n", node.host_key.known_hosts_line(&host, node.port))
            })
            .collect();
        write_private(&known_hosts, &lines).map_err(|source| ActError::Local {
            doing: format!("cannot write {}", known_hosts.display()),
            source,
        })?;
        Ok(Report {
            cluster_url: self.inventory.cluster_url(),
            leading_master: self.health.leading_master.clone(),
            zookeeper_leader: self.health.zookeeper_leader.clone(),
            mesos_version: self.mesos_version.clone(),
            spark_version: self.frameworks.spark.clone(),
            hadoop_version: self
                .frameworks
                .chosen_hdfs
                .clone()
                .or_else(|| self.frameworks.hadoop.clone()),
            uis: self.uis(),
            hdfs: [Hdfs::Ephemeral, Hdfs::Persistent]
                .map(|hdfs| format!("hdfs://{}:{}", hub.private_ip, hdfs.port()))
                .to_vec(),
            login: format!(
                "ssh -i {} -o UserKnownHostsFile={} -p {} {}@{}",
                cx.world().key().path().display(),
                known_hosts.display(),
                hub.port,
                hub.user,
                hub.public_ip.unwrap_or(hub.private_ip)
            ),
            substitutions: self.substitutions(),
            warnings: warnings(&self.health, self.is_standin())
                .into_iter()
                .chain(self.frameworks.untested())
                .collect(),
        })
    }

    async fn verify(&self, _cx: &StepCx<World>, _report: &Report) -> Result<(), ActError> {
        Ok(())
    }
}

fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesos_that_spark_cannot_use_is_a_warning_and_a_stand_in_is_none() {
        let mut health = Health {
            leading_master: "demo-master-1".into(),
            zookeeper_leader: None,
            active_slaves: 1,
            hdfs: Vec::new(),
            task: None,
            lost_blocks: Vec::new(),
            spark_is_local: true,
            spark_job: None,
        };
        assert_eq!(warnings(&health, false), [RUNS_LOCALLY]);
        assert_eq!(warnings(&health, true), Vec::<String>::new());
        health.spark_is_local = false;
        health.spark_job = Some(Task::Ran { on: "Mesos".into() });
        assert_eq!(warnings(&health, false), Vec::<String>::new());
    }
}
