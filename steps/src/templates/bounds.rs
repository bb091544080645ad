//! What the deployed files do that keep a disk from filling up, on this machine.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/roles/mesos");

fn ask(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A log of a megabyte, last written to so many minutes ago.
fn log(path: &Path, minutes: u64) {
    let file = File::create(path).unwrap();
    file.set_len(1 << 20).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60 * minutes))
        .unwrap();
}

#[test]
fn the_oldest_logs_go_and_those_that_are_written_to_stay() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for age in 1..=9 {
        log(&at(&format!("mesos agent.INFO.{age}")), age);
    }
    log(&at("mesos-agent.ERROR.99"), 99);
    symlink("mesos-agent.ERROR.99", at("mesos-agent.ERROR")).unwrap();
    symlink("mesos agent.INFO.1", at("mesos-agent.INFO")).unwrap();
    let tidy = || {
        ask(Command::new("sh")
            .arg(format!("{SCRIPTS}/tidy-logs"))
            .arg(folder.path())
            .arg("4"))
    };
    let left = || {
        let names = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    tidy();
    let expected = [
        "mesos agent.INFO.1",
        "mesos agent.INFO.2",
        "mesos agent.INFO.3",
        "mesos agent.INFO.4",
        "mesos-agent.ERROR",
        "mesos-agent.ERROR.99",
        "mesos-agent.INFO",
    ];
    assert_eq!(left(), expected);
    tidy();
    assert!(left().len() >= 6, "{:?}", left());
}

#[test]
fn what_tasks_print_is_bounded_where_mesos_has_the_module() {
    let folder = tempfile::tempdir().unwrap();
    let (mesos, file) = (folder.path().join("mesos"), folder.path().join("flags"));
    let tools = folder.path().join("tools");
    for folder in [
        &mesos.join("lib/mesos/modules"),
        &mesos.join("libexec/mesos"),
        &tools,
    ] {
        fs::create_dir_all(folder).unwrap();
    }
    let program = |path: &Path| {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(&tools.join("logrotate"));
    let look = || {
        let path = format!("{}:/usr/bin:/bin", tools.display());
        let mut command = Command::new("sh");
        command.arg(format!("{SCRIPTS}/container-logger")).arg(&file);
        ask(command.env("MESOS_HOME", &mesos).env("PATH", path));
        fs::read_to_string(&file).unwrap()
    };
    assert_eq!(look(), "");
    let library = mesos.join("lib/mesos/modules/liblogrotate_container_logger.so");
    fs::write(&library, "").unwrap();
    assert_eq!(look(), "", "without the program that it starts");
    program(&mesos.join("libexec/mesos/mesos-logrotate-logger"));
    let flags = look();
    let modules = flags
        .lines()
        .find_map(|line| line.strip_prefix("MESOS_MODULES="))
        .unwrap();
    let modules: serde_json::Value = serde_json::from_str(modules.trim_matches('\'')).unwrap();
    assert_eq!(modules["libraries"][0]["file"], library.to_str().unwrap());
    let name = &modules["libraries"][0]["modules"][0]["name"];
    assert!(
        flags.contains(&format!("MESOS_CONTAINER_LOGGER={}\n", name.as_str().unwrap())),
        "{flags}"
    );
}

/// Both file systems, as their launcher reads them.
#[test]
fn a_datanode_leaves_a_part_of_each_disk_alone_and_no_other_program_asks() {
    for which in ["ephemeral", "persistent"] {
        let deploy = format!("{}/deploy", env!("CARGO_MANIFEST_DIR"));
        let conf = format!("{deploy}/root/{which}-hdfs/conf");
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("not/there/yet");
        let text = fs::read_to_string(format!("{deploy}/parts/hadoop-env.sh")).unwrap();
        let text = text
            .replace("{{ data_folders }}", &format!("{},/", data.display()))
            .replace(
                "/var/lib/mesosflow-java",
                folder.path().join("java").to_str().unwrap(),
            )
            .replace("{{ java_home }}", "/java")
            .replace("{{ hdfs_heap_mb }}", "256");
        let env = folder.path().join("hadoop-env.sh");
        fs::write(&env, text).unwrap();
        let options = |program: &str| {
            let script = r#". "$0"; printf %s "${HADOOP_OPTS:-}""#;
            ask(Command::new("bash")
                .args(["-euo", "pipefail", "-c", script])
                .arg(&env)
                .arg(program))
        };
        let flag = "-Dmesosflow.du.reserved=";
        assert!(!options("namenode").contains(flag));
        let options = options("datanode");
        let reserved = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix(flag))
            .unwrap();
        let reserved: u64 = reserved.parse().unwrap();
        let disk = ask(Command::new("df")
            .args(["--block-size=1", "--output=size"])
            .arg(folder.path()));
        let disk: u64 = disk.lines().last().unwrap().trim().parse().unwrap();
        assert!(
            reserved >= disk.min(1 << 30) / 11 && reserved <= disk / 4,
            "{reserved} of {disk}"
        );
        assert!(reserved <= 100 << 30);

        let site = fs::read_to_string(format!("{conf}/hdfs-site.xml")).unwrap();
        let named = [
            "<name>dfs.datanode.du.reserved</name>",
            "<value>${mesosflow.du.reserved}</value>",
        ];
        assert!(named.iter().all(|part| site.contains(part)), "{site}");
    }
}
