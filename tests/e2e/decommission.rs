//! Datanodes leave both file systems: refused where files would want more copies than there are datanodes, then with all blocks; one whose
//! last block is still written, one that is dead, one that comes back.

use mesosflow_steps::life::{Decommission, Decommissioned, ForgetDatanodes, Recommission};
use mesosflow_steps::{Enough, Hdfs as Which, what_leaving};
use mesosflow_tests::{Bench, Floor, Hdfs, Node, Nodes, RUN_LIMIT, assert_healthy, until};
use mesosflow_workflow::{ErrorClass, ErrorReport};

/// A line of an operator's, for a datanode that there is not.
const OWN: &str = "# of mine\n10.255.255.1 retired";

/// How often files want to be there, and the folders that have them.
const COPIES: [u8; 3] = [1, 2, 3];

#[test]
fn datanodes_leave_without_losing_a_block() {
    let mut bench = Bench::new();
    bench.config(bench.forgets_soon());
    let cluster = bench.cluster();
    let run = bench
        .start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "3"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let (nodes, floor) = (bench.nodes(&run), Floor::of(&bench, &run));
    for hdfs in Hdfs::BOTH {
        assert_eq!(nodes.hub().ask(&format!("cat {}", list(hdfs))), "", "at first");
        nodes.hub().ask(&format!("printf '%s' '{OWN}' > {}", list(hdfs)));
    }
    let stage = Stage {
        nodes: &nodes,
        floor: &floor,
    };
    let sums = Hdfs::BOTH.map(|hdfs| stage.write(hdfs));
    for (hdfs, sum) in Hdfs::BOTH.into_iter().zip(&sums) {
        stage.is_refused(hdfs);
        stage.leaves_once_nobody_writes(hdfs);
        // Nothing of what it had is needed any more.
        let unit = format!("{}-hdfs-datanode", hdfs.word());
        stage.slave(2).ask(&format!("systemctl stop {unit}"));
        assert_eq!(stage.read(hdfs), *sum);
        stage.slave(2).ask(&format!("systemctl start {unit}"));
        stage.comes_back(hdfs);
        assert_eq!(stage.read(hdfs), *sum);
    }
    assert_healthy(&nodes);
    stage.one_that_is_dead_leaves(&bench);
}

struct Stage<'a> {
    nodes: &'a Nodes,
    floor: &'a Floor,
}

