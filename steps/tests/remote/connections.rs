//! Connecting, refusing, losing the connection, and going through another node.

use std::net::TcpListener;
use std::sync::Arc;

use mesosflow_steps::remote::{Command, RemoteError, Target};
use mesosflow_workflow::{ErrorClass, StepError};

use super::sshd::{Sshd, eventually, heavy, is_alive, read_key};

#[tokio::test]
async fn another_host_key_is_refused_before_the_login() {
    let server = Sshd::start();
    let impostor = Sshd::start();
    let target = Target {
        host_keys: vec![impostor.host_key()],
        ..server.target()
    };
    let error = server.pool().session(&target).await.unwrap_err();
    assert!(matches!(error, RemoteError::HostKeyMismatch { .. }), "{error}");
    assert!(
        error.to_string().contains(server.host_key().fingerprint()),
        "{error}"
    );
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(error.hint().is_some());

    let target = Target {
        host_keys: Vec::new(),
        ..server.target()
    };
    let error = server.pool().session(&target).await.unwrap_err();
    assert!(matches!(error, RemoteError::NoHostKey { .. }), "{error}");
    assert_eq!(server.logins(), 0);
}

#[tokio::test]
async fn the_pinned_kind_of_key_is_asked_for() {
    let server = Sshd::start();
    let target = Target {
        host_keys: vec![read_key(&server.path("host_rsa.pub"))],
        ..server.target()
    };
    server.pool().session(&target).await.unwrap();
}

/// The cipher that costs least is asked for, and whatever else a server insists on will do.
#[tokio::test]
async fn the_cipher_that_processors_compute_themselves_is_asked_for() {
    let server = Sshd::with_options("LogLevel DEBUG");
    server.session().await;
    for way in ["client->server", "server->client"] {
        let chosen = format!("kex: {way} cipher: aes128-gcm@openssh.com");
        eventually(&chosen, || server.log().contains(&chosen).then_some(())).await;
    }
    for only in [
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes192-ctr",
    ] {
        Sshd::with_options(&format!("Ciphers {only}")).session().await;
    }
}

