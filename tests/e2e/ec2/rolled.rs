//! A cluster on EC2 gets another Mesos, killed on the way; and whatever may be undone is undone there when it has died in the middle:
//! another Mesos, slaves that were to come or to leave, another configuration, a stop, a start. No machine is doubled or unknown.

use std::collections::BTreeSet;

use mesosflow_tests::{Bench, Cloud, Hdfs, Point, RUN_LIMIT, until_up};

use super::stage::{ADMINS, CONFIG, Stage};
use crate::random::{Random, is_sweep};
use crate::redeployed::{SECOND, SILENT, SOUND, THIRD, all_run, cut_off, silenced, tarball};
use crate::stopped::{read, write};

/// From where administrators would come.
const ELSEWHERE: &str = "192.0.2.0/24";

/// What can be undone beside a configuration: everything in a sweep, one of these as a sample. Who stops the cluster is last.
const UNDOINGS: [fn(&mut Scene); 5] = [
    Scene::slaves_that_were_to_come,
    Scene::slaves_that_were_to_leave,
    Scene::another_mesos,
    Scene::a_stop,
    Scene::a_start,
];

/// A cluster that works, and what has to be true of it whatever was undone.
struct Scene {
    stage: Stage,
    random: Random,
    deploy: String,
    machines: BTreeSet<String>,
    /// A Mesos whose agents say nothing.
    silent: String,
}

#[test]
fn what_was_begun_on_ec2_is_gone_on_with_or_undone() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let [second, silent] = [(SECOND, SOUND), (THIRD, SILENT)]
        .map(|(version, done)| tarball(&bench, version, done).display().to_string());
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(&format!("{}{CONFIG}", bench.forgets_soon()));
    let mut stage = Stage::on(bench, cloud, 1, 2);
    let subnet = stage.cloud.subnet().id.clone();
    let deploy = stage.run(&["--subnet", &subnet]).ended(0).run();
    write(&stage.bench.nodes(&deploy), "before");
    let machines = ids(&stage, &deploy);

    stage.ended_once_killed(&mut random, &["redeploy", "--mesos-url", &second, "--yes"]);
    let sample = random.below(UNDOINGS.len() as u64);
    let mut scene = Scene {
        stage,
        random,
        deploy,
        machines,
        silent,
    };
    scene.is_as_before();
    scene.a_configuration();
    for (place, undoing) in (0..).zip(UNDOINGS) {
        if is_sweep() || place == sample {
            println!("undoing {place}");
            undoing(&mut scene);
        }
    }

    let Scene {
        mut stage,
        deploy,
        machines,
        ..
    } = scene;
    stage.destroy(&deploy);
    for id in &machines {
        stage.cloud.wait_gone(id);
    }
    let label = stage.cloud.label().to_owned();
    assert_eq!(stage.bench.engine().containers(&label), Vec::<String>::new());
}

impl Scene {
    /// Begins a workflow and kills it at that point; its run.
    fn begun(&mut self, args: &[&str], point: Point) -> String {
        cut_off(&mut self.stage.bench, args, point)
    }

    /// An unfinished run is undone, by a run that is killed on its way too.
    fn undone(&mut self, run: &str) {
        let args = ["rollback", run, "--yes"];
        self.stage.ended_once_killed(&mut self.random, &args);
        assert_eq!(self.stage.bench.status(run).state(), "closed");
    }

    /// Other tags, and administrators from elsewhere: neither is left.
    fn a_configuration(&mut self) {
        let file = format!(
            "{CONFIG}admin_cidr = ['{ELSEWHERE}']\n[ec2.tags]\nteam = 'blue'\n[hdfs]\nheap_mb = 230\n"
        );
        self.stage.bench.config(&file);
        let point = Point::item_started("restart-datanodes");
        let run = self.begun(&["configure", "--yes"], point);
        assert_eq!(teams(&self.stage), [Some("blue".to_owned())].into());
        self.stage.assert_doors(ELSEWHERE);
        self.undone(&run);
        assert_eq!(teams(&self.stage), [None].into());
        self.stage.assert_doors(ADMINS);
        self.stage.bench.config(CONFIG);
        self.is_as_before();
    }

