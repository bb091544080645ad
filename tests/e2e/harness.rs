//! The scenarios themselves leave nothing behind: a test that is killed with `kill -9` in the middle of a deploy is cleaned up
//! after, programs, containers, networks and folder.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mesosflow_tests::{Bench, Point, RUN_LIMIT, Watch, until};

/// Set for the process that is killed.
const VICTIM: &str = "MESOSFLOW_TEST_VICTIM";
const NAME: &str = "harness::a_test_that_is_killed_leaves_nothing_behind";

#[test]
fn a_test_that_is_killed_leaves_nothing_behind() {
    if std::env::var_os(VICTIM).is_some() {
        return be_killed();
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let told = lines.find_map(|line| line.strip_prefix("victim: ").map(str::to_owned));
    let told = told.expect("the victim has a cluster");
    let [cluster, folder, pid] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let bench = Bench::new();
    assert!(
        !bench.engine().containers(cluster).is_empty(),
        "the victim has no nodes"
    );
    victim.kill().unwrap();
    victim.wait().unwrap();

    until("an end of all that was the victim's", RUN_LIMIT, || {
        let is_gone = bench.engine().containers(cluster).is_empty()
            && bench.engine().networks(cluster).is_empty()
            && !Path::new(folder).exists()
            && !Path::new("/proc").join(pid).exists();
        is_gone.then_some(())
    });
}

/// Ends only by being killed, in the middle of a deploy.
fn be_killed() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("await-nodes"));
    println!("victim: {cluster} {} {}", bench.path("").display(), live.pid());
    live.finish(RUN_LIMIT);
    // The deploy was faster than its killer, who is on the way.
    std::thread::park_timeout(RUN_LIMIT);
}
