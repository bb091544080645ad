//! A folder of its own for each test, the program run in it, and journals made by the library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::{
    Adopter, CatalogueEntry, ClusterId, NewRun, Outcome, Purpose, Run, RunId, Settings, StepId, Stop, Store,
    SystemClock,
};
use tempfile::TempDir;

/// A folder that is home, current folder and journal's place at once.
pub(crate) struct Bench {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
}

/// What the program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: runtime.unwrap(),
        }
    }

    /// What comes of a future that needs the journal.
    pub(crate) fn wait<T>(&self, act: impl Future<Output = T>) -> T {
        self.runtime.block_on(act)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Every file and folder there is.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, all);
                }
                all.push(path);
            }
        }
        let mut all = Vec::new();
        walk(self.folder.path(), &mut all);
        all.sort();
        all
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesosflow"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("HOME", self.folder.path())
            .env("MESOSFLOW_JOURNAL", self.journal_path());
        for variable in [
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "MESOSFLOW_MESOS_TARBALL",
        ] {
            command.env_remove(variable);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs the program and asserts that it left everything as it was.
    pub(crate) fn run_creating_nothing(&self, args: &[&str]) -> Said {
        let before = self.files();
        let said = self.run(args);
        assert_eq!(self.files(), before, "{args:?} created something: {said:?}");
        said
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.path("journal.sqlite")
    }

    pub(crate) fn journal(&self) -> Arc<dyn Store> {
        let _within = self.runtime.enter();
        Arc::new(SqliteJournal::open(self.journal_path()).unwrap())
    }

    /// A run that this process holds until it is dropped.
    pub(crate) fn begin(&self, journal: &Arc<dyn Store>, run: &str, cluster: &str) -> Run {
        let own = self.path("bin/podman");
        let engine = if own.exists() {
            own
        } else {
            "/nowhere/engine".into()
        };
        let spec = serde_json::json!({"cluster": cluster, "local": {"engine": engine}});
        self.begin_with(journal, run, cluster, "local", spec)
    }

    /// The same with this provider and spec.
    pub(crate) fn begin_with(
        &self,
        journal: &Arc<dyn Store>,
        run: &str,
        cluster: &str,
        provider: &str,
        spec: serde_json::Value,
    ) -> Run {
        let step = StepId::from_static;
        let catalogue = vec![
            CatalogueEntry::new(step("render-config"), "1.6.a", "templates rendered"),
            CatalogueEntry::new(step("hdfs-format"), "2.17", "ephemeral HDFS formatted").destructive(),
            CatalogueEntry::new(step("hdfs-start"), "2.17", "ephemeral HDFS started"),
        ];
        let new = NewRun {
            workflow: "deploy".to_owned(),
            cluster_id: ClusterId::of_run(id(run)),
            cluster: cluster.to_owned(),
            provider: provider.to_owned(),
            spec,
            tool_version: "0.1.0".to_owned(),
            catalogue,
            over: Vec::new(),
        };
        let created = Run::create(
            journal.clone(),
            Arc::new(SystemClock),
            id(run),
            new,
            Arc::new(|_| {}),
        );
        self.runtime.block_on(created).unwrap()
    }

    /// Gives the first `steps` steps an outcome, and the run an end if these are all.
    pub(crate) fn drive(&self, run: &Run, steps: usize) {
        let all: Vec<_> = run.state().steps.into_iter().map(|step| step.entry.id).collect();
        let done: Vec<_> = all.iter().take(steps).cloned().collect();
        let is_all = done.len() == all.len();
        let outcome = self.runtime.block_on(run.drive(
            Arc::new(()),
            Settings::default(),
            Stop::default(),
            async |flow| {
                for step in done.clone() {
                    flow.skip(step, "not needed here").await?;
                }
                if is_all {
                    Ok(())
                } else {
                    Err(mesosflow_workflow::Halt::Stopped)
                }
            },
        ));
        assert!(
            matches!(outcome, Outcome::Succeeded | Outcome::Interrupted { .. }),
            "{outcome:?}"
        );
    }

    /// A run that has succeeded and is held by nobody.
    pub(crate) fn finished(&self, run: &str, cluster: &str) {
        let journal = self.journal();
        let run = self.begin(&journal, run, cluster);
        self.drive(&run, 3);
    }

    /// Takes a run over to destroy it, and retires it: nothing was ever created.
    pub(crate) fn destroyed(&self, run: &str) {
        let adopter = Adopter {
            purpose: Purpose::Destroy,
            pid: 1,
            host: "here".to_owned(),
            seen: None,
            over: Vec::new(),
        };
        let adopted = Run::adopt(
            self.journal(),
            Arc::new(SystemClock),
            id(run),
            adopter,
            Arc::new(|_| {}),
        );
        self.runtime
            .block_on(async { adopted.await.unwrap().retire().await.unwrap() });
    }

    /// How many events a run has.
    pub(crate) fn events(&self, run: &str) -> usize {
        self.runtime.block_on(self.journal().load(id(run))).unwrap().len()
    }
}

impl Said {
    /// Asserts the exit code and what standard error contains.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains("error: "), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is missing in {self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    for stream in [&said.out, &said.err] {
        assert!(
            !stream.contains('\u{1b}'),
            "control codes without a terminal: {said:?}"
        );
        assert!(!stream.contains("panicked"), "{said:?}");
    }
    said
}

pub(crate) fn id(run: &str) -> RunId {
    run.parse().unwrap()
}

/// Two ids with a common beginning.
pub(crate) const FIRST: &str = "01jd3k00000000000000000001";
pub(crate) const SECOND: &str = "01jd3k00000000000000000002";
