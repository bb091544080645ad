//! The fence on the nodes: who was taken over acts no more.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesosflow_steps::remote::{Command, Job, JobStatus, Pool, RemoteError, Session};
use mesosflow_workflow::{ClusterId, Driver, Epoch, FencingToken, Nonce, RunId};
use tokio::task::JoinSet;

use super::sshd::{Sshd, eventually, is_alive};

/// A cluster, and the fences of its node.
struct Cluster<'a> {
    server: &'a Sshd,
    id: ClusterId,
    /// Who has driven it by one journal.
    drivers: Mutex<Vec<Driver>>,
}

impl<'a> Cluster<'a> {
    fn on(server: &'a Sshd) -> Self {
        Self {
            server,
            id: ClusterId::of_run(RunId::generate()),
            drivers: Mutex::default(),
        }
    }

    /// The same cluster by a copy of the journal: what one does from here on, the other does not know.
    fn copy(&self) -> Self {
        Self {
            server: self.server,
            id: self.id,
            drivers: Mutex::new(self.drivers.lock().unwrap().clone()),
        }
    }

    fn token(&self, epoch: u64) -> FencingToken {
        let token = FencingToken {
            cluster: self.id,
            epoch: Epoch(epoch),
            nonce: Nonce::generate(),
        };
        self.drivers.lock().unwrap().push(token.driver());
        token
    }

    fn pool(&self, token: FencingToken) -> Pool {
        let lineage = self.drivers.lock().unwrap().iter().copied().collect();
        Pool::fenced(self.server.path("user"), token, lineage)
            .with_jobs_dir(self.server.text("jobs"))
            .with_fence_dir(self.server.text("fence"))
    }

    /// A driver of this epoch, with a connection of its own.
    async fn driver(&self, epoch: u64) -> Arc<Session> {
        let pool = self.pool(self.token(epoch));
        pool.session(&self.server.target()).await.unwrap()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.server.path("fence").join(self.id.to_string())
    }
}

fn command(script: impl Into<String>) -> Command {
    Command::new("act", script)
}

/// Starts a script that is never done, and waits until it has written `ready`.
async fn begun(server: &Sshd, session: &Arc<Session>, script: String) -> Running {
    let session = Arc::clone(session);
    let running = tokio::spawn(async move { session.run(command(script)).await });
    eventually("the start", || server.path("ready").exists().then_some(())).await;
    running
}

type Running = tokio::task::JoinHandle<Result<mesosflow_steps::remote::Output, RemoteError>>;

fn assert_fenced(result: Result<impl std::fmt::Debug, RemoteError>, seen: u64, ours: u64) {
    match result {
        Err(RemoteError::Fenced {
            seen: Epoch(s),
            ours: Epoch(o),
            ..
        }) => assert_eq!((s, o), (seen, ours)),
        other => panic!("not fenced: {other:?}"),
    }
}

/// The pid that a script has written to this file.
fn pid_in(server: &Sshd, name: &str) -> u32 {
    fs::read_to_string(server.path(name))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn an_older_epoch_and_another_nonce_are_refused() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let (five, seven) = (cluster.driver(5).await, cluster.driver(7).await);
    assert_eq!(five.newest_fence(cluster.id).await.unwrap(), None);
    assert_eq!(five.run(command("echo five")).await.unwrap().stdout_str(), "five");
    let seen = five.newest_fence(cluster.id).await.unwrap();
    assert_eq!(seen.map(|driver| driver.epoch), Some(Epoch(5)));
    assert_eq!(
        seven.run(command("echo seven")).await.unwrap().stdout_str(),
        "seven"
    );
    let mark = server.text("mark");
    let error = five.run(command(format!("touch {mark}"))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "node `node-1` has been taken over by a newer driver of this cluster (epoch 7; this one has 5)"
    );
    let hint = mesosflow_workflow::StepError::hint(&error).unwrap();
    assert!(hint.contains("mesosflow resume RUN --take-over"), "{hint}");
    assert_fenced(
        cluster
            .driver(7)
            .await
            .run(command(format!("touch {mark}")))
            .await,
        7,
        7,
    );
    assert_fenced(five.upload_bytes(&mark, "x", 0o600).await, 7, 5);
    let job = Job {
        id: "late".parse().unwrap(),
        title: "late".into(),
        script: format!("touch {mark}"),
    };
    assert_fenced(five.job_start(&job).await, 7, 5);
    assert_fenced(five.job_stop(&job.id).await, 7, 5);
    assert_fenced(five.job_forget(&job.id).await, 7, 5);
    assert!(!server.path("mark").exists());
    // The everyday commands of either, and other clusters, are no part of it.
    server.session().await.run(command("true")).await.unwrap();
    Cluster::on(&server)
        .driver(1)
        .await
        .run(command("true"))
        .await
        .unwrap();
    // Only the fence says this, whatever a script says.
    let output = seven
        .run_any(command(
            "echo \"mesosflow-fence 0123456789abcdef 9 x\" >&2; exit 97",
        ))
        .await
        .unwrap();
    assert_eq!(output.status, 97);
    let seen = seven.newest_fence(cluster.id).await.unwrap();
    assert_eq!(seen.map(|driver| driver.epoch), Some(Epoch(7)));
}

