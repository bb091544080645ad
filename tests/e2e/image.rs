//! A node of a cluster becomes the image of another one: nothing of the old cluster is in it, and what a node is made of is.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mesosflow_steps::image::{TRACES, traces};
use mesosflow_steps::on_node::UNITS;
use mesosflow_tests::{Bench, Engine, Node, Nodes, RUN_LIMIT, assert_healthy, log_in, until};

const LIMIT: Duration = Duration::from_secs(180);
/// Stops the clean-up where it asks for this program, until it is let go.
const HELD: &str = r#"mkdir -p /root/.ssh && echo "$(uname -n) $(cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)" > /root/.ssh/known_hosts
printf '#!/bin/sh\ntouch /run/reached\nwhile [ ! -e /run/go ]; do sleep 0.1; done\nexec /usr/bin/ssh-keygen "$@"\n' > /usr/local/bin/ssh-keygen
chmod 755 /usr/local/bin/ssh-keygen"#;
const SCRIPT_RUNS: &str =
    "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -q 'what is left for the last [s]cript'";

#[test]
fn a_node_becomes_the_image_of_another_cluster() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&run);
    let slave = nodes.of("slave")[0];
    for node in nodes.all() {
        the_list_has_all_that_is_new_on(bench.engine(), node);
    }
    let before = slave.ask("cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id");
    let key = bench.cluster_dir(&run).join("cluster_ed25519");
    it_asks_first(&mut bench, &slave.name);
    cut_off_in_the_middle(&mut bench, slave);
    assert!(
        log_in(&key, &slave.ip).contains("uid=0"),
        "the door closed too early"
    );

    let said = bench
        .say(&[
            "image",
            "prepare",
            &slave.name,
            "--cluster",
            &cluster,
            "--yes",
            "--json",
        ])
        .ended(0);
    let told = said.json();
    assert_eq!(told["done"], true);
    assert_eq!(told["left"], serde_json::json!([]), "{told}");
    // Done is done.
    bench
        .say(&["image", "prepare", &slave.name, "--yes"])
        .ended(1)
        .complains(&["does not let the cluster in", "it is done"]);

    let image = format!("localhost/{cluster}-image");
    let engine = bench.engine().clone();
    make(&engine, told["next"][0].as_str().unwrap(), &cluster, &image);
    let traces = [
        &[cluster.clone(), run.clone()][..],
        &addresses(&nodes),
        &[blob(&key)],
    ]
    .concat();
    let copy = boot(&engine, &cluster, &image);
    nothing_is_left_in(&engine, &copy, &traces);
    let ip = address(&engine, &copy);
    until("the copy's own SSH server", LIMIT, || {
        let answer = log_in(&key, &ip);
        assert!(
            !answer.contains("uid="),
            "the old cluster's key opens it: {answer}"
        );
        answer.contains("Permission denied").then_some(())
    });
    let after = engine
        .exec(&copy, "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id")
        .ok();
    for line in before.lines() {
        assert!(!after.contains(line), "{line}");
    }
    assert!(
        after.lines().count() == 2 && after.starts_with("ssh-ed25519 "),
        "{after}"
    );

    engine.run(&["rm", "--force", "--volumes", &copy]).ok();
    bench.say(&["destroy", "--cluster", &cluster, "--yes"]).ended(0);
    let next = bench.cluster();
    let config = bench.write("image.toml", &format!("[local]\nimage = \"{image}\"\n"));
    let config = config.display().to_string();
    let args = ["run", "--cluster", &next, "--masters", "1", "--slaves", "1"];
    let mut live = bench.start(&[&args[..], &["--mesos-source", "none", "--config", &config]].concat());
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    assert_healthy(&bench.nodes(&run));
}

