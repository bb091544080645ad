//! What a new configuration would change on the nodes of a cluster that works: which files, which daemons are started anew for them, and whose
//! agents would begin anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::act::ActError;
use crate::agent_identity::{self, At, moves};
use crate::cluster::{ClusterSpec, Flag, Inventory, Node, Role, flags};
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
/// Prints a node's memory, and the room on the disk of its swap file, with what that holds already; MiB.
const ROOM: &str = shell!("room.sh");
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

/// Compares what lies on the nodes with what the new configuration would put there, and the flags of both.
///
/// # Errors
/// A node cannot be reached or has no room for what is asked for, or the new tree cannot be rendered.
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
    refuse_without_room(world, (before, target), &inventory).await?;
    let sides = (&side(before), &side(target));
    let mut files = of_tree(world, sides.1, &inventory).await?;
    let mut restarts = Vec::new();
    for (service, role, on) in deployed(&inventory) {
        let is_meant = service.unit != NFS_SERVER.unit || service.is_enabled(world, on[0]).await?;
        let is_met = |node: &&Node| {
            let mut of_node = files.iter().filter(|file| file.on.contains(&node.name));
            of_node.any(|file| concerns(&service, &file.path))
        };
        restarts.extend(restarting(&service, role, on.into_iter().filter(is_met)).filter(|_| is_meant));
    }
    files.extend(options(world, sides.1, &inventory).await?);
    for (service, role, on) in [
        (MASTER, Role::Master, &inventory.masters),
        (SLAVE, Role::Slave, &inventory.slaves),
    ] {
        let of_role = of_role(world, sides, on, role).await?;
        let is_met = |node: &&Node| of_role.iter().any(|file| file.on.contains(&node.name));
        restarts.extend(restarting(&service, role, on.iter().filter(is_met)));
        files.extend(of_role);
    }
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

/// Refuses a heap that is larger than a node's memory, and swap that its disk has no room for.
async fn refuse_without_room(
    world: &World,
    (before, target): (&ClusterSpec, &ClusterSpec),
    inventory: &Inventory,
) -> Result<(), ActError> {
    let of_hdfs = (before.hdfs.heap_mb, target.hdfs.heap_mb);
    let of_zookeeper = (before.zookeeper.heap_mb, target.zookeeper.heap_mb);
    let swap = (before.swap_of_node(), target.swap_of_node());
    let is_larger = |(before, target): (u32, u32)| target > before;
    if ![of_hdfs, of_zookeeper, swap].into_iter().any(is_larger) {
        return Ok(());
    }
    let nodes: Vec<_> = inventory.all().cloned().collect();
    let rooms = on_each(&nodes, |node| async move {
        let said = world
            .run(node, Script::new("ask for room", ROOM))
            .await?
            .stdout_str();
        let mut numbers = said.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(memory)), Some(Ok(disk))) => Ok((memory, disk)),
            _ => Err(ActError::wrong(format!(
                "{}: what room it has is not known: {said}",
                node.name
            ))),
        }
    });
    for (node, (memory, disk)) in nodes.iter().zip(rooms.await?) {
        let (key, heap) = match node.role {
            Role::Zookeeper => ("zookeeper.heap_mb", of_zookeeper),
            Role::Master | Role::Slave => ("hdfs.heap_mb", of_hdfs),
        };
        if is_larger(heap) && u64::from(heap.1) >= memory {
            let what = format!(
                "`{key}` is {} MiB, and {} has {memory} MiB of memory",
                heap.1, node.name
            );
            return Err(ActError::wrong(what).hinted(format!("use less than {memory}")));
        }
        if is_larger(swap) && u64::from(swap.1) >= disk {
            let what = format!(
                "`swap_mb` is {}, and {} has room for {disk} MiB on the disk of /mnt",
                swap.1, node.name
            );
            return Err(ActError::wrong(what).hinted(format!("use less than {disk}, or make room")));
        }
    }
    Ok(())
}

/// A daemon that is started anew on these nodes; none where there are none.
fn restarting<'n>(service: &Service, role: Role, on: impl Iterator<Item = &'n Node>) -> Option<Restarting> {
    let on = names(on);
    (!on.is_empty()).then_some(Restarting {
        unit: service.unit,
        role,
        on,
    })
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

/// The files of the deployed tree that are not on a node as they are to be.
async fn of_tree(
    world: &World,
    target: &Side<'_>,
    inventory: &Inventory,
) -> Result<Vec<ChangedFile>, ActError> {
    let tree = render(&target.vars, target.spec.deploy_dir.as_deref())?;
    let (all, hub) = (tree.manifest(), inventory.first_master());
    let shared: String = all.split_inclusive('\n').filter(|line| is_shared(line)).collect();
    let nodes: Vec<_> = inventory.all().cloned().collect();
    let found = on_each(&nodes, |node| {
        let manifest = if node.name == hub.name { &all } else { &shared };
        let compare = Script::new("compare the deployed tree", COMPARE).stdin(manifest.clone());
        async move {
            let said = world.run(node, compare).await?.stdout_str();
            let mut found = Vec::new();
            for line in said.lines() {
                if let Some((name, _)) = line.split_once(": FAILED") {
                    let before = read(world, node, &format!("/{name}")).await?;
                    found.push((name.to_owned(), before));
                }
            }
            Ok::<_, ActError>(found)
        }
    });
    let mut files = Vec::new();
    for (node, found) in nodes.iter().zip(found.await?) {
        for (name, before) in found {
            let after = tree.files().get(&name).map(|file| file.text.clone());
            add(&mut files, &node.name, format!("/{name}"), (before, after));
        }
    }
    Ok(files)
}

/// The lines that only one of these texts has, in order; which text they are of, and whether there is one.
fn changed_lines<'t>(before: Option<&'t str>, after: Option<&'t str>) -> (bool, bool, Vec<(bool, &'t str)>) {
    let (was, is) = (before.unwrap_or_default(), after.unwrap_or_default());
    let differ = |of: &'t str, other: &'t str, is_new: bool| {
        let kept: BTreeSet<_> = other.lines().collect();
        let lines = of.lines().filter(move |line| !kept.contains(line));
        lines.map(move |line| (is_new, line))
    };
    let lines = differ(was, is, false).chain(differ(is, was, true));
    (before.is_some(), after.is_some(), lines.collect())
}

