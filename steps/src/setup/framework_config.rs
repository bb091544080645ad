//! `framework-config` (notes 2.13): the configuration of Hadoop, haproxy with apache, and Spark, each checked by the
//! program that will read it.
//!
//! - Changes nothing: the files came with the tree; they are checked here, so that no framework fails on them later. Spark runs
//!   a job with a shuffle, on the first master alone: neither HDFS nor Mesos is up by then.
//! - Twice is safe: it only looks.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::Frameworks;
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::spark::JOB;
use crate::world::{Script, World};

const HAPROXY: &str = "haproxy -c -q -f '/root/mesos-ec2/haproxy+apache/haproxy.cfg'";
/// Amazon's `apachectl` takes no arguments of Apache's; there, Apache itself is called `httpd`.
const APACHE: &str = r#"program=$(command -v httpd) || program=apachectl
"$program" -t -f '/root/mesos-ec2/haproxy+apache/httpd.conf'"#;
const SPARK: &str = concat!(shell!("spark-job.sh"), shell!("spark-proof.sh"));
const HADOOP: &str = shell!("hadoop-config.sh");

/// How long a program may take: a job of Spark's ten seconds on an idle machine, minutes on a starved one.
const LIMIT: Duration = Duration::from_secs(600);

/// What has to be checked.
#[derive(Debug, Serialize)]
pub struct FrameworkConfig {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// What is installed.
    pub frameworks: Frameworks,
    /// Where frameworks find the leading master.
    pub cluster_url: String,
    /// Digest of the rendered tree: another tree is another input.
    pub tree: String,
}

impl FrameworkConfig {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("framework-config");
}

impl Step for FrameworkConfig {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, _cx: &StepCx<World>) -> Result<(), ActError> {
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let run =
            |script: Script<'static>| async move { cx.world().run(&self.hub, script.within(LIMIT)).await };
        run(Script::new("check haproxy.cfg", HAPROXY)).await?;
        run(Script::new("check httpd.conf", APACHE)).await?;
        if self.frameworks.hadoop.is_some() {
            let address = format!("hdfs://{}:9000", self.hub.private_ip);
            run(Script::new("check the Hadoop framework's files", HADOOP).var("address", address)).await?;
        }
        if self.frameworks.spark.is_some() {
            let job = Script::new("run a job of Spark on the first master", SPARK);
            run(job.var("url", &self.cluster_url).var("job", JOB)).await?;
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT + Duration::from_secs(180))
    }
}
