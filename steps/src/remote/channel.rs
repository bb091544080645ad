//! One channel as a state machine that the driver steps. Nothing here waits.

use std::io::{Read, Write};
use std::sync::Arc;

use ssh2::{BlockDirections, Channel, ErrorCode, Session};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::error::status_of_signal;
use super::feed::{Activity, Feed, INPUT_MARK, Next, Sink};

/// libssh2's error numbers that this layer tells apart (`libssh2.h`).
const EAGAIN: i32 = -37;
const CHANNEL_FAILURE: i32 = -21;
const CHANNEL_REQUEST_DENIED: i32 = -22;
const CHANNEL_CLOSED: i32 = -26;
const CHANNEL_EOF_SENT: i32 = -27;

/// How many reads or writes one step does before the next channel has its turn.
const BURST: usize = 16;

/// What a channel is opened for.
pub(super) enum Kind {
    /// A command, by its complete line.
    Exec { line: String },
    /// A connection onward to this address.
    Tunnel {
        host: String,
        port: u16,
        opened: Option<oneshot::Sender<()>>,
    },
}

/// A channel that somebody wants.
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) feed: Feed,
    pub(super) out: Sink,
    pub(super) err: Sink,
    pub(super) activity: Arc<Activity>,
    /// Held until the channel is closed; tunnels do not count as sessions for the server and need none.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) reply: Option<oneshot::Sender<Result<Finished, Failure>>>,
}

/// How a channel ended.
#[derive(Debug)]
pub(super) struct Finished {
    /// `None` if it was stopped from this side.
    pub(super) status: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) truncated: bool,
}

/// Why a channel did not end.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server opened no channel; the connection is fine.
    NoChannel(String),
    /// The server would not run the command; the connection is fine.
    Refused(String),
    /// The connection is gone.
    Broken {
        /// Whether the command may have been started.
        started: bool,
        detail: String,
        stderr: Vec<u8>,
    },
}

/// What an operation or a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Something was done; there may be more.
    Yes,
    /// Nothing to do until the other side does something.
    No,
    /// Half a packet is sent: this very operation has to be repeated before any other.
    Stuck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Running,
    /// This side's close is on its way.
    Closing,
    /// The server's is awaited: until it comes, the channel counts there.
    Leaving,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Start,
    ReadOut,
    ReadErr,
    Write,
    AwaitEnd,
    Close,
    AwaitClose,
}

impl State {
    fn operations(self) -> &'static [Operation] {
        match self {
            Self::Starting => &[Operation::Start],
            Self::Running => &[
                Operation::ReadOut,
                Operation::ReadErr,
                Operation::Write,
                Operation::AwaitEnd,
            ],
            Self::Closing => &[Operation::Close],
            Self::Leaving => &[Operation::AwaitClose],
            Self::Closed => &[],
        }
    }
}

/// Whether `error` means "later", and then how. Anything else is handed back.
pub(super) fn later(session: &Session, error: ssh2::Error) -> Result<Moved, ssh2::Error> {
    match error.code() {
        ErrorCode::Session(EAGAIN) => Ok(match session.block_directions() {
            BlockDirections::Outbound | BlockDirections::Both => Moved::Stuck,
            BlockDirections::Inbound | BlockDirections::None => Moved::No,
        }),
        _ => Err(error),
    }
}

/// Whether the server refused to open a channel, which concerns nobody else on the connection.
pub(super) fn is_refusal(error: &ssh2::Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::Session(CHANNEL_FAILURE | CHANNEL_REQUEST_DENIED)
    )
}

/// An open channel.
pub(super) struct Exchange {
    request: Request,
    channel: Channel,
    state: State,
    stuck: Option<Operation>,
    started: bool,
    mark_sent: usize,
    closing_since: Option<Instant>,
}

