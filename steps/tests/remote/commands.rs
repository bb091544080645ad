//! Running commands: output, input, limits, cancellation, many at once.

use std::fs;
use std::time::Duration;

use mesosflow_steps::remote::{Command, Piece, RemoteError};
use mesosflow_workflow::{ErrorClass, StepError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::sshd::{Sshd, eventually, heavy, is_alive};

/// A limit that a command on a busy machine does not pass before it has begun.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn fifty_commands_share_one_handshake() {
    let server = Sshd::start();
    let pool = std::sync::Arc::new(server.pool());
    let target = server.target();
    let mut commands = JoinSet::new();
    for n in 0..50 {
        let (pool, target) = (std::sync::Arc::clone(&pool), target.clone());
        commands.spawn(async move {
            let session = pool.session(&target).await.unwrap();
            let output = session
                .run(Command::new("echo", format!("echo {n}")))
                .await
                .unwrap();
            assert_eq!(output.stdout_str(), n.to_string());
        });
    }
    while let Some(done) = commands.join_next().await {
        done.unwrap();
    }
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn output_streams_stay_apart_and_the_status_is_told() {
    let server = Sshd::start();
    let session = server.session().await;
    let script = "printf 'out\\n\\0\\377'; echo err >&2; exit 7";
    let output = session.run_any(Command::new("both", script)).await.unwrap();
    assert_eq!(
        (output.status, output.stdout.as_slice()),
        (7, &b"out\n\0\xff"[..])
    );
    assert_eq!(
        (output.stderr.as_slice(), output.truncated),
        (&b"err\n"[..], false)
    );

    let error = session.run(Command::new("both", script)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`both` on node-1 ended with exit status 7:\n    err"
    );
    assert_eq!(
        (error.class(), error.exit_status()),
        (ErrorClass::Permanent, Some(7))
    );

    let error = session
        .run(Command::new("suicide", "kill -KILL $$"))
        .await
        .unwrap_err();
    let told = "`suicide` on node-1 ended with exit status 137 (killed by SIGKILL)";
    assert!(error.to_string().starts_with(told), "{error}");
}

#[tokio::test]
async fn scripts_and_values_arrive_as_they_are() {
    let server = Sshd::start();
    let session = server.session().await;
    let value = "a'b\"c\\d $(id) `id` $HOME ~ * \n new line é";
    let script = format!("printf %s {}", mesosflow_steps::remote::quote(value).unwrap());
    assert_eq!(
        session.run(Command::new("quote", script)).await.unwrap().stdout,
        value.as_bytes()
    );
    let error = session
        .run(Command::new("long", "x".repeat(50_000)))
        .await
        .unwrap_err();
    assert!(matches!(error, RemoteError::Unsendable { .. }), "{error}");
}

#[tokio::test]
async fn output_is_bounded_and_the_end_is_kept() {
    let server = Sshd::start();
    let session = server.session().await;
    let script = "seq 1 2000000; seq 1 300000 >&2";
    let output = session.run(heavy("seq", script).max_output(1000)).await.unwrap();
    assert!(output.truncated);
    assert_eq!((output.stdout.len(), output.stderr.len()), (1000, 1000));
    assert!(output.stdout.ends_with(b"\n1999999\n2000000\n"));
    assert!(output.stderr.ends_with(b"\n299999\n300000\n"));
}

#[tokio::test]
async fn input_of_many_megabytes_comes_back() {
    let server = Sshd::start();
    let session = server.session().await;
    let input: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let command = heavy("cat", "cat; echo done >&2")
        .stdin(input.clone())
        .max_output(input.len());
    let output = session.run(command).await.unwrap();
    assert!(output.stdout == input, "the input came back changed");
    assert_eq!(output.stderr, b"done\n");
}

#[tokio::test]
async fn input_that_is_not_read_does_not_hold_up_the_command() {
    let server = Sshd::start();
    let session = server.session().await;
    let output = session
        .run(heavy("deaf", "echo done").stdin(vec![b'x'; 30_000_000]))
        .await
        .unwrap();
    assert_eq!(output.stdout_str(), "done");
    assert_eq!(
        session
            .run(Command::new("next", "echo next"))
            .await
            .unwrap()
            .stdout_str(),
        "next"
    );
}

/// Asserts it without printing megabytes.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    if found != expected {
        let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let rest = &found[same..found.len().min(same + 100)];
        panic!(
            "{what} has {} bytes instead of {}, the first {same} the same, and then {:?}",
            found.len(),
            expected.len(),
            String::from_utf8_lossy(rest)
        );
    }
}

