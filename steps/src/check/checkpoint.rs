//! How old the second master's checkpoint of the persistent HDFS is.

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Checkpoint, checkpoint_script, understood_checkpoint};

/// One is made every hour, whether anything has changed or not: two have failed by then.
const OLD_AFTER_S: u64 = 3 * 60 * 60;

impl Check<'_> {
    /// Tells of the newest checkpoint, where a second master is to have one.
    pub(super) async fn checkpoint(&self) {
        if let Some(second) = self.inventory.second_master() {
            let found = self.newest(second).await;
            self.tell(What::Checkpoint, Some(second), found.and_then(judged));
        }
    }

    async fn newest(&self, second: &Node) -> Result<Option<Checkpoint>, ActError> {
        let said = self.asker.run(second, checkpoint_script()).await?;
        understood_checkpoint(second, &said.stdout_str())
    }
}

fn judged(found: Option<Checkpoint>) -> Result<String, ActError> {
    match found {
        Some(checkpoint) if checkpoint.age_s > OLD_AFTER_S => Err(ActError::not_yet(format!(
            "the newest one is {} old, although one is made every hour: the log is \
             /mnt/hadoop-logs/persistent-hdfs-secondarynamenode.log",
            checkpoint.age()
        ))),
        Some(checkpoint) => Ok(format!("the newest one is {} old", checkpoint.age())),
        None => Err(ActError::not_yet("there is none that is whole")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_made_every_hour() {
        let of = |age_s| {
            let at = "2026-11-26T12:00:00Z".parse().unwrap();
            let checkpoint = Checkpoint {
                cluster_id: "CID-a".to_owned(),
                transaction: 1,
                at,
                age_s,
            };
            judged(Some(checkpoint)).map_err(|error| error.to_string())
        };
        assert_eq!(of(3600 + 90).unwrap(), "the newest one is 1 h 1 min old");
        assert!(of(OLD_AFTER_S + 60).unwrap_err().contains("3 h 1 min old"));
        assert!(judged(None).is_err());
    }
}
