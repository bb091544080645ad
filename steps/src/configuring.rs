//! What a new configuration would change on the nodes of a cluster that works: which files, which daemons are started anew for them, and whose
//! agents would begin anew.

use std::collections::BTreeMap;

use crate::act::ActError;
use crate::agent_identity::{self, At, moves};
use crate::cluster::{ClusterSpec, Inventory, Node, Role};
use crate::hdfs::Hdfs;
use crate::mesos::{MASTER, SLAVE};
use crate::on_node::{CLUSTER_FILE, HDFS_CONF, SCRIPTS_FOLDER};
use crate::provider::{Groups, Image};
use crate::provision::{OPTIONS_PATH, SetupOptions};
use crate::roles::ClusterFile;
use crate::service::Service;
use crate::setup::NFS_SERVER;
use crate::templates::{DeployVars, render};
use crate::workflows::vars_of;
use crate::world::{Script, World, on_each};
use crate::zookeeper;

/// No file of the configuration is so long.
const LONGEST: usize = 1 << 20;
/// Prints the files that are not as the manifest has them, which is standard input.
const COMPARE: &str = "cd / && LC_ALL=C sha256sum --check --quiet - 2>/dev/null || true";
/// What the boot script writes of its own where no flag says otherwise.
const OWN_FLAGS: [&str; 11] = [
    "ip",
    "port",
    "hostname",
    "cluster",
    "quorum",
    "work_dir",
    "log_dir",
    "runtime_dir",
    "resources",
    "attributes",
    "executor_environment_variables",
];

/// A file that is to be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Where it is.
    pub path: String,
    /// The names of the nodes that have it.
    pub on: Vec<String>,
    /// As it is; none where there is none.
    pub before: Option<String>,
    /// As it is to be; none where there is to be none.
    pub after: Option<String>,
}

/// A daemon that is started anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarting {
    /// Its unit.
    pub unit: &'static str,
    /// The role of its nodes.
    pub role: Role,
    /// Their names.
    pub on: Vec<String>,
}

/// What a new configuration would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewConfiguration {
    /// The files.
    pub files: Vec<ChangedFile>,
    /// The daemons, in the order in which they are started anew.
    pub restarts: Vec<Restarting>,
    /// The names of the slaves whose agents would begin anew.
    pub anew: Vec<String>,
}

/// One side of the change.
struct Side<'a> {
    spec: &'a ClusterSpec,
    vars: DeployVars,
}

impl Side<'_> {
    fn flags(&self, role: Role) -> &[String] {
        match role {
            Role::Slave => &self.vars.mesos_agent_flags,
            Role::Master | Role::Zookeeper => &self.vars.mesos_master_flags,
        }
    }
}

/// Compares what lies on the first master with what the new configuration would put there, and the flags of both.
///
/// # Errors
/// A node cannot be reached, or the new tree cannot be rendered.
pub async fn new_configuration(
    world: &World,
    (before, target): (&ClusterSpec, &ClusterSpec),
    nodes: &[Node],
    (image, groups): (Option<&Image>, Option<&Groups>),
) -> Result<NewConfiguration, ActError> {
    let inventory = Inventory::new(nodes.iter().cloned());
    let inventory = inventory.ok_or_else(|| ActError::wrong("none of the nodes is a master"))?;
    let range = groups.and_then(|groups| groups.range);
    let side = |spec| Side {
        spec,
        vars: vars_of(spec, &inventory, image, range),
    };
    let sides = (&side(before), &side(target));
    let mut files = of_tree(world, sides.1, &inventory).await?;
    let mut restarts = Vec::new();
    for (service, role, on) in deployed(&inventory) {
        let is_meant = service.unit != NFS_SERVER.unit || service.is_enabled(world, on[0]).await?;
        if is_meant && files.iter().any(|file| concerns(&service, &file.path)) {
            restarts.push(restarting(&service, role, on));
        }
    }
    files.extend(options(sides, &inventory)?);
    for (service, role, on) in [
        (MASTER, Role::Master, &inventory.masters),
        (SLAVE, Role::Slave, &inventory.slaves),
    ] {
        if sides.0.flags(role) != sides.1.flags(role) && !on.is_empty() {
            files.extend(of_role(world, sides, &inventory, role).await?);
            restarts.push(restarting(&service, role, on.iter().collect()));
        }
    }
    // What a node has already, since a run has ended on the way.
    files.retain(|file| file.before != file.after);
    let moves = moves(&before.mesos.agent_flags, &target.mesos.agent_flags);
    let agents_restart = restarts.iter().any(|restart| restart.unit == SLAVE.unit);
    let anew = match agents_restart {
        true => begin_anew(world, &inventory.slaves, &moves).await?,
        false => Vec::new(),
    };
    Ok(NewConfiguration {
        files,
        restarts,
        anew,
    })
}

