//! From nothing to an authenticated connection: TCP or tunnel, handshake, host key, login. Each has its limit.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use ssh2::{BlockDirections, ErrorCode, MethodType, Session as Ssh};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use super::driver::Link;
use super::socket::Socket;
use super::tunnel::{self, TunnelError};
use super::{HostKey, RemoteError, Target};
use crate::host_key::fingerprint_of;

/// The limit of each phase.
const LIMIT: Duration = Duration::from_secs(10);
/// How long bytes may stay unacknowledged by a node, or a quiet connection unconfirmed, before it counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// libssh2's error numbers (`libssh2.h`).
const EAGAIN: i32 = -37;
const AUTHENTICATION_FAILED: i32 = -18;
const PUBLICKEY_UNVERIFIED: i32 = -19;
const FILE: i32 = -16;

/// What is asked for where no key is pinned, best first.
const ANY_KEY: &str = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";

/// What is used against listeners, best first: processors compute AES-GCM themselves, where libssh2's own ChaCha20, which it would rather
/// have, takes three times as long to send a file.
const CIPHERS: &str = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";

/// Opens a connection to `target`, through `jump` if there is one, and logs in.
pub(super) async fn connect(
    target: &Target,
    key: &Path,
    jump: Option<Arc<Link>>,
) -> Result<Link, RemoteError> {
    let started = Instant::now();
    if target.host_keys.is_empty() {
        return Err(RemoteError::NoHostKey {
            node: target.node.clone(),
            address: target.to_string(),
        });
    }
    let (session, io) = shaken(target, jump).await?;
    check_host_key(target, &session)?;
    within("logging in", target, log_in(target, key, &session, &io)).await?;
    tracing::debug!(node = %target.node, address = %target, ms = elapsed_ms(started), "connected");
    Ok(Link::start(session, io))
}

/// The key that a server shows to whoever asks; nothing is sent to it beyond the handshake. Whose key it is, nobody knows.
pub(super) async fn presented(target: &Target, jump: Option<Arc<Link>>) -> Result<HostKey, RemoteError> {
    let (session, _io) = shaken(target, jump).await?;
    let blob = session.host_key().map_or(&[][..], |(blob, _)| blob);
    HostKey::from_blob(blob).map_err(|error| RemoteError::Handshake {
        node: target.node.clone(),
        address: target.to_string(),
        detail: error.to_string(),
    })
}

/// A connection whose server has proven to own the key that it showed.
async fn shaken(target: &Target, jump: Option<Arc<Link>>) -> Result<(Ssh, Socket), RemoteError> {
    let (session, io) = match jump {
        None => {
            let stream = tcp(target).await?;
            let duplicate = stream.try_clone().and_then(TcpStream::from_std);
            prepare(target, stream, duplicate.map(Socket::Tcp))?
        }
        Some(jump) => {
            let stream = through(target, &jump).await?;
            let duplicate = stream.try_clone().and_then(UnixStream::from_std);
            prepare(target, stream, duplicate.map(Socket::Unix))?
        }
    };
    within("shaking hands", target, handshake(target, &session, &io)).await?;
    Ok((session, io))
}

pub(super) fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn within<T>(
    doing: &'static str,
    target: &Target,
    work: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    match timeout(LIMIT, work).await {
        Ok(result) => result,
        Err(_) => Err(RemoteError::ConnectTimeout {
            node: target.node.clone(),
            address: target.to_string(),
            doing,
            limit: LIMIT,
        }),
    }
}

async fn tcp(target: &Target) -> Result<std::net::TcpStream, RemoteError> {
    let failed = |error| connect_error(target, error);
    let connecting = async {
        let stream = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(failed)?;
        // Packets are written whole; waiting to fill a segment only adds a delay to every command.
        stream.set_nodelay(true).map_err(failed)?;
        let socket = SockRef::from(&stream);
        let keepalive = TcpKeepalive::new()
            .with_time(DEAD_AFTER / 3)
            .with_interval(DEAD_AFTER / 9)
            .with_retries(6);
        socket.set_tcp_keepalive(&keepalive).map_err(failed)?;
        socket.set_tcp_user_timeout(Some(DEAD_AFTER)).map_err(failed)?;
        stream.into_std().map_err(failed)
    };
    within("connecting", target, connecting).await
}

