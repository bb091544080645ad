//! What is lost before the run's end: each machine is launched anew, under another effect key, and no other is; groups that went
//! with their machines are made anew. A machine that is only stopped is its owner's to start.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mesosflow_workflow::{ErrorClass, ErrorReport, Flow, Halt, Lost, Made, StepId};

use super::dead::{AGE_UNKNOWN, dead, gone};
use super::{AwaitNode, LaunchMachine, SecurityGroups};
use crate::cluster::{Instance, Node, Role};
use crate::provider::{Condition, Groups};

use crate::world::World;

/// The steps whose items are machines.
pub(crate) const LAUNCHES: [StepId; 3] = [
    LaunchMachine::id_of(Role::Slave),
    LaunchMachine::id_of(Role::Master),
    LaunchMachine::id_of(Role::Zookeeper),
];
/// What a look after all that the run has came to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whose outcome does not count any more.
    lost: Vec<Lost>,
    stopped: Vec<Stopped>,
    /// Those that the next drive goes on without.
    passed: Vec<Lost>,
    /// Those that leave by the run, and are gone or stopped already.
    leaves: Vec<Lost>,
}

/// A machine that does not run, and has all that is on its disks.
#[derive(Debug)]
struct Stopped {
    reason: String,
    /// The command that starts it.
    starting: String,
}

impl Stopped {
    /// What is said of a machine in that condition; none where it is another one.
    fn of(world: &World, instance: &Instance, condition: &Condition) -> Option<Self> {
        let (Condition::Stopping(why) | Condition::Stopped(why)) = condition else {
            return None;
        };
        Some(Self {
            reason: format!("{} ({}) does not run: {why}", instance.name, instance.id),
            starting: world.provider().starting(instance, condition),
        })
    }
}

impl Seen {
    /// Lets nothing begin while a machine is stopped: whatever needs it would wait for it in vain, and nobody but its owner knows
    /// why it was stopped.
    ///
    /// # Errors
    /// Each machine that is, and how it is started.
    pub(crate) fn none_stopped(self) -> Result<(), Halt> {
        if self.stopped.is_empty() {
            return Ok(());
        }
        let reasons: Vec<_> = self.stopped.iter().map(|one| one.reason.as_str()).collect();
        let error = ErrorReport::new(ErrorClass::Operator, reasons.join("; "));
        let hint = format!("{}; then `mesosflow resume`", starting(&self.stopped));
        Err(Halt::Failed {
            step: AwaitNode::ID,
            error: error.with_hint(hint),
        })
    }
}

/// Asks the provider about every machine that the run has, and about the groups that they live in: what made a dead or lost one
/// is stale. A provider that does not answer keeps nobody from going on: whoever needs the machine will see.
///
/// # Errors
/// The journal failed.
pub(crate) async fn look_after(flow: &Flow<World>) -> Result<Seen, Halt> {
    let (stopped, occupied) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let look = |made: Made<Instance>| {
        let (stopped, occupied) = (&stopped, &occupied);
        async move {
            let (world, provider) = (flow.world(), flow.world().provider());
            // One that the cluster has no more is nobody's loss.
            if !world.spec().has_node(&made.item) {
                return None;
            }
            let instance = world.memory().machine(made.output);
            let why = match provider.condition(&instance).await {
                Ok(condition) => match Stopped::of(world, &instance, &condition) {
                    Some(found) => {
                        held(stopped).push(found);
                        None
                    }
                    None => gone(&condition, made.age),
                },
                Err(error) => {
                    tracing::info!(node = %instance.name, %error, "cannot be asked about");
                    None
                }
            };
            if why.is_none() {
                held(occupied).insert(instance.role);
            }
            Some(dead(&instance, &why?))
        }
    };
    let mut lost = flow.outdate_lost(&LAUNCHES, look).await?;
    let occupied = occupied.into_inner().unwrap_or_else(PoisonError::into_inner);
    lost.extend(lost_groups(flow, &occupied).await?);
    let mut stopped = stopped.into_inner().unwrap_or_else(PoisonError::into_inner);
    stopped.sort_by(|a, b| a.reason.cmp(&b.reason));
    Ok(Seen {
        lost,
        stopped,
        ..Seen::default()
    })
}

