//! The container engine as a program: found, asked what it needs on this machine, called with limits.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mesosflow_workflow::ErrorClass;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::process::Command;

use crate::cluster::LocalSpec;
use crate::provider::{Answer, ProviderError};

/// The longest that a call may take which neither builds nor downloads anything.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// Bit of CAP_SYS_RESOURCE in a process's effective set (capability.h): without it limits can only be lowered.
const CAP_SYS_RESOURCE: u32 = 24;
/// The root of cgroup v2, where it is mounted alone (cgroups(7)): a machine with both has it one folder further down.
const CGROUP_V2: &str = "/sys/fs/cgroup/cgroup.controllers";
/// Lines of an engine's answer that an error repeats.
const ANSWER_LINES: usize = 6;

/// A container engine that answers.
#[derive(Debug, Clone)]
pub struct Engine {
    program: String,
    global_args: Vec<String>,
    run_args: Vec<String>,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// Its version.
    pub(super) version: String,
    /// `v1` or `v2`.
    pub(super) cgroups: String,
    /// Whether it works without root's rights.
    pub(super) is_rootless: bool,
    /// What makes its networks, where it says so.
    pub(super) network: String,
    /// Where it keeps containers and images, where it says so.
    pub(super) store: Option<PathBuf>,
}

impl Engine {
    /// Finds the engine that the spec names, or the first that works of podman and docker, and what it needs here.
    ///
    /// # Errors
    /// None is installed, or none answers; says what each of them said.
    pub async fn find(spec: &LocalSpec) -> Result<Self, ProviderError> {
        let candidates = match &spec.engine {
            Some(named) => vec![named.clone()],
            None => vec!["podman".to_owned(), "docker".to_owned()],
        };
        let mut answers = Vec::new();
        for program in candidates {
            let engine = Self::adapted(program, spec);
            // Reads its store and names its runtime, at a tenth of what `info` costs, which asks the package manager too.
            match engine
                .call("list a container", &["ps", "--quiet", "--last", "1"])
                .await
            {
                Ok(_) => return Ok(engine),
                Err(error) => answers.push(format!("{}: {}", engine.program, error.source)),
            }
        }
        Err(ProviderError {
            doing: "no container engine answers on this machine".into(),
            class: ErrorClass::Operator,
            hint: Some(
                "install podman (`apt-get install podman runc netavark`), or name an engine in `[local] engine`".into(),
            ),
            source: Answer(answers.join("; ")),
        })
    }

