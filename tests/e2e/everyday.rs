//! What one does with a cluster every day, on one that all of it shares: commands, copies, logins, ways in. No history tells of any.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use mesosflow_steps::remote::quote;
use mesosflow_tests::{Bench, Live, Node, Nodes, RUN_LIMIT, Said, ansible, until};
use serde_json::{Value, json};

/// What is over at once, on a machine on which everything takes ten times as long.
const LIMIT: Duration = Duration::from_secs(120);

struct Stage {
    bench: Bench,
    cluster: String,
    nodes: Nodes,
}

impl Stage {
    fn node(&self, name: &str) -> Node {
        self.nodes.named(&format!("{}-{name}", self.cluster)).clone()
    }

    fn say(&mut self, args: &[&str]) -> Said {
        self.bench.say(args)
    }

    /// The bytes of it.
    fn output(&self, args: &[&str]) -> Output {
        self.bench.command(args).output().unwrap()
    }
}

#[test]
fn a_cluster_is_used_every_day() {
    let mut bench = Bench::new();
    // A path as few programs are tried with.
    let folder = bench.path("my runs (50%)");
    fs::create_dir(&folder).unwrap();
    bench.set_journal(folder.join("journal.sqlite"));
    bench.config("[spark]\ncheck = false\nhistory = true\n");
    let cluster = bench.cluster();
    let run = bench
        .say(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"])
        .ended(0)
        .run();
    let nodes = bench.nodes(&run);
    let events = bench.history(&run).events().len();
    let mut stage = Stage {
        bench,
        cluster,
        nodes,
    };

    told(&mut stage, &run);
    commands(&mut stage);
    much_output(&stage);
    commands_end(&mut stage);
    some_fail(&mut stage);
    a_first_job(&mut stage);
    a_shell_of_spark(&stage);
    copies(&mut stage);
    copies_are_interrupted(&mut stage);
    of_ansible(&mut stage);
    of_ssh(&mut stage);
    logins(&mut stage);
    tunnels(&mut stage);

    assert_eq!(
        stage.bench.history(&run).events().len(),
        events,
        "a history tells of it"
    );
    beside_a_driven_run(&mut stage, &run);
    as_programs_of_before_left_it(&mut stage, &run);
}

/// The first job of the page about frameworks, to the letter.
fn a_first_job(stage: &mut Stage) {
    const PAGE: &str = include_str!("../../docs/frameworks.md");
    let (_, rest) = PAGE.split_once("```python\n").unwrap();
    let (job, rest) = rest.split_once("```").unwrap();
    assert_eq!(job.lines().count(), 5, "{job}");
    let folder = stage.bench.write("first.py", job);
    let mut commands = rest
        .lines()
        .filter_map(|line| line.strip_prefix("    mesosflow "));
    let submit = commands.next().unwrap();
    let file = folder.display().to_string();
    let words = submit
        .split(' ')
        .map(|word| if word == "first.py" { &*file } else { word });
    let said = stage.say(&words.collect::<Vec<_>>());
    said.ended(0).tells(&["7 sums"]);
    is_history(stage, "first");
    jobs(stage);
}

/// The history server knows of a job of that name that has ended, and every node where one may run keeps logs.
fn is_history(stage: &Stage, job: &str) {
    let hub = stage.node("master-1");
    let url = format!("http://{}:18080/api/v1/applications", hub.ip);
    until("a job in the history server", LIMIT, || {
        let told = hub.run(&format!("curl -fsS --max-time 5 '{url}'")).out;
        let told: Value = serde_json::from_str(&told).ok()?;
        let mut jobs = told.as_array()?.iter();
        let its = jobs.find(|it| it["name"] == job)?;
        (its["attempts"][0]["completed"] == true).then_some(())
    });
    for node in ["master-1", "slave-1", "slave-2"] {
        let said = stage
            .node(node)
            .ask("grep -c '^spark.eventLog.enabled .*true$' /root/spark/conf/spark-defaults.conf");
        assert_eq!(said, "1", "{node}");
    }
}

/// A job that outlives whoever submitted it, and is found from anywhere. It goes on as a file says, so that nothing depends on its speed.
const LASTING: &str = "\
import os, subprocess, sys, time
import helper
print('given', sys.argv[1:], flush=True)
print('an error', file=sys.stderr, flush=True)
subprocess.Popen(['setsid', 'sh', '-c', 'trap : TERM; sleep 777777'])
while not os.path.exists('/tmp/go-on'):
    time.sleep(0.1)
print('and on', helper.ANSWER, flush=True)
sys.exit(7)
";

fn jobs(stage: &mut Stage) {
    let job = stage.bench.write("lasting job.py", LASTING).display().to_string();
    let helper = stage
        .bench
        .write("helper.py", "ANSWER = 42\n")
        .display()
        .to_string();
    let hub = stage.node("master-1");
    let submit = ["spark-submit", "--master", "local", "--py-files", &helper];
    let own = ["--", "--master", "it's $HOME €"];
    let mut live = stage.bench.start(&[&submit[..], &[&job], &own].concat());
    let given = r#"given ['--', '--master', "it's $HOME €"]"#;
    until("the job's first words", LIMIT, || {
        assert!(live.ended().is_none(), "{}", live.err());
        live.out().contains(given).then_some(())
    });
    live.kill();

    let all = stage.say(&["jobs", "--json"]).ended(0).json();
    let [first, lasting] = all.as_array().unwrap().as_slice() else {
        panic!("{all:#}")
    };
    assert_eq!((&first["state"], &first["exit"]), (&json!("finished"), &json!(0)));
    assert_eq!(
        (&lasting["state"], &lasting["exit"]),
        (&json!("running"), &json!(null))
    );
    assert_eq!(lasting["args"], json!(own));
    assert_eq!(lasting["file"], json!(job));
    let id = lasting["id"].as_str().unwrap();
    let end = &id[id.len() - 6..];

    // What it brought is nobody's to read but root's.
    let modes = hub.ask("stat -c %a /var/lib/mesosflow/submitted /var/lib/mesosflow/submitted/job-*");
    assert_eq!(modes, "700\n700\n700");

    // Left by Ctrl-C where nobody can be asked, and ended while somebody watches.
    let watching = stage.bench.start(&["jobs", "attach", end]);
    until("all that it has printed", LIMIT, || {
        // Spark has what Python writes to both streams on one, and its own words on the other.
        let out = watching.out();
        (out.contains(given) && out.contains("an error") && watching.err().contains("WARN")).then_some(())
    });
    watching.interrupt();
    watching.finish(LIMIT).ended(130).complains(&["goes on", id]);
    let watching = stage.bench.start(&["jobs", "attach", id]);
    hub.ask("touch /tmp/go-on");
    let said = watching.finish(LIMIT).ended(7);
    assert_eq!(said.out, format!("{given}\nan error\nand on 42\n"));
    let shown = stage.say(&["jobs", "attach", id, "--json"]).ended(7).json();
    assert_eq!((&shown["exit"], &shown["stdout"]), (&json!(7), &json!(said.out)));

    // What it has begun goes on, and so long nobody forgets it.
    stage
        .say(&["jobs", "forget", id])
        .ended(1)
        .complains(&["go on", "jobs stop"]);
    stage.say(&["jobs", "stop", id]).ended(0);
    assert_eq!(hub.run("pgrep -f '[s]leep 777777'").code, 1);

    // One that is ended takes its processes with it, wherever they went.
    hub.ask("rm /tmp/go-on");
    let other = stage.say(&[&submit[..], &["--detach", &job]].concat()).ended(0);
    let other = other.out.trim().to_owned();
    stage
        .say(&["jobs", "forget", &other])
        .ended(1)
        .complains(&["jobs stop"]);
    stage.say(&["jobs", "stop", &other]).ended(0);
    stage.say(&["jobs", "attach", &other]).ended(143);
    assert_eq!(hub.run("pgrep -f '[l]asting job.py|[s]leep 777777'").code, 1);
    stage.say(&["jobs", "stop", ""]).ended(2);
    for id in [id, &other] {
        stage.say(&["jobs", "forget", id]).ended(0);
        stage.say(&["jobs", "attach", id]).ended(2);
    }
    let left = hub.ask("ls /var/lib/mesosflow/submitted /var/lib/mesosflow/jobs | grep -c job-");
    assert_eq!(left, "2", "the first job, and its file");
    let left = hub.ask("ls /mnt/hadoop/mrlocal | grep -c job-");
    assert_eq!(left, "1", "the first job's");
    stage
        .say(&["spark-submit", "/no/such.py"])
        .ended(2)
        .complains(&["/no/such.py"]);
}

/// Spark's shell on a terminal. The stand-in for Mesos has no Java bindings: it runs on the first master alone, and says so.
fn a_shell_of_spark(stage: &Stage) {
    let shell = stage.bench.command(&["pyspark", "--cluster", &stage.cluster]);
    let words = std::iter::once(shell.get_program()).chain(shell.get_args());
    let line = quote::join(words.map(|word| word.to_str().unwrap())).unwrap();
    let mut terminal = Command::new("script");
    let terminal = terminal
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", stage.bench.path(""));
    let mut terminal = terminal
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let job =
        b"print('sum', spark.range(10).groupBy().sum().collect()[0][0], spark.sparkContext.master)\nexit()\n";
    terminal.stdin.take().unwrap().write_all(job).unwrap();
    let output = terminal.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && out.contains("sum 45 local[*]"),
        "{out}"
    );
    assert!(out.contains("Spark runs locally only"), "{out}");
}

