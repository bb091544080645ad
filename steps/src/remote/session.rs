//! A node that can be talked to: the handle that steps hold, whatever happens to the connection under it.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesosflow_workflow::FencingToken;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::channel::{Failure, Finished, Kind};
use super::command::{Command, LineError, command_line};
use super::connect::{connect, elapsed_ms, presented};
use super::contact::Contact;
use super::driver::Link;
use super::exec::{Exec, Input};
use super::feed::Activity;
use super::fence::{Fence, Lineage};
use super::output::{Output, Piece};
use super::stream;
use super::tail::last_lines;
use super::{HostKey, RemoteError, Target};

/// How long a stopped command's last output is waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The pauses after which a channel that the server refused is asked for again, from the first to below the second.
const CHANNEL_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(3));
/// No limit is longer than this; it keeps sums of times in range.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// The session to one node. See [`super`].
pub struct Session {
    target: Target,
    private_key: PathBuf,
    jobs_dir: String,
    pub(super) fence_dir: String,
    pub(super) fence: Option<Fence>,
    /// How often this session has raised its node's fence, so that whoever waited for that does not do it again.
    pub(super) raises: Mutex<usize>,
    jump: Option<Arc<Session>>,
    connection: Mutex<Connection>,
    contact: Arc<Contact>,
    /// Counts attempts to connect, so that whoever waited during a failed one shares its error.
    attempts: AtomicU64,
}

/// What all sessions of a pool have in common.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) private_key: PathBuf,
    pub(super) jobs_dir: String,
    pub(super) fence_dir: String,
    pub(super) token: Option<(FencingToken, Lineage)>,
    pub(super) contact: Arc<Contact>,
}

#[derive(Default)]
struct Connection {
    link: Option<Arc<Link>>,
    failure: Option<RemoteError>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} {})", self.target.node, self.target)
    }
}

