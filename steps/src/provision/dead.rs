//! Which machine is there no more, and what is said of it.

use std::time::Duration;

use crate::cluster::{Instance, Role};
use crate::provider::Condition;

/// Once a machine is this old, a provider that does not show it has forgotten it: what EC2 does not show yet it shows within
/// minutes, and what is terminated it shows for up to an hour.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 60);
/// A machine of an unknown age is as old as its cluster: what its provider does not show is gone.
pub(crate) const AGE_UNKNOWN: Duration = Duration::from_secs(24 * 3600);

/// Why a machine of that age is there no more, be it that its provider has forgotten it; none where it is there, or may be.
pub fn gone(condition: &Condition, age: Duration) -> Option<String> {
    match condition {
        Condition::Dead(why) => Some(why.clone()),
        Condition::Unknown(why) if age > FORGOTTEN_AFTER => Some(format!("{why} any more")),
        _ => None,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_yet_is_not_taken_for_gone() {
        let unknown = Condition::Unknown("EC2 does not show it".into());
        assert_eq!(gone(&unknown, FORGOTTEN_AFTER), None);
        let later = FORGOTTEN_AFTER + Duration::from_secs(1);
        assert_eq!(gone(&unknown, later).unwrap(), "EC2 does not show it any more");
        let dead = Condition::Dead("terminated".into());
        assert_eq!(gone(&dead, Duration::ZERO).unwrap(), "terminated");
        assert_eq!(gone(&Condition::Stopped("it is stopped".into()), later), None);
    }
}
