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
            let tarball = spec.tarball().map_or_else(String::new, |_| spec.identity());
            let source = spec.source.as_str();
            format!("{name}_SOURCE={source}\n{name}_TARBALL={tarball}\n")
        };
        Some(of("HADOOP", &self.hadoop) + &of("SPARK", &self.spark))
    }

    /// Name, place and SHA-256 (where somebody has said it) of the tarballs.
    pub(super) fn tarballs(&self) -> impl Iterator<Item = (&'static str, Tarball<'_>, Option<&str>)> {
        let all = [("hadoop", &self.hadoop), ("spark", &self.spark)];
        all.into_iter()
            .filter_map(|(name, spec)| Some((name, spec.tarball()?, spec.sha256.as_deref())))
    }

    /// The same for the script: a line each, `-` for what is not there.
    pub(super) fn lines(&self) -> String {
        let lines: Vec<_> = self
            .tarballs()
            .map(|(name, tarball, sha256)| {
                let url = match tarball {
                    Tarball::At(url) => url,
                    Tarball::Here(_) => "-",
                };
                format!("{name} {url} {}", sha256.unwrap_or("-").to_ascii_lowercase())
            })
            .collect();
        lines.join("\n")
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
        .hinted("use an image that has both, or another `source` under `[hadoop]`"))
    }
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
    fn a_tarball_is_told_by_its_digest_and_by_its_url_where_nobody_has_said_that() {
        let of = |url: &str, sha256: Option<&str>| {
            Choice::of(&ClusterSpec {
                hadoop: SoftwareSpec {
                    source: SoftwareSource::Url,
                    url: Some(url.to_owned()),
                    sha256: sha256.map(str::to_owned),
                },
                ..ClusterSpec::default()
            })
        };
        let (sha256, url) = ("AB".repeat(32), "https://example.org/hadoop-2.7.7.tar.gz");
        let known = of(url, Some(&sha256));
        assert_eq!(
            known.text(),
            of("/data/hadoop.tar.gz", Some(&sha256.to_lowercase())).text()
        );
        assert_ne!(known.text(), of(url, None).text());
        assert_ne!(
            of(url, None).text(),
            of("https://example.org/hadoop-2.7.6.tar.gz", None).text()
        );
        assert_eq!(known.lines(), format!("hadoop {url} {}", sha256.to_lowercase()));
        assert_eq!(of(url, None).lines(), format!("hadoop {url} -"));
        assert_eq!(of("/data/hadoop.tar.gz", None).lines(), "hadoop - -");
        assert_eq!(
            known.folders()[..2],
            ["/opt/mesosflow/hadoop", "/opt/mesosflow/spark-3.5.9"]
        );
    }
}