/// A copy of a journal has numbers of its own, and reaches any number by trying often enough. It is refused all the same, until
/// it knows whom it passes over.
#[tokio::test]
async fn a_driver_from_a_copied_journal_is_refused_however_high_its_epoch() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    cluster.driver(1).await.run(command("true")).await.unwrap();
    let copy = cluster.copy();
    cluster.driver(2).await.run(command("true")).await.unwrap();
    for epoch in [2, 3, 4, 9] {
        assert_fenced(copy.driver(epoch).await.run(command("true")).await, 2, epoch);
    }
    // The one that acts is not hindered.
    cluster.driver(3).await.run(command("true")).await.unwrap();
    let stranger = copy.driver(9).await.newest_fence(cluster.id).await.unwrap();
    copy.drivers.lock().unwrap().extend(stranger);
    copy.driver(10).await.run(command("true")).await.unwrap();
    assert_fenced(cluster.driver(11).await.run(command("true")).await, 10, 11);
}

#[tokio::test]
async fn what_an_older_driver_left_running_is_gone_before_a_newer_acts() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let path = |name: &str| server.text(name);
    let (pid, child, ready, go) = (path("pid"), path("child"), path("ready"), path("go"));
    let (grouped, acted) = (path("grouped"), path("acted"));
    // A shell with job control gives what it starts a process group of its own.
    let script = format!("set -m\nsh -c 'echo $$ >{child}; >{ready}; sleep 1000' &\nwait");
    fs::write(&grouped, script).unwrap();
    let wait = format!("while [ ! -e {go} ]; do sleep 0.02; done");
    let scripts = [
        (
            "deaf",
            format!(
                "trap '' TERM HUP INT; echo $$ >{pid}; sh -c 'echo $$ >{child}; >{ready}; sleep 1000'; >{acted}; sleep 1000"
            ),
        ),
        (
            "group of its own",
            format!("echo $$ >{pid}; bash {grouped}; >{acted}"),
        ),
        (
            "no environment",
            format!("echo $$ >{pid}; env -i PATH=$PATH sh -c 'echo $$ >{child}; >{ready}; sleep 1000'"),
        ),
        // The script is over, and with it its wrapper: what is left has nothing but its environment and its session.
        (
            "outlives its parent",
            format!("echo $$ >{pid}; sh -c 'echo $$ >{child}; >{ready}; sleep 1000' >/dev/null 2>&1 &"),
        ),
        (
            "keeps the channel",
            format!("echo $$ >{pid}; sh -c 'echo $$ >{child}; >{ready}; {wait}' &"),
        ),
    ];
    for (epoch, (what, script)) in (10..).step_by(2).zip(scripts) {
        let old = cluster.driver(epoch).await;
        let running = begun(&server, &old, script).await;
        let (first, second) = (pid_in(&server, "pid"), pid_in(&server, "child"));
        let new = cluster.driver(epoch + 1).await;
        // What the newer script sees is what counts, not what is so a little later. One look: what is dead may be reaped between two.
        let seen = format!(
            "for p in {first} {second}; do case $(sed -n 's/^State:.\\(.\\).*/\\1/p' /proc/$p/status 2>/dev/null) in '' | Z) ;; *) echo $p ;; esac; done"
        );
        assert_eq!(new.run(command(seen)).await.unwrap().stdout_str(), "", "{what}");
        assert!(!is_alive(second), "{what}");
        let ended = running.await.unwrap();
        if matches!(what, "outlives its parent" | "keeps the channel") {
            ended.unwrap();
        } else {
            assert_fenced(ended, epoch + 1, epoch);
        }
        fs::remove_file(server.path("ready")).unwrap();
        assert!(
            !server.path("acted").exists(),
            "{what}: it went on when its child was gone"
        );
    }
}

