//! Jobs that outlive whoever started them.

use std::fs;
use std::time::Duration;

use mesosflow_steps::remote::{Job, JobLimits, JobSettled, JobStatus, RemoteError, Session};
use mesosflow_workflow::{ErrorClass, StepError};

use super::sshd::{Sshd, eventually, is_alive};

const LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(60),
    silence: Duration::from_secs(60),
};

fn job(id: &str, script: impl Into<String>) -> Job {
    Job {
        id: id.parse().unwrap(),
        title: format!("job {id}"),
        script: script.into(),
    }
}

async fn running_pid(session: &Session, job: &Job) -> u32 {
    loop {
        match session.job_status(&job.id).await.unwrap() {
            JobStatus::Running { pid: 0 } => {}
            JobStatus::Running { pid } => return pid,
            other => panic!("not running: {other:?}"),
        }
    }
}

/// A script that counts how often it was begun, and then waits for a file.
fn counting(server: &Sshd) -> String {
    let (count, go) = (server.text("count"), server.text("go"));
    format!("echo begun >>{count}; while [ ! -e {go} ]; do sleep 0.02; done; echo out; echo err >&2; exit 5")
}

fn begun(server: &Sshd) -> usize {
    fs::read_to_string(server.path("count"))
        .unwrap_or_default()
        .lines()
        .count()
}

#[tokio::test]
async fn a_job_runs_once_and_is_found_again() {
    let server = Sshd::start();
    let session = server.session().await;
    let job = job("run.build", counting(&server));
    assert_eq!(session.job_status(&job.id).await.unwrap(), JobStatus::Absent);
    assert!(matches!(
        session.job_start(&job).await.unwrap(),
        JobStatus::Running { .. }
    ));
    assert!(matches!(
        session.job_start(&job).await.unwrap(),
        JobStatus::Running { .. }
    ));
    let pid = running_pid(&session, &job).await;
    // The controller goes, and with it the connection that started the job.
    drop(session);
    eventually("the end of the connection", || {
        server.log().contains("Disconnected").then_some(())
    })
    .await;
    assert!(is_alive(pid));

    let session = server.session().await;
    assert_eq!(
        session.job_status(&job.id).await.unwrap(),
        JobStatus::Running { pid }
    );
    fs::write(server.path("go"), "").unwrap();
    let output = session.job_wait(&job, LIMITS).await.unwrap();
    assert_eq!(
        (output.status, output.stdout, output.stderr),
        (5, b"out\n".to_vec(), b"err\n".to_vec())
    );
    assert_eq!(
        session.job_start(&job).await.unwrap(),
        JobStatus::Finished { exit: 5 }
    );
    let error = session.run_job(&job, LIMITS).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`job run.build` on node-1 ended with exit status 5:\n    err"
    );
    assert_eq!(begun(&server), 1);
}

#[tokio::test]
async fn racing_controllers_start_one() {
    let server = Sshd::start();
    for round in 0..5 {
        let id = format!("race-{round}");
        let count = server.text(&format!("count-{round}"));
        let mut racing = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let pool = server.pool();
            let (target, job) = (
                server.target(),
                job(&id, format!("echo begun >>{count}; sleep 0.1; echo end")),
            );
            racing.spawn(async move {
                let session = pool.session(&target).await.unwrap();
                session.job_start(&job).await.unwrap();
                session.job_wait(&job, LIMITS).await.unwrap().stdout_str()
            });
        }
        while let Some(output) = racing.join_next().await {
            assert_eq!(output.unwrap(), "end");
        }
        assert_eq!(fs::read_to_string(&count).unwrap(), "begun\n");
    }
}

#[tokio::test]
async fn a_start_that_is_cut_off_anywhere_starts_at_most_once() {
    let server = Sshd::start();
    let session = server.session().await;
    for round in 0..20_u64 {
        let count = server.text(&format!("count-{round}"));
        let job = job(&format!("cut-{round}"), format!("echo begun >>{count}; echo end"));
        let _ = tokio::time::timeout(Duration::from_millis(2 * round), session.job_start(&job)).await;
        let output = session.run_job(&job, LIMITS).await.unwrap();
        assert_eq!(output.stdout_str(), "end");
        assert_eq!(fs::read_to_string(&count).unwrap(), "begun\n");
    }
}

