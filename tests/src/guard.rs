//! The guard: a process of its own that cleans up behind a scenario, however the scenario ends.
//!
//! It reads from a pipe that only the test holds. While the test lives, it is told what was started; when the pipe
//! closes, be it that the test is done, has failed or was killed with `kill -9`, it ends the programs, removes every
//! container, network and image that carries one of the clusters' labels, detaches the disks that files of the folder stand for, and
//! deletes the folder.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::engine::Engine;

/// `$1` is the scenario's folder, `$2`… the engine. A program is only ended if its command line names that folder: its
/// number may have gone to another one.
const SCRIPT: &str = r#"
folder=$1; shift
pids=; clusters=
while read -r kind what; do
  case $kind in
    pid) pids="$pids $what" ;;
    cluster) clusters="$clusters $what" ;;
  esac
done
for pid in $pids; do
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$folder/"; then kill -9 "$pid"; fi
done
# An engine that a killed test had just called ends by itself; whatever it made is removed below.
calls() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -qxF "org.mesosflow.cluster=$cluster"; }
for cluster in $clusters; do
  for try in 1 2 3 4 5 6 7 8 9 10; do calls && sleep 0.5 || break; done
  # A call of the engine that outlived its caller may still add something.
  for try in 1 2 3 4 5; do
    containers=$("$@" ps --all --quiet --filter "label=org.mesosflow.cluster=$cluster")
    [ -z "$containers" ] || "$@" rm --force --volumes $containers
    networks=$("$@" network ls --quiet --filter "label=org.mesosflow.cluster=$cluster")
    [ -z "$networks" ] || "$@" network rm $networks
    [ -n "$containers$networks" ] || break
  done
done
for cluster in $clusters; do
  images=$("$@" image ls --quiet --filter "label=org.mesosflow.test=$cluster" | sort -u)
  [ -z "$images" ] || "$@" image rm --force $images
done
losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null |
  awk -v root="$folder/" 'index($2, root) == 1 { print $1 }' | while read -r loop; do
  losetup --detach "$loop"
done
awk -v root="$folder/" 'index($2, root) == 1 { print $2 }' /proc/self/mounts | while read -r mounted; do
  umount -l "$mounted"
done
rm -rf --one-file-system -- "$folder"
"#;

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
