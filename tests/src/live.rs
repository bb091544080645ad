//! A running program under test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::said::{Said, is_run_id};
use crate::wait::until;

/// How long the first line of output may take.
const ID_LIMIT: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The program, started and not waited for yet. Dropped, it is killed.
#[derive(Debug)]
pub struct Live {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Live {
    /// Starts `command` with its output in files beside `stem`.
    pub(crate) fn start(mut command: Command, stem: &Path) -> Self {
        let (out, err) = (stem.with_extension("out"), stem.with_extension("err"));
        let file = |path: &Path| File::create(path).expect("a file for output");
        command.stdout(file(&out)).stderr(file(&err)).stdin(Stdio::null());
        let child = command.spawn().expect("mesosflow starts");
        Self { child, out, err }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The run's id, which it prints first.
    ///
    /// # Panics
    /// It ends without one.
    #[track_caller]
    pub fn run(&mut self) -> String {
        until("the run's id on the first line", ID_LIMIT, || {
            let text = read(&self.out);
            let first = text.lines().next().filter(|_| text.contains('\n'));
            if let Some(id) = first {
                assert!(is_run_id(id), "the first line is no run's id: {id:?}");
                return Some(id.to_owned());
            }
            assert!(
                self.ended().is_none(),
                "it ended without a run's id:\n{}",
                read(&self.err)
            );
            None
        })
    }

    /// What it has written to standard output so far.
    pub fn out(&self) -> String {
        read(&self.out)
    }

    /// What it has written to standard error so far.
    pub fn err(&self) -> String {
        read(&self.err)
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the program can be waited for")
    }

    /// Ends it as a power failure would.
    pub fn kill(mut self) -> Said {
        let _killed = self.child.kill();
        self.said()
    }

    /// Ctrl-C.
    ///
    /// # Panics
    /// The signal cannot be sent.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Stops it where it is, as Ctrl-Z does, and waits until it stands.
    ///
    /// # Panics
    /// The signal cannot be sent, or it does not stop.
    #[track_caller]
    pub fn pause(&self) {
        self.signal("STOP");
        let path = format!("/proc/{}/stat", self.pid());
        until("the program to stand still", ID_LIMIT, || {
            let stat = fs::read_to_string(&path).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.starts_with('T').then_some(())
        });
    }

    /// Lets it go on after [`Live::pause`].
    ///
    /// # Panics
    /// The signal cannot be sent.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &pid])
            .status();
        assert!(sent.expect("sh starts").success(), "the signal was not sent");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not end within `limit`.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Said {
        let give_up = Instant::now() + limit;
        while self.ended().is_none() {
            if Instant::now() > give_up {
                panic!("no end after {} s:\n{}", limit.as_secs(), read(&self.err));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.said()
    }

    fn said(&mut self) -> Said {
        let status = self.child.wait().expect("the program can be waited for");
        Said::new(status, read(&self.out), read(&self.err))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