/// A file of a node, with those of other nodes in which the same is to be another: the rest of it may be each node's own.
fn add(
    files: &mut Vec<ChangedFile>,
    node: &str,
    path: String,
    (before, after): (Option<String>, Option<String>),
) {
    // What a node has already, since a run has ended on the way.
    if before == after {
        return;
    }
    let change = changed_lines(before.as_deref(), after.as_deref());
    let same = |file: &&mut ChangedFile| {
        file.path == path && changed_lines(file.before.as_deref(), file.after.as_deref()) == change
    };
    match files.iter_mut().find(same) {
        Some(file) => file.on.push(node.to_owned()),
        None => files.push(ChangedFile {
            on: vec![node.to_owned()],
            path,
            before,
            after,
        }),
    }
}

async fn read(world: &World, node: &Node, path: &str) -> Result<Option<String>, ActError> {
    let session = world.session(node);
    if session.file_digest(path).await?.is_none() {
        return Ok(None);
    }
    let bytes = session.download(path, LONGEST).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether each node has that file of the tree, by its line in the manifest: the deployed folder and the configuration of both HDFS are
/// everybody's, the rest is the first master's.
fn is_shared(line: &str) -> bool {
    let path = line
        .split_once("  ")
        .map(|(_, path)| format!("/{}", path.trim_end()));
    let folders = [SCRIPTS_FOLDER, HDFS_CONF[0], HDFS_CONF[1]];
    path.is_some_and(|path| folders.iter().any(|folder| is_below(&path, folder)))
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
async fn options(
    world: &World,
    target: &Side<'_>,
    inventory: &Inventory,
) -> Result<Vec<ChangedFile>, ActError> {
    let hub = inventory.first_master();
    let before = read(world, hub, OPTIONS_PATH).await?;
    let after = SetupOptions::of(hub, &target.vars).text()?;
    let mut files = Vec::new();
    add(
        &mut files,
        &hub.name,
        OPTIONS_PATH.to_owned(),
        (before, Some(after)),
    );
    Ok(files)
}

/// The cluster file of a role's nodes, and the flags that their boot script makes of it.
async fn of_role(
    world: &World,
    (before, target): (&Side<'_>, &Side<'_>),
    nodes: &[Node],
    role: Role,
) -> Result<Vec<ChangedFile>, ActError> {
    let (folder, kind) = match role {
        Role::Slave => ("/etc/mesos-slave", "agent_flag"),
        Role::Master | Role::Zookeeper => ("/etc/mesos-master", "master_flag"),
    };
    let flags = target.flags(role);
    let (was, is) = (by_file(before.flags(role)), by_file(flags));
    let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    // What the boot script puts there by itself is its own to find out.
    let is_own = |flag: &str| !is.contains_key(flag) && OWN_FLAGS.contains(&flag);
    let changed = names.into_iter().filter(|flag| was.get(*flag) != is.get(*flag));
    let changed: Vec<_> = changed.filter(|flag| !is_own(flag)).collect();
    let changed = &changed;
    let found = on_each(nodes, |node| async move {
        let file = read(world, node, CLUSTER_FILE).await?;
        let mut of_flags = Vec::new();
        for flag in changed {
            let path = format!("{folder}/{flag}");
            let before = read(world, node, &path).await?;
            of_flags.push((path, before));
        }
        Ok::<_, ActError>((file, of_flags))
    });
    let mut files = Vec::new();
    for (node, (file, of_flags)) in nodes.iter().zip(found.await?) {
        // Where there is none, it is not flags that a node lacks.
        let after = file
            .as_ref()
            .map(|text| ClusterFile::with_flags(text, kind, flags));
        add(&mut files, &node.name, CLUSTER_FILE.to_owned(), (file, after));
        for (flag, (path, before)) in changed.iter().zip(of_flags) {
            let after = is.get(*flag).map(|value| format!("{value}\n"));
            add(&mut files, &node.name, path, (before, after));
        }
    }
    Ok(files)
}

/// Flags as the boot script lays them down, a file each; the last one of a name counts.
fn by_file(given: &[String]) -> BTreeMap<String, String> {
    let file = |flag: Flag<'_>| match flag.value {
        Some(value) => (flag.name.to_owned(), value.to_owned()),
        None => (format!("?{}", flag.name), String::new()),
    };
    flags(given).map(file).collect()
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
    fn nodes_in_which_the_same_is_to_be_another_are_told_at_once() {
        let mut files = Vec::new();
        for (name, before, after) in [
            ("a", Some("name=a\nx=1\n"), Some("name=a\nx=2\n")),
            ("b", Some("name=b\nx=1\n"), Some("name=b\nx=2\n")),
            ("c", Some("name=c\nx=0\n"), Some("name=c\nx=2\n")),
            ("d", Some("name=d\nx=2\n"), Some("name=d\nx=2\n")),
            ("e", None, Some("x=2\n")),
        ] {
            let texts = (before.map(str::to_owned), after.map(str::to_owned));
            add(&mut files, name, "/etc/x".to_owned(), texts);
        }
        let on: Vec<_> = files.iter().map(|file| file.on.join(" ")).collect();
        assert_eq!(on, ["a b", "c", "e"]);
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