/// The contracts of what is shown.
fn told(stage: &mut Stage, run: &str) {
    let clusters = stage.say(&["clusters", "--json"]).ended(0).json();
    let [view] = clusters.as_array().unwrap().as_slice() else {
        panic!("{clusters:#}")
    };
    assert_eq!(view["cluster"], stage.cluster);
    assert_eq!((&view["state"], &view["run"]), (&json!("up"), &json!(run)));
    assert_eq!(
        [&view["masters"], &view["slaves"], &view["zookeepers"]],
        [&json!(1), &json!(2), &json!(0)]
    );
    assert!(
        view["mesos_version"].as_str().unwrap().contains("standin"),
        "{view}"
    );
    for key in ["cluster_id", "provider", "created_at"] {
        assert!(view[key].is_string(), "{key}: {view}");
    }
    let hub = stage.node("master-1");
    let name = stage.cluster.clone();
    stage.say(&["clusters"]).ended(0).tells(&[&name, "up"]);

    let inventory = stage.say(&["inventory", "--format", "json"]).ended(0).json();
    let first =
        json!({ "name": hub.name, "role": "master", "private_ip": hub.ip, "user": "root", "port": 22 });
    assert_eq!(inventory["nodes"][0], first);
    assert_eq!(inventory["nodes"].as_array().unwrap().len(), 3);

    let master = stage.say(&["get-master"]).ended(0);
    assert_eq!(master.out, format!("{}\n", hub.ip));
    let cluster = stage.cluster.clone();
    stage
        .say(&["get-master", "--cluster", &cluster, "--json"])
        .ended(0)
        .tells(&[&hub.ip, "5050"]);
    stage
        .say(&["get-master", "--cluster", "none"])
        .ended(2)
        .complains(&["no cluster `none`"]);
}