    fn adapted(program: String, spec: &LocalSpec) -> Self {
        let is_podman = is_podman(&program);
        let global_args = match &spec.engine_args {
            Some(args) => args.clone(),
            None if is_podman => podman_args(),
            None => Vec::new(),
        };
        let run_args = spec.run_args.clone().unwrap_or_else(|| {
            let mut args = if is_podman {
                vec!["--systemd=always".to_owned()]
            } else {
                docker_systemd_args()
            };
            args.extend(limit_args());
            args
        });
        Self {
            program,
            global_args,
            run_args,
        }
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn about(&self) -> Result<About, ProviderError> {
        // podman prints one object for both spellings; docker only knows the template.
        let format = if self.is_podman() { "json" } else { "{{json .}}" };
        let info: Value = self.json("info", &["info", "--format", format]).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let security = info["SecurityOptions"].as_array();
        let is_docker_rootless =
            security.is_some_and(|all| all.iter().any(|option| option == "name=rootless"));
        // podman: host, store, version; docker: all at the top.
        let version = text(&info["version"]["Version"]).or_else(|| text(&info["ServerVersion"]));
        let cgroups = text(&info["host"]["cgroupVersion"])
            .or_else(|| text(&info["CgroupVersion"]).map(|number| format!("v{number}")));
        let store = text(&info["store"]["graphRoot"]).or_else(|| text(&info["DockerRootDir"]));
        Ok(About {
            version: version.unwrap_or_default(),
            cgroups: cgroups.unwrap_or_else(|| "unknown".to_owned()),
            is_rootless: info["host"]["security"]["rootless"] == true || is_docker_rootless,
            network: text(&info["host"]["networkBackend"]).unwrap_or_default(),
            store: store.map(PathBuf::from),
        })
    }

    pub(super) fn is_podman(&self) -> bool {
        is_podman(&self.program)
    }

    /// What it is called.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The program and its global arguments, as a shell would be given them.
    pub fn command_line(&self) -> Vec<&str> {
        std::iter::once(self.program.as_str())
            .chain(self.global_args.iter().map(String::as_str))
            .collect()
    }

    /// What a node's container needs beside `--privileged`.
    pub fn run_args(&self) -> &[String] {
        &self.run_args
    }

    /// Calls the engine and returns its standard output.
    ///
    /// # Errors
    /// It cannot be started, fails, or does not end within a minute; transient, since every use of it is repeatable.
    pub async fn call(&self, doing: &str, args: &[&str]) -> Result<String, ProviderError> {
        self.call_within(CALL_LIMIT, doing, args).await
    }

    /// The same where it may take longer.
    ///
    /// # Errors
    /// As [`Engine::call`], at the limit's end.
    pub async fn call_within(
        &self,
        limit: Duration,
        doing: &str,
        args: &[&str],
    ) -> Result<String, ProviderError> {
        let failed = |class, answer: String| ProviderError {
            doing: format!("{} could not {doing}", self.program),
            class,
            hint: None,
            source: Answer(answer),
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.global_args)
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            // A Ctrl-C on the terminal is for mesosflow, which lets what runs finish.
            .process_group(0);
        let output = tokio::time::timeout(limit, command.output())
            .await
            .map_err(|_| {
                failed(
                    ErrorClass::Ambiguous,
                    format!("no end after {} s", limit.as_secs()),
                )
            })?
            .map_err(|error| failed(ErrorClass::Operator, error.to_string()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<_> = text.lines().rev().take(ANSWER_LINES).collect();
            let tail: Vec<_> = lines
                .into_iter()
                .rev()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            let tail = if tail.is_empty() {
                output.status.to_string()
            } else {
                tail.join("; ")
            };
            return Err(failed(ErrorClass::Transient, tail));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Calls the engine and reads the JSON that it prints.
    ///
    /// # Errors
    /// Like [`Engine::call`]; permanent where the answer is not what was expected.
    pub async fn json<T: DeserializeOwned>(&self, doing: &str, args: &[&str]) -> Result<T, ProviderError> {
        let text = self.call(doing, args).await?;
        serde_json::from_str(&text).map_err(|error| ProviderError {
            doing: format!(
                "{} was asked to {doing}, and its answer cannot be read",
                self.program
            ),
            class: ErrorClass::Permanent,
            hint: None,
            source: Answer(error.to_string()),
        })
    }

    /// What `inspect` says of an object; `None` where there is no such object.
    ///
    /// # Errors
    /// The engine fails for another reason.
    pub async fn inspect(&self, kind: &str, name: &str) -> Result<Option<Value>, ProviderError> {
        match self
            .json::<Vec<Value>>(&format!("inspect {kind} {name}"), &[kind, "inspect", name])
            .await
        {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if is_missing(&error.source.0) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_podman(program: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("podman"))
}

/// How podman and docker say that an object does not exist (podman 4.3, 5; docker 28).
fn is_missing(answer: &str) -> bool {
    let answer = answer.to_lowercase();
    ["no such", "not found", "not known", "does not exist"]
        .iter()
        .any(|words| answer.contains(words))
}

/// Global arguments that podman needs where the machine is not what it expects: on cgroup v1 its default runtime, crun,
/// may refuse to start, and without systemd as process 1 there is nobody to ask for a cgroup.
fn podman_args() -> Vec<String> {
    let mut args = Vec::new();
    if !Path::new(CGROUP_V2).exists() && in_path("runc") {
        args.extend(["--runtime".to_owned(), "runc".to_owned()]);
    }
    if !Path::new("/run/systemd/system").is_dir() {
        args.extend(["--cgroup-manager".to_owned(), "cgroupfs".to_owned()]);
    }
    args
}

/// What systemd needs under docker, which does not know it as podman does.
fn docker_systemd_args() -> Vec<String> {
    ["--cgroupns=private", "--tmpfs=/run", "--tmpfs=/run/lock"]
        .map(str::to_owned)
        .to_vec()
}

/// Podman asks for higher limits than a process without CAP_SYS_RESOURCE may set: then the ones at hand are passed on.
/// Podman itself lowers its own limit of processes to the kernel's number of process ids, and cannot go back above it.
fn limit_args() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if effective.is_none_or(|set| set & (1 << CAP_SYS_RESOURCE) != 0) {
        return Vec::new();
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let pids = std::fs::read_to_string("/proc/sys/kernel/pid_max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    [
        ("nofile", "Max open files", None),
        ("nproc", "Max processes", pids),
    ]
    .into_iter()
    .filter_map(|(name, line, ceiling): (_, _, Option<u64>)| {
        let hard = limits
            .lines()
            .find_map(|l| l.strip_prefix(line))?
            .split_whitespace()
            .nth(1)?;
        let hard: u64 = hard.parse().unwrap_or(u64::MAX).min(ceiling.unwrap_or(u64::MAX));
        (hard < u64::MAX).then(|| format!("--ulimit={name}={hard}:{hard}"))
    })
    .collect()
}

/// Whether a program is in the search path.
pub(super) fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
