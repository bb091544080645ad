//! What a new configuration would change on the nodes of a cluster that works: which files, which daemons are started anew for them, and whose
//! agents would begin anew.

mod changed;
mod roles;
mod room;

use crate::act::ActError;
use crate::agent_identity::{self, At, moves};
use crate::cluster::{ClusterSpec, Inventory, Node, Role};
use crate::hdfs::{HISTORY, Hdfs};
use crate::mesos::{MASTER, SLAVE};
use crate::on_node::SCRIPTS_FOLDER;
use crate::provider::{Groups, Image};
use crate::provision::{OPTIONS_PATH, SetupOptions};
use crate::service::Service;
use crate::setup::{NFS_SERVER, conf_folders};
use crate::templates::render;
use crate::workflows::vars_of;
use crate::world::{Script, World, on_each};
use crate::zookeeper;

use self::changed::{Side, add, read};
use self::room::refuse_without_room;

pub use self::changed::ChangedFile;
pub(crate) use self::roles::TheirFlag;

/// Prints the files that are not as the manifest has them, which is standard input.
const COMPARE: &str = "cd / && LC_ALL=C sha256sum --check --quiet - 2>/dev/null || true";
/// Daemons that not every cluster has.
const OF_SOME: [&str; 2] = [NFS_SERVER.unit, HISTORY.unit];
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
    /// The flags that somebody else has on a node, and that stay there whatever the configuration says.
    pub theirs: Vec<TheirFlag>,
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
    for (service, role, on) in deployed(&inventory, target.spark.history) {
        let is_meant = !OF_SOME.contains(&service.unit) || service.is_enabled(world, on[0]).await?;
        let is_met = |node: &&Node| {
            let mut of_node = files.iter().filter(|file| file.on.contains(&node.name));
            of_node.any(|file| concerns(&service, &file.path))
        };
        restarts.extend(restarting(&service, role, on.into_iter().filter(is_met)).filter(|_| is_meant));
    }
    files.extend(options(world, sides.1, &inventory).await?);
    let mut theirs = Vec::new();
    for (service, role) in [(MASTER, Role::Master), (SLAVE, Role::Slave)] {
        let of_role = roles::of(world, sides, &inventory, role).await?;
        let on = roles::nodes(&inventory, role);
        // One that was started with others than it would be with now is started anew with what changes.
        let current = on_each(on, |node| service.is_current(world, node)).await?;
        let stale = on.iter().zip(current).filter(|(_, is_current)| !is_current);
        let stale = names(stale.map(|(node, _)| node));
        let on = on.iter();
        let is_met = |node: &&Node| of_role.concerned.contains(&node.name) || stale.contains(&node.name);
        restarts.extend(restarting(&service, role, on.filter(is_met)));
        files.extend(of_role.files);
        theirs.extend(of_role.theirs);
    }
    let moves = moves(&before.mesos.agent_flags, &target.mesos.agent_flags);
    let agents = restarts.iter().find(|restart| restart.unit == SLAVE.unit);
    let is_met = |node: &&Node| agents.is_some_and(|agents| agents.on.contains(&node.name));
    let met: Vec<_> = inventory.slaves.iter().filter(is_met).cloned().collect();
    let anew = begin_anew(world, &met, &moves, &theirs).await?;
    Ok(NewConfiguration {
        files,
        restarts,
        anew,
        theirs,
    })
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
/// What they have of their own stays as it is.
async fn begin_anew(
    world: &World,
    slaves: &[Node],
    moves: &[String],
    theirs: &[TheirFlag],
) -> Result<Vec<String>, ActError> {
    let anew = on_each(slaves, |node| async move {
        let is_its = |line: &&String| {
            let mut of_node = theirs.iter().filter(|their| their.node == node.name);
            !of_node.any(|their| {
                line.strip_prefix(&their.name)
                    .is_some_and(|rest| rest.starts_with(' '))
            })
        };
        let moves: Vec<_> = moves.iter().filter(is_its).cloned().collect();
        Ok::<_, ActError>(
            agent_identity::is_moved(world, node, &moves, At::Start).await?
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
    let of = |role| -> String {
        let lines = all.split_inclusive('\n');
        lines.filter(|line| is_shared(line, role)).collect()
    };
    let nodes: Vec<_> = inventory.all().cloned().collect();
    let found = on_each(&nodes, |node| {
        let manifest = match node.name == hub.name {
            true => all.clone(),
            false => of(node.role),
        };
        let compare = Script::new("compare the deployed tree", COMPARE).stdin(manifest);
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

/// Whether each node of a role has that file of the tree, by its line in the manifest: the deployed folder and what is
/// [distributed](conf_folders) of configuration; the rest is the first master's.
fn is_shared(line: &str, role: Role) -> bool {
    let path = line
        .split_once("  ")
        .map(|(_, path)| format!("/{}", path.trim_end()));
    let mut folders = conf_folders(role).chain([SCRIPTS_FOLDER]);
    path.is_some_and(|path| folders.any(|folder| is_below(&path, folder)))
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The daemons that the deployed tree configures, in the order in which they are started anew.
fn deployed(inventory: &Inventory, has_history: bool) -> Vec<(Service, Role, Vec<&Node>)> {
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
    if has_history {
        all.push((HISTORY, Role::Master, vec![hub]));
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
}
