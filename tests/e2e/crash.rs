//! `kill -9` of the controller, again and again, at named points and at random moments: the run is free at once and can be
//! resumed to its end; nothing that had succeeded is started again; each HDFS is formatted once; there is no second
//! container and no orphan.

use std::collections::BTreeSet;
use std::time::Duration;

use mesosflow_tests::{
    Bench, FileSystem, Hdfs, History, Live, Nodes, Point, RUN_LIMIT, Reached, Seen, Watch, assert_healthy,
};

use crate::random::{Random, is_sweep};

/// How often a run is killed before it may end, here and in a sweep: a run that can only be killed ever earlier would not end.
const KILLS: usize = 9;
const SWEPT: usize = 24;

/// Points in the order in which a run comes to them. Where two branches run side by side, one may be missed.
const POINTS: [Point; 16] = [
    Point::started("security-groups"),
    Point::item_started("launch-slaves"),
    Point::item_started("launch-masters"),
    Point::item_started("await-nodes"),
    Point::started("render-config"),
    Point::started("push-config"),
    Point::item_succeeded("setup-nodes"),
    Point::started("build-mesos"),
    Point::started("nfs-export"),
    Point::started("hdfs-format"),
    Point::started("persistent-hdfs-format"),
    Point::succeeded("hdfs-format"),
    Point::started("hdfs-start"),
    Point::item_started("mesos-stop"),
    Point::started("mesos-start"),
    Point::started("cluster-health"),
];

#[test]
fn a_run_that_is_killed_at_named_points_is_resumed_to_its_end() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut crashes = Crashes::new(cluster.clone(), 2);
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    crashes.run = live.run();
    live = crashes.at_points(&mut bench, live, &POINTS);
    crashes.end(&mut bench, live, 10);
    replays_are_resumed_in_their_generation(&mut bench, &mut crashes);
    crashes.destroy(&mut bench);
}

/// A replay that is killed goes on in its own generation: what it replaces is replaced once.
fn replays_are_resumed_in_their_generation(bench: &mut Bench, crashes: &mut Crashes) {
    let (run, old) = (crashes.run.clone(), bench.engine().containers(&crashes.cluster));
    crashes.replays(&[Hdfs::Ephemeral]);
    let live = bench.start(&["replay", &run, "--from", "hdfs-format", "--yes"]);
    let points = ["hdfs-format", "hdfs-start", "mesos-start"].map(Point::started);
    let live = crashes.at_points(bench, live, &points);
    crashes.end(bench, live, 2);
    assert_eq!(bench.status(&run).generation(), 2);
    assert_eq!(bench.engine().containers(&crashes.cluster), old);

    crashes.replays(&Hdfs::BOTH);
    let live = bench.start(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    let points = ["launch-slaves", "launch-masters", "await-nodes"].map(Point::item_started);
    let live = crashes.at_points(bench, live, &points);
    crashes.end(bench, live, 2);
    assert_eq!(bench.status(&run).generation(), 3);
    let new = bench.engine().containers(&crashes.cluster);
    assert!(
        new.iter().all(|name| !old.contains(name)),
        "an old node is left: {new:?}"
    );
}

#[test]
fn a_run_that_is_killed_at_random_moments_is_resumed_to_its_end() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut crashes = Crashes::new(cluster.clone(), 6);
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "1"]);
    crashes.run = live.run();
    let most = if is_sweep() { SWEPT } else { KILLS };
    while crashes.kills < most {
        let (events, pause) = (random.below(45), Duration::from_millis(random.below(300)));
        let aim = crashes.events + events;
        let mut watch = Watch::new(bench.journal(), &crashes.run, crashes.events);
        let reached = watch.until(&mut live, RUN_LIMIT, |seen| seen.seq >= aim);
        // Not to wait for anything: so that the kill falls between two events, not always onto one.
        std::thread::sleep(pause);
        if matches!(reached, Reached::End) || live.ended().is_some() {
            break;
        }
        live = crashes.kill_and_resume(&mut bench, live, &format!("{events} events and {pause:?}"));
    }
    crashes.end(&mut bench, live, 4);
    crashes.destroy(&mut bench);
}

/// What has to stay so over all kills.
struct Crashes {
    cluster: String,
    run: String,
    nodes: usize,
    kills: usize,
    /// How many events there were after the last kill.
    events: u64,
    generation: u64,
    /// Each file system as it was first seen complete in this generation.
    formatted: [Option<FileSystem>; 2],
    /// Those that this generation replaces.
    replaced: Vec<FileSystem>,
}

impl Crashes {
    fn new(cluster: String, nodes: usize) -> Self {
        let run = String::new();
        let formatted = [None, None];
        Self {
            cluster,
            run,
            nodes,
            kills: 0,
            events: 0,
            generation: 1,
            formatted,
            replaced: Vec::new(),
        }
    }