/// Whatever differs from the node's image is in the one list, or the system's own.
fn the_list_has_all_that_is_new_on(engine: &Engine, node: &Node) {
    let units: Vec<_> = traces::units().collect();
    let is_listed = |path: &str| {
        TRACES
            .iter()
            .any(|trace| trace.covers(path) || trace.path.starts_with(&format!("{path}/")))
            || units.iter().any(|unit| unit == path)
            || units.iter().any(|unit| {
                let name = unit.rsplit('/').next().unwrap_or_default();
                path.ends_with(&format!(".wants/{name}"))
            })
    };
    let system = [
        "/dev",
        "/proc",
        "/sys",
        "/tmp",
        "/etc/.pwd.lock",
        "/etc/systemd/system/multi-user.target.wants",
        "/etc/systemd/system/sysinit.target.wants",
        "/etc/systemd/system/timers.target.wants",
        "/etc/resolv.conf",
    ];
    // A daemon's own /tmp, which goes with the daemon.
    let is_systemds = |path: &str| path == "/var/tmp" || path.starts_with("/var/tmp/systemd-private-");
    let differs = engine.run(&["diff", &node.container]).ok();
    let mut paths: Vec<_> = differs
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, path)| path.to_owned())
        .collect();
    let disks = node.ask("find /mnt /vol -mindepth 1 -maxdepth 1");
    paths.extend(disks.lines().map(str::to_owned));
    let unlisted: Vec<_> = paths
        .iter()
        .filter(|path| {
            !is_listed(path)
                && !is_systemds(path)
                && !system.iter().any(|known| Path::new(path).starts_with(known))
        })
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    assert!(
        unlisted.is_empty(),
        "{} has what is not in the list: {unlisted:?}",
        node.name
    );
}

fn it_asks_first(bench: &mut Bench, name: &str) {
    let said = bench.say(&["image", "prepare", name, "--json"]).ended(3);
    let told = said.json();
    assert_eq!((&told["done"], &told["role"]), (&false.into(), &"slave".into()));
    let goes = told["goes"].as_array().unwrap();
    for path in [
        "/etc/mesosflow",
        "/root/mesos-ec2",
        "/root/.ssh/authorized_keys",
        "/etc/ssh/ssh_host_ed25519_key",
    ] {
        assert!(goes.iter().any(|goes| goes["path"] == path), "{path}: {told}");
    }
    said.complains(&["0 slaves are left", "--yes"]);
    bench
        .say(&["image", "prepare", "nobody", "--yes"])
        .ended(2)
        .complains(&["no node `nobody`"]);
}

/// Killed while a script is at it, and while another command would drive the run.
fn cut_off_in_the_middle(bench: &mut Bench, slave: &Node) {
    slave.ask(HELD);
    let live = bench.start(&["image", "prepare", &slave.name, "--yes"]);
    until("the clean-up", LIMIT, || {
        (slave.run("test -e /run/reached").code == 0).then_some(())
    });
    bench.say(&["resume", "--last"]).ended(3);
    bench.say(&["image", "prepare", &slave.name, "--yes"]).ended(3);
    live.kill();
    until("the end of what it had begun", LIMIT, || {
        let ended = slave.run(&format!("! {SCRIPT_RUNS}"));
        (ended.code == 0).then_some(())
    });
    slave.ask(
        "rm /usr/local/bin/ssh-keygen && test ! -e /root/mesos-ec2 && ! systemctl is-active mesos-slave",
    );
}

/// The image, by the command that was told; with a label by which it goes with the scenario, and with none of the node's own.
fn make(engine: &Engine, told: &str, cluster: &str, image: &str) {
    let words = engine.words().join(" ");
    let label = format!("--change 'LABEL org.mesosflow.test={cluster}'");
    let command = told.replace("podman ", &format!("{words} "));
    let command = command.replace("- NAME", &format!("{label} - {image}"));
    let made = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(made.status.success(), "{command}: {made:?}");
    let says = engine
        .run(&["image", "inspect", "--format", "{{json .Config}}", image])
        .ok();
    assert!(!says.contains("org.mesosflow.run"), "{says}");
}

fn nothing_is_left_in(engine: &Engine, copy: &str, traces: &[String]) {
    until("the copy's boot", LIMIT, || {
        let booted = engine.exec(copy, "systemctl is-system-running --wait");
        ["running", "degraded"].contains(&booted.out.trim()).then_some(())
    });
    for trace in traces {
        let search = format!(
            "grep -rlwF -e '{trace}' /etc /root /var/lib /var/log /home --exclude-dir=proc; cat /etc/fstab /etc/machine-id | grep -wF -e '{trace}'; true"
        );
        assert_eq!(engine.exec(copy, &search).ok(), "", "{trace} is left");
    }
    let runs = "ps -e -o comm= 2>/dev/null || cat /proc/[0-9]*/comm";
    let programs = engine.exec(copy, runs).ok();
    for program in ["java", "mesos-", "ganesha"] {
        assert!(!programs.contains(program), "{programs}");
    }
    let there = format!(
        "cd /etc/systemd/system; ls -d {} 2>/dev/null; true",
        UNITS.join(" ")
    );
    assert_eq!(engine.exec(copy, &there).ok(), "");
    let data = "ls -d /var/lib/mesosflow* /etc/mesosflow /mnt/* /vol/* /root/.ssh/* 2>/dev/null; true";
    assert_eq!(engine.exec(copy, data).ok(), "");
    engine
        .exec(
            copy,
            "test -x /root/mesos/sbin/mesos-agent && test -s /opt/mesosflow/software",
        )
        .ok();
}

