//! What was begun on the slaves of a cluster that works is undone, wherever it died; and what made the cluster acts on it as it is then.

use mesosflow_tests::{Bench, RUN_LIMIT};

use crate::changed::{cut_off, ended, has};
use crate::random::Random;
use crate::stopped::{killed, read, write};

#[test]
fn slaves_that_were_to_come_or_to_leave_do_not() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    bench.config(bench.forgets_soon());
    let cluster = bench.cluster();
    let deploy = bench
        .start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    write(&bench.nodes(&deploy), "before");

    // What was to be added goes again, wherever its addition died, and be its machine dead by then; its number is never given to another.
    let add = cut_off(&mut bench, &mut random, &["add-slaves", "1"], "setup-nodes");
    let mut added = bench.engine().containers(&cluster);
    added.retain(|name| name.contains("-slave-3-"));
    bench
        .engine()
        .run(&["rm", "--force", "--time", "0", &added[0]])
        .ok();
    let back = killed(&mut bench, &mut random, &["rollback", &add, "--yes"]);
    ended(&bench, &back);
    has(&mut bench, &cluster, &back, &["slave-1", "slave-2"]);
    bench
        .say(&["rollback", &back, "--yes"])
        .ended(3)
        .complains(&[&back, "no undo"]);

    // What was to leave stays.
    let away = ["remove-slaves", "slave-2", "--yes"];
    let remove = cut_off(&mut bench, &mut random, &away, "hdfs-decommission");
    bench.say(&["rollback", "--yes"]).ended(0);
    assert_eq!(bench.status(&remove).state(), "closed");
    let whole = has(&mut bench, &cluster, &deploy, &["slave-1", "slave-2"]);
    read(&whole, "before");

    // The deploy's own steps, on the slaves that there are.
    bench
        .start(&["replay", "--from", "hdfs-format", "--to", "hdfs-start", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    bench.start(&["resume", &deploy]).finish(RUN_LIMIT).ended(0);
    ended(&bench, &deploy);
    let whole = has(&mut bench, &cluster, &deploy, &["slave-1", "slave-2"]);
    let gone = whole
        .hub()
        .run("/root/ephemeral-hdfs/bin/hdfs dfs -test -e /before");
    assert_eq!(gone.code, 1, "{}", gone.err);
    one_of_those_who_stay_all_the_same_is_gone(&mut bench, &mut random, &cluster);
    bench
        .start(&["destroy", "--cluster", &cluster, "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
    assert_eq!(bench.engine().networks(&cluster), Vec::<String>::new());
}

/// A removal of two is undone when the machine of one of them has gone by itself: that one is a node still, and it is told, and how it is mended.
fn one_of_those_who_stay_all_the_same_is_gone(bench: &mut Bench, random: &mut Random, cluster: &str) {
    bench
        .start(&["add-slaves", "1", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    let containers = bench.engine().containers(cluster);
    let is_next = |name: &String| name.contains("-slave-4-");
    assert!(containers.iter().any(is_next), "{containers:?}");
    // No addition has ever stopped Mesos on it.
    bench
        .start(&["replay", "--from", "cluster-health", "--only"])
        .finish(RUN_LIMIT)
        .ended(0);
    cut_off(
        bench,
        random,
        &["remove-slaves", "--count", "2", "--yes"],
        "hdfs-decommission",
    );
    let mut lost = bench.engine().containers(cluster);
    lost.retain(|name| name.contains("-slave-2-"));
    bench
        .engine()
        .run(&["rm", "--force", "--time", "0", &lost[0]])
        .ok();
    let back = bench.start(&["rollback", "--yes"]).finish(RUN_LIMIT).ended(0);
    let name = format!("{cluster}-slave-2");
    let run = back.run();
    assert!(back.err.contains(&format!("replace-node {name}")), "{}", back.err);
    assert_eq!(bench.status(&run).state(), "partial");
    let view = bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(view[0]["slaves"], 3, "{view}");
    let check = bench.say(&["check", "--json"]);
    assert!(!check.err.contains("none of its nodes"), "{}", check.err);
    assert_eq!(check.json()["healthy"], false);
}
