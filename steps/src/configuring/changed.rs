//! What is compared: two sides of a change, and the files that are others by it.

use std::collections::BTreeSet;

use crate::act::ActError;
use crate::cluster::{ClusterSpec, Node, Role};
use crate::templates::DeployVars;
use crate::world::World;

/// No file of the configuration is so long.
const LONGEST: usize = 1 << 20;

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

/// One side of the change.
pub(super) struct Side<'a> {
    pub(super) spec: &'a ClusterSpec,
    pub(super) vars: DeployVars,
}

impl Side<'_> {
    /// The flags of a role's daemon.
    pub(super) fn flags(&self, role: Role) -> &[String] {
        match role {
            Role::Slave => &self.vars.mesos_agent_flags,
            Role::Master | Role::Zookeeper => &self.vars.mesos_master_flags,
        }
    }
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
pub(super) fn add(
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

pub(super) async fn read(world: &World, node: &Node, path: &str) -> Result<Option<String>, ActError> {
    let session = world.session(node);
    if session.file_digest(path).await?.is_none() {
        return Ok(None);
    }
    let bytes = session.download(path, LONGEST).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
