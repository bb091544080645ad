//! The roles for Ansible: Ansible itself makes masters and slaves of nodes that have nothing but Mesos and the system, which start with
//! what a deploy starts them with; and its lint has nothing to say.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use mesosflow_tests::{Bench, Node, Nodes, RUN_LIMIT, ansible_lint, ansible_playbook, until, until_up};

/// What the daemons of Mesos start with.
const FLAGS: &str = "cd /etc && for file in mesos/* mesos-master/* mesos-slave/* mesosflow/*.env systemd/system/mesos-slave.service.d/*; do
    [ ! -f \"$file\" ] || { echo \"== $file\"; cat \"$file\"; }; done";
/// Takes from a node all that makes it a master or slave; Mesos stays.
const BARE: &str = "systemctl disable --quiet --now mesos-master.service mesos-slave.service mesosflow-role-again.timer mesosflow-role.service 2>/dev/null
    rm -rf /opt/mesosflow/roles /usr/local/sbin/mesosflow-role /etc/mesosflow/cluster /etc/mesosflow/*.env /etc/mesos /etc/mesos-master \
      /etc/mesos-slave /var/lib/mesosflow/role /run/mesosflow/role /mnt/mesos-work /etc/systemd/system/mesos-* \
      /etc/systemd/system/mesosflow-role*
    systemctl daemon-reload && ! pgrep -x 'mesos-(agent|master)'";
/// Which start of the daemon this is.
const STARTED: &str =
    "systemctl show --property InvocationID --value mesos-master.service mesos-slave.service";

struct Stage {
    bench: Bench,
    nodes: Nodes,
    inventory: PathBuf,
    roles: PathBuf,
}

impl Stage {
    /// The nodes that Mesos runs on.
    fn of_mesos(&self) -> Vec<&Node> {
        let slaves = self.nodes.of("slave");
        self.nodes.of("master").into_iter().chain(slaves).collect()
    }

    fn each(&self, script: &str) -> BTreeMap<String, String> {
        let of_mesos = self.of_mesos().into_iter();
        of_mesos
            .map(|node| (node.name.clone(), node.ask(script)))
            .collect()
    }

    fn play(&self, args: &[&str]) -> Output {
        let mut play = ansible_playbook(&self.bench);
        play.arg("-i")
            .arg(&self.inventory)
            .arg(self.roles.join("site.yml"))
            .args(args);
        play.output().unwrap()
    }

    /// How many tasks changed something on each node.
    #[track_caller]
    fn changes(&self, args: &[&str]) -> BTreeMap<String, usize> {
        let played = self.play(args);
        let out = text(&played);
        assert!(played.status.success(), "{out}");
        let (_, recap) = out.split_once("PLAY RECAP").unwrap();
        let counted = recap.lines().filter_map(|line| {
            let (node, counts) = line.split_once(" : ")?;
            let changed = counts
                .split_whitespace()
                .find_map(|word| word.strip_prefix("changed="))?;
            Some((node.trim().to_owned(), changed.parse().unwrap()))
        });
        let changes: BTreeMap<_, _> = counted.collect();
        assert_eq!(changes.len(), self.of_mesos().len(), "{out}");
        changes
    }

    fn is_healthy(&mut self) {
        until_up(&self.nodes);
        until("a healthy cluster", RUN_LIMIT, || {
            (self.bench.check()["healthy"] == true).then_some(())
        });
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Those that are others than before.
fn others(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let others = after.iter().filter(|(name, it)| before.get(*name) != Some(it));
    others.map(|(name, _)| name.clone()).collect()
}

#[test]
fn ansible_makes_masters_and_slaves_of_nodes_that_have_only_mesos() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let run = bench
        .say(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "1"])
        .ended(0)
        .run();
    let roles = bench.path("roles for ansible");
    let export = [
        "roles",
        "export",
        "--format",
        "ansible",
        "--cluster",
        &cluster,
        roles.to_str().unwrap(),
    ];
    bench.say(&export).ended(0);
    let nodes = bench.nodes(&run);
    let inventory = inventory(&bench, &cluster);
    let mut stage = Stage {
        bench,
        nodes,
        inventory,
        roles,
    };
    let deployed = stage.each(FLAGS);
    stage.each(BARE);

    // It says what it would do, and does nothing.
    assert!(stage.changes(&["--check"]).values().all(|changes| *changes > 0));
    assert!(stage.each(FLAGS).values().all(String::is_empty));

    stage.changes(&[]);
    stage.is_healthy();
    assert_eq!(stage.each(FLAGS), deployed);
    for again in [&[][..], &["--check"]] {
        let changes = stage.changes(again);
        assert!(changes.values().all(|changes| *changes == 0), "{changes:?}");
    }
    only_what_changed_is_restarted(&mut stage);
    refused(&stage);
}

/// As the help of `inventory` says.
fn inventory(bench: &Bench, cluster: &str) -> PathBuf {
    let program = bench.command(&[]);
    let script = format!(
        "#!/bin/sh\nexec '{}' --journal '{}' inventory --cluster {cluster} \"$@\"\n",
        program.get_program().to_str().unwrap(),
        bench.journal().display()
    );
    let script = bench.write("inventory.sh", &script);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

fn only_what_changed_is_restarted(stage: &mut Stage) {
    let names = |stage: &Stage, role| -> Vec<String> {
        let of_role = stage.nodes.of(role).into_iter();
        of_role.map(|node| node.name.clone()).collect()
    };
    let (masters, slaves) = (names(stage, "master"), names(stage, "slave"));
    let mut before = stage.each(STARTED);

    // A flag of the masters, in the user's own variables beside ours.
    let own = "mesos_master_flags:\n  webui_dir: /root/mesos/share\n";
    fs::write(stage.roles.join("group_vars/all/own.yml"), own).unwrap();
    stage.changes(&[]);
    let now = stage.each(STARTED);
    assert_eq!(others(&before, &now), masters);
    before = now;
    let master = stage.nodes.hub();
    assert_eq!(master.ask("cat /etc/mesos-master/webui_dir"), "/root/mesos/share");

    // The unit of the slaves, by a handler.
    let unit = stage.roles.join("roles/mesos-slave/files/mesos-slave.service");
    let changed = fs::read_to_string(&unit).unwrap() + "# Changed.\n";
    fs::write(&unit, changed).unwrap();
    stage.changes(&[]);
    assert_eq!(others(&before, &stage.each(STARTED)), slaves);
    before = stage.each(STARTED);

    // Where Mesos is: an environment, and nothing that the boot script restarts for.
    for slave in stage.nodes.of("slave") {
        slave.ask("ln -s /root/mesos /opt/mesos");
    }
    let home = ["--extra-vars", "mesos_home=/opt/mesos", "--limit", "slave"];
    assert!(text(&stage.play(&home)).contains("unreachable=0    failed=0"));
    let now = stage.each(STARTED);
    assert_eq!(others(&before, &now), slaves);
    stage.is_healthy();
}

/// Before anything is touched.
fn refused(stage: &Stage) {
    let before = stage.each(FLAGS);
    for (variable, why) in [
        ("mesos_cluster=other", "says another cluster or role"),
        ("mesos_cluster=", "Set mesos_cluster"),
        (r#"{"mesos_zookeepers": []}"#, "Set mesos_cluster"),
        (
            r#"{"mesos_slave_flags": {"a": "1\nrole=mesos-master"}}"#,
            "a flag has one line",
        ),
    ] {
        let played = stage.play(&["--extra-vars", variable, "--limit", "slave"]);
        let out = text(&played);
        assert!(!played.status.success() && out.contains(why), "{variable}: {out}");
    }
    assert_eq!(stage.each(FLAGS), before);
}

#[test]
fn its_lint_has_nothing_to_say() {
    let mut bench = Bench::new();
    let roles = bench.path("roles");
    bench
        .say(&["roles", "export", "--format", "ansible", roles.to_str().unwrap()])
        .ended(0);
    let [mut lint, mut yaml] = ansible_lint(&bench);
    lint.args(["--profile", "production"]);
    // What ansible-lint asks of YAML itself, but for the comments of a long line's end.
    yaml.args([
        "--strict",
        "-d",
        "{extends: default, rules: {line-length: {max: 160}}}",
        ".",
    ]);
    let says = |command: &mut std::process::Command| command.current_dir(&roles).output().unwrap();
    let linted = says(&mut lint);
    assert!(linted.status.success(), "{}", text(&linted));
    assert!(
        text(&linted).contains("0 failure(s), 0 warning(s)"),
        "{}",
        text(&linted)
    );
    let linted = says(&mut yaml);
    assert!(linted.status.success(), "{}", text(&linted));
    // No rule is left out anywhere.
    skips(&roles);

    // It does look at the tasks.
    let tasks = roles.join("roles/mesos/tasks/main.yml");
    let spoilt = fs::read_to_string(&tasks)
        .unwrap()
        .replace("    mode: \"0755\"\n", "");
    fs::write(&tasks, spoilt).unwrap();
    let linted = says(&mut lint);
    assert!(
        !linted.status.success() && text(&linted).contains("risky-file-permissions"),
        "{}",
        text(&linted)
    );
}

fn skips(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            skips(&path);
        } else {
            let found = fs::read_to_string(&path).unwrap();
            let is_skip = |line: &str| {
                line.contains("noqa")
                    || line.contains("skip_ansible_lint")
                    || line.contains("yamllint disable")
            };
            assert!(!found.lines().any(is_skip), "{}", path.display());
        }
    }
}
