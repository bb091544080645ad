//! What the exported roles have to know of a cluster that is there: the facts of its cluster files that are no host's own and that its
//! inventory does not say.

use std::fmt::Write as _;

use super::ClusterFile;
use crate::cluster::{Flag, flags};

/// Variables of all hosts, for `group_vars`, out of the files of a master and of a slave.
pub(crate) fn variables(master: &ClusterFile, slave: Option<&ClusterFile>, epoch: u64) -> String {
    let mut text = format!(
        "---\n# Cluster {} as it was when this was written. Its masters and ZooKeepers are those of the inventory.\n",
        master.cluster
    );
    let facts = [
        ("cluster", word(&master.cluster)),
        ("epoch", epoch.to_string()),
        ("provider", word(master.provider.as_str())),
        ("java_home", word(&master.java_home)),
    ];
    for (name, value) in facts {
        let _ = writeln!(text, "mesos_{name}: {value}");
    }
    text.push_str(&dictionary("mesos_master_flags", &master.flags));
    if let Some(slave) = slave {
        text.push_str(&dictionary("mesos_slave_flags", &slave.flags));
        let folders: Vec<_> = slave.folders.split(',').filter(|path| !path.is_empty()).collect();
        text.push_str(if folders.is_empty() {
            "mesos_slave_folders: []\n"
        } else {
            "mesos_slave_folders:\n"
        });
        for folder in folders {
            let _ = writeln!(text, "  - {}", word(folder));
        }
    }
    text
}

/// Flags of a command as a dictionary; of one that is given twice the last counts.
fn dictionary(title: &str, given: &[String]) -> String {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for Flag { name, value } in flags(given) {
        let (flag, value) = match (value, name.strip_prefix("no-")) {
            (Some(value), _) => (name, word(value)),
            (None, Some(flag)) => (flag, "false".to_owned()),
            (None, None) => (name, "true".to_owned()),
        };
        entries.retain(|(other, _)| *other != flag);
        entries.push((flag, value));
    }
    if entries.is_empty() {
        return format!("{title}: {{}}\n");
    }
    let lines = entries.iter().map(|(flag, value)| format!("  {flag}: {value}\n"));
    std::iter::once(format!("{title}:\n")).chain(lines).collect()
}

/// A string of YAML, in which Ansible looks for no expression.
fn word(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    match text.contains("{{") || text.contains("{%") || text.contains("{#") {
        true => format!("!unsafe {quoted}"),
        false => quoted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_dictionary_and_values_are_taken_at_their_word() {
        let flags = [
            "--no-systemd",
            "--a=true",
            "--switch",
            r#"--json={"x":"{{ y }}"}"#,
            "--a=2=3",
        ]
        .map(str::to_owned);
        let expected = "f:\n  systemd: false\n  switch: true\n  json: !unsafe \"{\\\"x\\\":\\\"{{ y }}\\\"}\"\n  a: \"2=3\"\n";
        assert_eq!(dictionary("f", &flags), expected);
        assert_eq!(dictionary("f", &[]), "f: {}\n");
    }
}
