//! `build-frameworks` (notes 2.12): the Spark and the Hadoop that the frameworks run with.
//!
//! - Changes nothing: both were laid out when the nodes were set up; what is there is found out and recorded.
//! - Twice is safe: it only looks.
//! - Nothing to undo.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{FrameworksSpec, Node, input};
use crate::world::{Script, World};

const SPARK: &str = shell!("spark-version.sh");
/// `Hadoop 2.7.3`, and lines about its build.
const HADOOP: &str = r#"[ -x /root/ephemeral-hdfs/bin/hdfs ] || exit 1
/root/ephemeral-hdfs/bin/hdfs version | sed -n 's/^Hadoop //p'"#;

/// That of the servers of HDFS, which are of the same tarball.
const CHOSEN_HADOOP: &str = "cat /opt/mesosflow/hadoop/version";

/// Which frameworks.
#[derive(Debug, Serialize)]
pub struct BuildFrameworks {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// Which of them are asked for.
    pub frameworks: FrameworksSpec,
    /// Whether Hadoop comes out of a tarball that was chosen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hadoop_is_chosen: bool,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frameworks {
    /// Version of Spark, where it is asked for.
    pub spark: Option<String>,
    /// Version of Hadoop, where it is asked for.
    pub hadoop: Option<String>,
    /// Version of the servers of HDFS, where they come out of a tarball that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_hdfs: Option<String>,
}

impl Frameworks {
    /// What nobody has tried, where HDFS is such.
    pub(crate) fn untested(&self) -> Option<String> {
        let version = self.chosen_hdfs.as_deref()?;
        let major: u32 = version.split('.').next()?.parse().ok()?;
        (major != TESTED_MAJOR).then(|| {
            format!("Hadoop {version} is untested: both HDFS run on it, and mesosflow was tried with Hadoop {TESTED_MAJOR} alone")
        })
    }
}

/// That of PyPI's and of the tarballs that the tests make.
const TESTED_MAJOR: u32 = 2;

impl BuildFrameworks {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("build-frameworks");

    async fn version(&self, cx: &StepCx<World>, name: &str, look: &str) -> Result<String, ActError> {
        let title = format!("look for {name}");
        match cx.world().run(&self.hub, Script::new(&title, look)).await {
            Ok(output) => Ok(output.stdout_str()),
            Err(error) if error.exit_status() == Some(1) => {
                Err(
                    ActError::wrong(format!("{name} is not on {}", self.hub.name)).hinted(format!(
                        "use an image that has it, or set `frameworks.{}` to false",
                        name.to_lowercase()
                    )),
                )
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Step for BuildFrameworks {
    type World = World;
    type Output = Frameworks;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Frameworks>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Frameworks, ActError> {
        let mut found = Frameworks {
            spark: None,
            hadoop: None,
            chosen_hdfs: None,
        };
        if self.frameworks.spark {
            found.spark = Some(self.version(cx, "Spark", SPARK).await?);
        }
        if self.frameworks.hadoop {
            found.hadoop = Some(self.version(cx, "Hadoop", HADOOP).await?);
        }
        if self.hadoop_is_chosen {
            found.chosen_hdfs = Some(self.version(cx, "Hadoop", CHOSEN_HADOOP).await?);
        }
        Ok(found)
    }

    async fn verify(&self, _cx: &StepCx<World>, found: &Frameworks) -> Result<(), ActError> {
        for version in found.spark.iter().chain(&found.hadoop).chain(&found.chosen_hdfs) {
            if !version.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(ActError::wrong(format!("{version:?} is no version")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hadoop_of_another_generation_is_called_untested() {
        let said = |chosen: Option<&str>| {
            let found = Frameworks {
                spark: None,
                hadoop: None,
                chosen_hdfs: chosen.map(str::to_owned),
            };
            found.untested()
        };
        assert_eq!(said(None), None);
        assert_eq!(said(Some("2.7.7")), None);
        assert!(said(Some("3.3.6")).unwrap().contains("Hadoop 3.3.6 is untested"));
    }
}
