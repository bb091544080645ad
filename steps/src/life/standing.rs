//! How datanodes stand that are to leave a file system, in the eyes of its namenode.

use mesosflow_workflow::ErrorClass;

use super::patience::Blocks;
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Enough, Hdfs, InService, View, shown};
use crate::world::World;

/// How they stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All have left.
    Left(Left),
    /// All have given what they had, and files that somebody is writing end on none but them.
    Written(Vec<String>),
    /// Some have not.
    Waits(Waits),
}

/// That all have left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Those that were dead.
    pub silent: Vec<String>,
    /// Blocks of which no copy is left, where there were such.
    pub missing: u64,
}

/// What is waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waits {
    /// In words.
    pub what: String,
    /// The blocks of each that has not left.
    pub blocks: Blocks,
}

impl Waits {
    fn for_all(nodes: &[Node], what: String) -> Standing {
        Standing::Waits(Self {
            what,
            blocks: nodes.iter().map(|node| (node.name.clone(), 0)).collect(),
        })
    }
}

/// Asks the namenode. One that it does not know, and whose datanode does not answer either, is dead: that is no obstacle where it is on the
/// list of those that leave, so that it does not come back, and no block went with it.
///
/// # Errors
/// The first master cannot be reached, its namenode does not answer, or the persistent file system has lost blocks with one that is dead.
pub(super) async fn standing(
    world: &World,
    hdfs: Hdfs,
    namenode: &Node,
    leaving: &[Node],
    enough: Enough,
) -> Result<Standing, ActError> {
    let view = hdfs.view(world, namenode).await?;
    // It says nothing of what is missing before it has heard of nearly all.
    if !view.safe_mode.is_empty() {
        let what = format!("it takes no writes: {}", view.safe_mode);
        return Ok(Waits::for_all(leaving, what));
    }
    let unknown: Vec<_> = leaving
        .iter()
        .filter(|node| view.service_of(node).is_none())
        .collect();
    let mut silent = Vec::new();
    let mut about = Vec::new();
    if !unknown.is_empty() {
        let answering = hdfs.answering(world, namenode, &unknown).await?;
        about = answering.iter().map(|node| node.name.clone()).collect();
        silent = unknown;
        silent.retain(|node| !answering.contains(node));
    }
    if let Some(waits) = waits(&view, leaving, &about, enough) {
        return Ok(Standing::Waits(waits));
    }
    if !silent.is_empty() {
        let list = hdfs.excluded(world, namenode).await?;
        if let Some(node) = silent.iter().find(|node| !list.lists(node)) {
            let what = format!("{} is dead, and not kept from coming back", node.name);
            return Ok(Waits::for_all(leaving, what));
        }
        if let Some(node) = uncounted(world, hdfs, namenode, &view, &silent).await? {
            let what = format!("what {node} had that others have not is being counted");
            return Ok(Waits::for_all(leaving, what));
        }
    }
    let names: Vec<_> = silent.iter().map(|node| node.name.clone()).collect();
    let missing = if names.is_empty() { 0 } else { view.blocks.missing };
    if missing > 0 && hdfs == Hdfs::Persistent {
        return Err(lost(&view, namenode, &names));
    }
    let open = written(world, hdfs, namenode, leaving, &view).await?;
    if !open.is_empty() {
        return Ok(Standing::Written(open));
    }
    Ok(Standing::Left(Left {
        silent: names,
        missing,
    }))
}

/// One that has been given up just now: the namenode still counts its blocks as there.
async fn uncounted(
    world: &World,
    hdfs: Hdfs,
    namenode: &Node,
    view: &View,
    silent: &[&Node],
) -> Result<Option<String>, ActError> {
    let given_up = |node: &&&Node| view.dead.contains_key(&node.private_ip);
    if !silent.iter().any(|node| given_up(&node)) {
        return Ok(None);
    }
    let after = hdfs.counted_after(world, namenode).await?;
    let found = silent.iter().find(|node| {
        let since = view.dead.get(&node.private_ip);
        since.is_some_and(|since| u64::try_from(*since).is_ok_and(|since| since < after))
    });
    Ok(found.map(|node| node.name.clone()))
}

/// The first few files that somebody is writing and that end on none but these nodes, as far as the namenode hears of them: with a dead
/// one no writer goes on.
///
/// # Errors
/// The first master cannot be reached, or its namenode does not answer.
pub(super) async fn written(
    world: &World,
    hdfs: Hdfs,
    namenode: &Node,
    leaving: &[Node],
    view: &View,
) -> Result<Vec<String>, ActError> {
    let live = leaving.iter().filter(|node| view.service_of(node).is_some());
    let live: Vec<_> = live.cloned().collect();
    if live.is_empty() {
        return Ok(Vec::new());
    }
    let open = hdfs.open_only_on(world, namenode, &live).await?;
    Ok(open.iter().map(|path| shown(path)).collect())
}

