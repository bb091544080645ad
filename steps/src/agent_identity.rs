//! By what an agent is taken for the one of before: its name, its attributes, its resources. Where a cluster's flags make others of them,
//! its agents begin anew, and their tasks end.

use crate::act::ActError;
use crate::cluster::{Node, flag_value};
use crate::world::{Script, World};

/// The flags that an agent is known by.
const OF_IDENTITY: [&str; 3] = ["hostname", "attributes", "resources"];

const MOVES: &str = shell!("agent-moves.sh");
const BEGINS_ANEW: &str = shell!("agent-begins-anew.sh");

/// Where a look is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At what the agent was started with.
    Start,
    /// At the flags on its node.
    Flags,
}

/// What makes another agent of one that runs with the flags `from` once it runs with the flags `to`, a line for each flag, as the script
/// reads it; nothing where it stays the same.
pub(crate) fn moves(from: &[String], to: &[String]) -> Vec<String> {
    let line = |name: &str| match (flag_value(from, name), flag_value(to, name)) {
        (before, after) if before == after => None,
        (_, Some(after)) => Some(format!("{name} not {after}")),
        (Some(before), None) => Some(format!("{name} is {before}")),
        (None, None) => None,
    };
    OF_IDENTITY.into_iter().filter_map(line).collect()
}

/// Whether these make another agent of the one on a node.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn is_moved(world: &World, node: &Node, moves: &[String], at: At) -> Result<bool, ActError> {
    if moves.is_empty() {
        return Ok(false);
    }
    let lines: String = moves.iter().map(|line| format!("{line}\n")).collect();
    let look = Script::new("look whether the flags make another agent", MOVES)
        .var(
            "of",
            match at {
                At::Start => "started",
                At::Flags => "now",
            },
        )
        .stdin(lines);
    Ok(world.ask(node, look).await?)
}

/// Whether the agent of a node would begin anew if it were started now, as its flags are.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn begins_anew(world: &World, node: &Node) -> Result<bool, ActError> {
    let look = Script::new("look whether the agent would begin anew", BEGINS_ANEW);
    Ok(world.ask(node, look).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_agent_is_known_by_makes_another_of_it() {
        let flags = |flags: &[&str]| -> Vec<String> { flags.iter().map(|flag| (*flag).to_owned()).collect() };
        let of = |from: &[&str], to: &[&str]| moves(&flags(from), &flags(to));
        assert!(of(&[], &["--switch_user=false", "--quiet"]).is_empty());
        assert!(of(&["--attributes=rack:a"], &["--attributes=rack:a"]).is_empty());
        assert_eq!(of(&[], &["--attributes=rack:a"]), ["attributes not rack:a"]);
        assert_eq!(
            of(
                &["--attributes=rack:a", "--resources=cpus:2"],
                &["--resources=cpus:3"]
            ),
            ["attributes is rack:a", "resources not cpus:3"]
        );
        // The last one counts.
        assert!(of(&["--attributes=a", "--attributes=b"], &["--attributes=b"]).is_empty());
    }
}
