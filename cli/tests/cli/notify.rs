//! Who is told of the end of a run: a command, a web hook, both. The run is a `destroy`, which needs no node.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;

use crate::damaged::{run_with_engine, with_engine, with_path};
use crate::support::{Bench, FIRST, Said, said};

const DESTROY: [&str; 3] = ["destroy", FIRST, "--yes"];

fn destroy(bench: &Bench, more: &[&str]) -> Said {
    run_with_engine(bench, &[&DESTROY, more].concat())
}

/// The newest run, as `status --json` has it.
fn newest(bench: &Bench) -> serde_json::Value {
    let list = bench.run(&["list", "--json"]).json();
    let newest = list.as_array().unwrap().last().unwrap()["run"]
        .as_str()
        .unwrap()
        .to_owned();
    bench.run(&["status", &newest, "--json"]).json()
}

fn read(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(name)).unwrap()
}

/// The log of the run that is destroyed, which its destroy goes on with.
fn log(bench: &Bench) -> String {
    read(bench, &format!("runs/{FIRST}/log.jsonl"))
}

#[test]
fn a_command_is_told_what_status_says() {
    let bench = with_engine();
    let quiet = with_engine();
    let command = "cat > told.json; echo $MESOSFLOW_RUN $MESOSFLOW_CLUSTER $MESOSFLOW_WORKFLOW $MESOSFLOW_STATE > env; echo T0LD";
    let told = destroy(&bench, &["--notify", command]);
    let untold = destroy(&quiet, &[]);
    assert_eq!((told.code, untold.code), (0, 0), "{told:?}");
    assert!(
        !told.out.contains("T0LD") && !told.err.contains("T0LD"),
        "{told:?}"
    );
    assert!(!told.err.contains("warning"), "{told:?}");
    let status = newest(&bench);
    let document: serde_json::Value = serde_json::from_str(&read(&bench, "told.json")).unwrap();
    assert_eq!(document, status);
    let run = status["run"].as_str().unwrap();
    assert_eq!(read(&bench, "env"), format!("{run} demo destroy succeeded\n"));
    let log = log(&bench);
    let line = log.lines().find(|line| line.contains("T0LD")).unwrap();
    assert!(
        line.contains("\"by\":\"--notify\"") && line.contains("\"exit\":0"),
        "{line}"
    );
}

/// A run that failed fails as before, and one that succeeded does that, whatever becomes of the notice.
#[test]
fn who_cannot_be_told_changes_no_exit_code() {
    let bench = with_engine();
    let told = destroy(&bench, &["--notify", "echo it rains >&2; exit 7"]);
    assert_eq!(told.code, 0, "{told:?}");
    let status = newest(&bench);
    let run = status["run"].as_str().unwrap();
    let warning = format!(
        "warning: run {run} has ended (succeeded), and the command of `--notify` could not be told: exit code 7: it rains"
    );
    assert!(told.err.contains(&warning), "{told:?}");
    let log = log(&bench);
    assert!(log.contains("exit code 7") && log.contains("it rains"), "{log}");
}

/// A `run` that nobody's engine brings anywhere.
fn begin(bench: &Bench, command: &str) -> Command {
    let args = [
        "run",
        "--mesos-source",
        "none",
        "--cluster",
        "third",
        "--notify",
        command,
    ];
    let mut begin = with_path(bench, &args);
    begin.stdout(Stdio::piped()).stderr(Stdio::piped());
    begin
}

#[test]
fn a_run_that_failed_is_told_of_and_fails() {
    let bench = with_engine();
    let command = "cat > told.json; echo $MESOSFLOW_WORKFLOW $MESOSFLOW_STATE > env; exit 7";
    let told = said(begin(&bench, command).output().unwrap());
    assert_eq!(told.code, 1, "{told:?}");
    assert_eq!(read(&bench, "env"), "deploy failed\n");
    let (_, warned) = told
        .err
        .split_once("error: step `security-groups` failed")
        .unwrap();
    assert!(
        warned.contains("has ended (failed), and the command of `--notify` could not be told: exit code 7"),
        "{told:?}"
    );
    let document: serde_json::Value = serde_json::from_str(&read(&bench, "told.json")).unwrap();
    assert_eq!(document, newest(&bench));
}

#[test]
fn a_run_that_was_interrupted_is_told_of() {
    let bench = with_engine();
    let mut run = begin(&bench, "echo $MESOSFLOW_STATE > state; exit 7")
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("failed at attempt 1")));
    let sent = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    // Its standard error is read to its end, so that it can write there.
    let told = lines.map_while(Result::ok).collect::<Vec<_>>().join("\n");
    assert_eq!(run.wait().unwrap().code(), Some(130), "{told}");
    assert_eq!(read(&bench, "state"), "interrupted\n");
    assert!(
        told.contains("has ended (interrupted), and the command of `--notify`"),
        "{told}"
    );
}