/// What is waited for of those that the namenode knows, and of those that answer and have not come to it yet.
fn waits(view: &View, leaving: &[Node], about: &[String], enough: Enough) -> Option<Waits> {
    let mut blocks = Blocks::new();
    let mut said = Vec::new();
    for node in leaving {
        let (left, what) = match view.service_of(node) {
            Some(InService::Yes) => (0, "is in service".to_owned()),
            Some(InService::Leaving(left)) if left.blocks == 0 => (0, "is being counted".to_owned()),
            Some(InService::Leaving(left)) if enough.lacks(left) == 0 => continue,
            Some(InService::Leaving(left)) => {
                let lacks = enough.lacks(left);
                let open = match left.in_open_files {
                    0 => String::new(),
                    open => format!(" ({open} of files that are open for writing)"),
                };
                (lacks, format!("has {lacks} blocks to give{open}"))
            }
            Some(InService::Rests) => (0, "is in maintenance".to_owned()),
            None if about.contains(&node.name) => (0, "has not come yet".to_owned()),
            Some(InService::Left) | None => continue,
        };
        said.push(format!("{} {what}", node.name));
        blocks.insert(node.name.clone(), left);
    }
    (!blocks.is_empty()).then(|| Waits {
        what: said.join(", "),
        blocks,
    })
}

/// Only their owner can say whether what is lost may be.
fn lost(view: &View, namenode: &Node, silent: &[String]) -> ActError {
    let hdfs = "/root/persistent-hdfs/bin/hdfs";
    let files: Vec<_> = view
        .corrupt_files
        .iter()
        .take(5)
        .map(|path| shown(path))
        .collect();
    ActError::Unmet {
        what: format!(
            "{} is dead, and {} ({})",
            silent.join(", "),
            view.blocks.text(Hdfs::Persistent),
            files.join(", ")
        ),
        class: ErrorClass::Operator,
        hint: Some(format!(
            "bring its datanode back, which then gives what it has; or give up the files, which `{hdfs} fsck / -list-corruptfileblocks` \
             names on {}: there by `{hdfs} fsck / -delete`; then `mesosflow resume`",
            namenode.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Instance, Role};
    use crate::hdfs::{Datanode, Left as Given};

    fn node(index: u16) -> Node {
        Node {
            instance: Instance {
                id: String::new(),
                name: Role::Slave.node_name("demo", index),
                role: Role::Slave,
                index,
                private_ip: [10, 0, 0, u8::try_from(index).unwrap()].into(),
                public_ip: None,
                volume: None,
            },
            user: "root".to_owned(),
            port: 22,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK"
                .parse()
                .unwrap(),
            host_key_source: None,
            via: None,
        }
    }

    fn view(services: &[(u16, InService)]) -> View {
        let datanode = |service| Datanode {
            last_contact: 1,
            service,
            used: 0,
            remaining: 0,
        };
        let live = services
            .iter()
            .map(|(index, service)| (node(*index).private_ip, datanode(*service)));
        View {
            live: live.collect(),
            ..View::default()
        }
    }

    #[test]
    fn those_are_waited_for_that_have_anything_to_give() {
        let gives = |blocks, in_open_files| {
            InService::Leaving(Given {
                blocks,
                in_open_files,
                on_none_else: 0,
            })
        };
        let view = view(&[
            (1, InService::Yes),
            (2, gives(7, 1)),
            (3, gives(0, 0)),
            (4, InService::Left),
        ]);
        let nodes = [1, 2, 3, 4, 5, 6].map(node);
        let waits = waits(&view, &nodes, &["demo-slave-6".to_owned()], Enough::EveryCopy).unwrap();
        assert_eq!(
            waits.what,
            "demo-slave-1 is in service, demo-slave-2 has 7 blocks to give (1 of files that are open for writing), \
             demo-slave-3 is being counted, demo-slave-6 has not come yet"
        );
        let counted: Vec<_> = waits.blocks.values().copied().collect();
        assert_eq!(counted, [0, 7, 0, 0]);
    }

    #[test]
    fn nobody_is_waited_for_who_has_left_or_is_dead() {
        let view = view(&[(4, InService::Left)]);
        assert_eq!(waits(&view, &[node(4), node(5)], &[], Enough::EveryCopy), None);
    }

    #[test]
    fn whose_place_is_taken_may_go_once_no_block_is_on_none_else() {
        let gives = |on_none_else| {
            InService::Leaving(Given {
                blocks: 7,
                in_open_files: 0,
                on_none_else,
            })
        };
        let of = |given| waits(&view(&[(1, given)]), &[node(1)], &[], Enough::OneCopy);
        assert_eq!(of(gives(0)), None);
        assert_eq!(of(gives(2)).unwrap().what, "demo-slave-1 has 2 blocks to give");
        // Nothing is known yet.
        assert!(of(InService::Leaving(Given::default())).is_some());
        assert!(of(InService::Yes).is_some());
    }

    #[test]
    fn what_is_lost_is_named() {
        let view = View {
            blocks: crate::hdfs::Blocks {
                missing: 1,
                corrupt: 0,
            },
            corrupt_files: vec!["/a\nb".to_owned()],
            ..View::default()
        };
        let error = lost(&view, &node(1), &["demo-slave-2".to_owned()]);
        assert_eq!(
            error.to_string(),
            "demo-slave-2 is dead, and the persistent HDFS has 1 block of which no copy is left (/a?b)"
        );
    }
}
