//! A bench: the folder, the journal and the clusters of one scenario.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::engine::Engine;
use crate::guard::Guard;
use crate::history::History;
use crate::live::Live;
use crate::nodes::Nodes;
use crate::program;
use crate::said::Said;
use crate::status::Status;

/// How long bringing up a cluster may take before the test gives up on it, on a machine on which everything takes ten times
/// as long. Nothing is measured by it.
pub const RUN_LIMIT: Duration = Duration::from_secs(900);

/// The region of all stand-ins for AWS.
pub(crate) const REGION: &str = "us-east-1";

/// Distinguishes the clusters and programs of one process; its number distinguishes the processes.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Everything that a scenario owns. Dropped, its clusters are destroyed; killed, the [guard](crate::guard) sees to that.
#[derive(Debug)]
pub struct Bench {
    folder: PathBuf,
    journal: PathBuf,
    mesosflow: PathBuf,
    mesos: PathBuf,
    engine: Engine,
    guard: Guard,
    clusters: Vec<String>,
    /// Where the program finds the engine, if not where everybody does.
    search: Option<OsString>,
    /// What its clusters are made in is a stand-in that ends with the scenario, and they with it.
    has_cloud: bool,
    /// Where programs ask whose their credentials are.
    sts: Option<String>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// A new bench.
    ///
    /// # Panics
    /// The programs are not built, or no engine answers.
    pub fn new() -> Self {
        let (mesosflow, mesos) = (program::mesosflow(), program::mesos_tarball());
        let engine = Engine::find();
        let folder = tempfile::Builder::new()
            .prefix("mesosflow-test-")
            .tempdir()
            .expect("a folder")
            .keep();
        let guard = Guard::start(&folder, &engine);
        let journal = folder.join("journal.sqlite");
        let bench = Self {
            folder,
            journal,
            mesosflow,
            mesos,
            engine,
            guard,
            clusters: Vec::new(),
            search: None,
            has_cloud: false,
            sts: None,
        };
        bench.config("");
        bench
    }

    /// The container engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The tarball with the Mesos that clusters run.
    pub fn mesos(&self) -> &Path {
        &self.mesos
    }

    /// A path in the scenario's folder, which is also the home folder and the current one.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file in the scenario's folder, and the folders above it.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder above")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// Writes the configuration file. Where it says nothing of Spark, a cluster's health is seen without a job of Spark's: that is half of
    /// the processor time of some workflows.
    pub fn config(&self, text: &str) -> PathBuf {
        let spark = if text.contains("[spark]") {
            ""
        } else {
            "[spark]\ncheck = false\n"
        };
        self.write("mesosflow.toml", &format!("{text}{spark}"))
    }

    /// Takes the configuration file away: everything is as nobody has said anything.
    ///
    /// # Panics
    /// It cannot be removed.
    pub fn no_config(&self) {
        std::fs::remove_file(self.path("mesosflow.toml")).expect("the file can be removed");
    }

