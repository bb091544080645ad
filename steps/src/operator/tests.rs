//! Agents taken out of work and put back by the steps themselves, with the stand-in's masters and agents as processes and a real
//! ZooKeeper. Their scripts run here instead of on nodes.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, StepError as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OwnedMutexGuard;

use super::Ground;
use crate::act::ActError;
use crate::cluster::Node;
use crate::life::{DrainAgent, Drained, DrainedBy, ReactivateAgent, Reactivated};
use crate::remote::{Output, RemoteError};
use crate::world::Script;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

static TURN: LazyLock<Arc<tokio::sync::Mutex<()>>> = LazyLock::new(Arc::default);

/// A process that ends with its test.
struct Process(Child);

impl Process {
    fn start(program: &str, args: &[String], env: &[(&str, &str)], log: &std::path::Path) -> Self {
        let output = fs::File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        Self(child.expect("setpriv (Debian: apt-get install util-linux)"))
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is started, on addresses of its own: Mesos' ports are what they are.
struct Stage {
    dir: TempDir,
    masters: Vec<Node>,
    slave: Node,
    zookeeper: Ipv4Addr,
    env: &'static [(&'static str, &'static str)],
    running: Mutex<Running>,
    /// Whether the slave's node does not answer.
    is_silent: AtomicBool,
    is_gone: AtomicBool,
    /// The addresses are the process' own: of its tests, one at a time has them.
    _turn: OwnedMutexGuard<()>,
}

#[derive(Default)]
struct Running {
    masters: Vec<Option<Process>>,
    agent: Option<Process>,
    _zookeeper: Option<Process>,
}

fn node(name: &str, ip: Ipv4Addr) -> Node {
    serde_json::from_value(json!({
        "id": name, "name": name, "role": "slave", "index": 1, "private_ip": ip, "user": "root", "port": 22,
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
    }))
    .unwrap()
}

fn built(name: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join(name);
    assert!(
        path.is_file(),
        "{}: `cargo build -p mesos-standin` comes first",
        path.display()
    );
    path.display().to_string()
}

impl Stage {
    /// Room for so many masters, two at most, an agent and a ZooKeeper.
    fn new(masters: usize, env: &'static [(&'static str, &'static str)]) -> Self {
        let [_, high, middle, low] = (std::process::id() << 2).to_be_bytes();
        let ip = |number: u8| Ipv4Addr::new(127, 128 | high, middle, low | number);
        let master = |number: usize| node(&format!("m{number}.test"), ip(u8::try_from(number).unwrap()));
        let running = Running {
            masters: (0..masters).map(|_| None).collect(),
            ..Running::default()
        };
        Self {
            dir: TempDir::new().unwrap(),
            masters: (0..masters).map(master).collect(),
            slave: node("s1.test", ip(2)),
            zookeeper: ip(3),
            env,
            running: Mutex::new(running),
            is_silent: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            _turn: TURN.clone().blocking_lock_owned(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn start_zookeeper(&self) {
        let config = self.path("zoo.cfg");
        let text = format!(
            "tickTime=300\ndataDir={}\nclientPort=2181\nclientPortAddress={}\nadmin.enableServer=false\n",
            self.path("zookeeper"),
            self.zookeeper
        );
        fs::write(&config, text).unwrap();
        let jars = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
        let main = "org.apache.zookeeper.server.ZooKeeperServerMain";
        let args = [
            "-Xmx128m",
            "-Dzookeeper.jmx.log4j.disable=true",
            "-cp",
            jars,
            main,
            &config,
        ];
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.running.lock().unwrap()._zookeeper = Some(Process::start("java", &args, &[], &self.log()));
    }

    fn place(&self) -> String {
        match self.masters.len() {
            1 => format!("{}:5050", self.masters[0].private_ip),
            _ => format!("zk://{}:2181/mesos", self.zookeeper),
        }
    }

    fn start_master(&self, index: usize) {
        let node = &self.masters[index];
        let mut args = vec![
            format!("--ip={}", node.private_ip),
            format!("--hostname={}", node.private_ip),
            format!("--work_dir={}", self.path(&node.name)),
        ];
        if self.masters.len() > 1 {
            args.extend([format!("--zk={}", self.place()), "--quorum=2".to_owned()]);
        }
        let master = Process::start(&built("mesos-master"), &args, self.env, &self.log());
        self.running.lock().unwrap().masters[index] = Some(master);
    }

    fn start_agent(&self) {
        let args = [
            format!("--master={}", self.place()),
            format!("--ip={}", self.slave.private_ip),
            format!("--hostname={}", self.slave.name),
            format!("--work_dir={}", self.path("s1")),
            format!("--runtime_dir={}", self.path("s1-run")),
            "--no-systemd_enable_support".to_owned(),
        ];
        let agent = Process::start(&built("mesos-agent"), &args, self.env, &self.log());
        self.running.lock().unwrap().agent = Some(agent);
    }

    /// What a path of some server says; none where it does not answer with success.
    fn ask(&self, address: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-fsS", "--max-time", "10", "-H", "Content-Type: application/json"]);
        if let Some(body) = body {
            curl.args(["--data", &body.to_string()]);
        }
        let output = curl.arg(format!("http://{address}{path}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value = || serde_json::from_str(&text).unwrap_or(Value::Null);
        output.status.success().then(value)
    }

    /// What the leading master says.
    fn lead(&self, path: &str, body: Option<&Value>) -> Option<Value> {
        let addresses = self
            .masters
            .iter()
            .map(|node| format!("{}:5050", node.private_ip));
        // Others answer with where to go, and no text.
        let mut answers = addresses.filter_map(|address| self.ask(&address, path, body));
        answers.find(|answer| body.is_some() || !answer.is_null())
    }

    fn leader(&self) -> usize {
        self.await_it("a leading master", || {
            (0..self.masters.len()).find(|index| {
                let address = format!("{}:5050", self.masters[*index].private_ip);
                let metrics = self.ask(&address, "/metrics/snapshot", None);
                metrics.is_some_and(|metrics| metrics["master/elected"] == 1.0)
            })
        })
    }

    fn await_it<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            assert!(began.elapsed() < LIMIT, "{what} did not come about\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the leading master says this of the agent.
    fn await_agent(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.await_it(what, || {
            let slaves = self.lead("/slaves", None)?;
            slaves["slaves"]
                .as_array()?
                .iter()
                .find(|slave| is(slave))
                .cloned()
        })
    }

    /// Has the agent run a task until a file is there. It outlives the agent, and not for long the test.
    fn launch(&self, file: &str) {
        let dir = self.dir.path().display();
        let command = format!(
            "i=0; while [ -d {dir} ] && [ ! -e {dir}/{file} ] && [ $i -lt 3000 ]; do sleep 0.1; i=$((i + 1)); done"
        );
        let address = format!("{}:5051", self.slave.private_ip);
        let body = json!({"name": "task", "command": command});
        let count = |stage: &Self| {
            let summary = stage.lead("/state-summary", None)?;
            summary["slaves"][0]["TASK_RUNNING"].as_u64()
        };
        let before = count(self).unwrap_or_default();
        self.await_it("a task", || self.ask(&address, "/standin/launch", Some(&body)));
        self.await_it("a task that the master knows", || {
            count(self).filter(|now| *now > before)
        });
    }

    async fn drain(&self, timeout_s: u64) -> Result<Drained, ActError> {
        let step = DrainAgent {
            node: self.slave.clone(),
            masters: self.masters.clone(),
            timeout_s,
        };
        step.drain(self).await
    }

    async fn put_back(&self) -> Reactivated {
        self.back(false).await.unwrap()
    }

    async fn back(&self, starts: bool) -> Result<Reactivated, ActError> {
        let step = ReactivateAgent {
            node: self.slave.clone(),
            masters: self.masters.clone(),
            starts,
        };
        step.put_back(self).await
    }
}

#[async_trait]
impl Ground for Stage {
    async fn run(&self, node: &Node, script: Script<'_>) -> Result<Output, RemoteError> {
        let text = script.text().unwrap();
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(script.input()).unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        let output = tokio::process::Command::new("/bin/sh")
            .args(["-c", &text])
            .stdin(Stdio::from(input))
            .output();
        let output = output.await.unwrap();
        let output = Output {
            status: output.status.code().unwrap_or(128),
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: false,
        };
        match output.success() {
            true => Ok(output),
            false => Err(RemoteError::Exit {
                node: node.name.clone(),
                title: script.title.to_owned(),
                status: output.status,
                stderr_tail: output.stderr_tail(),
            }),
        }
    }

    async fn why_gone(&self, _node: &Node) -> Result<Option<String>, ActError> {
        let is_gone = self.is_gone.load(Ordering::Relaxed);
        Ok(is_gone.then(|| "there is no such container".to_owned()))
    }

    async fn has_agent(&self, _node: &Node) -> Result<bool, ActError> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Err(ActError::not_yet("does not answer"));
        }
        let mut running = self.running.lock().unwrap();
        Ok(running.agent.as_mut().is_some_and(Process::runs))
    }

    async fn start_agent(&self, _node: &Node) -> Result<(), ActError> {
        Self::start_agent(self);
        Ok(())
    }
}

/// The stage in a test's hands beside a step that runs: what it starts is waited for on this thread.
fn beside(stage: &Arc<Stage>, timeout_s: u64) -> std::thread::JoinHandle<Drained> {
    let stage = stage.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(stage.drain(timeout_s)).unwrap()
    })
}

fn now<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

#[test]
fn tasks_end_by_themselves_while_another_master_takes_over_and_the_agent_comes_back_to_work() {
    let stage = Arc::new(Stage::new(2, &[]));
    stage.start_zookeeper();
    (0..2).for_each(|index| stage.start_master(index));
    stage.start_agent();
    let first = stage.leader();
    stage.await_agent("the agent", |slave| slave["active"] == true);
    let end = stage.path("end");
    stage.launch("end");

    let draining = beside(&stage, 100_000);
    stage.await_agent("an agent without further work", |slave| {
        slave["deactivated"] == true
    });
    // What an operator has done is kept, and the step finds who leads now.
    stage.running.lock().unwrap().masters[first] = None;
    assert_ne!(stage.leader(), first);
    let slave = stage.await_agent("the agent with its new master", |slave| {
        slave["deactivated"] == true
    });
    assert!(slave["drain_info"].is_null(), "{slave}");
    assert!(!draining.is_finished());
    fs::write(&end, "").unwrap();
    let drained = draining.join().unwrap();
    assert_eq!((drained.how, drained.tasks_ended), (DrainedBy::Drained, 0));
    assert_eq!(now(stage.drain(0)).unwrap(), drained);

    for _ in 0..2 {
        assert!(now(stage.put_back()).is_active);
    }
    stage.await_agent("the agent at work", |slave| {
        slave["active"] == true && slave["deactivated"] == false
    });
    stage.launch("never");
    let drained = now(stage.drain(0)).unwrap();
    assert_eq!((drained.how, drained.tasks_ended), (DrainedBy::Drained, 1));
    let slave = stage.await_agent("the drained agent", |_| true);
    assert_eq!(
        slave["drain_info"]["config"]["max_grace_period"]["nanoseconds"], 0,
        "{slave}"
    );

    // Of a node that does not answer nothing is claimed: its agent would come back as the master has it.
    stage.running.lock().unwrap().agent = None;
    stage.is_silent.store(true, Ordering::Relaxed);
    let refused = now(stage.back(true)).unwrap_err();
    assert!(refused.to_string().contains("does not answer"), "{refused}");
    assert_eq!(refused.class(), ErrorClass::Transient);
    // One whose machine is known to be gone is passed over.
    stage.is_gone.store(true, Ordering::Relaxed);
    let passed = now(stage.put_back());
    assert!(!passed.is_active && passed.passed_over.is_some(), "{passed:?}");
    stage.is_gone.store(false, Ordering::Relaxed);
    stage.is_silent.store(false, Ordering::Relaxed);

    // Whoever is away for good has nothing to drain; and none of it is started by us, unless that is asked for.
    assert!(!now(stage.put_back()).is_active);
    assert!(now(stage.drain(0)).is_ok());
    assert!(now(stage.back(true)).unwrap().is_active);
    stage.await_agent("the agent at work once more", |slave| {
        slave["active"] == true && slave["deactivated"] == false
    });
}

#[test]
fn before_1_9_the_maintenance_schedule_serves_and_what_operators_have_there_stays() {
    let stage = Stage::new(1, &[("MESOS_STANDIN_VERSION", "1.3.2")]);
    stage.start_master(0);
    stage.start_agent();
    stage.leader();
    stage.await_agent("the agent", |slave| slave["active"] == true);
    let window = |start: u64, machines: Value| json!({"machine_ids": machines, "unavailability": {"start": {"nanoseconds": start}}});
    let other = json!([{"hostname": "other", "ip": "10.9.9.9"}]);
    let own = json!([{"hostname": stage.slave.name, "ip": stage.slave.private_ip}]);
    for theirs in [
        json!([window(7, other.clone())]),
        json!([window(7, other), window(8, own)]),
    ] {
        let theirs = json!({"windows": theirs});
        stage.lead("/maintenance/schedule", Some(&theirs)).unwrap();
        stage.launch("never");
        let drained = now(stage.drain(0)).unwrap();
        assert_eq!((drained.how, drained.tasks_ended), (DrainedBy::Maintenance, 1));
        assert_eq!(now(stage.drain(0)).unwrap().how, DrainedBy::Maintenance);
        stage.await_it("the agent's end", || {
            let mut running = stage.running.lock().unwrap();
            (!running.agent.as_mut().unwrap().runs()).then_some(())
        });
        assert_eq!(
            stage.lead("/maintenance/status", None).unwrap()["down_machines"][0]["hostname"],
            "s1.test"
        );

        assert!(!now(stage.put_back()).is_active);
        assert_eq!(stage.lead("/maintenance/schedule", None).unwrap(), theirs);
        stage.start_agent();
        assert!(now(stage.put_back()).is_active);
        assert_eq!(stage.lead("/maintenance/schedule", None).unwrap(), theirs);
    }
}

#[test]
fn a_window_of_ours_is_taken_back_before_the_machine_went_down() {
    let stage = Arc::new(Stage::new(1, &[("MESOS_STANDIN_VERSION", "1.3.2")]));
    stage.start_master(0);
    stage.start_agent();
    stage.leader();
    stage.await_agent("the agent", |slave| slave["active"] == true);
    let end = stage.path("end");
    stage.launch("end");
    let draining = beside(&stage, 100_000);
    stage.await_it("our window", || {
        let schedule = stage.lead("/maintenance/schedule", None)?;
        schedule["windows"][0]["machine_ids"][0]["ip"].as_str().map(drop)
    });
    assert!(now(stage.put_back()).is_active);
    // The drain goes on, whose run was not ended here, and has it there again.
    stage.await_it("our window once more", || {
        let schedule = stage.lead("/maintenance/schedule", None)?;
        schedule["windows"][0]["machine_ids"][0]["ip"].as_str().map(drop)
    });
    fs::write(&end, "").unwrap();
    assert_eq!(
        draining.join().unwrap(),
        Drained {
            how: DrainedBy::Maintenance,
            tasks_ended: 0,
            why: None
        }
    );
}