fn restarting(service: &Service, role: Role, on: Vec<&Node>) -> Restarting {
    Restarting {
        unit: service.unit,
        role,
        on: names(on),
    }
}

fn names<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> Vec<String> {
    nodes.into_iter().map(|node| node.name.clone()).collect()
}

/// Those of these slaves whose agents begin anew by these flags, or by those that lie on their nodes since they were started.
async fn begin_anew(world: &World, slaves: &[Node], moves: &[String]) -> Result<Vec<String>, ActError> {
    let anew = on_each(slaves, |node| async move {
        Ok::<_, ActError>(
            agent_identity::is_moved(world, node, moves, At::Start).await?
                || agent_identity::begins_anew(world, node).await?,
        )
    });
    let anew = anew.await?;
    let of_those = slaves.iter().zip(anew).filter(|(_, anew)| *anew);
    Ok(of_those.map(|(node, _)| node.name.clone()).collect())
}

/// The files of the deployed tree that are not on the first master as they are to be.
async fn of_tree(
    world: &World,
    target: &Side<'_>,
    inventory: &Inventory,
) -> Result<Vec<ChangedFile>, ActError> {
    let hub = inventory.first_master();
    let tree = render(&target.vars, target.spec.deploy_dir.as_deref())?;
    let compare = Script::new("compare the deployed tree", COMPARE).stdin(tree.manifest());
    let said = world.run(hub, compare).await?.stdout_str();
    let mut files = Vec::new();
    for name in said
        .lines()
        .filter_map(|line| Some(line.split_once(": FAILED")?.0))
    {
        let path = format!("/{name}");
        files.push(ChangedFile {
            on: nodes_with(&path, inventory),
            before: read(world, hub, &path).await?,
            after: tree.files().get(name).map(|file| file.text.clone()),
            path,
        });
    }
    Ok(files)
}

