//! A container with the boot script, entered by its namespaces: that takes a hundredth of what the engine takes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesosflow_steps::provider::local::image::image_name;
use mesosflow_tests::{Bench, Ran, until};

pub(super) const LIMIT: Duration = Duration::from_secs(120);
pub(super) const SCRIPT: &str = "/opt/mesosflow/roles/mesosflow-role";
const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../steps/roles");
/// Its own, and those of three ZooKeepers.
pub(super) const OWN: &str = "10.9.9.4";
pub(super) const ZOOKEEPERS: &str = "10.9.9.1:2181,10.9.9.2:2181,10.9.9.3:2181";
/// All that a run may leave.
const STATE: &str = "/etc/mesosflow /etc/mesos /etc/mesos-master /etc/mesos-slave /var/lib/mesosflow /run/mesosflow \
                     /etc/systemd/system/mesos-slave.service.d";

/// A container, which goes with its scenario's bench.
pub(super) struct Node {
    pub(super) bench: Bench,
    pid: String,
    programs: Vec<Child>,
}

impl Node {
    /// One that runs nothing, and has `OWN` and its network, but no way out of it.
    pub(super) fn plain() -> Self {
        Self::start(&["--network", "none"], &["sleep", "infinity"])
    }

    /// One that systemd boots.
    pub(super) fn booted() -> Self {
        let node = Self::start(&["--network", "none", "--privileged"], &["/sbin/init"]);
        until("systemd", LIMIT, || {
            node.sh("systemctl is-active multi-user.target").ok_if()
        });
        node
    }

    fn start(args: &[&str], program: &[&str]) -> Self {
        let mut bench = Bench::new();
        let cluster = bench.cluster();
        let (name, label) = (
            format!("{cluster}-role"),
            format!("org.mesosflow.cluster={cluster}"),
        );
        let image = image_name();
        let mut all = vec![
            "run",
            "--detach",
            "--stop-signal",
            "SIGKILL",
            "--name",
            &name,
            "--label",
            &label,
        ];
        all.extend(args);
        // The engine asks for more than it may have on some machines, unless it is told so.
        all.extend(bench.engine().run_args().iter().map(String::as_str));
        all.push(&image);
        all.extend(program);
        bench.engine().run(&all).ok();
        let pid = bench
            .engine()
            .run(&["container", "inspect", "--format", "{{.State.Pid}}", &name])
            .ok();
        let node = Self {
            bench,
            pid,
            programs: Vec::new(),
        };
        node.lay();
        node.sh("ip link set lo up; for at in 4/24 1/32 2/32 3/32; do ip addr add 10.9.9.$at dev lo; done; ip addr add 169.254.169.254/32 dev lo").ok();
        node
    }

    /// Lays the role's files where a deploy lays them.
    fn lay(&self) {
        let mut parts: Vec<_> = fs::read_dir(format!("{ROLES}/mesos/role"))
            .unwrap()
            .map(|part| part.unwrap().path())
            .collect();
        parts.sort();
        let script: String = parts
            .iter()
            .map(|part| fs::read_to_string(part).unwrap())
            .collect();
        self.write(SCRIPT, &script);
        for name in [
            "mesosflow-daemon",
            "agent-identity",
            "container-logger",
            "tidy-logs",
        ] {
            self.write(
                &format!("/opt/mesosflow/roles/{name}"),
                fs::read_to_string(format!("{ROLES}/mesos/{name}")).unwrap(),
            );
        }
        self.sh("chmod 755 /opt/mesosflow/roles/*").ok();
    }