/// Ctrl-C at a command that takes its time: it ends with all that it began, and the run has succeeded as before.
#[test]
fn ctrl_c_waits_for_nobody_who_is_told() {
    let bench = with_engine();
    let fifo = bench.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let args = [&DESTROY[..], &["--notify", "sleep 1000 > fifo & wait"]].concat();
    let mut destroy = with_path(&bench, &args);
    let destroy = destroy
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Opened once the command has begun.
    let mut open = std::fs::File::open(&fifo).unwrap();
    let sent = Command::new("kill")
        .args(["-INT", &destroy.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let told = said(destroy.wait_with_output().unwrap());
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.err
            .contains("has ended (succeeded), and it was not waited until that was told"),
        "{told:?}"
    );
    // Its end comes once nobody can write there any more.
    let (tell, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(open.read(&mut [0]).unwrap()));
    assert_eq!(
        end.recv_timeout(Duration::from_secs(120)),
        Ok(0),
        "the command lives on"
    );
}

#[test]
fn a_flag_goes_before_the_files_command_and_its_url_stands_beside_and_stays_secret() {
    let bench = with_engine();
    let posted = Arc::new(Mutex::new(Vec::new()));
    let kept = posted.clone();
    let keep = move |body: String| async move { kept.lock().unwrap().push(body) };
    let app = Router::new().route("/S3CRET", post(keep));
    let at = bench.wait(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        at
    });
    let config = |path: &str| {
        format!("[notify]\ncommand = 'echo file >> who'\nurl = 'http://{at}/{path}?token=S3CRET'\n")
    };
    bench.write("mesosflow.toml", &config("S3CRET"));
    let told = destroy(&bench, &["-vv", "--notify", "echo flag >> who"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(read(&bench, "who"), "flag\n");
    let first = newest(&bench);
    let documents: Vec<serde_json::Value> = {
        let posted = posted.lock().unwrap();
        posted
            .iter()
            .map(|body| serde_json::from_str(body).unwrap())
            .collect()
    };
    assert_eq!(documents, std::slice::from_ref(&first));
    assert!(log(&bench).contains("\"host\":\"http://127.0.0.1\""));

    // Another one, which goes wrong: the name is free again.
    bench.write("named.toml", &config("S3CRET/none"));
    bench.write(
        "mesosflow.toml",
        "[notify]\nurl = 'https://never.invalid/S3CRET'\n",
    );
    let other = run_with_engine(
        &bench,
        &[
            "destroy",
            "--cluster",
            "other",
            "--yes",
            "--config",
            "named.toml",
            "-v",
        ],
    );
    assert_eq!(other.code, 0, "{other:?}");
    assert!(
        other
            .err
            .contains("and http://127.0.0.1 could not be told: it answered 404"),
        "{other:?}"
    );
    assert_eq!(read(&bench, "who"), "flag\nfile\n");
    let shown = [&told.out, &told.err, &other.out, &other.err];
    assert!(
        shown.iter().all(|text| !text.contains("S3CRET")),
        "{told:?} {other:?}"
    );
    for file in bench.files().into_iter().filter(|file| file.is_file()) {
        let text = std::fs::read(&file).unwrap();
        let has = text.windows(6).any(|bytes| bytes == b"S3CRET");
        assert_eq!(
            has,
            file.extension().is_some_and(|extension| extension == "toml"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_cannot_be_told_is_refused_before_anything_is_touched() {
    let bench = with_engine();
    let driving: [&[&str]; 4] = [
        &DESTROY,
        &["run", "--mesos-source", "none"],
        &["resume", FIRST],
        &["replay", FIRST, "--from", "hdfs-start", "--yes"],
    ];
    for command in driving {
        bench.write(
            "mesosflow.toml",
            "[notify]\nurl = 'https://me:S3CRET@example.org/'\n",
        );
        let said = bench.run_creating_nothing(command);
        said.refused(
            2,
            &[
                "`mesosflow.toml`, line 2: `notify.url` holds a name or password before `@`",
                "hint: ",
            ],
        );
        assert!(!said.err.contains("S3CRET"), "{said:?}");
        bench.write("mesosflow.toml", "[notify]\nurll = 'x'\n");
        bench.run_creating_nothing(command).refused(
            2,
            &["line 2: unknown key `notify.urll`", "did you mean `notify.url`?"],
        );
        bench.write("mesosflow.toml", "");
        let empty = bench.run_creating_nothing(&[command, &["--notify", " "]].concat());
        empty.refused(2, &["'--notify <CMD>'", "it is empty"]);
    }
    assert_eq!(bench.events(FIRST), 5);
}

/// A destroy reads nothing of the file but whom to tell: it works without.
#[test]
fn a_file_that_cannot_be_read_keeps_nothing_from_being_done() {
    let bench = with_engine();
    bench.write("mesosflow.toml", "cluster = \n");
    let done = destroy(&bench, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.err.contains(
            "warning: `mesosflow.toml` names nobody who is told: cannot use `mesosflow.toml`, line 1"
        ),
        "{done:?}"
    );
}
