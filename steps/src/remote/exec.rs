//! A command on its way to a node, with its input.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{Notify, mpsc};

use super::RemoteError;
use super::feed::{self, Feed, FeedSender};
use super::output::Piece;

/// How much of a file is read at once, bytes.
const CHUNK: usize = 256 * 1024;

/// A command on its way: what is common to scripts and transfers.
pub(super) struct Exec<'a> {
    pub(super) title: &'a str,
    pub(super) script: &'a str,
    pub(super) input: Input,
    pub(super) deadline: Duration,
    pub(super) silence: Duration,
    /// How much of standard output and of standard error is kept.
    pub(super) max_output: (usize, usize),
    /// Who takes the output as it comes, instead of its being kept.
    pub(super) taker: Option<&'a mpsc::Sender<Piece>>,
}

/// Input of a command.
pub(super) enum Input {
    /// All of it.
    Bytes(Arc<Vec<u8>>),
    /// The first bytes of a local file.
    File {
        path: PathBuf,
        len: u64,
        /// Counts what is sent.
        sent: Arc<AtomicU64>,
    },
}

impl Input {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The feed for the driver, and the work that fills it. If the work fails, the feed ends short of its length, and the
    /// node does not act on it.
    pub(super) fn open(
        &self,
        wake: &Arc<Notify>,
    ) -> (Feed, impl Future<Output = Result<(), RemoteError>> + use<>) {
        let (feed, file) = match self {
            Self::Bytes(bytes) => (
                Feed::Bytes {
                    bytes: Arc::clone(bytes),
                    sent: 0,
                },
                None,
            ),
            Self::File { path, len, sent } => {
                let (sender, feed) = feed::stream(wake);
                (feed, Some((sender, path.clone(), *len, Arc::clone(sent))))
            }
        };
        (feed, async move {
            match file {
                None => Ok(()),
                Some((sender, path, len, sent)) => send_file(sender, &path, len, &sent)
                    .await
                    .map_err(|error| RemoteError::local("reading", path, error)),
            }
        })
    }
}

async fn send_file(sender: FeedSender, path: &Path, len: u64, sent: &AtomicU64) -> io::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    file.rewind().await?;
    let mut left = len;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let mut chunk = vec![0; size];
        let count = file.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter",
            ));
        }
        chunk.truncate(count);
        left -= count as u64;
        if !sender.send(chunk).await {
            return Ok(());
        }
        sent.fetch_add(count as u64, Ordering::Relaxed);
    }
    Ok(())
}