impl Session {
    pub(super) fn new(target: Target, settings: &Settings, jump: Option<Arc<Session>>) -> Self {
        Self {
            target,
            private_key: settings.private_key.clone(),
            jobs_dir: settings.jobs_dir.clone(),
            fence_dir: settings.fence_dir.clone(),
            fence: settings
                .token
                .clone()
                .map(|(token, lineage)| Fence::new(token, lineage, &settings.fence_dir)),
            raises: Mutex::default(),
            jump,
            connection: Mutex::default(),
            contact: Arc::clone(&settings.contact),
            attempts: AtomicU64::new(0),
        }
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.target.node
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn jobs_dir(&self) -> &str {
        &self.jobs_dir
    }

    /// Connects if there is no live connection.
    pub async fn ready(&self) -> Result<(), RemoteError> {
        self.link().await.map(drop)
    }

    /// The host key that the node's server shows, without believing it: for a user who chose to trust the first one seen.
    ///
    /// # Errors
    /// Nothing answers there, or no SSH server does.
    pub async fn presented_host_key(&self) -> Result<HostKey, RemoteError> {
        let jump = match &self.jump {
            Some(jump) => Some(jump.link().await?),
            None => None,
        };
        let presented = presented(&self.target, jump).await;
        self.contact.note(&self.target, presented.as_ref().err());
        presented
    }

    /// Runs a command as root. An exit status other than 0 is an error.
    ///
    /// If the connection turns out to be dead before the command was sent, it is made anew once. A command that may have
    /// started is never sent again: then the error is ambiguous.
    ///
    /// Dropping the future ends the command on the node.
    pub async fn run(&self, command: Command) -> Result<Output, RemoteError> {
        let title = command.title.clone();
        let output = self.run_any(command).await?;
        self.successful(&title, output)
    }

    /// Runs a command as root and returns what came of it, whatever its exit status.
    pub async fn run_any(&self, command: Command) -> Result<Output, RemoteError> {
        self.exec(Exec {
            title: &command.title,
            script: &command.script,
            input: Input::Bytes(command.stdin),
            deadline: command.deadline,
            silence: command.silence,
            max_output: (command.max_output, command.max_output),
            taker: None,
        })
        .await
    }

    /// Runs a command as root and hands its output on as it comes: however much that is, little of it is held, and a slow
    /// taker holds the command up. Returns its exit status, once everything is handed on.
    ///
    /// What had come before an error has been handed on, too. Dropping the future ends the command on the node.
    pub async fn stream(&self, command: Command, taker: &mpsc::Sender<Piece>) -> Result<i32, RemoteError> {
        let exec = Exec {
            title: &command.title,
            script: &command.script,
            input: Input::Bytes(command.stdin),
            deadline: command.deadline,
            silence: command.silence,
            max_output: (0, command.max_output),
            taker: Some(taker),
        };
        Ok(self.exec(exec).await?.status)
    }

    pub(super) fn successful(&self, title: &str, output: Output) -> Result<Output, RemoteError> {
        if output.success() {
            return Ok(output);
        }
        Err(RemoteError::Exit {
            node: self.target.node.clone(),
            title: title.to_owned(),
            status: output.status,
            stderr_tail: output.stderr_tail(),
        })
    }

    /// The live connection, made now if need be. Boxed, because a jump's session is a session too.
    fn link(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<Arc<Link>, RemoteError>> + Send + '_>> {
        Box::pin(async {
            let seen = self.attempts.load(Ordering::Acquire);
            let mut connection = self.connection.lock().await;
            if let Some(link) = connection.link.as_ref().filter(|link| link.is_alive()) {
                return Ok(Arc::clone(link));
            }
            if self.attempts.load(Ordering::Acquire) != seen
                && let Some(failure) = &connection.failure
            {
                return Err(failure.clone());
            }
            let made = self.connect().await;
            self.attempts.fetch_add(1, Ordering::Release);
            match made {
                Ok(link) => {
                    connection.failure = None;
                    Ok(Arc::clone(connection.link.insert(Arc::new(link))))
                }
                Err(error) => {
                    tracing::debug!(node = %self.target.node, %error, "not connected");
                    connection.link = None;
                    connection.failure = Some(error.clone());
                    Err(error)
                }
            }
        })
    }

    async fn connect(&self) -> Result<Link, RemoteError> {
        let jump = match &self.jump {
            Some(jump) => Some(jump.link().await?),
            None => None,
        };
        let connected = connect(&self.target, &self.private_key, jump).await;
        self.contact.note(&self.target, connected.as_ref().err());
        connected
    }

    /// Sends a command's line, again where that is known to be safe.
    pub(super) async fn exec_line(&self, exec: &Exec<'_>, line: &str) -> Result<Output, RemoteError> {
        let started = Instant::now();
        let (mut anew, mut pause) = (true, CHANNEL_PAUSE.0);
        let result = loop {
            match self.attempt(exec, line).await {
                Err(RemoteError::Disconnected { .. }) if anew => anew = false,
                // A command that was ended from this side counts for the server until its last process is gone.
                Err(RemoteError::NoChannel { .. }) if pause < CHANNEL_PAUSE.1 => {
                    sleep(pause).await;
                    pause *= 2;
                }
                result => break result,
            }
        };
        let (node, ms) = (&self.target.node, elapsed_ms(started));
        match &result {
            Ok(output) => tracing::debug!(
                node,
                title = exec.title,
                status = output.status,
                stderr = output.stderr_tail(),
                ms,
                "command ended"
            ),
            Err(error) => tracing::debug!(node, title = exec.title, %error, ms, "command failed"),
        }
        result
    }

    pub(super) fn line(&self, exec: &Exec<'_>, fence: Option<&Fence>) -> Result<String, RemoteError> {
        let deadline = exec.deadline.min(FOREVER);
        command_line(
            exec.script,
            exec.input.len(),
            deadline,
            fence,
            self.target.needs_sudo(),
        )
        .map_err(|error: LineError| RemoteError::Unsendable {
            node: self.target.node.clone(),
            title: exec.title.to_owned(),
            reason: error.to_string(),
        })
    }

    async fn attempt(&self, exec: &Exec<'_>, line: &str) -> Result<Output, RemoteError> {
        let link = self.link().await?;
        let Some(permit) = link.slot().await else {
            return Err(self.disconnected(exec, "it is closed"));
        };
        let (feed, sending) = exec.input.open(link.wake());
        let activity = Arc::new(Activity::new());
        let (sinks, handing_on) = stream::sinks(exec, link.wake());
        let kind = Kind::Exec {
            line: line.to_owned(),
        };
        let mut running = link.open(kind, Some(permit), feed, sinks, Arc::clone(&activity));

        let deadline = Instant::now() + exec.deadline.min(FOREVER);
        let silence = exec.silence.min(FOREVER);
        let (mut sending, mut handing_on) = (pin!(sending), pin!(handing_on));
        let (mut sent, mut handed_on) = (false, None);
        let late = loop {
            let silent_at = activity.last() + silence;
            tokio::select! {
                biased;
                answer = &mut running.reply => {
                    let handed_on = match handed_on {
                        Some(handed_on) => handed_on,
                        None => handing_on.await,
                    };
                    return self.outcome(exec, answer, handed_on);
                }
                result = &mut sending, if !sent => {
                    result?;
                    sent = true;
                }
                stderr = &mut handing_on, if handed_on.is_none() => handed_on = Some(stderr),
                () = sleep_until(deadline.min(silent_at)) => {
                    let now = Instant::now();
                    if now >= deadline {
                        break Late::Deadline;
                    }
                    if now >= activity.last() + silence {
                        break Late::Silence;
                    }
                }
            }
        };
        running.stop();
        let last_words = async {
            let finished = (&mut running.reply).await;
            let handed_on = match handed_on {
                Some(handed_on) => handed_on,
                None => handing_on.await,
            };
            match finished {
                Ok(Ok(finished)) => last_lines(&handed_on.unwrap_or(finished.stderr)),
                _ => String::new(),
            }
        };
        let stderr_tail = timeout(LAST_WORDS, last_words).await.unwrap_or_default();
        let (node, title) = (self.target.node.clone(), exec.title.to_owned());
        Err(match late {
            Late::Deadline => RemoteError::Deadline {
                node,
                title,
                limit: exec.deadline,
                stderr_tail,
            },
            Late::Silence => RemoteError::Silence {
                node,
                title,
                limit: exec.silence,
                stderr_tail,
            },
        })
    }

    fn outcome(
        &self,
        exec: &Exec<'_>,
        answer: Result<Result<Finished, Failure>, oneshot::error::RecvError>,
        handed_on: Option<Vec<u8>>,
    ) -> Result<Output, RemoteError> {
        let (node, title) = (self.target.node.clone(), exec.title.to_owned());
        match answer {
            Ok(Ok(Finished {
                status: Some(status),
                stdout,
                stderr,
                truncated,
            })) => {
                let stderr = handed_on.unwrap_or(stderr);
                self.refused_by_sudo(exec, status, &stderr)?;
                Ok(Output {
                    status,
                    stdout,
                    stderr,
                    truncated,
                })
            }
            // Only this side stops a command, and then it does not come here to ask.
            Ok(Ok(Finished {
                status: None, stderr, ..
            })) => Err(RemoteError::ConnectionLost {
                node,
                title,
                detail: "the channel was closed".to_owned(),
                stderr_tail: last_lines(&stderr),
            }),
            Ok(Err(Failure::NoChannel(detail))) => Err(RemoteError::NoChannel { node, title, detail }),
            Ok(Err(Failure::Refused(detail))) => Err(RemoteError::NotStarted { node, title, detail }),
            Ok(Err(Failure::Broken {
                started: false,
                detail,
                ..
            })) => Err(RemoteError::Disconnected { node, title, detail }),
            Ok(Err(Failure::Broken {
                started: true,
                detail,
                stderr,
            })) => Err(RemoteError::ConnectionLost {
                node,
                title,
                detail,
                stderr_tail: last_lines(&stderr),
            }),
            // The driver was gone before it took the request.
            Err(_) => Err(self.disconnected(exec, "it is closed")),
        }
    }

    fn disconnected(&self, exec: &Exec<'_>, detail: &str) -> RemoteError {
        RemoteError::Disconnected {
            node: self.target.node.clone(),
            title: exec.title.to_owned(),
            detail: detail.to_owned(),
        }
    }

    /// `sudo` says no with an ordinary exit status and a message, so both are looked at.
    fn refused_by_sudo(&self, exec: &Exec<'_>, status: i32, stderr: &[u8]) -> Result<(), RemoteError> {
        if !self.target.needs_sudo() || !matches!(status, 1 | 127) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(stderr);
        let first = text.lines().next().unwrap_or_default();
        let refused = (first.starts_with("sudo: ")
            && (first.contains("password") || first.contains("terminal")))
            || first.contains("is not in the sudoers file")
            || first.contains("is not allowed to execute")
            || first.contains("may not run sudo")
            || (status == 127 && first.contains("sudo: not found"))
            || (status == 127 && first.contains("sudo: command not found"));
        if !refused {
            return Ok(());
        }
        Err(RemoteError::SudoRefused {
            node: self.target.node.clone(),
            title: exec.title.to_owned(),
            user: self.target.user.clone(),
            detail: last_lines(stderr),
        })
    }
}

enum Late {
    Deadline,
    Silence,
}
