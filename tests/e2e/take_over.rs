//! Two journals of one cluster, as after a restore or on two machines: no lock is between them, so the nodes decide. The one
//! that knows less is refused until it is told to take over; the other, stopped meanwhile (SIGSTOP) and let go on, acts on no
//! node from then on, and can destroy nothing.

use mesosflow_tests::{Bench, Node, Point, RUN_LIMIT, Watch, assert_healthy};

/// What a driver that goes on in section 2 would change: files that it writes, and daemons that it starts anew.
const LOOK: &str = r#"find /etc /opt /root /usr /var/lib/mesosflow -xdev -newer /run/taken-over ! -path '*/fence/*'
for name in mesos-master mesos-agent java ganesha.nfsd; do
  for pid in $(pgrep -x "$name"); do echo "$name $pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; done
done"#;

#[test]
fn a_driver_that_was_stopped_and_taken_over_from_acts_no_more() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let original = bench.path("original/journal.sqlite");
    let copy = bench.path("copy/journal.sqlite");
    bench.set_journal(original.clone());
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::succeeded("cluster-inputs"));
    live.kill();
    copied(&bench);

    // Section 2, in the hands of a driver of whom the copy knows nothing.
    let events = bench.history(&run).events().len() as u64;
    let mut stopped = bench.start(&["resume", &run]);
    let point = Point::item_started("setup-nodes");
    Watch::new(bench.journal(), &run, events).point(&mut stopped, RUN_LIMIT, point);
    stopped.pause();
    // Its own journal it still holds, and says how it can be ended.
    let pid = stopped.pid().to_string();
    bench
        .say(&["resume", &run])
        .ended(3)
        .complains(&["stopped", &format!("kill -9 {pid}")]);

    bench.set_journal(copy.clone());
    bench
        .say(&["resume", &run])
        .ended(3)
        .complains(&["another driver", "--take-over"]);
    bench
        .say(&["resume", &run, "--take-over"])
        .ended(3)
        .complains(&["--yes"]);
    bench
        .start(&["resume", &run, "--take-over", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    bench.status(&run).all_done();
    let nodes = bench.nodes(&run);
    assert_healthy(&nodes);

    for node in nodes.all() {
        node.ask("touch /run/taken-over");
    }
    let look = |node: &Node| node.ask(LOOK);
    let before: Vec<_> = nodes.all().iter().map(look).collect();
    assert!(before.iter().all(|seen| seen.contains("java")), "{before:?}");
    stopped.go_on();
    let said = stopped.finish(RUN_LIMIT).ended(3);
    said.complains(&[&format!("another driver has taken cluster `{cluster}` over")]);
    bench.set_journal(original);
    // Nor does it get there by trying again: its number grows, its descent does not.
    for command in [&["destroy", &run, "--yes"][..], &["resume", &run]].repeat(2) {
        bench.say(command).ended(3).complains(&["epoch"]);
    }
    let after: Vec<_> = nodes.all().iter().map(look).collect();
    assert_eq!(after, before, "it has acted");
    assert_eq!(bench.engine().containers(&cluster), nodes.containers());

    bench.set_journal(copy);
    assert_healthy(&bench.nodes(&run));
    bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
}

/// Before a node is there that could refuse, the machines say who made them. Both journals are in the same epoch here.
#[test]
fn a_machine_of_an_unknown_driver_is_neither_used_nor_deleted() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let original = bench.path("original/journal.sqlite");
    bench.set_journal(original);
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::succeeded("security-groups"));
    live.kill();
    copied(&bench);

    // A machine that the first driver was about to make is made anew, so that all are the second one's.
    for container in bench.engine().containers(&cluster) {
        bench
            .engine()
            .run(&["rm", "--force", "--volumes", &container])
            .ok();
    }
    let mut live = bench.start(&["resume", &run]);
    watch.point(&mut live, RUN_LIMIT, Point::item_started("await-nodes"));
    live.kill();
    let made = bench.engine().containers(&cluster);
    let label = |name: &str| {
        let template = format!("{{{{index .Config.Labels \"org.mesosflow.{name}\"}}}}");
        let labels = made.iter().map(|container| {
            let args = ["container", "inspect", "--format", &template, container];
            bench.engine().run(&args).ok().trim().to_owned()
        });
        labels.collect::<std::collections::BTreeSet<_>>()
    };
    let (drivers, clusters) = (label("driver"), label("cluster-id"));
    assert!(
        drivers.len() == 1 && clusters.len() == 1,
        "{drivers:?} {clusters:?}"
    );
    assert!(!drivers.contains("") && !clusters.contains(""));

    bench.set_journal(bench.path("copy/journal.sqlite"));
    let words = ["made by another driver", &format!("resume {run} --take-over")];
    bench.say(&["resume", &run]).ended(3).complains(&words[..1]);
    assert_eq!(bench.engine().containers(&cluster), made);
    bench.say(&["resume", &run, "--take-over"]).ended(3).complains(&[
        "machines were made by",
        words[1],
        "--yes",
    ]);
    let after = bench.history(&run).events().len() as u64;
    let mut live = bench.start(&["resume", &run, "--take-over", "--yes"]);
    let point = Point::item_started("await-nodes");
    Watch::new(bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
    live.kill();
    assert_eq!(bench.engine().containers(&cluster), made);
    bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
}

/// Copies the journal's folder, with the cluster's key, while nobody drives.
fn copied(bench: &Bench) {
    let done = std::process::Command::new("cp")
        .args(["--archive", "original", "copy"])
        .current_dir(bench.path(""))
        .status();
    assert!(done.unwrap().success());
}
