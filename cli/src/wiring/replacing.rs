//! What the others would do without a node that is replaced.

use mesosflow_steps::cluster::{Node, Role};
use mesosflow_steps::life::{SpareMaster, SpareZookeeper};
use mesosflow_steps::{Enough, Hdfs, World, what_leaving};
use mesosflow_workflow::{ErrorReport, StepError as _};

use crate::error::CliError;
use crate::exit::Exit;

/// What there is to know of a replacement beforehand.
#[derive(Debug, Default)]
pub(crate) struct Replacing {
    /// The file systems that get from it what none but it has.
    pub(crate) gives: Vec<Hdfs>,
    /// Whether blocks of the persistent one may be lost with it.
    pub(crate) gives_up: bool,
    /// In sentences.
    pub(crate) losses: Vec<String>,
}

/// Asks the others, and refuses where they cannot do without it. Of the node itself: whether its machine runs, and whether it answers.
pub(crate) async fn replacing(
    world: &World,
    (node, runs, answers): (&Node, bool, bool),
    others: &[Node],
) -> Result<Replacing, CliError> {
    let of = |role: Role| {
        let alike = others.iter().filter(move |other| other.role == role);
        alike.cloned().collect::<Vec<_>>()
    };
    let lacks = match node.role {
        Role::Slave => return of_slave(world, node, runs, others).await,
        Role::Zookeeper => {
            let spare = SpareZookeeper {
                node: node.clone(),
                answers,
                others: of(Role::Zookeeper),
            };
            spare.lacks(world).await
        }
        Role::Master => {
            let spare = SpareMaster {
                node: node.clone(),
                answers,
                others: of(Role::Master),
            };
            spare.lacks(world).await
        }
    };
    let lacks = lacks.map_err(|error| unseen(&ErrorReport::of(&error)))?;
    if let Some(lacks) = lacks {
        return Err(refused().because(lacks).hint(
            "bring the others back first: `mesosflow check` says what is down; one whose machine is gone can be replaced by itself",
        ));
    }
    let losses = match (node.role, of(Role::Master).len()) {
        (Role::Master, 1) => vec![
            "of two masters both make the quorum: Mesos has no leader until the new one has the other's registry; agents and their tasks \
             wait"
                .to_owned(),
        ],
        (Role::Master, _) => vec!["if it leads, another master is elected".to_owned()],
        _ => Vec::new(),
    };
    Ok(Replacing {
        losses,
        ..Replacing::default()
    })
}

/// A namenode that hears of its datanode gets what none but that has; from one that is dead nothing can be had.
async fn of_slave(world: &World, node: &Node, runs: bool, others: &[Node]) -> Result<Replacing, CliError> {
    let first = others
        .iter()
        .find(|node| node.role == Role::Master && node.index == 1);
    let Some(namenode) = first else {
        return Err(CliError::new(Exit::Failed, "no first master is known"));
    };
    let slaves = others.iter().filter(|node| node.role == Role::Slave);
    let slaves: Vec<_> = slaves.cloned().collect();
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
                let refused = refused().because(refusal.to_string());
                return Err(match refusal.hint() {
                    Some(hint) => refused.hint(hint),
                    None => refused,
                });
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