    /// Where one of its files is on this machine.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(&self.pid)
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    #[track_caller]
    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program of the node's.
    pub(super) fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What is in a file; nothing where there is none. The newline at its end is not shown.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    pub(super) fn enter(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target", &self.pid, "--mount", "--uts", "--ipc", "--net", "--pid",
        ]);
        command.args(args).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    pub(super) fn sh(&self, script: &str) -> Ran {
        ran(self.enter(&["sh", "-c", script]))
    }

    /// The boot script, as it is to be started.
    pub(super) fn role_command(&self, args: &[&str]) -> Command {
        let shell = std::env::var("MESOSFLOW_ROLE_SHELL").unwrap_or_else(|_| "sh".into());
        let words: Vec<_> = shell
            .split(' ')
            .chain([SCRIPT])
            .chain(args.iter().copied())
            .collect();
        self.enter(&words)
    }

    /// Runs it to its end.
    pub(super) fn role(&self, args: &[&str]) -> Ran {
        ran(self.role_command(args))
    }

    /// Runs it once, and returns what it said, a line each.
    #[track_caller]
    pub(super) fn once(&self) -> String {
        let ran = self.role(&["--once"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    }

    /// Gives it another cluster file.
    pub(super) fn told(&self, facts: &Facts) {
        self.write("/etc/mesosflow/cluster", facts.text());
    }

    /// As if nothing had ever been run.
    pub(super) fn forget(&self) {
        self.sh(&format!("rm -rf {STATE}")).ok();
    }

    /// Everything that runs of it have left, but for what one run alone needs.
    pub(super) fn state(&self) -> String {
        let script = format!(
            "find {STATE} ! -path '*/said*' ! -name lock -type f 2>/dev/null | LC_ALL=C sort | xargs head -n 100"
        );
        self.sh(&script).out
    }

    pub(super) fn zk(&self) -> Option<String> {
        self.read("/etc/mesos/zk")
    }

    /// Starts a program of this machine in the container's network, for as long as the container lives; waits for a line of its.
    pub(super) fn beside(&mut self, program: &str, args: &[&str], says: Option<&str>) {
        let mut child = Command::new("nsenter")
            .args(["--target", &self.pid, "--net", "--pid", program])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(says) = says {
            let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
            let heard = out.find(|line| line.as_ref().is_ok_and(|line| line.contains(says)));
            assert!(heard.is_some(), "{program} ended");
        }
        self.programs.push(child);
    }

    /// Starts one of the container's own.
    pub(super) fn run_beside(&mut self, script: &str) {
        let child = self
            .enter(&["sh", "-c", script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.programs.push(child.unwrap());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ended = program.kill();
            let _ended = program.wait();
        }
    }
}

fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A cluster file.
#[derive(Clone)]
pub(super) struct Facts(Vec<(String, String)>);

impl Facts {
    /// Of a slave of three masters, as a deploy leaves it.
    pub(super) fn slave() -> Self {
        let facts = [
            ("cluster", "demo"),
            ("epoch", "3"),
            ("provider", "local"),
            ("role", "mesos-slave"),
            ("name", "demo-slave-1"),
            ("ip", OWN),
            ("masters", "3"),
            ("zookeepers", ZOOKEEPERS),
            ("first_master", "10.9.9.9"),
            ("first_master_name", "demo-master-1"),
            ("agent_flag", "--launcher=posix"),
            ("agent_flag", "--no-systemd_enable_support"),
        ];
        Self(
            facts
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
        )
    }

    /// Of a master.
    pub(super) fn master() -> Self {
        let facts = Self::slave()
            .with("role", "mesos-master")
            .with("name", "demo-master-2");
        facts
            .without("agent_flag")
            .with("master_flag", "--registry_fetch_timeout=2mins")
    }

    /// As user data has it for a machine that joins by itself.
    pub(super) fn joins() -> Self {
        let facts = Self::slave().with("provider", "ec2");
        facts
            .without("name")
            .without("ip")
            .without("zookeepers")
            .without("masters")
    }

    pub(super) fn without(mut self, key: &str) -> Self {
        self.0.retain(|(known, _)| known != key);
        self
    }

    pub(super) fn with(self, key: &str, value: &str) -> Self {
        self.without(key).and(key, value)
    }

    /// One more of a key.
    pub(super) fn and(mut self, key: &str, value: &str) -> Self {
        self.0.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn text(&self) -> String {
        let lines: String = self
            .0
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        format!("# mesosflow cluster 1\n{lines}# end\n")
    }
}
