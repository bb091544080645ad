//! `kill -9` while machines are launched, the moment at which one can be made that nobody knows of: `resume` finds what was
//! made and adds what is missing, `destroy` removes it, and a call of the engine that outlives its caller leaves nothing.

use std::process::Command;
use std::time::Duration;

use mesosflow_tests::{Bench, Point, RUN_LIMIT, Watch, until};

use crate::random::Random;

/// How often each way out is taken.
const ROUNDS: usize = 3;
/// Two masters, one slave, three ZooKeepers.
const NODES: usize = 6;

#[test]
fn a_run_that_is_killed_while_machines_are_launched_leaves_no_stranger() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    slow_engine(&mut bench);
    for _ in 0..ROUNDS {
        let (run, cluster) = killed(&mut bench, &mut random, 1800);
        let events = bench.history(&run).events().len() as u64;
        let mut live = bench.start(&["resume", &run]);
        Watch::new(bench.journal(), &run, events).point(
            &mut live,
            RUN_LIMIT,
            Point::started("render-config"),
        );
        live.kill();
        all_known(&bench, &run, &cluster);
        destroyed(&mut bench, &run, &cluster);

        // While all calls of the engine still hesitate: they come in the middle of `destroy`.
        let (run, cluster) = killed(&mut bench, &mut random, 900);
        destroyed(&mut bench, &run, &cluster);
    }
}

/// The engine, but that it hesitates before it makes a container: so long that the caller is dead, and the next one at
/// work, when it does.
fn slow_engine(bench: &mut Bench) {
    bench.wrap_engine("case \" $* \" in *' create --name '*) sleep 1 ;; esac");
}

fn killed(bench: &mut Bench, random: &mut Random, within_ms: u64) -> (String, String) {
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "1"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::item_started("launch-slaves"));
    // Not to wait for anything: so that the kill falls anywhere within the launch.
    let pause = Duration::from_millis(random.below(within_ms));
    std::thread::sleep(pause);
    live.kill();
    println!("killed {pause:?} into the launch of {cluster}");
    assert_eq!(bench.status(&run).state(), "crashed");
    (run, cluster)
}

/// What exists is what was planned, and the journal knows of it.
fn all_known(bench: &Bench, run: &str, cluster: &str) {
    let containers = bench.engine().containers(cluster);
    assert_eq!(containers.len(), NODES, "{containers:?}");
    assert_eq!(bench.nodes(run).containers(), containers);
    let history = bench.history(run);
    history.assert_nothing_done_twice();
    let created = history
        .of("resource_created", 1)
        .map(|event| event["resource"]["id"].as_str().unwrap());
    let mut created: Vec<_> = created
        .filter(|id| containers.iter().any(|container| container == id))
        .collect();
    created.sort_unstable();
    assert_eq!(created, containers, "recorded machines");
}

fn destroyed(bench: &mut Bench, run: &str, cluster: &str) {
    bench.say(&["destroy", run, "--yes"]).ended(0);
    // Calls that the killed process made go on without it; only after the last of them is the world as it stays.
    until("the end of the engine's calls", RUN_LIMIT, || {
        let program = &bench.engine().words()[0];
        let calls = Command::new("pgrep")
            .args(["-f", &format!("{program} .*{cluster}")])
            .output()
            .unwrap();
        calls.stdout.is_empty().then_some(())
    });
    assert_eq!(
        bench.engine().containers(cluster),
        Vec::<String>::new(),
        "machines after destroy"
    );
    assert_eq!(
        bench.engine().networks(cluster),
        Vec::<String>::new(),
        "networks after destroy"
    );
}
