//! Machines that are lost before the run's end: each is launched anew, under another effect key, and no other is.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, ErrorReport, Flow, Halt, Lost, Made, Step as _, StepId};

use super::{LaunchMaster, LaunchSlave, LaunchZookeeper};
use crate::cluster::{Instance, Role};
use crate::provider::Condition;
use crate::world::World;

/// The steps whose items are machines.
const LAUNCHES: [StepId; 3] = [LaunchSlave::ID, LaunchMaster::ID, LaunchZookeeper::ID];
/// Once a machine is this old, a provider that does not show it has forgotten it: what EC2 does not show yet it shows within
/// minutes, and what is terminated it shows for up to an hour.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 60);

/// That a machine is dead, in words.
pub(crate) fn dead(instance: &Instance, why: &str) -> String {
    format!("{} ({}) is dead: {why}", instance.name, instance.id)
}

/// What becomes of the place of a dead machine.
pub(crate) fn replaced(instance: &Instance) -> String {
    let hub = match (instance.role, instance.index) {
        (Role::Master, 1) => ", with all that lay on it as the hub,",
        _ => "",
    };
    format!(
        "`mesosflow resume` makes {}{hub} anew and goes on, and leaves the other machines as they are; \
         `mesosflow destroy` ends what is left",
        instance.name
    )
}

/// Asks the provider about every machine that the run has: the launch of each dead one is stale. A provider that does not
/// answer keeps nobody from going on: whoever needs the machine will see.
///
/// # Errors
/// The journal failed.
pub(crate) async fn look_after(flow: &Flow<World>) -> Result<Vec<Lost>, Halt> {
    flow.outdate_lost(&LAUNCHES, |made: Made<Instance>| async move {
        let instance = made.output;
        let why = match flow.world().provider().condition(&instance).await {
            Ok(Condition::Dead(why)) => why,
            Ok(Condition::Unknown(why)) if made.age > FORGOTTEN_AFTER => {
                format!("{why} any more")
            }
            Ok(_) => return None,
            Err(error) => {
                tracing::info!(node = %instance.name, %error, "cannot be asked about");
                return None;
            }
        };
        Some(dead(&instance, &why))
    })
    .await
}

/// Looks after the machines once a step has failed, and has its error name those that are dead: what failed on one of them
/// failed for that.
///
/// # Errors
/// The error, or that the journal failed.
pub(crate) async fn explained<T>(flow: &Flow<World>, ended: Result<T, Halt>) -> Result<T, Halt> {
    let (step, error) = match ended {
        Err(Halt::Failed { step, error }) if error.class != ErrorClass::Fenced => (step, error),
        other => return other,
    };
    let lost = look_after(flow).await?;
    let error = naming(error, &lost);
    Err(Halt::Failed { step, error })
}

fn naming(mut error: ErrorReport, lost: &[Lost]) -> ErrorReport {
    let is_named = |lost: &&Lost| {
        let said = error.causes.iter().chain([&error.message]);
        said.into_iter().any(|said| said.contains(&lost.reason))
    };
    let news: Vec<_> = lost.iter().filter(|lost| !is_named(lost)).collect();
    let Some(names) = names(&news) else {
        return error;
    };
    error.causes.extend(news.iter().map(|lost| lost.reason.clone()));
    let hint = format!(
        "`mesosflow resume` makes {names} anew and goes on, and leaves the other machines as they are"
    );
    error.hint = Some(match error.hint.take() {
        Some(before) => format!("{before}\n{hint}"),
        None => hint,
    });
    error
}

fn names(lost: &[&Lost]) -> Option<String> {
    let names: Vec<_> = lost.iter().map(|lost| lost.item.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_each_dead_machine_once() {
        let lost = |name: &str| Lost {
            item: name.into(),
            reason: format!("{name} (i-1) is dead: so it is"),
        };
        let failed = ErrorReport {
            causes: vec!["demo-slave-1: demo-slave-1 (i-1) is dead: so it is".into()],
            hint: Some("look".into()),
            ..ErrorReport::new(ErrorClass::Permanent, "failed on 1 of 2: demo-slave-1")
        };
        assert_eq!(naming(failed.clone(), &[lost("demo-slave-1")]), failed);
        let named = naming(failed, &[lost("demo-slave-1"), lost("demo-slave-2")]);
        assert_eq!(named.causes[1..], ["demo-slave-2 (i-1) is dead: so it is"]);
        let hint = named.hint.unwrap();
        assert!(
            hint.starts_with("look\n`mesosflow resume` makes demo-slave-2 anew"),
            "{hint}"
        );
    }
}