impl Stage<'_> {
    fn slave(&self, index: usize) -> &Node {
        self.nodes.of("slave")[index]
    }

    fn departure(&self, hdfs: Hdfs, index: usize, lowers: bool) -> Result<Decommissioned, ErrorReport> {
        let slaves = self.nodes.of("slave");
        let stays = |other: &&&Node| other.name != slaves[index].name;
        self.floor.drive(|| Decommission {
            hdfs: which(hdfs),
            namenode: self.floor.node(&self.nodes.hub().name),
            leaving: vec![self.floor.node(&slaves[index].name)],
            staying: slaves
                .iter()
                .filter(stays)
                .map(|node| self.floor.node(&node.name))
                .collect(),
            lower_replication: lowers,
            enough: Enough::EveryCopy,
        })
    }

    /// Files of several blocks that want one copy, two and three, with names of all kinds; their sum.
    fn write(&self, hdfs: Hdfs) -> String {
        let dfs = hdfs.command("dfs");
        let hub = self.nodes.hub();
        hub.ask("head -c 2500000 /dev/urandom > /tmp/source");
        for copies in COPIES {
            // What stands behind the folder is a pattern to that program.
            let put = format!("{dfs} -D dfs.replication={copies} -D dfs.blocksize=1048576 -put /tmp/source");
            let script = format!(
                r"export LC_ALL=C.UTF-8
{dfs} -mkdir -p '/copies{copies}/a  folder' /user/root/.Trash
{put} '/copies{copies}/plain' && {put} '/copies{copies}/a  folder/ä \[x\] \{{1,2\}} \*\?\\y $#%25&' && {put} '/copies{copies}/of two
lines 3'
{dfs} -D dfs.replication={copies} -touchz /user/root/.Trash/empty{copies}"
            );
            hub.ask(&script);
        }
        self.read(hdfs)
    }

    /// The sum of all that there is in files, and how many copies they want.
    fn read(&self, hdfs: Hdfs) -> String {
        let dfs = hdfs.command("dfs");
        let script = format!("{dfs} -cat '/copies*/plain' '/copies*/of*' '/copies*/a  folder/*' | sha256sum");
        self.nodes.hub().ask(&script)
    }

    /// How many copies each file wants, by its folder.
    fn copies(&self, hdfs: Hdfs) -> String {
        let script = format!(
            "{} -ls -R / | sed -n 's/^-[^ ]* *\\([0-9]\\) .* \\/copies\\([0-9]\\).*/\\2:\\1/p' | sort -u",
            hdfs.command("dfs")
        );
        self.nodes.hub().ask(&script)
    }

    fn is_refused(&self, hdfs: Hdfs) {
        let slaves = self.nodes.of("slave");
        let [hub, leaving, one, two] =
            [self.nodes.hub(), slaves[2], slaves[0], slaves[1]].map(|node| self.floor.node(&node.name));
        let (leaving, staying) = ([leaving], [one, two]);
        let met = what_leaving(self.floor.world(), which(hdfs), &hub, &leaving, &staying);
        let met = self.floor.await_it(met).unwrap();
        assert_eq!(
            (met.wanting.left, met.wanting.files, met.wanting.highest),
            (2, 4, 3)
        );
        assert_eq!(met.wanting.bytes, 3 * 2_500_000);
        assert_eq!(met.wanting.stored, (1 + 2 + 2) * 3 * 2_500_000);
        assert!(met.room.fits() && met.silent.is_empty() && met.absent.is_empty());
        assert!(
            met.wanting
                .examples
                .iter()
                .any(|path| path == "/copies3/of two\nlines 3"),
            "{met:?}"
        );

        let error = self.departure(hdfs, 2, false).unwrap_err();
        assert_eq!(error.class, ErrorClass::Operator, "{error:?}");
        assert!(error.message.contains("4 files that want"), "{error:?}");
        assert_eq!(self.nodes.hub().ask(&format!("cat {}", list(hdfs))), OWN);
        assert_eq!(self.copies(hdfs), "1:1\n2:2\n3:3");
    }

    /// Somebody writes on the very node that leaves a file of which there is to be one copy.
    fn leaves_once_nobody_writes(&self, hdfs: Hdfs) {
        let (leaving, dfs) = (self.slave(2), hdfs.command("dfs"));
        let writer = format!(
            "rm -f /tmp/pipe && mkfifo /tmp/pipe && systemd-run --quiet --unit writer sh -c '{dfs} -D dfs.replication=1 -put - /open < \
             /tmp/pipe' && systemd-run --quiet --unit feeder sh -c 'exec 3> /tmp/pipe; head -c 300000 /tmp/data >&3; sleep infinity'"
        );
        leaving.ask(&format!("head -c 600000 /dev/urandom > /tmp/data; {writer}"));
        until("an open file", RUN_LIMIT, || {
            let fsck = hdfs.command("fsck / -openforwrite -files -blocks");
            let shown = self.nodes.hub().run(&format!("{fsck} || true"));
            shown.out.contains("OPENFORWRITE").then_some(())
        });
        let left = std::thread::scope(|scope| {
            let departure = scope.spawn(|| self.departure(hdfs, 2, true));
            until("a departure that waits for the writer", RUN_LIMIT, || {
                let waits = self.floor.world().waits_for()?;
                waits.contains("/open._COPYING_").then_some(())
            });
            assert!(!departure.is_finished());
            // On its way out, it would let nobody close that file.
            assert_eq!(self.nodes.hub().ask(&format!("cat {}", list(hdfs))), OWN);
            leaving.ask("systemctl stop feeder");
            departure.join().unwrap()
        });
        let left = left.unwrap();
        assert!(left.silent.is_empty() && left.missing == 0, "{left:?}");
        assert_eq!(left.lowered, 4);
        assert_eq!(self.copies(hdfs), "1:1\n2:2\n3:2");
        let expected = format!("{OWN}\n{} # mesosflow {}\n", leaving.ip, leaving.name);
        // What prints it takes its last line's end.
        assert_eq!(
            self.nodes.hub().ask(&format!("cat {}", list(hdfs))),
            expected.trim_end()
        );
        leaving.ask("head -c 300000 /tmp/data > /tmp/part");
        // Its writer renames it once it has closed it.
        until("what was written", RUN_LIMIT, || {
            leaving
                .run(&format!("{dfs} -cat /open | cmp - /tmp/part && {dfs} -rm /open"))
                .ok_if()
        });
        // Twice is once.
        assert_eq!(self.departure(hdfs, 2, false).unwrap(), Decommissioned::default());
    }

    fn comes_back(&self, hdfs: Hdfs) {
        let back = || {
            self.floor.drive(|| Recommission {
                hdfs: which(hdfs),
                namenode: self.floor.node(&self.nodes.hub().name),
                nodes: vec![self.floor.node(&self.slave(2).name)],
            })
        };
        back().unwrap();
        back().unwrap();
        assert_eq!(self.nodes.hub().ask(&format!("cat {}", list(hdfs))), OWN);
        let report = hdfs.command("dfsadmin -report -live");
        until("three in service", RUN_LIMIT, || {
            let shown = self.nodes.hub().ask(&report);
            (shown.matches("Decommission Status : Normal").count() == 3).then_some(())
        });
    }

    /// What only a dead one had is lost: of the persistent file system, that is for its owner to say.
    fn one_that_is_dead_leaves(&self, bench: &Bench) {
        let dead = self.slave(1);
        for hdfs in Hdfs::BOTH {
            let put = hdfs.command("dfs -D dfs.replication=1 -put /etc/hostname /lost");
            dead.ask(&put);
        }
        bench.engine().run(&["kill", &dead.container]).ok();
        let ephemeral = self.departure(Hdfs::Ephemeral, 1, true).unwrap();
        assert_eq!(ephemeral.silent, std::slice::from_ref(&dead.name));
        assert!(ephemeral.missing > 0, "{ephemeral:?}");

        let error = self.departure(Hdfs::Persistent, 1, true).unwrap_err();
        assert_eq!(error.class, ErrorClass::Operator, "{error:?}");
        assert!(error.message.contains("/lost"), "{error:?}");
        self.nodes
            .hub()
            .ask(&Hdfs::Persistent.command("fsck / -delete || true"));
        let persistent = until("a departure of one that is dead", RUN_LIMIT, || {
            self.departure(Hdfs::Persistent, 1, true).ok()
        });
        assert_eq!(
            (persistent.silent, persistent.missing),
            (vec![dead.name.clone()], 0)
        );

        for hdfs in Hdfs::BOTH {
            let forgotten = self.floor.drive(|| ForgetDatanodes {
                hdfs: which(hdfs),
                namenode: self.floor.node(&self.nodes.hub().name),
                gone: vec![self.floor.node(&dead.name)],
            });
            forgotten.unwrap();
            assert_eq!(self.nodes.hub().ask(&format!("cat {}", list(hdfs))), OWN);
        }
    }
}

const fn which(hdfs: Hdfs) -> Which {
    match hdfs {
        Hdfs::Ephemeral => Which::Ephemeral,
        Hdfs::Persistent => Which::Persistent,
    }
}

/// The list of datanodes that leave.
const fn list(hdfs: Hdfs) -> &'static str {
    match hdfs {
        Hdfs::Ephemeral => "/mnt/ephemeral-hdfs/exclude",
        Hdfs::Persistent => "/vol/persistent-hdfs/exclude",
    }
}
