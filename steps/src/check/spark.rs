//! Whether jobs of Spark can run on Mesos: the driver calls Mesos through the native methods of its library.

use super::{Check, What};
use crate::spark::{BINDINGS, RUNS_LOCALLY};
use crate::world::Script;

impl Check<'_> {
    /// Tells whether the first master's library of Mesos has Java bindings, where there is Spark; `false` where it has none. Nobody's
    /// fault: it is a finding, and keeps no cluster from being healthy.
    pub(super) async fn spark(&self) -> Option<bool> {
        let hub = self.inventory.first_master();
        let asked = self
            .asker
            .run(hub, Script::new("look for Mesos' Java bindings", BINDINGS))
            .await;
        let found = asked.map(|said| understood(&said.stdout_str()));
        let has = found.as_ref().ok().copied().flatten();
        let outcome = match found {
            Ok(None) => return None,
            Ok(Some(true)) => Ok("jobs can run on Mesos".to_owned()),
            Ok(Some(false)) => Ok(RUNS_LOCALLY.to_owned()),
            Err(error) => Err(error),
        };
        self.tell(What::Spark, Some(hub), outcome);
        has
    }
}

/// Nothing is printed where there is no Spark.
fn understood(said: &str) -> Option<bool> {
    match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_no_finding() {
        assert_eq!(understood("yes\n"), Some(true));
        assert_eq!(understood("no\n"), Some(false));
        assert_eq!(understood(""), None);
    }
}
