//! A slave whose instance EC2 ends in the middle of what changes its cluster: the workflow goes on without it or stops, and the commands
//! that it names make the cluster whole again, with the data that it had.

use std::collections::BTreeSet;

use mesosflow_tests::{Bench, Cloud, Hdfs, Point, RUN_LIMIT, Said, Watch, until_up};

use super::stage::{CONFIG, Stage};
use crate::random::{Random, is_sweep};
use crate::redeployed::{SECOND, SOUND, tarball};
use crate::stopped::write;

/// What changes a cluster: everything in a sweep, one of these as a sample.
const CHANGES: [fn(&mut Scene); 8] = [
    Scene::one_comes,
    Scene::one_leaves,
    Scene::one_gets_another_machine,
    Scene::another_mesos,
    Scene::another_configuration,
    Scene::the_stop,
    Scene::the_start,
    Scene::a_replay,
];
/// The slave whose machine ends, and one beside it.
const DYING: &str = "slave-2";
const OTHER: &str = "slave-3";
/// How many commands in a row may name a further one.
const COMMANDS: usize = 4;

struct Scene {
    stage: Stage,
    deploy: String,
    /// The slaves that the cluster is to have, without its name before theirs.
    slaves: BTreeSet<String>,
    second: String,
}

#[test]
fn a_machine_that_ends_in_the_middle_of_a_change_costs_no_cluster() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let second = tarball(&bench, SECOND, SOUND).display().to_string();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(CONFIG);
    let mut stage = Stage::on(bench, cloud, 1, 3);
    let subnet = stage.cloud.subnet().id.clone();
    let deploy = stage.run(&["--subnet", &subnet]).ended(0).run();
    write(&stage.bench.nodes(&deploy), "before");
    let slaves = (1..=3).map(|index| format!("slave-{index}")).collect();
    let mut scene = Scene {
        stage,
        deploy,
        slaves,
        second,
    };
    let sample = random.below(CHANGES.len() as u64);
    for (place, change) in (0..).zip(CHANGES) {
        if is_sweep() || place == sample {
            println!("change {place}");
            change(&mut scene);
            scene.is_whole();
        }
    }
    let Scene {
        mut stage, deploy, ..
    } = scene;
    stage.destroy(&deploy);
}

impl Scene {
    fn one_comes(&mut self) {
        self.change(&["add-slaves", "1", "--yes"], Point::item_started("setup-nodes"));
        self.slaves.insert("slave-4".to_owned());
    }

    fn one_leaves(&mut self) {
        let away = ["remove-slaves", OTHER, "--yes"];
        self.change(&away, Point::started("hdfs-decommission"));
        self.slaves.remove(OTHER);
        let add = self.stage.bench.start(&["add-slaves", "1", "--yes"]);
        self.mended(add.finish(RUN_LIMIT).ended(0));
        // A number is given once.
        let next = ["slave-4", "slave-5"].map(ToOwned::to_owned);
        let next = next.into_iter().find(|name| !self.slaves.contains(name));
        self.slaves.extend(next);
    }

    fn one_gets_another_machine(&mut self) {
        let other = self.slaves.iter().find(|name| *name != DYING).unwrap().clone();
        let replace = ["replace-node", &other, "--yes"];
        self.change(&replace, Point::item_started("setup-nodes"));
    }

    fn another_mesos(&mut self) {
        let second = self.second.clone();
        let redeploy = ["redeploy", "--mesos-url", &second, "--yes"];
        self.change(&redeploy, Point::started("roll-agents"));
    }

    fn another_configuration(&mut self) {
        let file = format!("{CONFIG}[hdfs]\nheap_mb = 230\n");
        self.stage.bench.config(&file);
        self.change(&["configure", "--yes"], Point::item_started("restart-datanodes"));
    }

    fn the_stop(&mut self) {
        self.change(&["stop", "--yes"], Point::started("stop-machines"));
        let start = self.stage.bench.start(&["start"]);
        self.mended(start.finish(RUN_LIMIT));
        self.write_what_a_stop_costs();
    }

    fn the_start(&mut self) {
        let stop = self.stage.bench.start(&["stop", "--yes"]);
        stop.finish(RUN_LIMIT).ended(0);
        self.change(&["start"], Point::started("persistent-hdfs-start"));
        self.write_what_a_stop_costs();
    }

    fn a_replay(&mut self) {
        let replay = ["replay", "--from", "setup-options", "--yes"];
        self.change(&replay, Point::started("hdfs-start"));
    }

    /// A machine that stops loses what is on its instance-store disks.
    fn write_what_a_stop_costs(&self) {
        let nodes = self.stage.bench.nodes(&self.deploy);
        let put = Hdfs::Ephemeral.command("dfs -put -f - /before");
        nodes.hub().ask(&format!("echo 'written before' | {put}"));
    }

    /// Begins a run, has the machine end at that point, and does what is said then.
    fn change(&mut self, args: &[&str], point: Point) {
        let name = format!("{}-{DYING}", self.stage.cluster);
        let mut machines = self.stage.cloud.world().all_instances().into_iter();
        let dying = machines
            .find(|it| !it.is_over() && it.tag("Name") == name)
            .unwrap();
        let known = self.stage.bench.history(&self.deploy).events().len() as u64;
        let mut live = self.stage.bench.start(args);
        let run = live.run();
        let after = if run == self.deploy { known } else { 0 };
        Watch::new(self.stage.bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
        self.stage.cloud.world().terminate(&dying.id);
        self.mended(live.finish(RUN_LIMIT));
    }

    /// Does what the program says, as long as it says something.
    fn mended(&mut self, mut said: Said) {
        for _ in 0..COMMANDS {
            let Some(next) = named(&format!("{}\n{}", said.out, said.err)) else {
                said.ended(0);
                return;
            };
            println!("{next:?} after exit code {}", said.code);
            let mut words: Vec<_> = next.iter().map(String::as_str).collect();
            if words[0] == "replace-node" {
                words.push("--yes");
            }
            said = self.stage.bench.start(&words).finish(RUN_LIMIT);
        }
        panic!("after {COMMANDS} commands another one is named: {said:?}");
    }

    #[track_caller]
    fn is_whole(&mut self) {
        let of = |name: &str| format!("{}-{name}", self.stage.cluster);
        let machines = self.stage.cloud.world().alive_instances().into_iter();
        let there: BTreeSet<_> = machines.map(|machine| machine.tag("Name").to_owned()).collect();
        let mut wanted: BTreeSet<_> = self.slaves.iter().map(|name| of(name)).collect();
        wanted.insert(of("master-1"));
        assert_eq!(there, wanted);
        let nodes = self.stage.bench.nodes(&self.deploy);
        until_up(&nodes);
        let check = self.stage.bench.check();
        assert_eq!(check["healthy"], true, "{check}");
        for hdfs in Hdfs::BOTH {
            let text = nodes.hub().ask(&hdfs.command("dfs -cat /before"));
            assert_eq!(text, "written before", "{}", hdfs.word());
        }
    }
}

/// The command that is named as the way on: another machine, or the run itself.
fn named(said: &str) -> Option<Vec<String>> {
    ["replace-node", "resume"].iter().find_map(|command| {
        let (_, rest) = said.split_once(&format!("mesosflow {command} "))?;
        let argument = rest
            .split(|c: char| c.is_whitespace() || "`;,".contains(c))
            .next()?;
        Some(vec![(*command).to_owned(), argument.to_owned()])
    })
}
