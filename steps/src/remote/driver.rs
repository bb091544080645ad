//! The one task that talks to libssh2 for one connection. The reasons are in the documentation of [`super`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ssh2::Session;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::channel::{Exchange, Failure, Finished, Kind, Moved, Request, is_refusal, later};
use super::feed::{Activity, Feed, Sink};
use super::socket::Socket;

/// How many commands run on one connection at once; OpenSSH allows ten sessions (`MaxSessions`), and a channel that was
/// just closed may still count there.
const SLOTS: usize = 8;
/// An SSH server answers the opening of a channel at once. If it does not, it is gone.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// It answers the closing of a channel once the command has taken the input that is on its way, or has ended.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);
/// How long that may take when nobody uses the connection any more.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
/// How long half a packet may wait for the network.
const STUCK_LIMIT: Duration = Duration::from_secs(60);
/// The size of one read. Constant, because a read that is repeated must be the same read.
const READ_SIZE: usize = 32 * 1024;

/// What the driver is told.
enum Message {
    Open(Box<Request>),
    /// Close this channel, whatever it is doing. Unknown ids are those that have ended by themselves.
    Stop(u64),
}

/// A live connection, for those who want channels on it. The driver ends when the last handle is gone.
pub(super) struct Link {
    inbox: mpsc::UnboundedSender<Message>,
    wake: Arc<Notify>,
    slots: Arc<Semaphore>,
    next_id: AtomicU64,
}

/// A channel that was asked for. Dropping it closes the channel.
pub(super) struct Running {
    pub(super) reply: oneshot::Receiver<Result<Finished, Failure>>,
    id: u64,
    inbox: mpsc::UnboundedSender<Message>,
}

impl Running {
    /// Closes the channel; the reply comes with what there was so far.
    pub(super) fn stop(&self) {
        let _ = self.inbox.send(Message::Stop(self.id));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Link {
    /// Starts the driver of an authenticated session. `io` is a duplicate of its socket.
    pub(super) fn start(session: Session, io: Socket) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        let wake = Arc::new(Notify::new());
        let slots = Arc::new(Semaphore::new(SLOTS));
        let driver = Driver {
            exchanges: Vec::new(),
            session,
            io,
            messages,
            abandoned: false,
            wake: Arc::clone(&wake),
            slots: Arc::clone(&slots),
            queue: VecDeque::new(),
            opening_since: None,
            stuck_since: None,
            peer_closed: false,
            first: 0,
            buffer: vec![0; READ_SIZE],
        };
        tokio::spawn(driver.run());
        Self {
            inbox,
            wake,
            slots,
            next_id: AtomicU64::new(0),
        }
    }

    /// Whether the connection was still there when the driver last looked.
    pub(super) fn is_alive(&self) -> bool {
        !self.inbox.is_closed()
    }

    pub(super) fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    /// Waits for a turn to run a command; `None` if the connection ended meanwhile.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Asks for a channel. If the connection is gone, the reply is dropped.
    pub(super) fn open(
        &self,
        kind: Kind,
        permit: Option<OwnedSemaphorePermit>,
        feed: Feed,
        (out, err): (Sink, Sink),
        activity: Arc<Activity>,
    ) -> Running {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let request = Request {
            id,
            kind,
            feed,
            out,
            err,
            activity,
            permit,
            reply: Some(reply),
        };
        let _ = self.inbox.send(Message::Open(Box::new(request)));
        Running {
            reply: answer,
            id,
            inbox: self.inbox.clone(),
        }
    }
}

struct Driver {
    // Before the session, so that channels are freed first.
    exchanges: Vec<Exchange>,
    session: Session,
    io: Socket,
    messages: mpsc::UnboundedReceiver<Message>,
    /// No handle is left.
    abandoned: bool,
    wake: Arc<Notify>,
    slots: Arc<Semaphore>,
    /// Channels to be opened. The first one is being opened if `opening_since` says so.
    queue: VecDeque<Request>,
    opening_since: Option<Instant>,
    /// Since when half a packet has been waiting.
    stuck_since: Option<Instant>,
    /// The peer closed its half of the connection: a state that stays, so it is not waited for again.
    peer_closed: bool,
    /// Which channel begins the next pass, so that none is always last.
    first: usize,
    buffer: Vec<u8>,
}

impl Driver {
    async fn run(mut self) {
        let end = loop {
            while let Ok(message) = self.messages.try_recv() {
                self.accept(message);
            }
            match self.pass() {
                Ok(true) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Ok(false) => {}
                Err(error) => break error.message().to_owned(),
            }
            let idle = self.exchanges.is_empty() && self.queue.is_empty();
            if idle && self.abandoned {
                let _ = self.session.disconnect(None, "done", None);
                break "no longer used".to_owned();
            }
            if idle && self.peer_closed {
                break "closed by the node".to_owned();
            }
            if let Err(end) = self.wait().await {
                break end;
            }
        };
        self.finish(&end);
    }

    fn accept(&mut self, message: Message) {
        match message {
            Message::Open(request) => self.queue.push_back(*request),
            Message::Stop(id) => {
                if let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.id() == id) {
                    exchange.stop();
                } else if let Some(at) = self.queue.iter().position(|request| request.id == id) {
                    if at == 0 && self.opening_since.is_some() {
                        // libssh2 is in the middle of it: let it open, then close it.
                        self.queue[0].reply = None;
                    } else {
                        self.queue.remove(at);
                    }
                }
            }
        }
    }

