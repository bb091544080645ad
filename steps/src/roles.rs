//! The roles of the notes' first page, `mesos`, `mesos-master` and `mesos-slave`: their files, which a deploy lays on a node, and the
//! cluster file, by which a node's boot script knows what the node is and where the cluster's ZooKeepers are.
//!
//! The folder `roles/` is the one source of all of them. The boot script is written in parts, which are one file on a node.
//! [`export`] makes Ansible roles of the same files.

mod cluster_file;
pub mod export;
mod variables;

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::templates::RenderedTree;

pub(crate) use cluster_file::ClusterFile;
pub use cluster_file::Dns;
pub(crate) use variables::variables;

/// Where they are on a node.
pub(crate) const FOLDER: &str = "/opt/mesosflow/roles";
/// Where their units are, beside the ones that systemd has.
pub(crate) const UNITS_FOLDER: &str = "/opt/mesosflow/roles/units";
/// Puts the cluster's names into a node's `/etc/hosts`, on nodes of every role.
pub(crate) const NAMES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/roles/mesos/names"));

#[derive(RustEmbed)]
#[folder = "roles"]
struct Embedded;

/// The parts of the boot script, in the order of their names.
const PARTS: &str = "mesos/role/";
const BOOT_SCRIPT: &str = "mesosflow-role";

/// What is only for the Ansible export.
const ANSIBLE: &str = "ansible/";

/// Every file by its path below [`FOLDER`].
pub(crate) fn files() -> BTreeMap<String, String> {
    of_roles().into_values().flatten().collect()
}

/// The same for each role.
fn of_roles() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut roles = BTreeMap::new();
    let mut paths: Vec<_> = Embedded::iter()
        .filter(|path| !path.starts_with(ANSIBLE))
        .collect();
    paths.sort();
    for path in paths {
        let (Some(file), Some((role, _))) = (Embedded::get(&path), path.split_once('/')) else {
            continue;
        };
        let text = String::from_utf8_lossy(&file.data);
        let name = match path.rsplit_once('/') {
            _ if path.starts_with(PARTS) => BOOT_SCRIPT.to_owned(),
            Some((_, name)) if is_unit(name) => format!("units/{name}"),
            Some((_, name)) => name.to_owned(),
            None => continue,
        };
        let files: &mut BTreeMap<String, String> = roles.entry(role.to_owned()).or_default();
        files.entry(name).or_default().push_str(&text);
    }
    roles
}

fn is_unit(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "service" || extension == "timer")
}

/// The files as a tree, whose manifest is for `sha256sum --check` within [`FOLDER`].
pub(crate) fn tree() -> RenderedTree {
    RenderedTree::of(files())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_node::ROLE_UNITS;

    #[test]
    fn the_boot_script_is_one_file_and_every_unit_is_among_the_units() {
        let files = files();
        let script = &files[BOOT_SCRIPT];
        assert!(script.starts_with("#!/bin/sh\n"), "{script}");
        assert_eq!(script.matches("#!/bin/sh").count(), 1);
        assert!(files.keys().all(|path| !path.starts_with("role/")));
        for unit in ROLE_UNITS
            .iter()
            .chain(&["mesos-master.service", "mesos-slave.service"])
        {
            assert!(files.contains_key(&format!("units/{unit}")), "{unit}");
        }
        assert!(files["names"].starts_with("#!"));
        assert_eq!(files["names"], NAMES);
    }
}
