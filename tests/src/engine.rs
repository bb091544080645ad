//! The container engine, called as the product calls it: what carries a cluster's labels, and commands inside of nodes.

use std::process::{Command, Stdio};

use mesosflow_steps::cluster::LocalSpec;
use mesosflow_steps::provider::local::engine::Engine as ProductEngine;

/// The engine's program and its global arguments.
#[derive(Debug, Clone)]
pub struct Engine {
    words: Vec<String>,
    run_args: Vec<String>,
}

/// How a command inside of a node ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Asserts that it ended well, and returns its standard output without the white space around it.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "\n-- standard output:\n{}-- standard error:\n{}",
            self.out, self.err
        );
        self.out.trim().to_owned()
    }

    /// Something if it ended well, for who waits for that.
    pub fn ok_if(self) -> Option<()> {
        (self.code == 0).then_some(())
    }
}

impl Engine {
    /// Finds the engine by the product's own rules.
    pub(crate) fn find() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let found = runtime.block_on(ProductEngine::find(&LocalSpec::default()));
        let engine = match found {
            Ok(engine) => engine,
            Err(error) => panic!(
                "the end-to-end tests need podman or docker: {error}: {}",
                error.source
            ),
        };
        Self {
            words: engine.command_line().into_iter().map(str::to_owned).collect(),
            run_args: engine.run_args().to_vec(),
        }
    }

    /// The program and its global arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What a node's container needs beside `--privileged`.
    pub fn run_args(&self) -> &[String] {
        &self.run_args
    }

    /// Calls the engine.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = Command::new(&self.words[0])
            .args(&self.words[1..])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("the engine starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Runs a shell script inside of a container.
    pub fn exec(&self, container: &str, script: &str) -> Ran {
        self.run(&["exec", container, "sh", "-c", script])
    }

    /// Names of all containers that carry the cluster's label, stopped ones too, in order.
    pub fn containers(&self, cluster: &str) -> Vec<String> {
        self.names(&["ps", "--all", "--format", "{{.Names}}"], cluster)
    }

    /// Names of all networks that carry the cluster's label, in order.
    pub fn networks(&self, cluster: &str) -> Vec<String> {
        self.names(&["network", "ls", "--format", "{{.Name}}"], cluster)
    }

    /// How many anonymous volumes the cluster's containers have that are still there: each goes with its node.
    pub fn volumes(&self, containers: &[String]) -> Vec<String> {
        let template = "{{range .Mounts}}{{if .Name}}{{.Name}} {{end}}{{end}}";
        let names = containers.iter().flat_map(|container| {
            let listed = self
                .run(&["container", "inspect", "--format", template, container])
                .ok();
            listed.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
        names.collect()
    }

    /// Whether a volume of that name exists.
    pub fn has_volume(&self, name: &str) -> bool {
        self.run(&["volume", "inspect", name]).code == 0
    }

    fn names(&self, list: &[&str], cluster: &str) -> Vec<String> {
        let filter = format!("label=org.mesosflow.cluster={cluster}");
        let listed = self.run(&[list, &["--filter", &filter]].concat()).ok();
        let mut names: Vec<_> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}