#[tokio::test]
async fn a_transfer_in_the_middle_of_its_input_is_ended() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let (old, new) = (cluster.driver(1).await, cluster.driver(2).await);
    let big = server.path("big");
    fs::File::create(&big).unwrap().set_len(400_000_000).unwrap();
    let folder = server.path("to");
    fs::create_dir(&folder).unwrap();
    let target = server.text("to/target");
    let sending = tokio::spawn({
        let (old, big, target) = (Arc::clone(&old), big.clone(), target.clone());
        async move { old.upload_file(&big, &target, 0o644).await }
    });
    eventually("the first bytes", || {
        let mut parts = fs::read_dir(&folder).unwrap().flatten();
        parts
            .any(|part| part.metadata().is_ok_and(|part| part.len() > 0))
            .then_some(())
    })
    .await;
    new.upload_bytes(&target, "new", 0o644).await.unwrap();
    sending.await.unwrap().unwrap_err();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    assert_fenced(old.upload_file(&big, &target, 0o644).await, 2, 1);
}

#[tokio::test]
async fn jobs_are_adopted() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let (old, new) = (cluster.driver(1).await, cluster.driver(2).await);
    let job = Job {
        id: "build".parse().unwrap(),
        title: "build".into(),
        script: format!(
            "while [ ! -e {} ]; do sleep 0.02; done; echo built",
            server.text("go")
        ),
    };
    old.job_start(&job).await.unwrap();
    assert!(matches!(
        new.job_status(&job.id).await.unwrap(),
        JobStatus::Running { .. }
    ));
    assert_fenced(old.job_status(&job.id).await, 2, 1);
    fs::write(server.path("go"), "").unwrap();
    let limits = mesosflow_steps::remote::JobLimits {
        deadline: Duration::from_secs(60),
        silence: Duration::from_secs(60),
    };
    assert_eq!(new.job_wait(&job, limits).await.unwrap().stdout_str(), "built");
}

/// Two drivers at once, the newer one a moment later: in the log, no line of the older follows one of the newer.
#[tokio::test]
async fn no_older_command_acts_after_a_newer_has_begun() {
    let server = Sshd::start();
    for round in 0..3 {
        let cluster = Cluster::on(&server);
        let (old, new) = (cluster.driver(1).await, cluster.driver(2).await);
        let log = server.text(&format!("log-{round}"));
        // The older ones act until somebody ends them.
        let act = |epoch: &str, times: &str| {
            format!("n={times}; while [ $n != 0 ]; do echo {epoch} >>{log}; n=$((n - 1)); sleep 0.02; done")
        };
        let mut acting = JoinSet::new();
        for n in 0..50 {
            let (session, script) = if n % 2 == 0 {
                (&old, act("old", "-1"))
            } else {
                (&new, act("new", "6"))
            };
            let session = Arc::clone(session);
            let delayed = n % 2 == 1;
            let seen = server.path(&format!("log-{round}"));
            acting.spawn(async move {
                if delayed {
                    eventually("the older one's acts", || seen.exists().then_some(())).await;
                }
                (delayed, session.run(command(script)).await)
            });
        }
        while let Some(done) = acting.join_next().await {
            let (newer, result) = done.unwrap();
            assert!(!newer || result.is_ok(), "{result:?}");
        }
        let text = fs::read_to_string(&log).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let first_new = lines.iter().position(|line| *line == "new").unwrap();
        assert!(first_new > 0, "the older one never acted");
        assert!(!lines[first_new..].contains(&"old"), "round {round}:\n{text}");
        assert_eq!(lines.iter().filter(|line| **line == "new").count(), 25 * 6);
    }
}