    /// Lets every channel do what it can. `false` if there was nothing to do.
    fn pass(&mut self) -> Result<bool, ssh2::Error> {
        let mut moved = false;
        if self.stuck_since.is_some() {
            let unstuck = match self.exchanges.iter_mut().find(|exchange| exchange.is_stuck()) {
                Some(exchange) => exchange.step(&self.session, &mut self.buffer)?,
                None => self.open_next()?,
            };
            if unstuck == Moved::Stuck {
                return Ok(false);
            }
            (self.stuck_since, moved) = (None, true);
        }
        for at in 0..self.exchanges.len() {
            let at = (self.first + at) % self.exchanges.len();
            match self.exchanges[at].step(&self.session, &mut self.buffer)? {
                Moved::Yes => moved = true,
                Moved::No => {}
                Moved::Stuck => {
                    self.stuck_since = Some(Instant::now());
                    self.first = at;
                    return Ok(false);
                }
            }
        }
        self.exchanges.retain(|exchange| !exchange.is_closed());
        self.first = (self.first + 1) % self.exchanges.len().max(1);
        match self.open_next()? {
            Moved::Yes => moved = true,
            Moved::No => {}
            Moved::Stuck => self.stuck_since = Some(Instant::now()),
        }
        Ok(moved && self.stuck_since.is_none())
    }

    /// Opens the channel at the head of the queue.
    fn open_next(&mut self) -> Result<Moved, ssh2::Error> {
        // libssh2 takes the server's answer to one channel's request for that to another's.
        if self.exchanges.iter().any(Exchange::is_starting) {
            return Ok(Moved::No);
        }
        let Some(request) = self.queue.front() else {
            return Ok(Moved::No);
        };
        self.opening_since.get_or_insert_with(Instant::now);
        let opened = match &request.kind {
            Kind::Exec { .. } => self.session.channel_session(),
            Kind::Tunnel { host, port, .. } => self.session.channel_direct_tcpip(host, *port, None),
        };
        let opened = match opened {
            Ok(channel) => Ok(channel),
            Err(error) if is_refusal(&error) => Err(error),
            Err(error) => return later(&self.session, error),
        };
        self.opening_since = None;
        if let Some(mut request) = self.queue.pop_front() {
            match opened {
                Ok(channel) => {
                    let wanted = request.reply.is_some();
                    let mut exchange = Exchange::new(request, channel);
                    if !wanted {
                        exchange.stop();
                    }
                    self.exchanges.push(exchange);
                }
                Err(error) => {
                    if let Some(reply) = request.reply.take() {
                        let _ = reply.send(Err(Failure::NoChannel(error.message().to_owned())));
                    }
                }
            }
        }
        Ok(Moved::Yes)
    }

    /// Waits until a pass may find something to do. An error says that the connection is over.
    async fn wait(&mut self) -> Result<(), String> {
        let limit = self.next_limit();
        if let Some((at, what)) = &limit
            && *at <= Instant::now()
        {
            return Err((*what).to_owned());
        }
        let reading = self.stuck_since.is_none() && !(self.exchanges.is_empty() && self.queue.is_empty());
        if reading && self.io.has_more() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let expires = limit.map_or_else(Instant::now, |(at, _)| at);
        tokio::select! {
            message = self.messages.recv(), if !self.abandoned => match message {
                Some(message) => self.accept(message),
                None => self.abandoned = true,
            },
            () = self.wake.notified() => {}
            ready = self.io.readable(), if !self.peer_closed => {
                self.peer_closed = ready.map_err(|error| error.to_string())?;
            }
            ready = self.io.writable(), if self.stuck_since.is_some() => {
                ready.map_err(|error| error.to_string())?;
            }
            () = sleep_until(expires), if limit.is_some() => {}
        }
        Ok(())
    }

    /// The first moment at which the node should have reacted, and what to say if it did not.
    fn next_limit(&self) -> Option<(Instant, &'static str)> {
        let opening = self
            .opening_since
            .map(|since| (since + OPEN_LIMIT, "the node does not answer"));
        let stuck = self
            .stuck_since
            .map(|since| (since + STUCK_LIMIT, "the node takes no more data"));
        let close_limit = if self.abandoned {
            FAREWELL_LIMIT
        } else {
            CLOSE_LIMIT
        };
        let closing = self
            .exchanges
            .iter()
            .filter_map(Exchange::closing_since)
            .min()
            .map(|since| (since + close_limit, "the node does not close a channel"));
        [opening, stuck, closing]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// Answers everyone who waits, and frees the session.
    fn finish(mut self, detail: &str) {
        tracing::debug!(detail, "connection ended");
        self.slots.close();
        self.messages.close();
        // With the socket shut, libssh2 frees channels without waiting for their close handshake.
        self.io.shut();
        for exchange in self.exchanges.drain(..) {
            exchange.fail(detail);
        }
        for mut request in self.queue.drain(..) {
            if let Some(reply) = request.reply.take() {
                let failure = Failure::Broken {
                    started: false,
                    detail: detail.to_owned(),
                    stderr: Vec::new(),
                };
                let _ = reply.send(Err(failure));
            }
        }
    }
}
