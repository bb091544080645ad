//! Spark as its users start it on a node: on Mesos where the node's library has Java bindings, on the node alone otherwise.

use crate::cluster::Node;

/// Tells whether a driver of Spark's can talk to the Mesos of a node.
pub(crate) const BINDINGS: &str = shell!("spark-bindings.sh");
/// What proves that Spark works: a shuffle, whose outcome is written to each of the folders that are named, read and removed.
pub(crate) const JOB: &str = include_str!("spark_job.py");
const OPEN: &str = shell!("spark-open.sh");

/// What a cluster without Java bindings can do, and how it gets them.
pub const RUNS_LOCALLY: &str = "Spark runs locally only: this Mesos was built without Java bindings; one that is built with a JDK and Maven \
                                has them (docs/frameworks.md), and `mesosflow redeploy` brings it";

/// The words of a command that becomes one of Spark's programs on that node, as root, with these arguments. Where they do not say where
/// to run and Mesos cannot be used, it says so and runs on the node alone.
pub fn command<'w>(node: &Node, program: &'w str, args: &'w [String]) -> Vec<&'w str> {
    let root: &[&str] = match node.user.as_str() {
        "root" => &[],
        _ => &["sudo", "-n", "--"],
    };
    let words = words(program, is_placed(args), args);
    root.iter().copied().chain(words).collect()
}

/// The same for whoever is root there, and knows whether the arguments say where to run (`is_placed`).
pub(crate) fn words<'w>(program: &'w str, is_placed: bool, args: &'w [String]) -> Vec<&'w str> {
    let placed = if is_placed { "yes" } else { "no" };
    let fixed = ["sh", "-c", OPEN, program, BINDINGS, RUNS_LOCALLY, placed, program];
    let args = args.iter().map(String::as_str);
    fixed.into_iter().chain(args).collect()
}

/// Whether options of Spark's say where to run: `--master`, or the key for it.
pub fn is_placed(options: &[String]) -> bool {
    options.iter().any(|word| {
        let value = word.strip_prefix("--conf=").unwrap_or(word);
        word == "--master" || word.starts_with("--master=") || value.starts_with("spark.master=")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// What a program of Spark's gets as arguments on a node where the bindings are as told, and what is said beside.
    fn given(bindings: &str, args: &[&str]) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let program = bin.join("pyspark");
        fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).unwrap();
        let script = OPEN.replace("/root/spark", &folder.path().display().to_string());
        let looks = format!("echo {bindings}; exit 0");
        let words: Vec<_> = args.iter().map(ToString::to_string).collect();
        let placed = if is_placed(&words) { "yes" } else { "no" };
        let output = Command::new("sh")
            .args(["-c", &script, "pyspark", &looks, "LOCALLY", placed, "pyspark"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    #[test]
    fn without_bindings_it_runs_on_the_node_unless_somebody_says_where() {
        assert_eq!(
            given("yes", &["--name", "a b"]),
            ("--name\na b\n".into(), String::new())
        );
        let (words, said) = given("no", &["--name", "a b"]);
        assert_eq!(words, "--master\nlocal[*]\n--name\na b\n");
        assert_eq!(said, "LOCALLY\n");
        for chosen in [
            &["--master", "local[2]"][..],
            &["--master=local"],
            &["--conf", "spark.master=local"],
            &["--conf=spark.master=local"],
        ] {
            let (words, said) = given("no", chosen);
            assert_eq!(words.lines().collect::<Vec<_>>(), chosen);
            assert_eq!(said, "");
        }
    }

    #[test]
    fn whoever_is_not_root_becomes_it() {
        let node = |user: &str| -> Node {
            serde_json::from_value(serde_json::json!({
                "id": "i-1", "name": "demo-master-1", "role": "master", "index": 1, "private_ip": "10.0.0.1", "user": user, "port": 22,
                "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
            }))
            .unwrap()
        };
        assert_eq!(command(&node("root"), "pyspark", &[])[..2], ["sh", "-c"]);
        assert_eq!(
            command(&node("admin"), "pyspark", &[])[..4],
            ["sudo", "-n", "--", "sh"]
        );
    }
}