    /// A new generation, which replaces these file systems.
    fn replays(&mut self, replaced: &[Hdfs]) {
        self.generation += 1;
        self.kills = 0;
        for hdfs in replaced {
            self.replaced.extend(self.formatted[*hdfs as usize].take());
        }
    }

    /// Kills the run at each of the points and resumes it.
    fn at_points(&mut self, bench: &mut Bench, mut live: Live, points: &[Point]) -> Live {
        for point in points {
            let mut watch = Watch::new(bench.journal(), &self.run, self.events);
            // Side by side with another one, a step may have come to its end already.
            if bench.history(&self.run).has_outcome(self.generation, point.step) {
                continue;
            }
            let is_it = |seen: &Seen| seen.is(*point) || seen.is(Point::succeeded(point.step));
            match watch.until(&mut live, RUN_LIMIT, is_it) {
                Reached::Point(_) => live = self.kill_and_resume(bench, live, &format!("{point:?}")),
                Reached::End => break,
            }
        }
        live
    }

    fn kill_and_resume(&mut self, bench: &mut Bench, live: Live, at: &str) -> Live {
        live.kill();
        let status = bench.status(&self.run);
        if status.state() == "succeeded" {
            // It was faster, and there is nothing to resume.
            return bench.start(&["status", &self.run]);
        }
        self.kills += 1;
        println!("kill {} at {at}", self.kills);
        assert_eq!(status.state(), "crashed", "after the kill at {at}");
        self.see(bench, at);
        let mut live = bench.start(&["resume", &self.run]);
        assert_eq!(live.run(), self.run);
        live
    }

    /// Looks at the world as it is between a kill and a resume, or at the end.
    fn see(&mut self, bench: &Bench, at: &str) {
        let history = bench.history(&self.run);
        history.assert_nothing_done_twice();
        self.events = history.events().len() as u64;
        let networks = bench.engine().networks(&self.cluster);
        assert!(networks.len() <= 1, "{networks:?} after the kill at {at}");
        let containers = bench.engine().containers(&self.cluster);
        assert!(
            containers.len() <= self.nodes,
            "{containers:?} after the kill at {at}"
        );
        let nodes = bench.nodes(&self.run);
        if nodes.of("master").is_empty() {
            return;
        }
        for (hdfs, first) in Hdfs::BOTH.into_iter().zip(&mut self.formatted) {
            let now = hdfs
                .formatted(nodes.hub())
                .filter(|now| !self.replaced.contains(now));
            match (&*first, now) {
                (None, now) => *first = now,
                (Some(first), now) => {
                    assert_eq!(
                        now.as_ref(),
                        Some(first),
                        "formatted again after the kill at {at}"
                    );
                }
            }
        }
    }

    fn end(&mut self, bench: &mut Bench, live: Live, at_least: usize) {
        live.finish(RUN_LIMIT).ended(0);
        assert!(self.kills >= at_least, "killed only {} times", self.kills);
        bench.status(&self.run).all_done();
        let history = bench.history(&self.run);
        history.assert_well_formed();
        self.see(bench, "the end");
        let nodes = bench.nodes(&self.run);
        assert_eq!(bench.engine().containers(&self.cluster), nodes.containers());
        assert_eq!(nodes.all().len(), self.nodes);
        assert_eq!(bench.engine().networks(&self.cluster).len(), 1);
        self.recorded(&history, &nodes);
        assert_healthy(&nodes);
    }

    /// Asserts that the journal knows of each thing that was made, once, and that what exists now is what it says.
    fn recorded(&self, history: &History, nodes: &Nodes) {
        let ids = |kind: &str| -> Vec<String> {
            let events = history.events().iter().filter(|event| event["kind"] == kind);
            events
                .map(|event| event["resource"]["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let (created, deleted) = (ids("resource_created"), ids("resource_deleted"));
        let once: BTreeSet<_> = created.iter().collect();
        assert_eq!(once.len(), created.len(), "recorded twice: {created:?}");
        let mut exist: Vec<_> = created.into_iter().filter(|id| !deleted.contains(id)).collect();
        exist.retain(|id| !nodes.containers().contains(id));
        assert_eq!(exist.len(), 1, "only the network is no node: {exist:?}");
        assert_eq!(nodes.all().len(), self.nodes);
    }

    fn destroy(self, bench: &mut Bench) {
        bench.say(&["destroy", &self.run, "--yes"]).ended(0);
        assert_eq!(bench.engine().containers(&self.cluster), Vec::<String>::new());
        assert_eq!(bench.engine().networks(&self.cluster), Vec::<String>::new());
    }
}