#[tokio::test]
async fn a_refused_login_says_who_and_with_what() {
    let server = Sshd::start();
    std::fs::write(server.path("authorized_keys"), "").unwrap();
    let error = server.pool().session(&server.target()).await.unwrap_err();
    assert!(matches!(error, RemoteError::AuthRefused { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(error.to_string().contains("root@127.0.0.1"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_transient() {
    let mut server = Sshd::start();
    server.kill();
    let error = server.pool().session(&server.target()).await.unwrap_err();
    assert!(matches!(error, RemoteError::Connect { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_into_the_limit() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Sshd::start();
    let target = Target {
        port: mute.local_addr().unwrap().port(),
        ..server.target()
    };
    let pool = Arc::new(server.pool());
    // Ten who wait share one attempt, instead of each making its own after the other.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (pool, target) = (Arc::clone(&pool), target.clone());
        waiting.spawn(async move { pool.session(&target).await.unwrap_err() });
    }
    while let Some(error) = waiting.join_next().await {
        let error = error.unwrap();
        assert!(
            matches!(
                error,
                RemoteError::ConnectTimeout {
                    doing: "shaking hands",
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.class(), ErrorClass::Transient);
    }
    mute.set_nonblocking(true).unwrap();
    let attempts = std::iter::from_fn(|| mute.accept().ok()).count();
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_ambiguous_and_made_anew() {
    let mut server = Sshd::start();
    let session = server.session().await;
    let mark = server.text("mark");
    let running = tokio::spawn({
        let (session, mark) = (Arc::clone(&session), mark.clone());
        async move {
            session
                .run(Command::new(
                    "long",
                    format!("echo partly >&2; touch {mark}; sleep 1000"),
                ))
                .await
        }
    });
    eventually("the start", || server.path("mark").exists().then_some(())).await;
    server.kill();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::ConnectionLost { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);

    assert_eq!(
        session
            .run(Command::new("down", "true"))
            .await
            .unwrap_err()
            .class(),
        ErrorClass::Transient
    );
    server.launch();
    assert_eq!(
        session
            .run(Command::new("again", "echo again"))
            .await
            .unwrap()
            .stdout_str(),
        "again"
    );
}

#[tokio::test]
async fn a_connection_lost_while_idle_goes_unnoticed() {
    let mut server = Sshd::start();
    let session = server.session().await;
    for _ in 0..5 {
        server.kill();
        server.launch();
        assert_eq!(
            session
                .run(Command::new("again", "echo again"))
                .await
                .unwrap()
                .stdout_str(),
            "again"
        );
    }
}

#[tokio::test]
async fn nodes_behind_a_jump_are_reached_through_it() {
    let (jump, inner) = (Sshd::start(), Sshd::start());
    // One key opens both.
    std::fs::copy(jump.path("user.pub"), inner.path("authorized_keys")).unwrap();
    let pool = jump.pool();
    let target = Target {
        node: "inner".into(),
        ..inner.target()
    }
    .via(jump.target());
    let session = pool.session(&target).await.unwrap();
    let input: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 253) as u8).collect();
    let mut commands = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (session, input) = (Arc::clone(&session), input.clone());
        commands.spawn(async move {
            let command = heavy("cat", "cat").stdin(input.clone()).max_output(input.len());
            assert!(session.run(command).await.unwrap().stdout == input);
        });
    }
    let outer = pool.session(&jump.target()).await.unwrap();
    for _ in 0..10 {
        outer.run(Command::new("meanwhile", "true")).await.unwrap();
    }
    while let Some(done) = commands.join_next().await {
        done.unwrap();
    }
    assert_eq!((jump.logins(), inner.logins()), (1, 1));
    let ports = session
        .run(Command::new("who", "echo $SSH_CONNECTION"))
        .await
        .unwrap()
        .stdout_str();
    assert!(ports.ends_with(&inner.port.to_string()), "{ports}");
}

#[tokio::test]
async fn a_lost_jump_is_made_anew_with_what_is_behind_it() {
    let (mut jump, mut inner) = (Sshd::start(), Sshd::start());
    std::fs::copy(jump.path("user.pub"), inner.path("authorized_keys")).unwrap();
    let pool = jump.pool();
    let target = Target {
        node: "inner".into(),
        ..inner.target()
    }
    .via(jump.target());
    let session = pool.session(&target).await.unwrap();
    jump.kill();
    jump.launch();
    assert_eq!(
        session
            .run(Command::new("again", "echo again"))
            .await
            .unwrap()
            .stdout_str(),
        "again"
    );
    inner.kill();
    let error = session.run(Command::new("down", "true")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    assert!(
        matches!(&error, RemoteError::Jump { jump, .. } if jump == "node-1"),
        "{error}"
    );
    inner.launch();
    assert_eq!(
        session
            .run(Command::new("again", "echo again"))
            .await
            .unwrap()
            .stdout_str(),
        "again"
    );
}

/// A way to a server on which nothing moves any more once it is frozen, and which nobody closes.
struct Relay {
    port: u16,
    frozen: Arc<std::sync::atomic::AtomicBool>,
}

impl Relay {
    fn to(server: u16) -> Self {
        use std::io::{Read as _, Write as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let frozen = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = Arc::clone(&frozen);
        std::thread::spawn(move || {
            let (near, _) = listener.accept().unwrap();
            let far = std::net::TcpStream::connect(("127.0.0.1", server)).unwrap();
            let ways = [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)];
            for (mut from, mut to) in ways {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || {
                    let mut buffer = [0; 16384];
                    loop {
                        let count = from.read(&mut buffer).unwrap_or(0);
                        if seen.load(std::sync::atomic::Ordering::SeqCst) {
                            // Both sockets stay open until the test ends.
                            loop {
                                std::thread::park();
                            }
                        }
                        if count == 0 || to.write_all(&buffer[..count]).is_err() {
                            let _ = to.shutdown(std::net::Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        Self { port, frozen }
    }
}

#[tokio::test]
async fn a_deadline_is_kept_by_the_node_when_nobody_else_is_there() {
    let server = Sshd::start();
    let relay = Relay::to(server.port);
    let target = Target {
        port: relay.port,
        ..server.target()
    };
    let session = server.pool().session(&target).await.unwrap();
    let (pid, child) = (server.text("pid"), server.text("child"));
    let grouped = server.text("grouped");
    // A shell with job control gives what it starts a process group of its own.
    let inner = format!("set -m\nsh -c 'echo $$ >{child}.part; mv {child}.part {child}; sleep 1000' &\nwait");
    std::fs::write(&grouped, inner).unwrap();
    let script = format!("trap '' TERM HUP; echo $$ >{pid}; bash {grouped}");
    let command = Command::new("endless", script).deadline(std::time::Duration::from_secs(10));
    let running = tokio::spawn(async move { session.run(command).await });
    let inner = eventually("the start", || std::fs::read_to_string(&child).ok()).await;
    relay.frozen.store(true, std::sync::atomic::Ordering::SeqCst);
    // The controller does nothing any more.
    running.abort();
    for text in [std::fs::read_to_string(&pid).unwrap(), inner] {
        let process: u32 = text.trim().parse().unwrap();
        eventually("the end of the process", || (!is_alive(process)).then_some(())).await;
    }
}