fn commands(stage: &mut Stage) {
    let said = stage
        .say(&["run-command", "--", "hostname; echo to err >&2; printf 'no end'"])
        .ended(0);
    let mut lines: Vec<_> = said.out.lines().collect();
    lines.sort_unstable();
    let names: Vec<_> = stage.nodes.all().iter().map(|node| node.name.clone()).collect();
    let mut expected: Vec<_> = names
        .iter()
        .flat_map(|name| [format!("{name}: {name}"), format!("{name}: no end")])
        .collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    for name in &names {
        assert!(said.err.contains(&format!("{name}: to err\n")), "{}", said.err);
        assert!(
            said.err.contains(&format!("{name}  exit 0")) || said.err.contains("exit 0"),
            "{}",
            said.err
        );
    }

    // Several words are one command, and each of them itself.
    let words = [
        "run-command",
        "--role",
        "slave",
        "--json",
        "--",
        "sh",
        "-c",
        "printf '%s|' \"$@\" $0; exit 3",
        "a  b",
        "$HOME",
        "it's",
    ];
    let all = stage.say(&words).ended(1).json_lines();
    assert_eq!(all.len(), 2);
    for done in all {
        assert_eq!(
            (&done["exit"], &done["stdout"]),
            (&json!(3), &json!("$HOME|it's|a|b|")),
            "{done}"
        );
        assert!(done["node"].as_str().unwrap().contains("-slave-"), "{done}");
        assert!(done["duration_ms"].is_u64() && done["stderr"] == "", "{done}");
    }

    // As root, one after the other.
    let one = "id -u; flock -n /tmp/e2e-serial true";
    stage
        .say(&["run-command", "--serial", "1", "--", one])
        .ended(0)
        .tells(&[": 0\n"]);
    stage
        .say(&["run-command", "--node", "slave-9", "--", "true"])
        .ended(2)
        .complains(&["slave-9", "did you mean"]);
    stage
        .say(&["run-command", "--role", "zookeeper", "--", "true"])
        .ended(2)
        .complains(&["no zookeeper"]);
}

