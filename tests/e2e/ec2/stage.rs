//! What the EC2 scenarios stand on: a bench, a cloud, one cluster, and what has to be true of the account.

use std::collections::BTreeSet;

use mesosflow_tests::{AMI_FULL, Bench, Cloud, Instance, Live, Point, RUN_LIMIT, Said, Seen, Watch};

use crate::random::Random;

/// From where the administrators come in these scenarios.
pub(crate) const ADMINS: &str = "203.0.113.0/24";

/// What machines behind the instances need: the slaves' kernel has no NFS client, and what moto launches it shows at once.
pub(super) const CONFIG: &str = "[shared_volume]\nfallback = 'sshfs'\n[ec2]\nsettle_limit_s = 1\n";

/// A cluster in a cloud. The cloud ends before the bench.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) bench: Bench,
    pub(super) cluster: String,
    pub(super) masters: usize,
    pub(super) slaves: usize,
}

impl Stage {
    /// A small cluster, with nothing behind its instances.
    pub(super) fn new() -> Self {
        let mut bench = Bench::new();
        let cloud = Cloud::start(&mut bench);
        // What moto launches it shows at once.
        bench.config("[ec2]\nsettle_limit_s = 1\n");
        Self::on(bench, cloud, 1, 1)
    }

    /// A cluster of that size.
    pub(super) fn on(mut bench: Bench, cloud: Cloud, masters: usize, slaves: usize) -> Self {
        let cluster = bench.cluster();
        Self {
            cloud,
            bench,
            cluster,
            masters,
            slaves,
        }
    }

    /// Another cluster in the same account.
    pub(super) fn next(&mut self) {
        self.cluster = self.bench.cluster();
    }

    fn zookeepers(&self) -> usize {
        if self.masters > 1 { 3 } else { 0 }
    }

    /// The words that bring the cluster up, and further ones.
    pub(super) fn words(&self, further: &[&str]) -> Vec<String> {
        let (masters, slaves) = (self.masters.to_string(), self.slaves.to_string());
        let endpoint = self.cloud.endpoint();
        let mut words = vec!["run", "--provider", "ec2", "--endpoint-url", &endpoint];
        words.extend([
            "--cluster",
            &self.cluster,
            "--masters",
            &masters,
            "--slaves",
            &slaves,
        ]);
        words.extend(["--admin-cidr", ADMINS]);
        if !further.contains(&"--ami") {
            words.extend(["--ami", AMI_FULL]);
        }
        words.extend(further);
        words.into_iter().map(str::to_owned).collect()
    }

    /// Starts the run.
    pub(super) fn start(&mut self, further: &[&str]) -> Live {
        let words = self.words(further);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.bench.start(&words)
    }

    /// Runs to the end.
    pub(super) fn run(&mut self, further: &[&str]) -> Said {
        self.start(further).finish(RUN_LIMIT)
    }

