//! What the deployed files do against a node's other users.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/root");

/// The agent's tasks share its mounts and outlive it, and the shared volume is no daemon.
#[test]
fn no_daemon_uses_a_folder_that_others_write_to() {
    let deployed = fs::read_dir(format!("{DEPLOY}/mesos-ec2/units")).unwrap();
    let of_roles = ["mesos-master", "mesos-slave"]
        .map(|role| PathBuf::from(format!("{DEPLOY}/../../roles/{role}/{role}.service")));
    for path in deployed.map(|entry| entry.unwrap().path()).chain(of_roles) {
        let text = fs::read_to_string(&path).unwrap();
        match path.file_stem().unwrap().to_str().unwrap() {
            "mesosflow-shared-volume" => {}
            "mesos-slave" => {
                assert!(!text.contains("\nPrivateTmp="));
                for name in ["FETCHER_CACHE", "DOCKER_STORE", "APPC_STORE"] {
                    assert!(
                        text.contains(&format!("MESOS_{name}_DIR=/mnt/mesos-cache/")),
                        "{name}"
                    );
                }
            }
            daemon => assert!(text.contains("\nPrivateTmp=yes\n"), "{daemon}"),
        }
    }
}

/// What is run by hand and by the steps runs outside of the units.
#[test]
fn hadoops_temporary_files_lie_in_a_folder_of_roots() {
    for conf in [
        // Both file systems include it.
        "../parts",
        "mesos-ec2/hadoop-framework-conf",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (place, tools) = (folder.path().join("java"), folder.path().join("tools"));
        let text = fs::read_to_string(format!("{DEPLOY}/{conf}/hadoop-env.sh")).unwrap();
        let text = text
            .replace("{{ java_home }}", "/java")
            .replace("{{ hdfs_heap_mb }}", "256");
        let env = folder.path().join("hadoop-env.sh");
        fs::write(
            &env,
            text.replace("/var/lib/mesosflow-java", place.to_str().unwrap()),
        )
        .unwrap();
        fs::create_dir(&tools).unwrap();
        let options = |user: &str| {
            program(&tools.join("id"), &format!("echo {user}"));
            let mut command = Command::new("bash");
            command.args([
                "-euo",
                "pipefail",
                "-c",
                r#". "$0"; printf %s "${HADOOP_OPTS:-}""#,
            ]);
            let path = format!("{}:/usr/bin:/bin", tools.display());
            let output = command
                .arg(&env)
                .arg("namenode")
                .env("PATH", path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(!options("1000").contains("java.io.tmpdir"), "{conf}");
        assert!(!place.exists());
        let option = format!("-Djava.io.tmpdir={}", place.display());
        assert!(options("0").split(' ').any(|word| word == option), "{conf}");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn root_of_a_node_is_nobody_in_the_shared_folder() {
    let read = |name: &str| fs::read_to_string(format!("{DEPLOY}/mesos-ec2/nfs/{name}")).unwrap();
    let (exports, ganesha) = (read("exports"), read("ganesha.conf"));
    assert!(
        exports.contains(",root_squash)") && !exports.contains("no_root_squash"),
        "{exports}"
    );
    assert!(
        ganesha.contains("Squash = Root_Squash;") && !ganesha.contains("No_Root_Squash"),
        "{ganesha}"
    );
}

/// A stand-in for `systemctl`: no queue of this machine's systemd is made to hang.
#[test]
fn a_mount_that_hangs_in_the_queue_is_cancelled_and_one_that_fails_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let run = |start: &str, is_active: bool| {
        let jobs = "echo '  41 other.service start waiting'; echo ' 137 mnt-nfs.mount start waiting'";
        let body = format!(
            "echo \"$*\" >> '{}'\ncase $1 in start) {start} ;; list-jobs) {jobs} ;; is-active) {is_active} ;; esac",
            said.display()
        );
        program(&folder.path().join("systemctl"), &body);
        fs::write(&said, "").unwrap();
        let mut command = Command::new("sh");
        command
            .arg(format!("{DEPLOY}/mesos-ec2/scripts/mount-shared"))
            .arg("0.5");
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let output = command.env("PATH", path).output().unwrap();
        (output.status.code(), fs::read_to_string(&said).unwrap())
    };
    let started = "start mnt-nfs.mount\n";
    assert_eq!(run("exit 0", true), (Some(0), started.to_owned()));
    assert_eq!(run("exit 5", false), (Some(5), started.to_owned()));
    let (code, said) = run("exec tail -f /dev/null", false);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("\ncancel 137\n") && !said.contains("cancel 41"),
        "{said}"
    );
    assert!(
        said.contains("\nreset-failed mnt-nfs.mount mnt-nfs.automount\n"),
        "{said}"
    );
    let (code, said) = run("exec tail -f /dev/null", true);
    assert_eq!(code, Some(0), "it came in the last moment: {said}");
    assert!(
        said.contains("\ncancel 137\n") && !said.contains("restart"),
        "{said}"
    );
}

fn program(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
