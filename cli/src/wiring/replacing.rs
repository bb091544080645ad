//! What the others would do without a node that is replaced.

use mesosflow_steps::cluster::{Node, Role};
use mesosflow_steps::life::{self, SpareMaster, SpareZookeeper, delete_steps};
use mesosflow_steps::provision::LaunchMachine;
use mesosflow_steps::remote::RemoteError;
use mesosflow_steps::workflows::{FileSystems, LostHub, ReplaceNode, Workflow as _};
use mesosflow_steps::{Enough, Hdfs, World, what_leaving};
use mesosflow_workflow::{ErrorReport, RunState, Status};

use super::departure::{answering, because_of, first_master, of};
use crate::error::CliError;
use crate::exit::Exit;

/// What there is to know of a replacement beforehand.
#[derive(Debug, Default)]
pub(crate) struct Replacing {
    /// The file systems that get from it what none but it has.
    pub(crate) gives: Vec<Hdfs>,
    /// Whether blocks of the persistent one may be lost with it.
    pub(crate) gives_up: bool,
    /// Who keeps what moves with the first master.
    pub(crate) keeper: Option<Node>,
    /// What its next machine begins with, where it does not answer.
    pub(crate) lost: Option<LostHub>,
    /// In sentences.
    pub(crate) losses: Vec<String>,
}

/// Whether a run is a replacement that has begun to end the machine of before, or to launch another.
pub(crate) fn exchanges(state: &RunState) -> bool {
    let acts = delete_steps().into_iter();
    let roles = [Role::Master, Role::Slave, Role::Zookeeper];
    let mut acts = acts.chain(roles.map(LaunchMachine::id_of));
    let is_replacement = state.workflow == ReplaceNode.name();
    is_replacement
        && acts.any(|id| {
            let step = state.step(&id);
            step.is_some_and(|step| step.progress.status != Status::Pending)
        })
}

/// Asks the others, and refuses where they cannot do without it. Of the node itself: whether its machine runs, and whether it answers.
pub(crate) async fn replacing(
    world: &World,
    (node, runs, answers): (&Node, bool, bool),
    others: &[Node],
    file_systems: &FileSystems,
) -> Result<Replacing, CliError> {
    let mut replacing = match node.role {
        Role::Slave => of_slave(world, node, runs, others).await?,
        Role::Zookeeper => of_quorum(world, (node, answers), others).await?,
        Role::Master => of_master(world, (node, answers), others).await?,
    };
    let is_hub = node.is_first_master();
    if is_hub && !answers {
        lost_hub(world, node, others, (file_systems, &mut replacing)).await?;
    }
    if answers {
        belongings(world, node, others, &mut replacing).await?;
    }
    Ok(replacing)
}

/// A ZooKeeper is spared by those that serve without it.
async fn of_quorum(
    world: &World,
    (node, answers): (&Node, bool),
    others: &[Node],
) -> Result<Replacing, CliError> {
    let spare = SpareZookeeper {
        node: node.clone(),
        answers,
        others: of(Role::Zookeeper, others),
    };
    refuse_lacks(spare.lacks(world).await)?;
    Ok(Replacing::default())
}

/// A master is spared by those that have the registry; one of two by none.
async fn of_master(
    world: &World,
    (node, answers): (&Node, bool),
    others: &[Node],
) -> Result<Replacing, CliError> {
    let others = of(Role::Master, others);
    let losses = match others.len() {
        0 if !answers => vec!["its only master's registry is lost: agents register anew".to_owned()],
        0 => vec!["none leads while its only master is exchanged: agents and their tasks wait".to_owned()],
        1 => vec![
            "of two masters both make the quorum: Mesos has no leader until the new one has the other's registry; agents and their tasks \
             wait"
                .to_owned(),
        ],
        _ => vec!["if it leads, another master is elected".to_owned()],
    };
    if !others.is_empty() {
        let spare = SpareMaster {
            node: node.clone(),
            answers,
            others,
        };
        refuse_lacks(spare.lacks(world).await)?;
    }
    Ok(Replacing {
        losses,
        ..Replacing::default()
    })
}

fn refuse_lacks(lacks: Result<Option<String>, RemoteError>) -> Result<(), CliError> {
    let lacks = lacks.map_err(|error| unseen(&ErrorReport::of(&error)))?;
    match lacks {
        None => Ok(()),
        Some(lacks) => Err(refused().because(lacks).hint(
            "bring the others back first: `mesosflow check` says what is down; one whose machine is gone can be replaced by itself",
        )),
    }
}

/// What the next machine of a first master begins with that does not answer; refused where the names of the persistent HDFS are nowhere else.
async fn lost_hub(
    world: &World,
    node: &Node,
    others: &[Node],
    (file_systems, replacing): (&FileSystems, &mut Replacing),
) -> Result<(), CliError> {
    let of_mesos = of(Role::Master, others)
        .into_iter()
        .chain(of(Role::Slave, others));
    let of_mesos: Vec<_> = of_mesos.collect();
    let answering = answering(world, &of_mesos).await;
    let Some(mesos) = of_mesos.into_iter().find(|other| answering.contains(&other.name)) else {
        return Err(refused().because("no other master or slave answers"));
    };
    let mut told = vec!["the ephemeral HDFS is formatted, and what was in /mnt/nfs is lost".to_owned()];
    let checkpoint = match &node.volume {
        Some(volume) => {
            told.push(format!("the names of the persistent HDFS are on {volume}"));
            None
        }
        None => {
            let (second, age) = checkpoint(world, others, file_systems.persistent_id()).await?;
            told.push(format!(
                "the persistent HDFS begins with the checkpoint that {} has of it, {age} old: what was written since is lost",
                second.name
            ));
            replacing.gives_up = true;
            Some(second)
        }
    };
    replacing.losses.extend(told);
    replacing.lost = Some(LostHub { checkpoint, mesos });
    Ok(())
}

