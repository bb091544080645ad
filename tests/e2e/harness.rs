//! The scenarios themselves leave nothing behind: a test that is killed with `kill -9` in the middle of a deploy is cleaned up
//! after, programs, containers, networks and folder.

use std::path::Path;

use mesosflow_tests::{Bench, Point, RUN_LIMIT, Watch, until};

use crate::victim::Victim;

const NAME: &str = "harness::a_test_that_is_killed_leaves_nothing_behind";

#[test]
fn a_test_that_is_killed_leaves_nothing_behind() {
    if Victim::is_this() {
        return be_killed();
    }
    let victim = Victim::start(NAME);
    let [cluster, folder, pid] = &victim.told.clone()[..] else {
        panic!("{:?}", victim.told)
    };
    let bench = Bench::new();
    assert!(
        !bench.engine().containers(cluster).is_empty(),
        "the victim has no nodes"
    );
    victim.kill();

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
    Victim::tell(&[&cluster, &bench.path("").display(), &live.pid()]);
    live.finish(RUN_LIMIT);
    // The deploy was faster than its killer, who is on the way.
    std::thread::park_timeout(RUN_LIMIT);
}