#[tokio::test]
async fn a_killed_job_is_lost_and_can_be_forgotten() {
    let server = Sshd::start();
    let session = server.session().await;
    let job = job("doomed", counting(&server));
    session.job_start(&job).await.unwrap();
    let pid = running_pid(&session, &job).await;
    assert!(
        session.job_forget(&job.id).await.is_err(),
        "a running job was forgotten"
    );
    eventually("the job's start", || (begun(&server) == 1).then_some(())).await;
    let group = format!("-{pid}");
    assert!(
        std::process::Command::new("kill")
            .args(["-KILL", "--", &group])
            .status()
            .unwrap()
            .success()
    );
    let error = session.job_wait(&job, LIMITS).await.unwrap_err();
    assert!(matches!(error, RemoteError::JobLost { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    assert_eq!(session.job_status(&job.id).await.unwrap(), JobStatus::Lost);
    assert_eq!(session.job_start(&job).await.unwrap(), JobStatus::Lost);
    assert!(matches!(
        session.run_job(&job, LIMITS).await.unwrap_err(),
        RemoteError::JobLost { .. }
    ));
    assert_eq!(begun(&server), 1);

    session.job_forget(&job.id).await.unwrap();
    session.job_forget(&job.id).await.unwrap();
    assert_eq!(session.job_status(&job.id).await.unwrap(), JobStatus::Absent);
    fs::write(server.path("go"), "").unwrap();
    assert_eq!(
        session.run_job(&job, LIMITS).await.unwrap_err().exit_status(),
        Some(5)
    );
    assert_eq!(begun(&server), 2);
}

#[tokio::test]
async fn a_job_is_running_while_any_of_its_processes_is() {
    let server = Sshd::start();
    let session = server.session().await;
    let job = job("orphan", counting(&server));
    session.job_start(&job).await.unwrap();
    let pid = running_pid(&session, &job).await;
    eventually("the job's start", || (begun(&server) == 1).then_some(())).await;
    // Only its first process: what does the work goes on.
    assert!(
        std::process::Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
    eventually("its end", || (!is_alive(pid)).then_some(())).await;
    assert_eq!(
        session.job_status(&job.id).await.unwrap(),
        JobStatus::Running { pid }
    );
    fs::write(server.path("go"), "").unwrap();
    assert!(matches!(
        session.job_wait(&job, LIMITS).await.unwrap_err(),
        RemoteError::JobLost { .. }
    ));
}

#[tokio::test]
async fn a_stopped_job_is_finished() {
    let server = Sshd::start();
    let session = server.session().await;
    let job = job("stopped", counting(&server));
    assert_eq!(session.job_stop(&job.id).await.unwrap(), JobStatus::Absent);
    session.job_start(&job).await.unwrap();
    let pid = running_pid(&session, &job).await;
    assert_eq!(
        session.job_stop(&job.id).await.unwrap(),
        JobStatus::Finished { exit: 143 }
    );
    assert!(!is_alive(pid));
    assert_eq!(
        session.job_status(&job.id).await.unwrap(),
        JobStatus::Finished { exit: 143 }
    );
}

#[tokio::test]
async fn a_job_is_stopped_with_all_that_it_started() {
    let server = Sshd::start();
    let session = server.session().await;
    let (left, group, silent) = (server.text("left"), server.text("group"), server.text("silent"));
    let child =
        |pid: &str| format!("trap \"\" TERM HUP; echo $$ >{pid}.part; mv {pid}.part {pid}; sleep 1000");
    let grouped = server.text("grouped");
    // A shell with job control gives what it starts a process group of its own.
    fs::write(&grouped, format!("set -m\nsh -c '{}' &\nwait", child(&group))).unwrap();
    // None listens. One has left the session, one the process group, and one has let go of the lock.
    let script = format!(
        "trap '' TERM\nsetsid sh -c '{}' &\nbash {grouped} &\nsh -c '{}' 9>&- &\nwhile :; do sleep 0.05; done",
        child(&left),
        child(&silent)
    );
    let job = job("deaf", script);
    session.job_start(&job).await.unwrap();
    let mut pids = vec![running_pid(&session, &job).await];
    for file in ["left", "group", "silent"] {
        let text = eventually("the start", || fs::read_to_string(server.path(file)).ok()).await;
        pids.push(text.trim().parse().unwrap());
    }
    assert_eq!(
        session.job_stop(&job.id).await.unwrap(),
        JobStatus::Finished { exit: 143 }
    );
    for pid in pids {
        assert!(!is_alive(pid));
    }
}

#[tokio::test]
async fn a_reused_process_id_is_not_taken_for_the_job() {
    let server = Sshd::start();
    let session = server.session().await;
    let job = job("reused", counting(&server));
    session.job_start(&job).await.unwrap();
    let pid = running_pid(&session, &job).await;
    let mut innocent = std::process::Command::new("setsid")
        .args(["sleep", "1000"])
        .spawn()
        .unwrap();
    let file = server.path("jobs/reused/pid");
    let text = fs::read_to_string(&file).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    fs::write(&file, format!("{} {} {}\n", innocent.id(), words[1], words[2])).unwrap();
    let stopped = session.job_stop(&job.id).await;
    let alive = is_alive(innocent.id());
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    assert!(alive, "a process that is not the job's was killed");
    assert_eq!(stopped.unwrap(), JobStatus::Finished { exit: 143 });
    // The job itself was found by its lock.
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_result_is_taken_once() {
    let server = Sshd::start();
    let session = server.session().await;
    fs::write(server.path("go"), "").unwrap();
    let job = job("once", counting(&server));
    session.job_start(&job).await.unwrap();
    session.job_wait(&job, LIMITS).await.unwrap();
    // Whoever started it died before it took the result: the next one does.
    for round in 1..=3 {
        let error = session.run_job(&job, LIMITS).await.unwrap_err();
        assert_eq!(error.exit_status(), Some(5));
        assert!(error.to_string().ends_with("\n    err"), "{error}");
        assert_eq!(begun(&server), round);
        assert_eq!(session.job_status(&job.id).await.unwrap(), JobStatus::Absent);
    }
}

#[tokio::test]
async fn half_a_record_is_a_job_that_was_begun() {
    let server = Sshd::start();
    let session = server.session().await;
    fs::write(server.path("go"), "").unwrap();
    for (id, files) in [
        ("empty-pid", &["lock", "pid"][..]),
        ("empty-exit", &["lock", "pid", "exit"]),
        ("no-lock", &["pid"]),
    ] {
        let folder = server.path("jobs").join(id);
        fs::create_dir_all(&folder).unwrap();
        for file in files {
            fs::write(folder.join(file), "").unwrap();
        }
        let job = job(id, counting(&server));
        assert_eq!(
            session.job_status(&job.id).await.unwrap(),
            JobStatus::Lost,
            "{id}"
        );
        let error = session.run_job(&job, LIMITS).await.unwrap_err();
        assert!(matches!(error, RemoteError::JobLost { .. }), "{id}: {error}");
        session.job_forget(&job.id).await.unwrap();
        assert_eq!(
            session.run_job(&job, LIMITS).await.unwrap_err().exit_status(),
            Some(5),
            "{id}"
        );
    }
    assert_eq!(begun(&server), 3);
}

#[tokio::test]
async fn a_job_in_doubt_is_awaited_or_ended() {
    let server = Sshd::start();
    let session = server.session().await;
    let settle = async |job: &Job, serve, limits| {
        let settled = session.job_settle(&job.id, serve, limits).await.unwrap();
        assert_eq!(session.job_status(&job.id).await.unwrap(), JobStatus::Absent);
        settled
    };
    let doubtful = job("doubtful", counting(&server));
    assert_eq!(settle(&doubtful, true, LIMITS).await, JobSettled::Nothing);

    session.job_start(&doubtful).await.unwrap();
    let pid = running_pid(&session, &doubtful).await;
    assert_eq!(settle(&doubtful, false, LIMITS).await, JobSettled::Ended);
    assert!(!is_alive(pid));

    session.job_start(&doubtful).await.unwrap();
    let pid = running_pid(&session, &doubtful).await;
    let short = JobLimits {
        deadline: Duration::from_millis(200),
        ..LIMITS
    };
    assert_eq!(settle(&doubtful, true, short).await, JobSettled::Ended);
    assert!(!is_alive(pid));

    session.job_start(&doubtful).await.unwrap();
    let pid = running_pid(&session, &doubtful).await;
    let commands = || server.log().matches("Starting session: command").count();
    let before = commands();
    let (settled, ()) = tokio::join!(settle(&doubtful, true, LIMITS), async {
        // The second look comes after the first has found it running.
        eventually("two looks", || (commands() >= before + 2).then_some(())).await;
        fs::write(server.path("go"), "").unwrap();
    });
    assert_eq!(settled, JobSettled::Awaited);
    assert!(!is_alive(pid));

    session.job_start(&doubtful).await.unwrap();
    session.job_wait(&doubtful, LIMITS).await.unwrap();
    assert_eq!(settle(&doubtful, true, LIMITS).await, JobSettled::Nothing);
}

#[tokio::test]
async fn waiting_survives_the_connection_and_ends_at_its_limits() {
    let mut server = Sshd::start();
    let session = server.session().await;
    let job = job("patient", counting(&server));
    session.job_start(&job).await.unwrap();

    let short = JobLimits {
        deadline: Duration::from_millis(300),
        ..LIMITS
    };
    let error = session.job_wait(&job, short).await.unwrap_err();
    assert!(error.to_string().ends_with("was not done after 0.3s"), "{error}");
    let mute = JobLimits {
        silence: Duration::from_millis(300),
        ..LIMITS
    };
    let error = session.job_wait(&job, mute).await.unwrap_err();
    assert!(error.to_string().ends_with("gave no output for 0.3s"), "{error}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);

    let waiting = tokio::spawn({
        let (session, job) = (std::sync::Arc::clone(&session), job.clone());
        async move { session.job_wait(&job, LIMITS).await }
    });
    tokio::task::yield_now().await;
    server.kill();
    assert!(session.ready().await.is_err() || !waiting.is_finished());
    server.launch();
    fs::write(server.path("go"), "").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().status, 5);
    assert_eq!(begun(&server), 1);
}