/// Groups (or the network) that went with the machines in them: they are made anew before anything is launched into them. One whose
/// machines are there is not asked for by anybody, and another in its place would have them replaced.
async fn lost_groups(flow: &Flow<World>, occupied: &BTreeSet<Role>) -> Result<Option<Lost>, Halt> {
    let launcher = flow.world().provider().launcher();
    let Some((launcher, groups)) = launcher.zip(flow.outcome::<Groups>(&SecurityGroups::ID)) else {
        return Ok(None);
    };
    let lost = match launcher.lost_groups(&groups).await {
        Ok(lost) => lost,
        Err(error) => {
            tracing::info!(%error, "the groups cannot be asked about");
            return Ok(None);
        }
    };
    if lost.iter().any(|role| occupied.contains(role)) {
        tracing::warn!("groups are gone that machines of theirs have left: they stay as they are");
        return Ok(None);
    }
    let ids: BTreeSet<_> = lost.iter().filter_map(|role| groups.by_role.get(role)).collect();
    let ids: Vec<_> = ids.into_iter().map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let reason = format!("{} is gone", ids.join(", "));
    let is_news = flow.outdate(&SecurityGroups::ID, None, &reason).await?;
    let item = SecurityGroups::ID.as_str().into();
    Ok(is_news.then_some(Lost { item, reason }))
}

/// What one task holds for a moment, never over an await.
fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks after the machines once a step has failed, and has its error name those that are dead or stopped: what failed on one of
/// them failed for that.
///
/// # Errors
/// The error, or that the journal failed.
pub(crate) async fn explained<T>(flow: &Flow<World>, ended: Result<T, Halt>) -> Result<T, Halt> {
    explained_by(ended, look_after(flow)).await
}

/// The same for a run that makes no machine: its error names those of these nodes that are stopped, and those that are gone, without which the
/// next drive goes on; of those that leave, which it deletes at its end, both.
///
/// # Errors
/// The error.
pub(crate) async fn explained_of<T>(
    flow: &Flow<World>,
    nodes: &[(Node, bool)],
    ended: Result<T, Halt>,
) -> Result<T, Halt> {
    explained_by(ended, async { Ok(seen_of(flow.world(), nodes).await) }).await
}

/// Has the error of a step that failed name what was seen; nobody looks where none did.
async fn explained_by<T>(
    ended: Result<T, Halt>,
    look: impl Future<Output = Result<Seen, Halt>>,
) -> Result<T, Halt> {
    match ended {
        // Whoever looked before anything began has said it.
        Err(Halt::Failed { step, error }) if error.class != ErrorClass::Fenced => {
            let error = naming(error, &look.await?);
            Err(Halt::Failed { step, error })
        }
        other => other,
    }
}

/// How these nodes are, each with whether it leaves.
async fn seen_of(world: &World, nodes: &[(Node, bool)]) -> Seen {
    let mut seen = Seen::default();
    for (node, leaves) in nodes {
        let instance = world.memory().machine(node.instance.clone());
        let condition = match world.provider().condition(&instance).await {
            Ok(condition) => condition,
            Err(error) => {
                tracing::info!(node = %node.name, %error, "cannot be asked about");
                continue;
            }
        };
        let named = |reason| Lost {
            item: node.name.as_str().into(),
            reason,
        };
        let gone = gone(&condition, AGE_UNKNOWN).map(|why| dead(&instance, &why));
        let stopped = Stopped::of(world, &instance, &condition);
        match leaves {
            true => seen
                .leaves
                .extend(gone.or(stopped.map(|one| one.reason)).map(named)),
            false => {
                seen.stopped.extend(stopped);
                seen.passed.extend(gone.map(named));
            }
        }
    }
    seen
}

