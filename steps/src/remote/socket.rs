//! The socket under an SSH session, as tokio sees it: a duplicate, on which nobody reads or writes.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A duplicate of a session's socket, for waiting on it.
pub(super) enum Socket {
    /// To a node that is reached directly.
    Tcp(TcpStream),
    /// To the near end of a tunnel.
    Unix(UnixStream),
}

impl Socket {
    fn borrow(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        }
    }

    /// Whether reading would give something now: bytes, the end, or an error.
    pub(super) fn has_more(&self) -> bool {
        match self.borrow().peek(&mut [MaybeUninit::uninit()]) {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Waits until something new has arrived, and says whether the peer has closed its side. The readiness is taken back at
    /// once: whoever waits looks first whether there [is more](Self::has_more) of what came before.
    pub(super) async fn readable(&self) -> io::Result<bool> {
        let ready = match self {
            Self::Tcp(stream) => stream.ready(Interest::READABLE).await?,
            Self::Unix(stream) => stream.ready(Interest::READABLE).await?,
        };
        self.take_back(Interest::READABLE);
        Ok(ready.is_read_closed())
    }

    /// Waits until something may be written, in the same way.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await?,
            Self::Unix(stream) => stream.writable().await?,
        }
        self.take_back(Interest::WRITABLE);
        Ok(())
    }

    /// tokio forgets a readiness when an operation that relied on it says that it would block.
    fn take_back(&self, interest: Interest) {
        let would_block = || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        let _ = match self {
            Self::Tcp(stream) => stream.try_io(interest, would_block),
            Self::Unix(stream) => stream.try_io(interest, would_block),
        };
    }

    /// Ends the connection in both directions, for the session as well.
    pub(super) fn shut(&self) {
        // It may have ended already.
        let _ = self.borrow().shutdown(Shutdown::Both);
    }
}
