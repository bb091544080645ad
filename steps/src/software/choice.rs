//! Where Hadoop and Spark of a cluster come from, as the layout's script and the steps need it.

use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{ClusterSpec, Node, SoftwareSource, SoftwareSpec, Tarball};
use crate::world::{Script, World};

/// What was chosen instead of PyPI's archives. No part of an input where nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Choice {
    #[serde(skip_serializing_if = "SoftwareSpec::is_default")]
    hadoop: SoftwareSpec,
    #[serde(skip_serializing_if = "SoftwareSpec::is_default")]
    spark: SoftwareSpec,
}

impl Choice {
    /// That of a cluster.
    pub(crate) fn of(spec: &ClusterSpec) -> Self {
        Self {
            hadoop: spec.hadoop.clone(),
            spark: spec.spark.software(),
        }
    }

    /// The text of `choice.env`; none where nothing was chosen.
    pub(crate) fn text(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let of = |name: &str, spec: &SoftwareSpec| {
            let tarball = spec.tarball().map_or_else(String::new, |_| sha256_of(spec));
            let source = spec.source.as_str();
            format!("{name}_SOURCE={source}\n{name}_TARBALL={tarball}\n")
        };
        Some(of("HADOOP", &self.hadoop) + &of("SPARK", &self.spark))
    }

    /// Name, place and SHA-256 of the tarballs.
    pub(super) fn tarballs(&self) -> impl Iterator<Item = (&'static str, Tarball<'_>, String)> {
        let all = [("hadoop", &self.hadoop), ("spark", &self.spark)];
        all.into_iter()
            .filter_map(|(name, spec)| Some((name, spec.tarball()?, sha256_of(spec))))
    }

    /// The same for the script, a line each: `-` for the URL of what is on this machine.
    pub(super) fn lines(&self) -> String {
        let lines = self.tarballs().map(|(name, tarball, sha256)| {
            let url = match tarball {
                Tarball::At(url) => url,
                Tarball::Here(_) => "-",
            };
            format!("{name} {url} {sha256}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What is copied from the first master. The mark beside them is not: each node makes its own, when the copy is whole.
    pub(super) fn folders(&self) -> Vec<&'static str> {
        let hadoop = match self.hadoop.source {
            SoftwareSource::Pypi => Some("/opt/mesosflow/hadoop-2.7.3"),
            SoftwareSource::Url => Some("/opt/mesosflow/hadoop"),
            SoftwareSource::None => None,
        };
        let spark = match self.spark.source {
            SoftwareSource::Pypi => Some("/opt/mesosflow/spark-3.5.9"),
            SoftwareSource::Url => Some("/opt/mesosflow/spark"),
            SoftwareSource::None => None,
        };
        let others = ["/opt/mesosflow/zookeeper", "/opt/mesosflow/layout"];
        hadoop.into_iter().chain(spark).chain(others).collect()
    }

    /// The homes that are mesosflow's, each with what in it is a link to the layout.
    pub(crate) const fn homes(&self) -> &'static str {
        let (hadoop, spark) = (self.hadoop.source, self.spark.source);
        match (
            matches!(hadoop, SoftwareSource::None),
            matches!(spark, SoftwareSource::None),
        ) {
            (false, false) => "ephemeral-hdfs:bin/hdfs persistent-hdfs:bin/hdfs spark:bin",
            (false, true) => "ephemeral-hdfs:bin/hdfs persistent-hdfs:bin/hdfs",
            (true, false) => "spark:bin",
            (true, true) => "",
        }
    }

    /// Refuses a node that has to have what is not laid out, and has not. Spark is looked for once it is wanted.
    ///
    /// # Errors
    /// There is no HDFS, or the node cannot be reached.
    pub(super) async fn require(&self, world: &World, node: &Node) -> Result<(), ActError> {
        if self.hadoop.source != SoftwareSource::None {
            return Ok(());
        }
        let look = Script::new(
            "look for an HDFS that the node has",
            "[ -x /root/ephemeral-hdfs/bin/hdfs ] && [ -x /root/persistent-hdfs/bin/hdfs ] || exit 1",
        );
        if world.ask(node, look).await? {
            return Ok(());
        }
        Err(ActError::wrong(format!(
            "{} lacks /root/ephemeral-hdfs/bin/hdfs or /root/persistent-hdfs/bin/hdfs, and `hadoop.source` is `none`",
            node.name
        ))
        .hinted("put both there and resume; or make a new cluster of an image that has them, or with another `source` under `[hadoop]`"))
    }
}

/// What a spec that a run may have says of its tarball.
fn sha256_of(spec: &SoftwareSpec) -> String {
    spec.sha256.as_deref().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_is_not_said() {
        assert_eq!(Choice::default().text(), None);
        assert_eq!(serde_json::to_string(&Choice::default()).unwrap(), "{}");
        assert_eq!(Choice::default().lines(), "");
    }

    #[test]
    fn a_tarball_is_told_by_its_digest_wherever_it_is() {
        let of = |url: &str, sha256: &str| {
            Choice::of(&ClusterSpec {
                hadoop: SoftwareSpec {
                    source: SoftwareSource::Url,
                    url: Some(url.to_owned()),
                    sha256: Some(sha256.to_owned()),
                },
                ..ClusterSpec::default()
            })
        };
        let (sha256, url) = ("AB".repeat(32), "https://example.org/hadoop-2.7.7.tar.gz");
        let (there, here) = (
            of(url, &sha256),
            of("/data/hadoop.tar.gz", &sha256.to_lowercase()),
        );
        assert_eq!(there.text(), here.text());
        assert_ne!(there.text(), of(url, &"CD".repeat(32)).text());
        assert_eq!(there.lines(), format!("hadoop {url} {}", sha256.to_lowercase()));
        assert_eq!(here.lines(), format!("hadoop - {}", sha256.to_lowercase()));
        assert_eq!(
            there.folders()[..2],
            ["/opt/mesosflow/hadoop", "/opt/mesosflow/spark-3.5.9"]
        );
    }
}
