//! A test that is killed: run once more as a process of its own, which tells what it has and then ends only by `kill -9`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Set for the process that is killed.
const VICTIM: &str = "MESOSFLOW_TEST_VICTIM";

/// The process, and what it told.
pub(crate) struct Victim {
    process: Child,
    /// The words of what it told.
    pub(crate) told: Vec<String>,
}

impl Victim {
    /// Whether this is the process that is to be killed.
    pub(crate) fn is_this() -> bool {
        std::env::var_os(VICTIM).is_some()
    }

    /// Starts the test of that name as a victim, and waits for what it tells.
    pub(crate) fn start(name: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(VICTIM, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let told = lines.find_map(|line| line.strip_prefix("victim: ").map(str::to_owned));
        let told = told.expect("the victim tells what it has");
        Self {
            process,
            told: told.split(' ').map(str::to_owned).collect(),
        }
    }

    /// Tells, as the victim, what there is.
    pub(crate) fn tell(words: &[&dyn std::fmt::Display]) {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        println!("victim: {}", words.join(" "));
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
