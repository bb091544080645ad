//! What goes into a channel and what comes out of it, on the driver's side and on the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::tail::Tail;

/// What ends the input of every command. See [`super::command`].
pub(super) const INPUT_MARK: &[u8] = b".\n";

/// How many chunks may wait between a peer and the driver.
const QUEUE: usize = 8;

/// Input of a channel, as the driver takes it.
pub(super) enum Feed {
    /// All of it is there.
    Bytes { bytes: Arc<Vec<u8>>, sent: usize },
    /// It comes in chunks.
    Stream {
        chunks: mpsc::Receiver<Vec<u8>>,
        chunk: Vec<u8>,
        sent: usize,
    },
}

/// What a feed has for the channel.
pub(super) enum Next<'a> {
    /// Bytes to be sent.
    Chunk(&'a [u8]),
    /// Nothing yet.
    Later,
    /// There will be no more.
    End,
}

impl Feed {
    pub(super) fn next(&mut self) -> Next<'_> {
        match self {
            Self::Bytes { bytes, sent } if *sent < bytes.len() => Next::Chunk(&bytes[*sent..]),
            Self::Bytes { .. } => Next::End,
            Self::Stream { chunks, chunk, sent } => {
                while *sent == chunk.len() {
                    match chunks.try_recv() {
                        Ok(next) => (*chunk, *sent) = (next, 0),
                        Err(TryRecvError::Empty) => return Next::Later,
                        Err(TryRecvError::Disconnected) => return Next::End,
                    }
                }
                Next::Chunk(&chunk[*sent..])
            }
        }
    }

    pub(super) fn advance(&mut self, by: usize) {
        match self {
            Self::Bytes { sent, .. } | Self::Stream { sent, .. } => *sent += by,
        }
    }
}

/// The other end of [`Feed::Stream`].
pub(super) struct FeedSender {
    /// Present until the drop, which must close the queue before it wakes the driver.
    chunks: Option<mpsc::Sender<Vec<u8>>>,
    wake: Arc<Notify>,
}

impl FeedSender {
    /// Waits until there is room. `false` if the channel takes no more.
    pub(super) async fn send(&self, chunk: Vec<u8>) -> bool {
        let Some(chunks) = &self.chunks else { return false };
        let sent = chunks.send(chunk).await.is_ok();
        self.wake.notify_one();
        sent
    }
}

impl Drop for FeedSender {
    fn drop(&mut self) {
        self.chunks = None;
        self.wake.notify_one();
    }
}

pub(super) fn stream(wake: &Arc<Notify>) -> (FeedSender, Feed) {
    let (sender, chunks) = mpsc::channel(QUEUE);
    (
        FeedSender {
            chunks: Some(sender),
            wake: Arc::clone(wake),
        },
        Feed::Stream {
            chunks,
            chunk: Vec::new(),
            sent: 0,
        },
    )
}

/// Output of a channel, as the driver hands it on.
pub(super) enum Sink {
    /// Its end is kept.
    Tail(Tail),
    /// It goes on to somebody who may be slower than the network.
    Pipe(mpsc::Sender<Vec<u8>>),
}

impl Sink {
    /// Whether there is room for one more chunk. What is not read from a channel holds up its sender and nobody else.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Tail(_) => true,
            Self::Pipe(pipe) => pipe.capacity() > 0 || pipe.is_closed(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Tail(tail) => tail.push(bytes),
            // Only the driver sends, and it asked for room: the pipe is never full here.
            Self::Pipe(pipe) => match pipe.try_send(bytes.to_vec()) {
                Ok(()) | Err(TrySendError::Closed(_) | TrySendError::Full(_)) => {}
            },
        }
    }

    /// What a tail kept, and whether it dropped anything. A pipe ends with that.
    pub(super) fn take(&mut self) -> (Vec<u8>, bool) {
        match self {
            Self::Tail(tail) => tail.take(),
            Self::Pipe(_) => {
                *self = Self::Tail(Tail::new(0));
                (Vec::new(), false)
            }
        }
    }
}

/// The other end of [`Sink::Pipe`].
pub(super) struct SinkReceiver {
    chunks: mpsc::Receiver<Vec<u8>>,
    wake: Arc<Notify>,
}

impl SinkReceiver {
    /// The next chunk; `None` after the last.
    pub(super) async fn recv(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.recv().await;
        self.wake.notify_one();
        chunk
    }
}

impl Drop for SinkReceiver {
    fn drop(&mut self) {
        self.chunks.close();
        self.wake.notify_one();
    }
}

pub(super) fn pipe(wake: &Arc<Notify>) -> (Sink, SinkReceiver) {
    let (sender, chunks) = mpsc::channel(QUEUE);
    (
        Sink::Pipe(sender),
        SinkReceiver {
            chunks,
            wake: Arc::clone(wake),
        },
    )
}

/// When bytes last moved in a channel, in either direction: written by the driver, read by who watches for silence.
#[derive(Debug)]
pub(super) struct Activity {
    since: Instant,
    last_ms: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn touch(&self) {
        let elapsed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.since + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }
}