/// Every command prints its own pattern on both streams, in small and large pieces, so that a packet delivered to the
/// wrong channel, lost or duplicated shows.
async fn twenty_interleaved(options: &str, lines: usize) {
    let server = Sshd::with_options(options);
    let session = server.session().await;
    let mut commands = JoinSet::new();
    for n in 0..20 {
        let session = std::sync::Arc::clone(&session);
        commands.spawn(async move {
            let script = format!("yes out-{n} | head -n {lines}; yes err-{n} | head -n {lines} >&2; cat");
            let input = vec![b'a' + n as u8; 1_000_000];
            let command = heavy("interleaved", script)
                .stdin(input.clone())
                .max_output(100 << 20);
            let output = session.run(command).await.unwrap();
            let mut expected = format!("out-{n}\n").repeat(lines).into_bytes();
            expected.extend_from_slice(&input);
            assert_same(&output.stdout, &expected, &format!("standard output of {n}"));
            let expected = format!("err-{n}\n").repeat(lines).into_bytes();
            assert_same(&output.stderr, &expected, &format!("standard error of {n}"));
        });
    }
    while let Some(done) = commands.join_next().await {
        done.unwrap();
    }
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn twenty_commands_with_large_outputs_share_a_session() {
    twenty_interleaved("", 400_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_commands_share_a_session_on_many_threads() {
    twenty_interleaved("", 100_000).await;
}

#[tokio::test]
async fn keys_are_renewed_in_the_middle_of_it() {
    twenty_interleaved("RekeyLimit 2M", 100_000).await;
}

#[tokio::test]
async fn a_command_past_its_deadline_is_killed_and_the_session_goes_on() {
    let server = Sshd::start();
    let session = server.session().await;
    let pid_file = server.text("pid");
    let script = format!("echo $$ >{pid_file}; echo starting >&2; while :; do echo tick; sleep 0.01; done");
    let command = Command::new("endless", script).deadline(PATIENCE);
    let error = session.run(command).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`endless` on node-1 was not done after 10s:\n    starting"
    );
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    gone(&pid_file).await;
    assert_eq!(
        session
            .run(Command::new("next", "echo next"))
            .await
            .unwrap()
            .stdout_str(),
        "next"
    );
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn a_silent_command_is_killed_and_a_talking_one_is_not() {
    let server = Sshd::start();
    let session = server.session().await;
    let pid_file = server.text("pid");
    let limit = PATIENCE;
    let script = format!("echo $$ >{pid_file}; sleep 1000");
    let error = session
        .run(Command::new("mute", script).silence(limit))
        .await
        .unwrap_err();
    assert!(matches!(error, RemoteError::Silence { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    gone(&pid_file).await;
    let talking = "for n in 1 2 3 4 5 6; do sleep 2; echo $n; done";
    session
        .run(Command::new("talking", talking).silence(limit))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dropped_command_is_killed_and_the_session_goes_on() {
    let server = Sshd::start();
    let session = server.session().await;
    for round in 0..12 {
        let pid_file = server.text(&format!("pid-{round}"));
        let script = format!("echo $$ >{pid_file}; yes");
        let running = tokio::spawn({
            let session = std::sync::Arc::clone(&session);
            async move {
                session
                    .run(Command::new("dropped", script).stdin(vec![0; 5_000_000]))
                    .await
            }
        });
        eventually("the start", || {
            fs::read_to_string(&pid_file)
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
        .await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert_eq!(
            session
                .run(Command::new("next", "echo next"))
                .await
                .unwrap()
                .stdout_str(),
            "next"
        );
        gone(&pid_file).await;
    }
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn commands_dropped_at_any_moment_leave_a_usable_session() {
    let server = Sshd::start();
    let session = server.session().await;
    // Also such as are done in the moment in which they are dropped.
    let mark = format!("dropped-from-{}", server.port);
    for micros in (0..60).map(|n| n * 400).chain((1..40).map(|n| n * 10_000)) {
        let script = format!(": {mark}; head -c 300000 /dev/zero; cat >/dev/null");
        let command = Command::new("dropped", script).stdin(vec![1; 300_000]);
        let _ = tokio::time::timeout(Duration::from_micros(micros), session.run(command)).await;
    }
    assert_eq!(
        session
            .run(Command::new("next", "echo next"))
            .await
            .unwrap()
            .stdout_str(),
        "next"
    );
    eventually("the end of all of them", || {
        let of_a_command = |process: &fs::DirEntry| {
            fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&mark))
        };
        (!fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|process| of_a_command(&process)))
        .then_some(())
    })
    .await;
    assert_eq!(server.logins(), 1);
}

/// Waits until the process named in the file is gone.
async fn gone(pid_file: &str) {
    let pid: u32 = fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
    eventually("the end of the process", || (!is_alive(pid)).then_some(())).await;
}

#[tokio::test]
async fn a_stream_is_handed_on_as_it_comes_and_held_up_by_its_taker() {
    let server = Sshd::start();
    let session = server.session().await;
    let (taker, mut pieces) = mpsc::channel(1);
    let script = "echo begun; echo err >&2; read -r line; echo over";
    let running = tokio::spawn(async move {
        let command = Command::new("both", script).stdin("go on\n");
        session.stream(command, &taker).await
    });
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Out(bytes) => out.extend(bytes),
            Piece::Err(bytes) => err.extend(bytes),
        }
    }
    assert_eq!((out, err), (b"begun\nover\n".to_vec(), b"err\n".to_vec()));
    assert_eq!(running.await.unwrap().unwrap(), 0);

    // Ten megabytes for one who takes nothing before he is asked: they stay on the node.
    let session = server.session().await;
    let (taker, mut pieces) = mpsc::channel(1);
    let done = server.path("done");
    let script = format!("head -c 10000000 /dev/zero; echo x >{}", done.display());
    let running = tokio::spawn(async move {
        let command = Command::new("much", script);
        session.stream(command, &taker).await
    });
    let mut length = 0;
    while let Some(piece) = pieces.recv().await {
        let Piece::Out(bytes) = piece else {
            panic!("{piece:?}")
        };
        if length == 0 {
            assert!(!done.exists(), "nobody had taken it yet");
        }
        length += bytes.len();
    }
    assert_eq!((length, running.await.unwrap().unwrap()), (10_000_000, 0));
}

#[tokio::test]
async fn a_stream_that_is_given_up_ends_its_command_with_what_was_said() {
    let server = Sshd::start();
    let session = server.session().await;
    let (taker, mut pieces) = mpsc::channel(8);
    let command = Command::new("late", "echo $$; echo why >&2; sleep 1000").deadline(Duration::from_secs(2));
    let error = session.stream(command, &taker).await.unwrap_err();
    assert!(
        matches!(&error, RemoteError::Deadline { stderr_tail, .. } if stderr_tail == "why"),
        "{error:?}"
    );
    drop(taker);
    let mut out = Vec::new();
    while let Some(piece) = pieces.recv().await {
        if let Piece::Out(bytes) = piece {
            out.extend(bytes);
        }
    }
    let pid: u32 = String::from_utf8(out).unwrap().trim().parse().unwrap();
    eventually("the command is gone", || (!is_alive(pid)).then_some(())).await;
}