    /// What has a cluster call a datanode dead half a minute after it was last heard of, instead of one and a half: files of the user's own, as
    /// anybody can have, and the line of the configuration that names them, to stand before any table.
    #[must_use]
    pub fn forgets_soon(&self) -> &'static str {
        for hdfs in ["ephemeral", "persistent"] {
            let name = format!("root/{hdfs}-hdfs/conf/hdfs-site.xml");
            let deployed = concat!(env!("CARGO_MANIFEST_DIR"), "/../steps/deploy");
            let text = std::fs::read_to_string(format!("{deployed}/{name}")).expect("the deployed file");
            let (long, short) = ("<value>30000</value>", "<value>1000</value>");
            assert_eq!(text.matches(long).count(), 1, "{name}");
            self.write(&format!("deploy/{name}"), &text.replace(long, short));
        }
        "deploy_dir = 'deploy'\n"
    }

    /// The journal's file.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// Moves the journal, before it is first used.
    pub fn set_journal(&mut self, path: PathBuf) {
        self.journal = path;
    }

    /// The folder of a run: its log.
    pub fn run_dir(&self, run: &str) -> PathBuf {
        self.beside_journal("runs").join(run)
    }

    /// The folder of a run's cluster: its key, known hosts, and what its machines were told.
    pub fn cluster_dir(&self, run: &str) -> PathBuf {
        self.beside_journal("clusters")
            .join(self.status(run).cluster_id())
    }

    fn beside_journal(&self, name: &str) -> PathBuf {
        self.journal.parent().expect("a folder above").join(name)
    }

    /// Puts a script in the engine's place, for the program only: it does this first, then what the engine does.
    ///
    /// # Panics
    /// The script cannot be written.
    pub fn wrap_engine(&mut self, first: &str) {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let program = Path::new(&self.engine.words()[0]).to_owned();
        let name = program
            .file_name()
            .expect("the engine's name")
            .to_string_lossy()
            .into_owned();
        let real = std::env::split_paths(&search)
            .map(|folder| folder.join(&program))
            .find(|path| path.is_file());
        let real = real.expect("the engine in the path");
        let script = format!("#!/bin/sh\n{first}\nexec {} \"$@\"\n", real.display());
        let path = self.write(&format!("bin/{name}"), &script);
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("an executable script");
        let folders = std::iter::once(self.path("bin")).chain(std::env::split_paths(&search));
        self.search = Some(std::env::join_paths(folders).expect("a search path"));
    }

    /// A name for a cluster that no other test on this machine has.
    pub fn cluster(&mut self) -> String {
        let name = format!(
            "t{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        self.guard.cluster(&name);
        self.clusters.push(name.clone());
        name
    }

    /// A label that no other test on this machine has, for containers and networks that the scenario itself makes.
    pub(crate) fn label(&mut self) -> String {
        let name = format!(
            "t{}-{}-cloud",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        self.guard.cluster(&name);
        name
    }

    /// Tells the guard of a program that the scenario itself has started, with a path of its folder among the arguments.
    pub(crate) fn guarded(&mut self, pid: u32) {
        self.guard.pid(pid);
    }

    /// From now on, programs are given an account of a stand-in for AWS.
    pub(crate) fn enter_cloud(&mut self) {
        self.has_cloud = true;
    }

    /// From now on, programs ask there whose their credentials are.
    pub(crate) fn ask_sts(&mut self, endpoint: String) {
        self.sts = Some(endpoint);
    }

    /// Keeps the developer's own account out of a command's surroundings, and puts the stand-in's there if there is one.
    pub fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_CONFIG_FILE", self.path(".aws/config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.path(".aws/credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if self.has_cloud {
            command
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .env("AWS_REGION", REGION);
        }
        if let Some(sts) = &self.sts {
            command.env("AWS_ENDPOINT_URL_STS", sts);
        }
    }

    /// The program with these arguments, in surroundings of its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.mesosflow);
        command
            .arg("--journal")
            .arg(&self.journal)
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .env("HOME", &self.folder)
            .env("MESOSFLOW_MESOS_TARBALL", &self.mesos);
        for variable in [
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "MESOSFLOW_JOURNAL",
        ] {
            command.env_remove(variable);
        }
        if let Some(search) = &self.search {
            command.env("PATH", search);
        }
        self.surround(&mut command);
        // Should the node image have to be built: what was downloaded once is there.
        if let (None, Some(home)) = (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
            command.env("XDG_CACHE_HOME", Path::new(&home).join(".cache"));
        }
        command
    }

    /// Runs the program to its end; for what is over in a moment.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn say(&mut self, args: &[&str]) -> Said {
        self.start(args).finish(RUN_LIMIT)
    }

    /// What everyday's look says of the cluster, which programs of Java may take their time for.
    ///
    /// # Panics
    /// It says no JSON.
    pub fn check(&mut self) -> Value {
        self.say(&["check", "--json", "--timeout", "900"]).json()
    }

    /// Starts the program.
    pub fn start(&mut self, args: &[&str]) -> Live {
        let command = self.command(args);
        self.start_command(command)
    }

    /// Starts what [`Bench::command`] gave.
    pub fn start_command(&mut self, command: Command) -> Live {
        let stem = self.path(&format!("program-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let live = Live::start(command, &stem);
        self.guard.pid(live.pid());
        live
    }

    /// Where a run stands, as `status --json` says.
    pub fn status(&self, run: &str) -> Status {
        Status::new(self.read(&["status", run, "--json"]).json())
    }

    /// What happened, as `events --json` says.
    pub fn history(&self, run: &str) -> History {
        History::new(self.read(&["events", run, "--json"]).json_lines())
    }

    /// The nodes of a run, as `status --json` says.
    pub fn nodes(&self, run: &str) -> Nodes {
        Nodes::new(self.engine.clone(), &self.status(run))
    }

    fn read(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().expect("mesosflow starts")).ended(0)
    }
}

impl Bench {
    /// What the programs said last, before the folder goes.
    #[expect(clippy::print_stderr, reason = "the test harness shows it with a failed test")]
    fn explain(&self) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "err"));
        paths.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
        for path in paths.iter().rev().take(3) {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let tail: Vec<_> = text.lines().rev().take(25).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            eprintln!("-- {} ended with:\n{}", path.display(), tail.join("\n"));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.explain();
        }
        for cluster in self.clusters.iter().filter(|_| !self.has_cloud) {
            // What this leaves, the guard removes.
            let _destroyed = self.command(&["destroy", "--cluster", cluster, "--yes"]).output();
        }
        self.guard.finish();
    }
}