fn naming<'s>(mut error: ErrorReport, seen: &'s Seen) -> ErrorReport {
    let is_named = |reason: &str| {
        let said = error.causes.iter().chain([&error.message]);
        said.into_iter().any(|said| said.contains(reason))
    };
    let unnamed =
        |all: &'s [Lost]| -> Vec<&'s Lost> { all.iter().filter(|lost| !is_named(&lost.reason)).collect() };
    let (lost, passed, leaves) = (unnamed(&seen.lost), unnamed(&seen.passed), unnamed(&seen.leaves));
    let stopped: Vec<_> = seen.stopped.iter().filter(|one| !is_named(&one.reason)).collect();
    let reasons = [&lost, &passed, &leaves].into_iter().flatten();
    let reasons: Vec<_> = reasons
        .map(|lost| lost.reason.clone())
        .chain(stopped.iter().map(|one| one.reason.clone()))
        .collect();
    let anew = names(&lost).map(|names| {
        format!(
            "`mesosflow resume` makes {names} anew and goes on, and leaves the other machines as they are"
        )
    });
    let without = names(&passed).map(|names| {
        let replace = passed.iter().map(|lost| format!("`mesosflow replace-node {}`", lost.item));
        let replace = replace.collect::<Vec<_>>().join(", ");
        format!("`mesosflow resume` goes on without {names}; then another is launched in the place of each: {replace}")
    });
    let go = names(&leaves).map(|names| format!("`mesosflow resume` lets {names} go as it is"));
    let start = (!stopped.is_empty()).then(|| format!("{}; then `mesosflow resume`", starting(stopped)));
    error.causes.extend(reasons);
    let hints = error.hint.take().into_iter().chain(start).chain(anew);
    let hints: Vec<_> = hints.chain(without).chain(go).collect();
    error.hint = (!hints.is_empty()).then(|| hints.join("\n"));
    error
}

/// How these machines are started, all of them.
fn starting<'s>(stopped: impl IntoIterator<Item = &'s Stopped>) -> String {
    let commands = stopped.into_iter().map(|one| format!("`{}`", one.starting));
    format!("start it: {}", commands.collect::<Vec<_>>().join(", "))
}

fn names(lost: &[&Lost]) -> Option<String> {
    let names: Vec<_> = lost.iter().map(|lost| lost.item.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(names: &[&str]) -> Seen {
        let lost = names.iter().map(|name| Lost {
            item: (*name).into(),
            reason: format!("{name} (i-1) is dead: so it is"),
        });
        Seen {
            lost: lost.collect(),
            ..Seen::default()
        }
    }

    fn stopped() -> Seen {
        Seen {
            stopped: vec![Stopped {
                reason: "demo-slave-3 (i-3) does not run: stopped".into(),
                starting: "podman start i-3".into(),
            }],
            ..Seen::default()
        }
    }

    #[test]
    fn an_error_names_each_dead_machine_once() {
        let failed = ErrorReport {
            causes: vec!["demo-slave-1: demo-slave-1 (i-1) is dead: so it is".into()],
            hint: Some("look".into()),
            ..ErrorReport::new(ErrorClass::Permanent, "failed on 1 of 2: demo-slave-1")
        };
        assert_eq!(naming(failed.clone(), &lost(&["demo-slave-1"])), failed);
        let named = naming(failed.clone(), &lost(&["demo-slave-1", "demo-slave-2"]));
        assert_eq!(named.causes[1..], ["demo-slave-2 (i-1) is dead: so it is"]);
        let hint = named.hint.unwrap();
        assert!(
            hint.starts_with("look\n`mesosflow resume` makes demo-slave-2 anew"),
            "{hint}"
        );
        let named = naming(failed, &stopped());
        assert_eq!(named.causes[1..], ["demo-slave-3 (i-3) does not run: stopped"]);
        assert_eq!(
            named.hint.unwrap(),
            "look\nstart it: `podman start i-3`; then `mesosflow resume`"
        );
    }

    #[test]
    fn nothing_begins_while_a_machine_is_stopped() {
        lost(&["demo-slave-1"]).none_stopped().unwrap();
        let Err(Halt::Failed { step, error }) = stopped().none_stopped() else {
            panic!("it began");
        };
        assert_eq!((step, error.class), (AwaitNode::ID, ErrorClass::Operator));
        assert!(error.message.contains("demo-slave-3 (i-3)"), "{error:?}");
        assert!(error.hint.unwrap().contains("`podman start i-3`"));
    }
}
