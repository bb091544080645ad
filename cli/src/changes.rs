//! What a configuration file asks for that is not in force: key by key, by their values. Keys that the file does not name stay as they are.

use serde::Serialize;
use serde_json::Value;

use crate::error::CliError;
use crate::file::Parsed;
use crate::wiring::{Change, ClusterSpec, change_of, config_keys, fixed_flags};

/// A key that gets another value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ChangedKey {
    /// The key, with its tables before it.
    pub(crate) key: &'static str,
    /// What is in force; none where nothing is.
    pub(crate) before: Option<Value>,
    /// What is asked for.
    pub(crate) after: Option<Value>,
    /// Whether it counts only for what is launched, fetched or waited for from then on.
    pub(crate) later: bool,
}

/// What a file asks for.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The cluster as it is to be.
    pub(crate) spec: ClusterSpec,
    /// What is another by that.
    pub(crate) keys: Vec<ChangedKey>,
    /// What could be another and is in force, although the file does not have it.
    pub(crate) kept: Vec<String>,
}

/// Compares; refuses all keys at once that cannot be others.
pub(crate) fn changes(now: &ClusterSpec, asked: &Parsed) -> Result<Changes, CliError> {
    let (mut spec, wanted) = (json(now)?, json(&asked.spec)?);
    let standard = json(&ClusterSpec::default())?;
    let (mut keys, mut kept, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for key in config_keys() {
        let (before, after) = (value(&spec, key), value(&wanted, key));
        let change = of(now, key);
        if !asked.named.contains(&key) {
            if before != value(&standard, key) && !matches!(change, Change::Never { .. }) {
                kept.push(format!(
                    "`{key}` stays {}: the file does not name it",
                    shown(before.as_ref())
                ));
            }
            continue;
        }
        match change {
            _ if before == after => {}
            Change::Never { why, instead } => refused.push((format!("`{key}`"), why, instead)),
            Change::Now | Change::Later => {
                put(&mut spec, key, after.clone());
                keys.push(ChangedKey {
                    key,
                    before,
                    after,
                    later: change == Change::Later,
                });
            }
        }
    }
    let spec: ClusterSpec = serde_json::from_value(spec).map_err(|error| unreadable(&error))?;
    let fixed = fixed_flags(&now.mesos, &spec.mesos).into_iter();
    refused.extend(fixed.map(|flag| {
        (
            format!("`--{}` of `{}`", flag.name, flag.key),
            flag.why,
            flag.instead,
        )
    }));
    if !refused.is_empty() {
        return Err(refusal(now, &refused));
    }
    Ok(Changes { spec, keys, kept })
}

/// The keys in which these clusters differ.
pub(crate) fn between(now: &ClusterSpec, then: &ClusterSpec) -> Result<Vec<ChangedKey>, CliError> {
    let (now, then) = (json(now)?, json(then)?);
    let all = config_keys().map(|key| ChangedKey {
        key,
        before: value(&now, key),
        after: value(&then, key),
        later: change_of(key) == Some(Change::Later),
    });
    Ok(all.filter(|key| key.before != key.after).collect())
}

/// Whether a key can be another in this cluster: those of other providers than its own are of no use to it.
fn of(now: &ClusterSpec, key: &str) -> Change {
    let is_others = match key.split_once('.') {
        Some(("ec2", _)) => now.of_ec2().is_none(),
        Some(("hosts", _)) => now.of_hosts().is_none(),
        _ => false,
    };
    let of_nobody = Change::Never {
        why: "it is of no use to the provider of this cluster",
        instead: "leave it out of the file",
    };
    match change_of(key) {
        Some(change) if !is_others => change,
        _ => of_nobody,
    }
}

fn refusal(now: &ClusterSpec, refused: &[(String, &str, &str)]) -> CliError {
    let names: Vec<_> = refused.iter().map(|(key, ..)| key.as_str()).collect();
    let mut error = CliError::usage(format!(
        "{} cannot change while cluster `{}` lives: nothing was done",
        names.join(", "),
        now.cluster
    ));
    for (key, why, instead) in refused {
        error.causes.push(format!("{key}: {why}"));
        let hint = format!("for {key}: {instead}");
        error.hints.push(hint);
    }
    error
}

fn json(spec: &ClusterSpec) -> Result<Value, CliError> {
    serde_json::to_value(spec).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> CliError {
    CliError::usage("the configuration cannot be compared with what is in force").because_of(error)
}

fn value(spec: &Value, key: &str) -> Option<Value> {
    let found = key.split('.').try_fold(spec, |part, name| part.get(name));
    found.filter(|value| !value.is_null()).cloned()
}

/// Puts a value in its place; the tables around it are there.
fn put(spec: &mut Value, key: &str, value: Option<Value>) {
    let (tables, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut place = spec;
    for table in tables.split('.').filter(|table| !table.is_empty()) {
        place = &mut place[table];
    }
    match value {
        Some(value) => place[last] = value,
        None => drop(place.as_object_mut().map(|place| place.remove(last))),
    }
}

/// A value as a person reads it.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "unset".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Parsed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesosflow.toml");
        std::fs::write(&path, text).unwrap();
        crate::file::read(&path, &path).unwrap()
    }

    fn of(now: &ClusterSpec, text: &str) -> Vec<String> {
        let changes = changes(now, &asked(text)).unwrap();
        let line = |key: &ChangedKey| {
            let (before, after) = (shown(key.before.as_ref()), shown(key.after.as_ref()));
            format!("{} {before} -> {after}", key.key)
        };
        changes.keys.iter().map(line).collect()
    }

    #[test]
    fn only_what_the_file_names_and_what_has_another_value_is_another() {
        let mut now = ClusterSpec::default();
        now.hdfs.heap_mb = 300;
        now.swap_mb = 64;
        assert!(of(&now, "").is_empty());
        assert!(of(&now, "hdfs = { heap_mb = 300 }\nmasters = 3\n").is_empty());
        assert_eq!(
            of(&now, "hdfs.heap_mb = 0x200\nmesos.agent_flags = ['--x=1']\n"),
            ["mesos.agent_flags [] -> [\"--x=1\"]", "hdfs.heap_mb 300 -> 512"]
        );
        let changed = changes(&now, &asked("zookeeper.heap_mb = 99\n")).unwrap();
        assert_eq!(changed.spec.zookeeper.heap_mb, 99);
        assert_eq!(changed.spec.hdfs.heap_mb, 300, "the file does not name it");
        let kept = changed.kept.join("; ");
        assert!(
            kept.contains("`hdfs.heap_mb` stays 300") && kept.contains("`swap_mb` stays 64"),
            "{kept}"
        );
    }

    #[test]
    fn what_goes_back_to_its_default_is_shown_as_that() {
        let mut now = ClusterSpec::default();
        now.spark.history = true;
        let changed = changes(&now, &asked("spark.history = false\n")).unwrap();
        assert_eq!(
            of(&now, "spark.history = false\n"),
            ["spark.history true -> false"]
        );
        assert_eq!(changed.kept, Vec::<String>::new());
    }

    #[test]
    fn a_relative_path_is_no_difference_and_another_one_is() {
        let now = ClusterSpec {
            deploy_dir: Some("/etc/overlay".into()),
            ..ClusterSpec::default()
        };
        assert!(of(&now, "deploy_dir = '/etc/overlay'\n").is_empty());
        assert_eq!(
            of(&now, "deploy_dir = '/else'\n"),
            ["deploy_dir /etc/overlay -> /else"]
        );
        assert_eq!(
            of(&ClusterSpec::default(), "deploy_dir = '/else'\n"),
            ["deploy_dir unset -> /else"]
        );
    }

    #[test]
    fn a_flag_that_holds_what_there_is_stays_and_others_change() {
        let mut now = ClusterSpec::default();
        now.mesos.agent_flags = vec!["--work_dir=/mnt/a".to_owned()];
        let text = "[mesos]\nagent_flags = ['--work_dir=/mnt/a', '--x=1']\n";
        assert_eq!(of(&now, text).len(), 1);
        let text = "[mesos]\nagent_flags = ['--x=1']\nmaster_flags = ['--port=5', '--ports=6']\n";
        let refused = changes(&now, &asked(text)).unwrap_err();
        insta::assert_snapshot!(refused.render(str::to_owned));
    }

    #[test]
    fn all_keys_that_cannot_change_are_refused_at_once_with_why() {
        let text = "masters = 5\nos = 'debian11'\nec2.spot_price = '0.1'\n[mesos]\nurl = '/m.tar.gz'\n";
        let refused = changes(&ClusterSpec::default(), &asked(text)).unwrap_err();
        insta::assert_snapshot!(refused.render(str::to_owned));
    }
}
