//! How datanodes stand that are to leave a file system, in the eyes of its namenode.

use mesosflow_workflow::ErrorClass;

use super::patience::Blocks;
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Hdfs, InService, View, shown};
use crate::world::World;

/// How they stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All have left.
    Left(Left),
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
    if let Some(waits) = waits(&view, leaving, &about) {
        return Ok(Standing::Waits(waits));
    }
    if !silent.is_empty() {
        let list = hdfs.excluded(world, namenode).await?;
        if let Some(node) = silent.iter().find(|node| !list.lists(node)) {
            let what = format!("{} is dead, and not kept from coming back", node.name);
            return Ok(Waits::for_all(leaving, what));
        }
    }
    let names: Vec<_> = silent.iter().map(|node| node.name.clone()).collect();
    let missing = if names.is_empty() { 0 } else { view.blocks.missing };
    if missing > 0 && hdfs == Hdfs::Persistent {
        return Err(lost(&view, namenode, &names));
    }
    let able: Vec<_> = leaving
        .iter()
        .filter(|node| !names.contains(&node.name))
        .cloned()
        .collect();
    if !able.is_empty() {
        let open = hdfs.open_only_on(world, namenode, &able).await?;
        if !open.is_empty() {
            let open: Vec<_> = open.iter().map(|path| shown(path)).collect();
            let what = format!(
                "no other datanode has the end of {}, which somebody is writing",
                open.join(", ")
            );
            return Ok(Waits::for_all(&able, what));
        }
    }
    Ok(Standing::Left(Left {
        silent: names,
        missing,
    }))
}

/// What is waited for of those that the namenode knows, and of those that answer and have not come to it yet.
fn waits(view: &View, leaving: &[Node], about: &[String]) -> Option<Waits> {
    let mut blocks = Blocks::new();
    let mut said = Vec::new();
    for node in leaving {
        let (left, what) = match view.service_of(node) {
            Some(InService::Yes) => (0, "is in service".to_owned()),
            Some(InService::Leaving(left)) if left.blocks == 0 => (0, "is being counted".to_owned()),
            Some(InService::Leaving(left)) => {
                let open = match left.in_open_files {
                    0 => String::new(),
                    open => format!(" ({open} of files that are open for writing)"),
                };
                (left.blocks, format!("has {} blocks to give{open}", left.blocks))
            }
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