/// The words that would tell of a node's address.
fn addresses(nodes: &Nodes) -> Vec<String> {
    nodes
        .all()
        .iter()
        .flat_map(|node| [node.name.clone(), node.ip.clone()])
        .collect()
}

/// The key itself, as `authorized_keys` has it.
fn blob(key: &Path) -> String {
    let public = Command::new("ssh-keygen")
        .arg("-y")
        .arg("-f")
        .arg(key)
        .output()
        .unwrap();
    let public = String::from_utf8(public.stdout).unwrap();
    public.split_whitespace().nth(1).unwrap().to_owned()
}

/// A machine of the image, in the old cluster's network. Its name, which the engine puts into its `/etc/hosts`, is not that of the cluster.
fn boot(engine: &Engine, cluster: &str, image: &str) -> String {
    let (name, label) = (
        format!("copy{cluster}"),
        format!("org.mesosflow.cluster={cluster}"),
    );
    let network = engine.networks(cluster).remove(0);
    let args = [
        "run",
        "--detach",
        "--name",
        &name,
        "--hostname",
        "copy",
        "--privileged",
        "--label",
        &label,
        "--network",
        &network,
    ];
    let own: Vec<_> = engine.run_args().iter().map(String::as_str).collect();
    engine
        .run(&[&args[..], &own, &[image, "/sbin/init"]].concat())
        .ok();
    name
}

fn address(engine: &Engine, container: &str) -> String {
    let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    engine
        .run(&["container", "inspect", "--format", template, container])
        .ok()
}

/// Runs what the scripts share, with files of a folder in place of the machine's own.
fn with_functions(folder: &Path, body: &str) -> String {
    let functions = include_str!("../../steps/src/shell/image-functions.sh");
    let functions = functions.replace("/etc/fstab", &folder.join("fstab").display().to_string());
    let script = format!(
        "set -eu\nephemeral=noatime,nodiratime,nofail volume=allocsize=8m,nofail driver=AAAA keys=$1\n{functions}{body}"
    );
    let keys = folder.join("authorized_keys");
    let ran = Command::new("sh").args(["-c", &script, "sh"]).arg(keys).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn only_lines_of_mesosflow_go_out_of_fstab_the_innermost_first() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = "# comment /mnt ext4 x\nUUID=0 / ext4 defaults 0 1\nUUID=9 /mnt3 ext4 defaults 0 0\n/dev/x /home xfs allocsize=8m,nofail 0 0\n";
    let ours = "UUID=1 /mnt ext4 noatime,nodiratime,nofail 0 0\nUUID=3 /vol xfs allocsize=8m,nofail 0 0\n/mnt/swap none swap sw,nofail 0 0\n\
                10.0.0.1:/mnt/nfs /mnt/nfs nfs4 rw,hard,_netdev 0 0\n";
    std::fs::write(folder.path().join("fstab"), format!("{theirs}{ours}")).unwrap();
    assert_eq!(
        with_functions(folder.path(), "ours_in_fstab"),
        "10.0.0.1:/mnt/nfs /mnt/nfs nfs4\n/mnt/swap none swap\nUUID=3 /vol xfs\nUUID=1 /mnt ext4\n"
    );
    assert_eq!(with_functions(folder.path(), "others_in_fstab"), theirs);
}

#[test]
fn the_drivers_line_goes_last_and_a_users_never() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorized_keys");
    let (user, driver) = (
        "ssh-ed25519 USER me\n",
        "no-pty ssh-ed25519 AAAA mesosflow demo 01abc\n",
    );
    let nodes =
        "from=\"10.0.0.1\" ssh-ed25519 N mesosflow-nodes demo 01abc\nssh-ed25519 Z mesosflow old 01zzz\n";
    std::fs::write(&file, format!("{user}{nodes}{driver}")).unwrap();
    with_functions(folder.path(), "strip \"$keys\" yes");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{user}{driver}"));
    with_functions(folder.path(), "strip \"$keys\" no; strip \"$keys\" no");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), user);
    std::fs::write(&file, driver).unwrap();
    with_functions(folder.path(), "strip \"$keys\" no; strip \"$keys\" no");
    assert!(!file.exists());
}
