//! A job of Spark's that writes to both HDFS and reads from them: on Mesos where the driver can talk to it, on the first master alone
//! where not.

use std::time::Duration;

use super::{Check, Task, What};
use crate::act::ActError;
use crate::spark::JOB;
use crate::world::Script;

const RUN: &str = concat!(shell!("spark-job.sh"), shell!("check-spark.sh"));
/// Where nobody offers what an executor needs.
const NO_OFFER: i32 = 3;
/// How long a busy Mesos may take until somebody offers what an executor needs.
const OFFER_LIMIT: Duration = Duration::from_secs(120);
/// How much earlier than the look the job has to end, so that its words are heard.
const EARLIER: Duration = Duration::from_secs(5);
/// Two threads: a shuffle between them is one.
const LOCAL: &str = "local[2]";

impl Check<'_> {
    /// Runs the job, and tells what became of it: nothing where it failed. That a busy Mesos has no room for it is nobody's fault.
    pub(super) async fn spark_job(&self, on_mesos: bool) -> Option<Task> {
        let hub = self.inventory.first_master();
        let nonce = self.nonce_of_job();
        let asker = &self.for_job;
        let limit = asker.left().saturating_sub(EARLIER).as_secs().max(1);
        let offers = limit.min(OFFER_LIMIT.as_secs());
        let (master, on) = match on_mesos {
            true => ("", "Mesos".to_owned()),
            false => (LOCAL, format!("{} alone", hub.name)),
        };
        let job = Script::new("run a job of Spark", RUN)
            .var("nonce", &nonce)
            .var("job", JOB)
            .var("hub", hub.private_ip)
            .var("master", master)
            .var("limit", limit)
            .var("offers", offers);
        let ran = match self.begin(asker, hub, &nonce).await {
            Ok(()) => asker.run(hub, job).await,
            Err(error) => Err(error),
        };
        self.end_of(&nonce).await;
        let job = match ran {
            Ok(_) => Ok(Task::Ran { on }),
            Err(ActError::Remote(error)) if error.exit_status() == Some(NO_OFFER) => Ok(Task::NotRun {
                why: format!("no offer with enough for an executor came within {offers} s"),
            }),
            Err(error) => Err(error),
        };
        match job {
            Ok(job) => {
                self.tell(What::SparkJob, Some(hub), Ok(text(&job)));
                Some(job)
            }
            Err(error) => {
                self.tell(What::SparkJob, Some(hub), Err(error));
                None
            }
        }
    }
}

/// What became of a job, in words.
pub fn text(job: &Task) -> String {
    match job {
        Task::Ran { on } => format!("a job of Spark's ran on {on}: it wrote to both HDFS and read from them"),
        Task::NotRun { why } => format!("no job of Spark's was run: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Output};

    use super::*;

    /// The script on a node whose spark-submit is this one; and which of its files are left for the janitor.
    fn run(submit: &str) -> (Output, usize) {
        let node = tempfile::tempdir().unwrap();
        let at = |path: &str| node.path().join(path);
        for folder in ["spark/bin", "run"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let program = at("spark/bin/spark-submit");
        fs::write(&program, format!("#!/bin/sh\n{submit}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let script = RUN
            .replace("/root/spark", &at("spark").display().to_string())
            .replace("/run/mesosflow", &at("run").display().to_string())
            .replace("/var/lib/mesosflow", &at("lib").display().to_string());
        let ran = Command::new("sh")
            .args(["-euc", &script])
            .envs([
                ("nonce", "n"),
                ("job", "pass"),
                ("hub", "10.0.0.1"),
                ("limit", "1"),
                ("offers", "7"),
                ("master", ""),
            ])
            .output()
            .unwrap();
        assert_eq!(fs::read_dir(at("lib")).unwrap().count(), 0, "its folder is left");
        let left = fs::read_dir(at("run")).unwrap().count();
        (ran, left)
    }

    const NOBODY: &str = "echo 'WARN TaskSchedulerImpl: Initial job has not accepted any resources; check your cluster UI' >&2";

    #[test]
    fn that_nobody_offers_enough_is_told_from_a_job_that_fails_or_hangs() {
        let (ran, left) =
            run("case \"$*\" in *hdfs://10.0.0.1:9000/*hdfs://10.0.0.1:9010/*) exit 0 ;; esac; exit 9");
        assert_eq!((ran.status.code(), left), (Some(0), 0), "{ran:?}");
        for ended in ["exec sleep 60", "[ \"$MESOSFLOW_OFFER_LIMIT\" != 7 ] || exit 3"] {
            let (ran, left) = run(&format!("{NOBODY}; {ended}"));
            assert_eq!((ran.status.code(), left), (Some(NO_OFFER), 2), "{ran:?}");
        }
        // One that was offered enough in the end, and fails.
        let (ran, left) = run(&format!(
            "{NOBODY}; echo 'java.io.IOException: no room'; echo '  at a.B.c(B.java:1)'; exit 1"
        ));
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!((ran.status.code(), left), (Some(4), 2), "{ran:?}");
        assert_eq!(said, "java.io.IOException: no room\n");
        let (ran, _) = run("echo busy; exec sleep 60");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(4), "{ran:?}");
        assert_eq!(said, "busy\nno end after 1 s\n");
    }
}
