//! What a new configuration would change of what a node's boot script goes by: its cluster file, and the flags of its daemon.

use std::collections::{BTreeMap, BTreeSet};

use mesosflow_workflow::Epoch;

use super::changed::{ChangedFile, Side, add, read};
use crate::act::ActError;
use crate::cluster::{Flag, Inventory, Node, Role, flags};
use crate::on_node::CLUSTER_FILE;
use crate::roles::ClusterFile;
use crate::world::{Script, World, on_each};

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
/// Prints which of the flags on standard input somebody else has on the node.
const THEIRS: &str = shell!("flags-of-others.sh");

/// A flag that somebody else than mesosflow has on a node: it stays, and counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TheirFlag {
    /// The name of the node.
    pub node: String,
    /// The flag, without dashes.
    pub name: String,
    /// Where it is.
    pub path: String,
}

/// What would be another on the nodes of a role.
#[derive(Debug, Default)]
pub(super) struct OfRole {
    pub(super) files: Vec<ChangedFile>,
    /// The names of the nodes whose daemon is started anew for it.
    pub(super) concerned: Vec<String>,
    pub(super) theirs: Vec<TheirFlag>,
}

/// What one node has.
struct Found {
    file: Option<String>,
    /// The flags that change and are mesosflow's, each with its file as it is.
    flags: Vec<(String, Option<String>)>,
    /// Those that are somebody else's.
    theirs: Vec<TheirFlag>,
}

/// The nodes of a role.
pub(super) fn nodes(inventory: &Inventory, role: Role) -> &[Node] {
    match role {
        Role::Slave => &inventory.slaves,
        Role::Master => &inventory.masters,
        Role::Zookeeper => &inventory.zookeepers,
    }
}

/// Compares the cluster files of a role's nodes, and the flags that their boot script makes of them.
pub(super) async fn of(
    world: &World,
    (before, target): (&Side<'_>, &Side<'_>),
    inventory: &Inventory,
    role: Role,
) -> Result<OfRole, ActError> {
    let (folder, kind) = match role {
        Role::Slave => ("/etc/mesos-slave", "agent_flag"),
        Role::Master | Role::Zookeeper => ("/etc/mesos-master", "master_flag"),
    };
    let given = target.flags(role);
    let (was, is) = (by_file(before.flags(role)), by_file(given));
    let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let changed: Vec<_> = names
        .into_iter()
        .filter(|flag| was.get(*flag) != is.get(*flag))
        .collect();
    let (changed, nodes) = (&changed, nodes(inventory, role));
    // What the boot script puts there by itself is its own to find out.
    let is_own = |flag: &str| !is.contains_key(flag) && OWN_FLAGS.contains(&flag);
    let found = on_each(nodes, |node| async move {
        let file = read(world, node, CLUSTER_FILE).await?;
        let theirs = theirs(world, node, folder, changed).await?;
        let mut flags = Vec::new();
        for flag in changed {
            if theirs.iter().any(|their| their.name == **flag) {
                continue;
            }
            let before = read(world, node, &format!("{folder}/{flag}")).await?;
            flags.push(((*flag).clone(), before));
        }
        Ok::<_, ActError>(Found { file, flags, theirs })
    });
    let mut all = OfRole::default();
    for (node, found) in nodes.iter().zip(found.await?) {
        let after = found.file.as_ref().map(|text| match ClusterFile::is_whole(text) {
            true => ClusterFile::with_flags(text, kind, given),
            // A damaged one is laid down anew.
            false => ClusterFile::of(node, target.spec, inventory, &target.vars).text(Epoch(0)),
        });
        let is_another = found.file != after;
        add(
            &mut all.files,
            &node.name,
            CLUSTER_FILE.to_owned(),
            (found.file, after),
        );
        // Where nothing but others' flags would be another, the daemon goes on as it does.
        let mut concerns = is_another && changed.is_empty();
        for (flag, before) in found.flags {
            let path = format!("{folder}/{flag}");
            let after = is.get(&flag).map(|value| format!("{value}\n"));
            if is_own(&flag) {
                concerns |= is_another;
                continue;
            }
            concerns |= before != after;
            add(&mut all.files, &node.name, path, (before, after));
        }
        all.theirs.extend(found.theirs);
        if concerns {
            all.concerned.push(node.name.clone());
        }
    }
    Ok(all)
}

/// Those of the flags that somebody else has on a node, under whichever spelling.
async fn theirs(
    world: &World,
    node: &Node,
    folder: &str,
    changed: &[&String],
) -> Result<Vec<TheirFlag>, ActError> {
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let lines: String = changed.iter().map(|flag| format!("{flag}\n")).collect();
    let look = Script::new("look whose flags there are", THEIRS)
        .var("folder", folder)
        .stdin(lines);
    let said = world.run(node, look).await?.stdout_str();
    let their = |(name, path): (&str, &str)| TheirFlag {
        node: node.name.clone(),
        name: name.to_owned(),
        path: path.to_owned(),
    };
    Ok(said
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(their)
        .collect())
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
