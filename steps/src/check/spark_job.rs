//! A job of Spark's that writes to both HDFS and reads from them: on Mesos where the driver can talk to it, on the first master alone
//! where not.

use std::time::Duration;

use super::{Check, What};
use crate::act::ActError;
use crate::world::Script;

const RUN: &str = shell!("check-spark.sh");
const JOB: &str = include_str!("spark_job.py");
/// Where nobody offers what an executor needs.
const NO_OFFER: i32 = 3;
/// How much earlier than the look the job has to end, so that its words are heard.
const EARLIER: Duration = Duration::from_secs(5);
/// Two threads: a shuffle between them is one.
const LOCAL: &str = "local[2]";

impl Check<'_> {
    /// Runs the job, and tells what became of it. That a busy Mesos has no room for it is nobody's fault.
    pub(super) async fn spark_job(&self, on_mesos: bool) {
        let hub = self.inventory.first_master();
        let nonce = self.nonce_of_job();
        let limit = self.asker.left().saturating_sub(EARLIER).as_secs().max(1);
        let (master, place) = match on_mesos {
            true => ("", "Mesos".to_owned()),
            false => (LOCAL, format!("{} alone", hub.name)),
        };
        let job = Script::new("run a job of Spark", RUN)
            .var("nonce", &nonce)
            .var("job", JOB)
            .var("hub", hub.private_ip)
            .var("master", master)
            .var("limit", limit);
        let ran = match self.begin(hub, &nonce).await {
            Ok(()) => self.asker.run(hub, job).await,
            Err(error) => Err(error),
        };
        self.end_of(&nonce).await;
        let outcome = match ran {
            Ok(_) => Ok(format!(
                "a job ran on {place}: it wrote to both HDFS and read from them"
            )),
            Err(ActError::Remote(error)) if error.exit_status() == Some(NO_OFFER) => Ok(format!(
                "no job was run: no offer with enough for an executor came within {limit} s"
            )),
            Err(error) => Err(error),
        };
        self.tell(What::SparkJob, Some(hub), outcome);
    }
}
