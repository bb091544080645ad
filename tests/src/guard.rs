//! The guard: a process of its own that cleans up behind a scenario, however the scenario ends.
//!
//! It reads from a pipe that only the test holds. While the test lives, it is told what was started; when the pipe
//! closes, be it that the test is done, has failed or was killed with `kill -9`, it ends the programs, removes every
//! container, network and image that carries one of the clusters' labels, and their rules of the packet filter, detaches the disks that files of the folder stand for, and
//! deletes the folder.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::engine::Engine;

const SCRIPT: &str = include_str!("guard.sh");

/// Holds the pipe to the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard of the scenario in `folder`.
    pub(crate) fn start(folder: &Path, engine: &Engine) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "mesosflow-test-guard"])
            .arg(folder)
            .args(engine.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends the test's group of processes must not end the guard.
            .process_group(0)
            .spawn()
            .expect("the guard starts");
        let pipe = process.stdin.take();
        Self { process, pipe }
    }

    /// Tells of a cluster that may come to exist.
    pub(crate) fn cluster(&mut self, name: &str) {
        self.tell(&format!("cluster {name}\n"));
    }

    /// Tells of a program that was started.
    pub(crate) fn pid(&mut self, pid: u32) {
        self.tell(&format!("pid {pid}\n"));
    }

    fn tell(&mut self, line: &str) {
        let pipe = self.pipe.as_mut().expect("the guard listens");
        pipe.write_all(line.as_bytes()).expect("the guard lives");
    }

    /// Lets the guard clean up, and waits for it.
    pub(crate) fn finish(&mut self) {
        self.pipe = None;
        // Its exit status says nothing: what it could not remove, nobody can.
        let _ended = self.process.wait();
    }
}
