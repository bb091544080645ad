//! What a run reports at its end, for people.

use crate::text::clean;
use crate::wiring::Report;

/// The report, a line for each thing to know.
pub(crate) fn text(report: &Report) -> String {
    let mut lines = vec![
        line("log in", &report.login),
        line("cluster URL", &report.cluster_url),
    ];
    lines.push(line("leading master", &report.leading_master));
    lines.extend(
        report
            .zookeeper_leader
            .as_ref()
            .map(|leader| line("ZooKeeper", &format!("led by {leader}"))),
    );
    lines.push(line("Mesos", &report.mesos_version));
    for (label, version) in [
        ("Spark", &report.spark_version),
        ("Hadoop", &report.hadoop_version),
    ] {
        lines.extend(version.as_ref().map(|version| line(label, version)));
    }
    lines.extend(report.hdfs.iter().map(|address| line("HDFS", address)));
    lines.extend(
        report
            .uis
            .iter()
            .map(|ui| line("UI", &format!("{}  {}", ui.url, ui.name))),
    );
    lines.extend(substitutions(&report.substitutions));
    lines.extend(warnings(&report.warnings));
    lines.join("\n")
}

/// What is not as it should be.
pub(crate) fn warnings<'w>(warnings: impl IntoIterator<Item = &'w String>) -> impl Iterator<Item = String> {
    warnings.into_iter().map(|warning| line("warning", warning))
}

/// What stands in for something else.
pub(crate) fn substitutions(substitutions: &[String]) -> impl Iterator<Item = String> {
    substitutions
        .iter()
        .map(|substitution| line("substitution", substitution))
}

fn line(label: &str, text: &str) -> String {
    format!("{label:<14}  {}", clean(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_to_log_in_and_where_everything_is() {
        // From JSON, as it comes from a journal.
        let report = serde_json::from_value(serde_json::json!({
            "cluster_url": "zk://10.0.0.4:2181,10.0.0.5:2181,10.0.0.6:2181/mesos",
            "leading_master": "demo-master-2",
            "zookeeper_leader": "demo-zookeeper-3",
            "mesos_version": "mesos 1.11.0",
            "uis": [{"name": "Mesos (demo-master-1)", "url": "http://10.0.0.1:5050"}],
            "hdfs": ["hdfs://10.0.0.1:9000", "hdfs://10.0.0.1:9010"],
            "login": "ssh -i key root@10.0.0.1",
            "substitutions": ["/mnt/nfs is mounted by sshfs: the kernel has no NFS client"],
            "warnings": ["the ephemeral HDFS has 2 blocks of which no copy is left"],
        }));
        insta::assert_snapshot!(text(&report.unwrap()));
    }
}