    /// One machine is there, and on its way to become a slave.
    fn slaves_that_were_to_come(&mut self) {
        let run = self.begun(&["add-slaves", "1"], Point::item_started("setup-nodes"));
        let grown = ids(&self.stage, &self.deploy);
        assert_eq!(grown.len(), self.machines.len() + 1, "{grown:?}");
        self.undone(&run);
        for gone in grown.difference(&self.machines) {
            self.stage.cloud.wait_gone(gone);
        }
        self.is_as_before();
    }

    fn slaves_that_were_to_leave(&mut self) {
        let away = ["remove-slaves", "slave-2", "--yes"];
        let run = self.begun(&away, Point::started("hdfs-decommission"));
        self.undone(&run);
        self.is_as_before();
    }

    /// An agent is silent, which no master can mend.
    fn another_mesos(&mut self) {
        let nodes = self.stage.bench.nodes(&self.deploy);
        let redeploy = ["redeploy", "--mesos-url", &self.silent, "--yes"];
        let run = silenced(&mut self.stage.bench, &nodes, &redeploy);
        self.undone(&run);
        self.is_as_before();
    }

    /// Mesos and HDFS are down, and no machine yet, or some.
    fn a_stop(&mut self) {
        let run = self.begun(&["stop", "--yes"], Point::started("stop-machines"));
        self.undone(&run);
        self.is_as_after_a_stop();
    }

    /// What had come up is stopped once more, and starts.
    fn a_start(&mut self) {
        let bench = &mut self.stage.bench;
        bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0);
        let run = self.begun(&["start"], Point::started("persistent-hdfs-start"));
        self.undone(&run);
        for id in &self.machines {
            assert_eq!(self.stage.cloud.world().instance(id).state, "stopped");
        }
        let bench = &mut self.stage.bench;
        let view = bench.say(&["clusters", "--json"]).ended(0).json();
        assert_eq!(view[0]["state"], "stopped", "{view}");
        bench.start(&["start"]).finish(RUN_LIMIT).ended(0);
        self.is_as_after_a_stop();
    }

    /// Neither file system has lost anything.
    #[track_caller]
    fn is_as_before(&mut self) {
        self.is_whole();
        read(&self.stage.bench.nodes(&self.deploy), "before");
    }

    /// A machine that stops loses what is on its instance-store disks, and nothing else.
    #[track_caller]
    fn is_as_after_a_stop(&mut self) {
        self.is_whole();
        let kept = Hdfs::Persistent.command("dfs -cat /before");
        let nodes = self.stage.bench.nodes(&self.deploy);
        assert_eq!(nodes.hub().ask(&kept), "written before");
    }

    /// Those machines and no others, of the Mesos that was rolled out; and the journal knows what there is.
    #[track_caller]
    fn is_whole(&mut self) {
        assert_eq!(ids(&self.stage, &self.deploy), self.machines);
        self.stage.assert_as_planned(&self.deploy);
        let nodes = self.stage.bench.nodes(&self.deploy);
        until_up(&nodes);
        all_run(&mut self.stage.bench, &nodes, SECOND, 3);
    }
}

/// The team in the tags of everything that the cluster has.
fn teams(stage: &Stage) -> BTreeSet<Option<String>> {
    let world = stage.cloud.world();
    let machines = world.alive_instances().into_iter().map(|machine| machine.tags);
    let groups = world.groups(&stage.cluster).into_iter().map(|group| group.tags);
    let tags = machines.chain(groups);
    tags.filter(|tags| tags.get("mesosflow:cluster") == Some(&stage.cluster))
        .map(|tags| tags.get("team").cloned())
        .collect()
}

/// The cluster's instances that are there.
fn ids(stage: &Stage, deploy: &str) -> BTreeSet<String> {
    stage
        .machines(deploy)
        .into_iter()
        .map(|machine| machine.id)
        .collect()
}