async fn read(world: &World, node: &Node, path: &str) -> Result<Option<String>, ActError> {
    let session = world.session(node);
    if session.file_digest(path).await?.is_none() {
        return Ok(None);
    }
    let bytes = session.download(path, LONGEST).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Who has a file of the tree: the deployed folder and the configuration of both HDFS are everybody's, the rest is the first master's.
fn nodes_with(path: &str, inventory: &Inventory) -> Vec<String> {
    let is_shared = [SCRIPTS_FOLDER, HDFS_CONF[0], HDFS_CONF[1]]
        .iter()
        .any(|folder| is_below(path, folder));
    match is_shared {
        true => names(inventory.all()),
        false => names([inventory.first_master()]),
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The daemons that the deployed tree configures, in the order in which they are started anew.
fn deployed(inventory: &Inventory) -> Vec<(Service, Role, Vec<&Node>)> {
    let hub = inventory.first_master();
    let slaves: Vec<_> = inventory.slaves.iter().collect();
    let mut all = Vec::new();
    if !inventory.zookeepers.is_empty() {
        let servers = inventory.zookeepers.iter().collect();
        all.push((zookeeper::SERVER, Role::Zookeeper, servers));
    }
    for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
        all.push((hdfs.namenode(), Role::Master, vec![hub]));
        all.push((hdfs.datanode(), Role::Slave, slaves.clone()));
    }
    all.push((NFS_SERVER, Role::Master, vec![hub]));
    all.retain(|(_, _, on)| !on.is_empty());
    all
}

/// Whether a daemon is started anew where a file is another. The list of slaves is for clients.
fn concerns(service: &Service, path: &str) -> bool {
    if path.ends_with("/slaves") {
        return false;
    }
    let is_unit = path == format!("{}/{}", service.units, service.unit);
    is_unit || service.config.split(' ').any(|folder| is_below(path, folder))
}

/// The options that are handed over to the deployed scripts.
fn options(
    (before, target): (&Side<'_>, &Side<'_>),
    inventory: &Inventory,
) -> Result<Option<ChangedFile>, ActError> {
    let text = |side: &Side<'_>| SetupOptions::of(inventory.first_master(), &side.vars).text();
    let (before, after) = (text(before)?, text(target)?);
    let changed = before != after;
    Ok(changed.then(|| ChangedFile {
        path: OPTIONS_PATH.to_owned(),
        on: names([inventory.first_master()]),
        before: Some(before),
        after: Some(after),
    }))
}

/// The cluster file of a role, and the flags that its boot script makes of it.
async fn of_role(
    world: &World,
    (before, target): (&Side<'_>, &Side<'_>),
    inventory: &Inventory,
    role: Role,
) -> Result<Vec<ChangedFile>, ActError> {
    let (nodes, folder, kind) = match role {
        Role::Slave => (&inventory.slaves, "/etc/mesos-slave", "agent_flag"),
        Role::Master | Role::Zookeeper => (&inventory.masters, "/etc/mesos-master", "master_flag"),
    };
    let first = &nodes[0];
    let file = read(world, first, CLUSTER_FILE).await?.unwrap_or_default();
    let mut files = vec![ChangedFile {
        path: CLUSTER_FILE.to_owned(),
        on: names(nodes),
        after: Some(ClusterFile::with_flags(&file, kind, target.flags(role))),
        before: Some(file),
    }];
    let (was, is) = (by_file(before.flags(role)), by_file(target.flags(role)));
    let mut changed: Vec<_> = was.keys().chain(is.keys()).collect();
    changed.sort_unstable();
    changed.dedup();
    for flag in changed.into_iter().filter(|flag| was.get(*flag) != is.get(*flag)) {
        // What the boot script puts there by itself is its own to find out.
        if !is.contains_key(flag) && OWN_FLAGS.contains(&flag.as_str()) {
            continue;
        }
        let path = format!("{folder}/{flag}");
        files.push(ChangedFile {
            on: names(nodes),
            before: read(world, first, &path).await?,
            after: is.get(flag).map(|value| format!("{value}\n")),
            path,
        });
    }
    Ok(files)
}

/// Flags as the boot script lays them down, a file each; the last one of a name counts.
fn by_file(flags: &[String]) -> BTreeMap<String, String> {
    let file = |flag: &String| {
        let flag = flag.trim_start_matches("--");
        match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (format!("?{flag}"), String::new()),
        }
    };
    flags.iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_concerned_by_its_unit_and_its_configuration_and_by_nothing_else() {
        let datanode = Hdfs::Persistent.datanode();
        for (path, concerned) in [
            ("/root/persistent-hdfs/conf/hadoop-env.sh", true),
            ("/root/mesos-ec2/units/persistent-hdfs-datanode.service", true),
            ("/root/mesos-ec2/units/persistent-hdfs-namenode.service", false),
            ("/root/persistent-hdfs/conf/slaves", false),
            ("/root/persistent-hdfs/configuration", false),
            ("/root/ephemeral-hdfs/conf/hadoop-env.sh", false),
        ] {
            assert_eq!(concerns(&datanode, path), concerned, "{path}");
        }
        assert!(concerns(&zookeeper::SERVER, "/root/mesos-ec2/zookeeper/zoo.cfg"));
    }

    #[test]
    fn a_flag_is_a_file_and_the_last_one_of_a_name_counts() {
        let flags = [
            "--attributes=a",
            "--attributes=rack:b",
            "--quiet",
            "--no-hostname_lookup",
        ];
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let files = by_file(&flags);
        assert_eq!(files["attributes"], "rack:b");
        assert_eq!(files["?quiet"], "");
        assert!(files.contains_key("?no-hostname_lookup"));
    }
}