/// Whatever bytes, however many, in little memory.
fn much_output(stage: &Stage) {
    let bytes = stage.output(&[
        "run-command",
        "--node",
        "slave-1",
        "--",
        r"printf '\377\000\033[1m'; printf x",
    ]);
    assert_eq!(
        (bytes.status.code(), &bytes.stdout[..]),
        (Some(0), &b"\xff\0\x1b[1mx"[..])
    );

    let program = stage.bench.command(&[]);
    let mut little = Command::new("sh");
    let script = "ulimit -d 200000; \"$0\" --journal \"$JOURNAL\" run-command -- \"$1\" | tr -d x | wc";
    little.args(["-c", script]).arg(program.get_program());
    // A hundred million bytes of each node, in one line.
    little.arg("head -c 100000000 /dev/zero | tr '\\0' x");
    little
        .env("JOURNAL", stage.bench.journal())
        .env("HOME", stage.bench.path(""));
    let counted = little.output().unwrap();
    let text = String::from_utf8(counted.stdout).unwrap();
    let counts: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    // In pieces of 64 KiB, each with its node's name.
    assert_eq!(
        counts[0],
        3 * 100_000_000_u64.div_ceil(64 * 1024),
        "{}",
        String::from_utf8_lossy(&counted.stderr)
    );
}