impl Exchange {
    pub(super) fn new(mut request: Request, channel: Channel) -> Self {
        let state = match &mut request.kind {
            Kind::Exec { .. } => State::Starting,
            Kind::Tunnel { opened, .. } => {
                if let Some(opened) = opened.take() {
                    let _ = opened.send(());
                }
                State::Running
            }
        };
        Self {
            request,
            channel,
            state,
            stuck: None,
            started: false,
            mark_sent: 0,
            closing_since: None,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.request.id
    }

    /// Whether an answer of the server is due that libssh2 cannot tell from others of its kind.
    pub(super) fn is_starting(&self) -> bool {
        self.state == State::Starting || self.stuck == Some(Operation::Start)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Since when the close handshake has been going on.
    pub(super) fn closing_since(&self) -> Option<Instant> {
        self.closing_since
    }

    /// Does what can be done now.
    pub(super) fn step(&mut self, session: &Session, buffer: &mut [u8]) -> Result<Moved, ssh2::Error> {
        let mut moved = Moved::No;
        if let Some(operation) = self.stuck.take() {
            match self.perform(operation, session, buffer)? {
                Moved::Stuck => return Ok(Moved::Stuck),
                other => moved = other,
            }
        }
        let state = self.state;
        for &operation in state.operations() {
            for _ in 0..BURST {
                if self.state != state {
                    return Ok(Moved::Yes);
                }
                match self.perform(operation, session, buffer)? {
                    Moved::Stuck => return Ok(Moved::Stuck),
                    Moved::No => break,
                    Moved::Yes => moved = Moved::Yes,
                }
            }
        }
        Ok(moved)
    }

    /// One call of libssh2. It depends on nothing that may change while it is stuck.
    fn perform(
        &mut self,
        operation: Operation,
        session: &Session,
        buffer: &mut [u8],
    ) -> Result<Moved, ssh2::Error> {
        let moved = match operation {
            Operation::Start => self.start(session),
            Operation::ReadOut => self.read(false, session, buffer),
            Operation::ReadErr => self.read(true, session, buffer),
            Operation::Write => self.write(session),
            Operation::AwaitEnd => self.await_end(session),
            Operation::Close => self.close(session),
            Operation::AwaitClose => self.await_close(session),
        }?;
        if moved == Moved::Stuck {
            self.stuck = Some(operation);
        }
        Ok(moved)
    }

    fn start(&mut self, session: &Session) -> Result<Moved, ssh2::Error> {
        let Kind::Exec { line } = &self.request.kind else {
            return Ok(Moved::No);
        };
        // From the first attempt on, the request may have reached the server.
        self.started = true;
        match self.channel.exec(line) {
            Ok(()) => {
                // It may have been stopped while the request was stuck.
                if self.state == State::Starting {
                    self.state = State::Running;
                }
                self.request.activity.touch();
                Ok(Moved::Yes)
            }
            Err(error) if is_refusal(&error) => {
                self.answer(Err(Failure::Refused(error.message().to_owned())));
                Ok(Moved::Yes)
            }
            Err(error) => later(session, error),
        }
    }

    fn read(&mut self, stderr: bool, session: &Session, buffer: &mut [u8]) -> Result<Moved, ssh2::Error> {
        let sink = if stderr {
            &mut self.request.err
        } else {
            &mut self.request.out
        };
        if !sink.has_room() {
            return Ok(Moved::No);
        }
        let mut stream = self
            .channel
            .stream(if stderr { ssh2::EXTENDED_DATA_STDERR } else { 0 });
        match stream.read(buffer) {
            Ok(0) => Ok(Moved::No),
            Ok(count) => {
                sink.push(&buffer[..count]);
                self.request.activity.touch();
                Ok(Moved::Yes)
            }
            Err(error) => later(session, last_error(session, &error)),
        }
    }

    fn write(&mut self, session: &Session) -> Result<Moved, ssh2::Error> {
        let tunnel = matches!(self.request.kind, Kind::Tunnel { .. });
        let (chunk, marking) = match self.request.feed.next() {
            Next::Chunk(chunk) => (chunk, false),
            Next::Later => return Ok(Moved::No),
            Next::End if tunnel => {
                self.stop();
                return Ok(Moved::Yes);
            }
            Next::End if self.mark_sent < INPUT_MARK.len() => (&INPUT_MARK[self.mark_sent..], true),
            Next::End => return Ok(Moved::No),
        };
        match self.channel.write(chunk) {
            Ok(0) => Ok(Moved::No),
            Ok(count) => {
                if marking {
                    self.mark_sent += count;
                } else {
                    self.request.feed.advance(count);
                }
                self.request.activity.touch();
                Ok(Moved::Yes)
            }
            Err(error) => match last_error(session, &error) {
                // The command is done without having read everything.
                error
                    if matches!(
                        error.code(),
                        ErrorCode::Session(CHANNEL_CLOSED | CHANNEL_EOF_SENT)
                    ) =>
                {
                    Ok(Moved::No)
                }
                error => later(session, error),
            },
        }
    }

    /// Once all output is read, waits for the server's own close, which comes after the exit status.
    fn await_end(&mut self, session: &Session) -> Result<Moved, ssh2::Error> {
        if !self.channel.eof() {
            return Ok(Moved::No);
        }
        if matches!(self.request.kind, Kind::Tunnel { .. }) {
            // The server keeps its side open until this one closes: half a connection is of no use to an SSH session.
            self.stop();
            return Ok(Moved::Yes);
        }
        match self.channel.wait_close() {
            Ok(()) => {
                let signal = self.channel.exit_signal().ok().and_then(|told| told.exit_signal);
                let status = match signal {
                    Some(name) => status_of_signal(&name),
                    None => self.channel.exit_status()?,
                };
                let finished = self.finished(Some(status));
                self.answer(Ok(finished));
                Ok(Moved::Yes)
            }
            Err(error) => later(session, error),
        }
    }

    fn close(&mut self, session: &Session) -> Result<Moved, ssh2::Error> {
        match self.channel.close() {
            Ok(()) => {
                self.state = State::Leaving;
                Ok(Moved::Yes)
            }
            Err(error) => later(session, error),
        }
    }

    /// libssh2's close is satisfied with any packet, so the server's answer is waited for here. Its close implies its end
    /// of file.
    fn await_close(&mut self, session: &Session) -> Result<Moved, ssh2::Error> {
        match self.channel.wait_eof().and_then(|()| self.channel.wait_close()) {
            Ok(()) => {
                self.state = State::Closed;
                Ok(Moved::Yes)
            }
            Err(error) => later(session, error),
        }
    }

    fn finished(&mut self, status: Option<i32>) -> Finished {
        let (stdout, cut_out) = self.request.out.take();
        let (stderr, cut_err) = self.request.err.take();
        Finished {
            status,
            stdout,
            stderr,
            truncated: cut_out || cut_err,
        }
    }

    fn answer(&mut self, answer: Result<Finished, Failure>) {
        if let Some(reply) = self.request.reply.take() {
            // Nobody may be waiting any more.
            let _ = reply.send(answer);
        }
        if matches!(self.state, State::Starting | State::Running) {
            self.state = State::Closing;
            self.closing_since = Some(Instant::now());
        }
    }

    /// Closes the channel from this side and answers with what there is.
    pub(super) fn stop(&mut self) {
        let finished = self.finished(None);
        self.answer(Ok(finished));
    }

    /// The connection is gone.
    pub(super) fn fail(mut self, detail: &str) {
        let (stderr, _) = self.request.err.take();
        let failure = Failure::Broken {
            started: self.started,
            detail: detail.to_owned(),
            stderr,
        };
        self.answer(Err(failure));
    }
}

/// The error behind an `io::Error` of a stream, which keeps the message and loses the number.
fn last_error(session: &Session, error: &std::io::Error) -> ssh2::Error {
    if error.kind() == std::io::ErrorKind::WouldBlock {
        return ssh2::Error::from_errno(ErrorCode::Session(EAGAIN));
    }
    ssh2::Error::last_session_error(session).unwrap_or_else(ssh2::Error::unknown)
}