    /// Lets a run that has been started come to the point where it waits for machines, and ends it there: behind these
    /// instances there are none.
    pub(super) fn until_machines(&mut self, mut live: Live, after: u64) -> String {
        let run = live.run();
        let point = Point::item_started("await-nodes");
        Watch::new(self.bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
        live.kill();
        run
    }

    /// Goes on with a run up to the same point.
    pub(super) fn resume_until_machines(&mut self, run: &str) {
        let after = self.bench.history(run).events().len() as u64;
        let live = self.bench.start(&["resume", run]);
        self.until_machines(live, after);
    }

    /// Runs a workflow that is killed once on its way; its run.
    pub(super) fn ended_once_killed(&mut self, random: &mut Random, args: &[&str]) -> String {
        let mut live = self.bench.start(args);
        let run = live.run();
        let due = 1 + random.below(60);
        let reached = |seen: &Seen| seen.seq > due;
        Watch::new(self.bench.journal(), &run, 0).until(&mut live, RUN_LIMIT, reached);
        live.kill();
        if self.bench.status(&run).state() != "succeeded" {
            self.bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
        }
        assert_eq!(self.bench.status(&run).state(), "succeeded");
        run
    }

    /// SSH is let in from there, and from nowhere else.
    #[track_caller]
    pub(super) fn assert_doors(&self, wanted: &str) {
        let groups = self.cloud.world().groups(&self.cluster);
        let rules = groups.iter().flat_map(|group| &group.rules);
        let from: Vec<_> = rules
            .filter(|rule| rule.what == "tcp 22-22")
            .map(|rule| rule.from.as_str())
            .collect();
        assert!(
            !from.is_empty() && from.iter().all(|from| *from == wanted),
            "{from:?}"
        );
    }

    /// The run's machines that are alive.
    pub(super) fn machines(&self, run: &str) -> Vec<Instance> {
        let mut alive = self.cloud.world().alive_instances();
        alive.retain(|instance| instance.tag("mesosflow:run") == run);
        alive
    }

    /// Asserts that exactly the planned machines exist, each once, in their groups, whose rules are all there; and that the
    /// journal knows exactly what the account has.
    #[track_caller]
    pub(super) fn assert_as_planned(&self, run: &str) {
        let machines = self.machines(run);
        let mut names: Vec<_> = machines
            .iter()
            .map(|instance| instance.tag("Name").to_owned())
            .collect();
        names.sort();
        assert_eq!(names, self.planned(), "machines of {run}");
        let groups = self.cloud.world().groups(&self.cluster);
        let of = |role: &str| {
            let name = match role {
                "master" => format!("{}-master", self.cluster),
                "slave" => format!("{}-slaves", self.cluster),
                _ => format!("{}-zoo", self.cluster),
            };
            let mut found = groups.iter().filter(|group| group.name == name);
            let group = found.next().unwrap_or_else(|| panic!("no group {name}"));
            assert!(found.next().is_none(), "two groups {name}");
            group
        };
        for role in ["master", "slave", "zookeeper"] {
            let group = of(role);
            for other in ["master", "slave", "zookeeper"] {
                let id = &of(other).id;
                let lets_in = group
                    .rules
                    .iter()
                    .filter(|rule| rule.what == "all" && rule.from == *id);
                assert_eq!(lets_in.count(), 1, "{} lets {other} in", group.name);
            }
            let ssh = group
                .rules
                .iter()
                .filter(|rule| rule.what == "tcp 22-22" && rule.from == ADMINS);
            assert_eq!(ssh.count(), 1, "SSH to {}", group.name);
            let once: BTreeSet<_> = group.rules.iter().map(|rule| (&rule.what, &rule.from)).collect();
            assert_eq!(once.len(), group.rules.len(), "a rule twice in {}", group.name);
            assert!(
                group.rules.iter().all(|rule| !rule.from.starts_with("0.0.0.0/")),
                "{:?}",
                group.rules
            );
        }
        for instance in &machines {
            assert_eq!(instance.groups, [of(instance.tag("mesosflow:role")).id.clone()]);
        }
        assert_eq!(
            self.recorded(run),
            self.existing(run),
            "what the journal knows of {run}, and what there is"
        );
    }

    fn planned(&self) -> Vec<String> {
        let roles = [
            ("master", self.masters),
            ("slave", self.slaves),
            ("zookeeper", self.zookeepers()),
        ];
        let names = roles
            .into_iter()
            .flat_map(|(role, count)| (1..=count).map(move |index| format!("{role}-{index}")));
        names.map(|name| format!("{}-{name}", self.cluster)).collect()
    }

    /// Ids of what exists by the journal.
    pub(super) fn recorded(&self, run: &str) -> BTreeSet<String> {
        let status = self.bench.status(run);
        let resources = status.value()["resources"].as_array().unwrap().clone();
        let ids = resources
            .iter()
            .map(|resource| resource["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// Ids of what exists by the account; rules go with their groups.
    fn existing(&self, run: &str) -> BTreeSet<String> {
        let left = self.cloud.world().left(run);
        let ids = left.iter().filter(|what| !what.starts_with("rule "));
        ids.map(|what| what.rsplit(' ').next().unwrap().to_owned())
            .collect()
    }

    /// Destroys a run, and asserts that nothing of it is left, in the account or by the journal.
    #[track_caller]
    pub(super) fn destroy(&mut self, run: &str) {
        self.bench.say(&["destroy", run, "--yes"]).ended(0);
        self.assert_gone(run);
        self.assert_allowed();
    }

    /// Asserts that nothing was asked for that the policy of the documentation does not allow.
    #[track_caller]
    fn assert_allowed(&self) {
        let policy = include_str!("../../../docs/iam-policy.json");
        for call in self.cloud.all_calls() {
            // Whose credentials these are may be asked without any permission.
            let allowed =
                call.action == "GetCallerIdentity" || policy.contains(&format!("\"ec2:{}\"", call.action));
            assert!(allowed, "docs/iam-policy.json does not allow {}", call.action);
        }
    }

    /// Asserts that nothing of a run is left.
    #[track_caller]
    pub(super) fn assert_gone(&self, run: &str) {
        assert_eq!(self.cloud.world().left(run), Vec::<String>::new());
        assert_eq!(self.recorded(run), BTreeSet::new());
        let groups = self.cloud.world().groups(&self.cluster);
        assert!(groups.is_empty(), "groups are left: {groups:?}");
    }
}
