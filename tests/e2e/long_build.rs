//! Mesos from git, a build of an hour in real life: it runs on the first master as a job of its own, survives `kill -9` of the
//! controller, is found again by every `resume`, and is never started twice. A replay that wants another build ends the one
//! that runs, and sees it gone, before it begins its own; one that has use for it waits for it. `git` and `make` on the node
//! are stand-ins that keep a list of their calls; the build ends when the test lets it, and does not listen to SIGTERM.

use mesosflow_tests::{Bench, Live, Node, Point, RUN_LIMIT, Watch, assert_healthy, until};

const TOOLS: &str = r#"
cat > /usr/bin/git <<'END'
#!/bin/sh
echo "git $*" >> /root/calls
[ "$1" = clone ] || exit 0
shift 3
mkdir -p "$1/.git"
printf '#!/bin/sh\necho "configure $*" >> /root/calls\n' > "$1/configure"
chmod 755 "$1/configure"
END
cat > /usr/bin/make <<'END'
#!/bin/sh
trap '' TERM
exec 8>> /root/making
flock -n 8 || echo "two at once: make $*" >> /root/calls
echo "make $*" >> /root/calls
case $1 in
  install) folder=${2#DESTDIR=}/root/mesos; mkdir -p "$folder"; tar -xf /root/standin.tar.gz -C "$folder" ;;
  *) echo building; until [ -e /root/go-on ]; do sleep 0.2; done ;;
esac
END
chmod 755 /usr/bin/git /usr/bin/make
for tool in g++ patch autoconf automake libtoolize; do command -v $tool > /dev/null || ln -s /bin/true /usr/bin/$tool; done"#;

#[test]
fn a_build_survives_the_controller_and_is_never_started_twice() {
    let mut bench = Bench::new();
    let (run, hub) = before_the_build(&mut bench);
    for _ in 0..2 {
        let events = bench.history(&run).events().len() as u64;
        let mut live = bench.start(&["resume", &run]);
        Watch::new(bench.journal(), &run, events).point(&mut live, RUN_LIMIT, Point::started("build-mesos"));
        building(&hub);
        killed_while_it_builds(&bench, &run, live, &hub);
    }

    let live = bench.start(&["resume", &run]);
    hub.ask("touch /root/go-on");
    live.finish(RUN_LIMIT).ended(0);
    built_once(&hub);
    bench.status(&run).all_done();
    bench.history(&run).assert_nothing_done_twice();
    assert_healthy(&bench.nodes(&run));
}

#[test]
fn a_replay_settles_the_build_that_another_one_left_running() {
    let mut bench = Bench::new();
    let (run, hub) = before_the_build(&mut bench);
    let mut live = bench.start(&["resume", &run]);
    // All that the catalogue has before it, so that a replay may begin there.
    Watch::new(bench.journal(), &run, 0).point(
        &mut live,
        RUN_LIMIT,
        Point::succeeded("distribute-hdfs-config"),
    );
    let old = building(&hub);
    killed_while_it_builds(&bench, &run, live, &hub);

    let live = bench.start(&["replay", &run, "--from", "build-mesos", "--yes"]);
    until("the build of the replay", RUN_LIMIT, || {
        let now = hub.run(PID).out;
        (now.trim() != old && !now.trim().is_empty()).then_some(())
    });
    assert_ne!(
        hub.run(&format!("kill -0 {old}")).code,
        0,
        "the old build goes on"
    );
    assert_eq!(settled(&bench, &run, 2), ["ended"]);
    killed_while_it_builds(&bench, &run, live, &hub);

    // From an earlier step on, nobody has asked for another build: this one serves.
    let before = looks(&bench, &run);
    let live = bench.start(&["replay", &run, "--from", "setup-nodes", "--yes"]);
    until("somebody who waits for the build", RUN_LIMIT, || {
        (looks(&bench, &run) > before + 1).then_some(())
    });
    hub.ask("touch /root/go-on");
    live.finish(RUN_LIMIT).ended(0);
    assert_eq!(settled(&bench, &run, 3), ["awaited"]);
    let calls = hub.ask("cat /root/calls");
    let count = |part: &str| calls.lines().filter(|line| line.contains(part)).count();
    let counts = ["two at once", "make -j", "make install"].map(count);
    assert_eq!(counts, [0, 2, 1], "{calls}");
    bench.status(&run).all_done();
}

/// The first process of what builds: a child that has not become what it is to be yet is called the same for a moment.
const PID: &str = "pgrep -o -f '[m]ake -j'";

/// Waits for the build; the process that builds.
#[track_caller]
fn building(hub: &Node) -> String {
    until("the build", RUN_LIMIT, || {
        let found = hub.run(PID);
        (found.code == 0).then(|| found.out.trim().to_owned())
    })
}

#[track_caller]
fn killed_while_it_builds(bench: &Bench, run: &str, live: Live, hub: &Node) {
    live.kill();
    assert_eq!(bench.status(run).state(), "crashed");
    assert_eq!(hub.run(PID).code, 0, "the build died with the controller");
}

/// How often a job has been looked at, by the run's log.
fn looks(bench: &Bench, run: &str) -> usize {
    let log = std::fs::read_to_string(bench.run_dir(run).join("log.jsonl")).unwrap();
    log.lines().filter(|line| line.contains("look at job")).count()
}

/// How the effects in doubt of the build were settled in a generation.
fn settled(bench: &Bench, run: &str, generation: u64) -> Vec<String> {
    let history = bench.history(run);
    let settled = history.of("effect_settled", generation);
    let of_the_build = settled.filter(|event| event["step"] == "build-mesos");
    of_the_build
        .map(|event| event["settled"].as_str().unwrap().to_owned())
        .collect()
}

/// A cluster whose first master has the stand-ins, and has not been configured yet.
fn before_the_build(bench: &mut Bench) -> (String, Node) {
    let cluster = bench.cluster();
    let config = "masters = 1\nslaves = 1\n[mesos]\nsource = 'git'\nrepository = 'https://example.invalid/mesos.git'\n\
                  branch = '1.11.x'\nconfigure_flags = ['--disable-java', '--with-note=a b']\n";
    let config = bench.config(config).display().to_string();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--config", &config]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("render-config"));
    live.kill();

    let hub = bench.nodes(&run).hub().clone();
    let target = format!("{}:/root/standin.tar.gz", hub.container);
    bench
        .engine()
        .run(&["cp", &bench.mesos().display().to_string(), &target])
        .ok();
    hub.ask(TOOLS);
    (run, hub)
}

fn built_once(hub: &Node) {
    let calls = hub.ask("cat /root/calls");
    let count = |beginning: &str| calls.lines().filter(|line| line.starts_with(beginning)).count();
    let counts = ["git clone", "configure", "make -j", "make install"].map(count);
    assert_eq!(counts, [1; 4], "{calls}");
    assert!(
        calls.contains("configure --prefix=/root/mesos --disable-java --with-note=a b"),
        "{calls}"
    );
}