/// At the time limit, at Ctrl-C, and when nobody reads on, nothing is left on the nodes.
fn commands_end(stage: &mut Stage) {
    let slave = stage.node("slave-1");
    let is_gone = |mark: &str| {
        let script = format!("pgrep -f {mark} >/dev/null && exit 1; exit 0");
        until("an end of the command on the node", LIMIT, || {
            slave.run(&script).ok_if()
        });
    };
    let said = stage
        .say(&[
            "run-command",
            "--timeout",
            "1",
            "--json",
            "--",
            "echo begun; sleep 10001",
        ])
        .ended(1);
    for done in said.json_lines() {
        assert_eq!(
            (&done["exit"], &done["stdout"]),
            (&Value::Null, &json!("begun\n")),
            "{done}"
        );
        assert!(
            done["error"].as_str().unwrap().contains("not done after 1s"),
            "{done}"
        );
    }
    is_gone("-f '[s]leep.10001'");

    let live = stage
        .bench
        .start(&["run-command", "--", "echo begun; sleep 10002; echo never"]);
    until("the command on the node", LIMIT, || {
        slave.run("pgrep -f '[s]leep.10002'").ok_if()
    });
    live.interrupt();
    let said = live.finish(LIMIT).ended(130).complains(&["interrupted"]);
    assert!(!said.out.contains("never"), "{}", said.out);
    is_gone("-f '[s]leep.10002'");

    let mut reader = stage
        .bench
        .command(&["run-command", "--", "echo 10003; yes"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(reader.stdout.take());
    assert_eq!(
        reader.wait().unwrap().code(),
        Some(0),
        "nobody is there to be told"
    );
    is_gone("-x yes");
}

/// One node cannot be reached: it is named, the others go on.
fn some_fail(stage: &mut Stage) {
    let slave = stage.node("slave-2");
    slave.ask("systemctl stop ssh.socket ssh 2>/dev/null; systemctl stop ssh");
    let said = stage
        .say(&["run-command", "--json", "--", "true"])
        .ended(1)
        .complains(&["1 of 3 nodes", &slave.name]);
    for done in said.json_lines() {
        let is_dead = done["node"] == slave.name;
        assert_eq!(done["exit"].is_null(), is_dead, "{done}");
        assert_eq!(done["error"].is_string(), is_dead, "{done}");
    }
    let file = stage.bench.write("some.txt", "some\n");
    let said = stage
        .say(&["copy-file", file.to_str().unwrap(), "/root/some.txt"])
        .ended(1);
    said.complains(&["1 of 3 nodes", &slave.name]);
    assert_eq!(stage.node("slave-1").ask("cat /root/some.txt"), "some");
    slave.ask("systemctl start ssh");
    until("the node to answer again", LIMIT, || {
        (stage
            .say(&["run-command", "--node", "slave-2", "--", "true"])
            .code
            == 0)
            .then_some(())
    });
}

fn copies(stage: &mut Stage) {
    let script = stage.bench.write("it's a script", "#!/bin/sh\necho copied\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o751)).unwrap();
    let big = stage.bench.path("big");
    fs::write(&big, vec![7; 5_000_000]).unwrap();
    let (script, big) = (script.to_str().unwrap(), big.to_str().unwrap());
    for way in ["--direct", "--through-master"] {
        let target = format!("/opt/copied{way}/a new folder/");
        let said = stage.say(&["copy-file", way, script, big, &target]).ended(0);
        assert_eq!(said.err.matches("copied").count(), 3, "{}", said.err);
        for node in stage.nodes.all() {
            assert_eq!(node.ask(&format!("'{target}it'\\''s a script'")), "copied");
            assert_eq!(
                node.ask(&format!("cd '{target}'; stat -c '%a %U' *; ls -A | wc -l")),
                "644 root\n751 root\n2".replace("644", &mode(big))
            );
            assert_eq!(node.ask(&format!("sha256sum < '{target}big'")), digest(big));
        }
        // Over the one that is there, which is a link, and into a folder that is there.
        stage
            .nodes
            .hub()
            .ask(&format!("ln -sf /etc/passwd '{target}big'"));
        stage
            .say(&[
                "copy-file",
                way,
                "--node",
                "master-1",
                script,
                &format!("{target}big"),
            ])
            .ended(0);
        stage
            .nodes
            .hub()
            .ask(&format!("test ! -h '{target}big' && grep -q root /etc/passwd"));
        stage
            .say(&[
                "copy-file",
                way,
                "--node",
                "master-1",
                "--json",
                script,
                target.trim_end_matches('/'),
            ])
            .ended(0)
            .tells(&["\"copied\":true"]);
    }
    let hub = stage.nodes.hub();
    assert_eq!(
        hub.ask("ls -A /var/lib/mesosflow/copies"),
        "",
        "a staged file stays"
    );

    let folder = stage.bench.path("");
    stage
        .say(&["copy-file", folder.to_str().unwrap(), "/opt/x"])
        .ended(2)
        .complains(&["is a folder", "tar"]);
    stage
        .say(&["copy-file", script, "opt/x"])
        .ended(2)
        .complains(&["no absolute path"]);
    stage
        .say(&["copy-file", "missing", "/opt/x"])
        .ended(2)
        .complains(&["cannot copy missing"]);
    stage
        .say(&["copy-file", script, script, "/opt/x"])
        .ended(2)
        .complains(&["two of the files"]);
}

fn mode(path: &str) -> String {
    format!("{:o}", fs::metadata(path).unwrap().permissions().mode() & 0o777)
}

fn digest(path: &str) -> String {
    let output = Command::new("sha256sum")
        .stdin(fs::File::open(path).unwrap())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The node is held while it writes to its disk what arrived.
fn copies_are_interrupted(stage: &mut Stage) {
    let slave = stage.node("slave-1");
    slave.ask("printf '#!/bin/sh\\nsleep 10004\\n' >/usr/local/bin/sync; chmod +x /usr/local/bin/sync; echo old >/opt/held");
    let file = stage.bench.write("held", "new\n");
    let live = stage.bench.start(&[
        "copy-file",
        "--node",
        "slave-1",
        file.to_str().unwrap(),
        "/opt/held",
    ]);
    until("the file beside its place", LIMIT, || {
        slave
            .run("pgrep -f '[s]leep.10004' && grep -q new /opt/.held.mesosflow.*")
            .ok_if()
    });
    live.interrupt();
    live.finish(LIMIT).ended(130).complains(&["interrupted"]);
    assert_eq!(
        slave
            .ask("cat /opt/held; ls -A /opt | grep mesosflow || true")
            .lines()
            .next(),
        Some("old")
    );
    assert_eq!(
        slave.ask("ls -d /opt/.held* 2>/dev/null || true"),
        "",
        "half a file is left"
    );
    slave.ask("rm /usr/local/bin/sync");
}

fn of_ansible(stage: &mut Stage) {
    let program = stage.bench.command(&[]);
    let script = format!(
        "#!/bin/sh\nexec '{}' --journal '{}' inventory --cluster {} \"$@\"\n",
        program.get_program().to_str().unwrap(),
        stage.bench.journal().display(),
        stage.cluster
    );
    let script = stage.bench.write("inventory.sh", &script);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for (whom, count) in [("all", 3), ("slave", 2)] {
        let pinged = ansible(&stage.bench)
            .arg("-i")
            .arg(&script)
            .args([whom, "-m", "ping"])
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&pinged.stdout);
        assert!(
            pinged.status.success(),
            "{out}{}",
            String::from_utf8_lossy(&pinged.stderr)
        );
        assert_eq!(out.matches("\"ping\": \"pong\"").count(), count, "{out}");
    }
    let all = stage.say(&["inventory", "--list"]).ended(0).json();
    assert_eq!(
        all,
        stage.say(&["inventory", "--format", "ansible"]).ended(0).json()
    );
    let slave = stage.node("slave-1");
    let host = stage.say(&["inventory", "--host", &slave.name]).ended(0).json();
    assert_eq!(all["_meta"]["hostvars"][&slave.name], host);
    assert_eq!(host["ansible_host"], slave.ip);
}

/// By the system's own client, which believes the pinned keys alone; also through another node.
fn of_ssh(stage: &mut Stage) {
    let config = stage.say(&["ssh-config"]).ended(0).out;
    let (hub, slave) = (stage.node("master-1"), stage.node("slave-1"));
    let ssh = |stage: &Stage, config: &str, host: &str| {
        let config = stage.bench.write("ssh.config", config);
        let mut ssh = Command::new("ssh");
        ssh.arg("-F")
            .arg(config)
            .args([host, "hostname"])
            .env("HOME", stage.bench.path(""))
            .output()
            .unwrap()
    };
    let said = ssh(stage, &config, &slave.name);
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        slave.name,
        "{said:?}"
    );
    let jump = config.replace(
        &format!("Host {}\n", slave.name),
        &format!("Host {}\n  ProxyJump {}\n", slave.name, hub.name),
    );
    let said = ssh(stage, &jump, &slave.name);
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        slave.name,
        "{said:?}"
    );
    // Another key than the pinned one is refused.
    let swapped = config.replace(
        &format!("HostName {}\n", slave.ip),
        &format!("HostName {}\n  HostKeyAlias {}\n", slave.ip, hub.ip),
    );
    let said = ssh(stage, &swapped, &slave.name);
    assert_eq!(said.status.code(), Some(255), "{said:?}");
}

fn logins(stage: &mut Stage) {
    let hub = stage.node("master-1");
    let slave = stage.node("slave-2");
    assert_eq!(
        stage.say(&["login", "--", "hostname"]).ended(0).out.trim(),
        hub.name
    );
    assert_eq!(
        stage
            .say(&["login", "slave-2", "--", "printf", "%s", "a  b"])
            .ended(0)
            .out,
        "a  b"
    );
    stage.say(&["login", &slave.name, "--", "exit 7"]).ended(7);
    stage
        .say(&["login", "slave-7"])
        .ended(2)
        .complains(&["no node `slave-7`"]);
    // A way to the master's page, open as long as the login.
    let port = free_port();
    let live = stage.bench.start(&[
        "login",
        "-L",
        &format!("127.0.0.1:{port}:{}:5050", hub.ip),
        "--",
        "sleep 10005",
    ]);
    until("an answer through the login", LIMIT, || {
        state(&format!("http://127.0.0.1:{port}"), &[])
    });
    drop(live);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// What a master answers.
fn state(url: &str, more: &[&str]) -> Option<String> {
    let asked = Command::new("curl")
        .args(["-fsS", "--max-time", "10"])
        .args(more)
        .arg(format!("{url}/state"))
        .output()
        .unwrap();
    let text = String::from_utf8(asked.stdout).ok()?;
    (asked.status.success() && text.contains("activated_slaves")).then_some(text)
}

fn tunnels(stage: &mut Stage) {
    let (live, dug) = dig(stage, &["tunnel", "--json", "--forward"]);
    let link = dug["links"][0]["url"].as_str().unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{dug}");
    let names = dug["links"].as_array().unwrap().iter().map(|link| &link["name"]);
    let names: Vec<_> = names.skip(1).collect();
    assert_eq!(
        names,
        ["ephemeral HDFS", "persistent HDFS", "Spark's history"],
        "{dug}"
    );
    until("an answer through the tunnel", LIMIT, || state(link, &[]));
    live.interrupt();
    live.finish(LIMIT).ended(0);

    let (live, dug) = dig(stage, &["tunnel", "--json"]);
    let socks = dug["socks"].as_str().unwrap().to_owned();
    let link = dug["links"][0]["url"].as_str().unwrap();
    let hub = stage.node("master-1");
    assert_eq!(link, format!("http://{}:5050", hub.ip));
    until("an answer through the proxy", LIMIT, || {
        state(link, &["--proxy", &format!("socks5h://{socks}")])
    });
    // Its end is ssh's, too, however it comes.
    live.kill();
    until("an end of the proxy", LIMIT, || {
        std::net::TcpStream::connect(&socks).is_err().then_some(())
    });
}

fn dig(stage: &mut Stage, args: &[&str]) -> (Live, Value) {
    let mut live = stage.bench.start(args);
    let dug = until("the tunnel", LIMIT, || {
        assert!(live.ended().is_none(), "{}", live.err());
        serde_json::from_str(&live.out()).ok()
    });
    (live, dug)
}

/// What changes nodes is refused while a run is driven; what only looks is not.
fn beside_a_driven_run(stage: &mut Stage, run: &str) {
    let live = stage
        .bench
        .start(&["replay", run, "--from", "cluster-health", "--only", "--yes"]);
    until("the replay to hold the cluster", LIMIT, || {
        let state = stage.bench.status(run);
        (state.value()["generation"] == 2).then_some(())
    });
    live.pause();
    let file = stage.bench.write("held.txt", "x");
    let file = file.to_str().unwrap();
    for args in [
        &["run-command", "--", "true"][..],
        &["copy-file", file, "/opt/held.txt"],
    ] {
        stage.say(args).ended(3).complains(&["--anyway"]);
    }
    stage.say(&["run-command", "--anyway", "--", "true"]).ended(0);
    stage
        .say(&["copy-file", "--anyway", file, "/opt/held.txt"])
        .ended(0);
    stage.say(&["get-master"]).ended(0);
    stage.say(&["login", "--", "true"]).ended(0);
    live.go_on();
    live.finish(RUN_LIMIT).ended(0);
}

/// The cluster's things lay with the run that made it once: they are found there, and moved by who drives.
fn as_programs_of_before_left_it(stage: &mut Stage, run: &str) {
    let (of_cluster, of_run) = (stage.bench.cluster_dir(run), stage.bench.run_dir(run));
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let names: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names
    };
    assert_eq!(names(&of_run), BTreeSet::from(["log.jsonl".into()]));
    let own = names(&of_cluster);
    for name in ["cluster_ed25519", "known_hosts", "ssh"] {
        assert!(own.contains(OsStr::new(name)), "{own:?}");
    }
    for folder in [&of_run, &of_cluster] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    for name in &own {
        fs::rename(of_cluster.join(name), of_run.join(name)).unwrap();
    }
    fs::remove_dir(&of_cluster).unwrap();

    stage.say(&["login", "--", "true"]).ended(0);
    let key = |folder: &Path| format!("IdentityFile \"{}\"", ssh_path(&folder.join("cluster_ed25519")));
    stage.say(&["ssh-config"]).ended(0).tells(&[&key(&of_run)]);
    let log = fs::read_to_string(of_run.join("log.jsonl")).unwrap();
    stage
        .say(&["replay", run, "--from", "report", "--yes"])
        .ended(0)
        .tells(&[of_cluster.to_str().unwrap()]);
    assert_eq!(names(&of_run), BTreeSet::from(["log.jsonl".into()]));
    assert_eq!(names(&of_cluster), own);
    let later = fs::read_to_string(of_run.join("log.jsonl")).unwrap();
    assert!(later.len() > log.len() && later.starts_with(&log), "{later}");
    stage.say(&["ssh-config"]).ended(0).tells(&[&key(&of_cluster)]);
    stage.say(&["login", "--", "true"]).ended(0);
}

/// As OpenSSH's configuration has it.
fn ssh_path(path: &Path) -> String {
    path.to_str().unwrap().replace('%', "%%")
}