async fn through(target: &Target, jump: &Arc<Link>) -> Result<std::os::unix::net::UnixStream, RemoteError> {
    let opening = async {
        tunnel::open(jump, &target.host, target.port)
            .await
            .map_err(|error| {
                let detail = match error {
                    TunnelError::Refused(detail) => detail,
                    TunnelError::Broken(detail) => format!("the connection to it ended: {detail}"),
                    TunnelError::Local(error) => error.to_string(),
                };
                let jump = target
                    .via
                    .as_ref()
                    .map_or_else(String::new, |via| via.node.clone());
                RemoteError::Jump {
                    node: target.node.clone(),
                    jump,
                    detail,
                }
            })
    };
    within("connecting", target, opening).await
}

/// Gives the stream to a new session.
fn prepare(
    target: &Target,
    stream: impl AsRawFd + 'static,
    duplicate: io::Result<Socket>,
) -> Result<(Ssh, Socket), RemoteError> {
    let io = duplicate.map_err(|error| connect_error(target, error))?;
    let mut session = Ssh::new().map_err(|error| handshake_error(target, &error))?;
    session.set_blocking(false);
    session.set_tcp_stream(stream);
    Ok((session, io))
}

async fn handshake(target: &Target, session: &Ssh, io: &Socket) -> Result<(), RemoteError> {
    // A server has several host keys and shows the one that the client likes best: ask for those that are pinned.
    let mut pinned: Vec<&str> = target
        .host_keys
        .iter()
        .map(|key| key.signature_algorithms())
        .collect();
    if pinned.is_empty() {
        pinned.push(ANY_KEY);
    }
    let preferred = [
        (MethodType::HostKey, pinned.join(",")),
        (MethodType::CryptCs, CIPHERS.to_owned()),
        (MethodType::CryptSc, CIPHERS.to_owned()),
    ];
    for (kind, methods) in preferred {
        session
            .method_pref(kind, &methods)
            .map_err(|error| handshake_error(target, &error))?;
    }
    let mut handle = session.clone();
    complete(session, io, || handle.handshake())
        .await
        .map_err(|error| handshake_error(target, &error))
}

fn connect_error(target: &Target, source: io::Error) -> RemoteError {
    RemoteError::Connect {
        node: target.node.clone(),
        address: target.to_string(),
        source: Arc::new(source),
    }
}

fn handshake_error(target: &Target, error: &ssh2::Error) -> RemoteError {
    RemoteError::Handshake {
        node: target.node.clone(),
        address: target.to_string(),
        detail: error.message().to_owned(),
    }
}

fn check_host_key(target: &Target, session: &Ssh) -> Result<(), RemoteError> {
    let presented = session.host_key().map_or(&[][..], |(blob, _)| blob);
    if target.host_keys.iter().any(|key| key.is(presented)) {
        return Ok(());
    }
    let pinned: Vec<&str> = target.host_keys.iter().map(|key| key.fingerprint()).collect();
    Err(RemoteError::HostKeyMismatch {
        node: target.node.clone(),
        address: target.to_string(),
        presented: fingerprint_of(presented),
        pinned: pinned.join(" or "),
    })
}

async fn log_in(target: &Target, key: &Path, session: &Ssh, io: &Socket) -> Result<(), RemoteError> {
    complete(session, io, || {
        session.userauth_pubkey_file(&target.user, None, key, None)
    })
    .await
    .map_err(|error| match error.code() {
        ErrorCode::Session(AUTHENTICATION_FAILED | PUBLICKEY_UNVERIFIED | FILE) => RemoteError::AuthRefused {
            node: target.node.clone(),
            address: target.to_string(),
            key: key.to_owned(),
            detail: error.message().to_owned(),
        },
        _ => handshake_error(target, &error),
    })
}

/// Repeats `operation` until it is done. Nothing else uses the session yet, so it may wait in between.
async fn complete<T>(
    session: &Ssh,
    io: &Socket,
    mut operation: impl FnMut() -> Result<T, ssh2::Error>,
) -> Result<T, ssh2::Error> {
    let lost = |_: io::Error| ssh2::Error::unknown();
    loop {
        match operation() {
            Err(error) if error.code() == ErrorCode::Session(EAGAIN) => {}
            done => return done,
        }
        match session.block_directions() {
            BlockDirections::None => tokio::task::yield_now().await,
            BlockDirections::Inbound if io.has_more() => tokio::task::yield_now().await,
            BlockDirections::Inbound => drop(io.readable().await.map_err(lost)?),
            BlockDirections::Outbound => io.writable().await.map_err(lost)?,
            BlockDirections::Both => tokio::select! {
                ready = io.readable() => drop(ready.map_err(lost)?),
                ready = io.writable() => ready.map_err(lost)?,
            },
        }
    }
}