/// Who has a checkpoint of that persistent HDFS, and how old it is.
async fn checkpoint(world: &World, others: &[Node], id: &str) -> Result<(Node, String), CliError> {
    let nowhere = |why: String| {
        refused().because(why).hint(
            "bring its machine back: the names of the persistent HDFS are on its disk and nowhere else; or `mesosflow destroy` the cluster",
        )
    };
    let second = of(Role::Master, others)
        .into_iter()
        .find(|other| other.index == 2);
    let Some(second) = second else {
        return Err(nowhere(
            "there is no second master that would have a checkpoint".to_owned(),
        ));
    };
    let found = mesosflow_steps::newest_checkpoint(world, &second).await;
    match found.map_err(|error| unseen(&ErrorReport::of(&error)))? {
        Some(found) if found.cluster_id == id => {
            let age = found.age();
            Ok((second, age))
        }
        Some(found) => Err(nowhere(format!(
            "the checkpoint that {} has is of {}, not of {id}",
            second.name, found.cluster_id
        ))),
        None => Err(nowhere(format!("{} has no checkpoint", second.name))),
    }
}

/// What ends with the machine, told by name and size; and of the first master what moves, and who keeps it meanwhile.
async fn belongings(
    world: &World,
    node: &Node,
    others: &[Node],
    replacing: &mut Replacing,
) -> Result<(), CliError> {
    let unseen = |error: RemoteError| unseen(&ErrorReport::of(&error));
    let is_hub = node.is_first_master();
    let has = life::belongings(world, node, is_hub).await.map_err(unseen)?;
    if is_hub {
        let needed: u64 = has.moves.iter().map(|(_, kib)| kib).sum();
        let rooms = life::rooms(world, others).await;
        let rooms = rooms.map_err(|error| self::unseen(&ErrorReport::of(&error)))?;
        let rooms: Vec<_> = others.iter().zip(rooms).collect();
        let Some(keeper) = keeper(&rooms, needed) else {
            return Err(refused()
                .because(format!(
                    "no other node has room for what moves with it: {}",
                    size(needed)
                ))
                .hint("make room in /mnt of another node, then try again"));
        };
        replacing.losses.push(format!(
            "both HDFS and /mnt/nfs are away until its next machine has what moves by way of {}: {}",
            keeper.name,
            listed(&has.moves)
        ));
        replacing.keeper = Some(keeper.clone());
    }
    if !has.stays.is_empty() {
        replacing.losses.push(format!(
            "ends with its machine, unless you copy it: {}",
            listed(&has.stays)
        ));
    }
    Ok(())
}

/// Paths, each with its size.
fn listed(paths: &[(String, u64)]) -> String {
    let sized = paths.iter().map(|(path, kib)| format!("{path} ({})", size(*kib)));
    sized.collect::<Vec<_>>().join(", ")
}

/// Who keeps so many KiB: another master before a slave before a ZooKeeper, and of those who has most room.
fn keeper<'n>(rooms: &[(&'n Node, u64)], needed: u64) -> Option<&'n Node> {
    let fits = |(_, room): &&(&Node, u64)| room / 10 * 9 > needed;
    let worth = |(node, room): &&(&Node, u64)| {
        let role = match node.role {
            Role::Master => 2,
            Role::Slave => 1,
            Role::Zookeeper => 0,
        };
        (role, *room)
    };
    rooms.iter().filter(fits).max_by_key(worth).map(|(node, _)| *node)
}

fn size(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib} KiB"),
        1024..1_048_576 => format!("{} MiB", kib / 1024),
        _ => format!("{} GiB", kib / 1024 / 1024),
    }
}

/// A namenode that hears of its datanode gets what none but that has; from one that is dead nothing can be had.
async fn of_slave(world: &World, node: &Node, runs: bool, others: &[Node]) -> Result<Replacing, CliError> {
    let namenode = first_master(others)?;
    let slaves = of(Role::Slave, others);
    let leaving = std::slice::from_ref(node);
    let mut replacing = Replacing::default();
    for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
        let met = what_leaving(world, hdfs, namenode, leaving, &slaves).await;
        let met = met.map_err(|error| unseen(&ErrorReport::of(&error)))?;
        // Its volume goes to the new machine, and what is on it with it.
        if hdfs == Hdfs::Persistent && node.volume.is_some() {
            continue;
        }
        if runs && met.silent.is_empty() {
            if let Some(refusal) = met.refusal(hdfs, false, Enough::OneCopy) {
                return Err(because_of(refused(), &refusal));
            }
            replacing.gives.push(hdfs);
            continue;
        }
        let word = hdfs.as_str();
        let lost = match met.missing {
            0 => format!(
                "the {word} HDFS does not hear of {}: blocks that only that has are lost",
                node.name
            ),
            blocks => format!(
                "the {word} HDFS does not hear of {}, and misses {blocks} blocks: those that only that has are lost",
                node.name
            ),
        };
        replacing.losses.push(lost);
        replacing.gives_up |= hdfs == Hdfs::Persistent;
    }
    Ok(replacing)
}

fn refused() -> CliError {
    CliError::refused("the others cannot do without that node: nothing was done")
}

fn unseen(report: &ErrorReport) -> CliError {
    let error = CliError::new(
        Exit::Failed,
        "it cannot be seen what the others would do without that node",
    );
    error.because_of_report(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_the_unit_that_it_has() {
        assert_eq!(
            [0, 1023, 1024, 3 << 20].map(size),
            ["0 KiB", "1023 KiB", "1 MiB", "3 GiB"]
        );
    }
}