#[tokio::test]
async fn a_raise_that_is_cut_off_anywhere_lets_nobody_older_in() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let mut epoch = 1;
    for millis in (0..60).step_by(6) {
        let (old, new) = (cluster.driver(epoch).await, cluster.driver(epoch + 1).await);
        old.run(command("true")).await.unwrap();
        let cut = tokio::time::timeout(Duration::from_millis(millis), new.run(command("true"))).await;
        let seen = new.newest_fence(cluster.id).await.unwrap();
        if cut.is_ok() || seen.is_some_and(|driver| driver.epoch > Epoch(epoch)) {
            assert_fenced(old.run(command("true")).await, epoch + 1, epoch);
        }
        new.run(command("true")).await.unwrap();
        assert_fenced(old.run(command("true")).await, epoch + 1, epoch);
        epoch += 2;
    }
}

/// Half-way through a raise there is a mark, with which nobody may act before the raise is done again.
#[tokio::test]
async fn a_raise_that_never_ended_is_ended_by_the_next() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let old = cluster.driver(1).await;
    let (pid, ready) = (server.text("pid"), server.text("ready"));
    let running = begun(&server, &old, format!("echo $$ >{pid}; >{ready}; sleep 1000")).await;
    let token = cluster.token(2);
    fs::write(
        cluster.folder().join("epoch"),
        format!("2 {} raising\n", token.nonce),
    )
    .unwrap();
    assert_fenced(cluster.driver(1).await.run(command("true")).await, 2, 1);
    let new = cluster.pool(token).session(&server.target()).await.unwrap();
    new.run(command("true")).await.unwrap();
    assert!(!is_alive(pid_in(&server, "pid")));
    running.await.unwrap().unwrap_err();
    assert_eq!(
        fs::read_to_string(cluster.folder().join("epoch")).unwrap(),
        format!("2 {}\n", token.nonce)
    );
}

#[tokio::test]
async fn a_process_that_is_not_the_commands_is_not_killed() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    cluster.driver(1).await.run(command("true")).await.unwrap();
    // Marked like a command of the older epoch, as if by inheritance, and neither in its group nor in its session; and
    // one in a group of that number, which another leader began.
    let mark = format!("{} 1 00000000000000aa", cluster.id);
    let mut innocent: Vec<_> = ["4194303 1", "self 1"]
        .into_iter()
        .map(|unit| {
            let script = "MESOSFLOW_FENCE=\"$0 $(echo \"$1\" | sed \"s/self/$$/\")\" exec sleep 1000";
            std::process::Command::new("setsid")
                .args(["sh", "-c", script, &mark, unit])
                .spawn()
                .unwrap()
        })
        .collect();
    for child in &innocent {
        eventually("its mark", || {
            let environ = fs::read(format!("/proc/{}/environ", child.id())).ok()?;
            String::from_utf8_lossy(&environ).contains(&mark).then_some(())
        })
        .await;
    }
    cluster.driver(2).await.run(command("true")).await.unwrap();
    for child in &mut innocent {
        let alive = is_alive(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(alive);
    }
}

#[tokio::test]
async fn a_fence_that_others_could_move_is_not_relied_on() {
    let server = Sshd::start();
    let cluster = Cluster::on(&server);
    let (fence, folder) = (server.path("fence"), cluster.folder());
    let elsewhere = server.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let token = cluster.token(3);
    fs::write(elsewhere.join("epoch"), format!("3 {}\n", token.nonce)).unwrap();
    let refused = async |why: &str| {
        let session = cluster.pool(token).session(&server.target()).await.unwrap();
        let error = session.run(command("true")).await.unwrap_err();
        assert!(matches!(error, RemoteError::FenceUnusable { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    fs::create_dir(&fence).unwrap();
    fs::set_permissions(&fence, fs::Permissions::from_mode(0o1777)).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    refused("others than root may write").await;
    fs::set_permissions(&fence, fs::Permissions::from_mode(0o755)).unwrap();
    refused("is a link").await;
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
    fs::copy(elsewhere.join("epoch"), folder.join("epoch")).unwrap();
    refused("not a folder of root's").await;
    std::os::unix::fs::chown(&folder, Some(0), None).unwrap();
    fs::write(folder.join("epoch"), "").unwrap();
    refused("is damaged").await;
    fs::remove_file(folder.join("epoch")).unwrap();
    let session = cluster.pool(token).session(&server.target()).await.unwrap();
    session.run(command("true")).await.unwrap();
    let mode = fs::metadata(folder.join("epoch")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
