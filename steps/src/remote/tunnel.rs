//! A connection through a node to another one: a channel of the jump's session, bridged to a socket that the next SSH
//! session runs over.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::channel::{Failure, Kind};
use super::driver::{Link, Running};
use super::feed::{self, Activity, FeedSender, Sink, SinkReceiver};
use super::tail::Tail;

/// The size of one read from the inner session's socket.
const CHUNK: usize = 32 * 1024;

/// Why there is no tunnel.
pub(super) enum TunnelError {
    /// The jump could not or would not connect.
    Refused(String),
    /// The connection to the jump is gone.
    Broken(String),
    /// No socket pair on this side.
    Local(io::Error),
}

/// Connects through `jump` to `host:port` and returns the near end of it.
pub(super) async fn open(jump: &Arc<Link>, host: &str, port: u16) -> Result<StdUnixStream, TunnelError> {
    let (near, far) = UnixStream::pair().map_err(TunnelError::Local)?;
    let near = near.into_std().map_err(TunnelError::Local)?;
    let (input, feed) = feed::stream(jump.wake());
    let (sink, output) = feed::pipe(jump.wake());
    let (opened, is_open) = oneshot::channel();
    let kind = Kind::Tunnel {
        host: host.to_owned(),
        port,
        opened: Some(opened),
    };
    let sinks = (sink, Sink::Tail(Tail::new(0)));
    let mut running = jump.open(kind, None, feed, sinks, Arc::new(Activity::new()));
    if is_open.await.is_err() {
        return Err(match (&mut running.reply).await {
            Ok(Err(Failure::NoChannel(detail) | Failure::Refused(detail))) => TunnelError::Refused(detail),
            Ok(Err(Failure::Broken { detail, .. })) => TunnelError::Broken(detail),
            Ok(Ok(_)) | Err(_) => TunnelError::Broken("the connection ended".to_owned()),
        });
    }
    tokio::spawn(pump(far, input, output, running, Arc::clone(jump)));
    Ok(near)
}

/// Carries bytes until either side ends. It holds the jump's link, so that the jump lives as long as its tunnels.
async fn pump(
    far: UnixStream,
    input: FeedSender,
    mut output: SinkReceiver,
    running: Running,
    jump: Arc<Link>,
) {
    let (mut from_inner, mut to_inner) = far.into_split();
    let outward = async {
        loop {
            let mut chunk = vec![0; CHUNK];
            match from_inner.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => chunk.truncate(count),
            }
            if !input.send(chunk).await {
                return;
            }
        }
    };
    let inward = async {
        while let Some(chunk) = output.recv().await {
            if to_inner.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = outward => {}
        () = inward => {}
    }
    drop(running);
    drop(jump);
}
