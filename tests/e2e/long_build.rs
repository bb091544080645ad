//! Mesos from git, a build of an hour in real life: it runs on the first master as a job of its own, survives `kill -9` of the
//! controller, is found again by every `resume`, and is never started twice. `git` and `make` on the node are stand-ins that
//! keep a list of their calls; the build ends when the test lets it.

use mesosflow_tests::{Bench, Node, Point, RUN_LIMIT, Watch, assert_healthy, until};

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
echo "make $*" >> /root/calls
case $1 in
  install) folder=${2#DESTDIR=}/root/mesos; mkdir -p "$folder"; tar -xf /root/standin.tar.gz -C "$folder" ;;
  *) echo building; until [ -e /root/go-on ]; do sleep 0.2; done ;;
esac
END
chmod 755 /usr/bin/git /usr/bin/make"#;

#[test]
fn a_build_survives_the_controller_and_is_never_started_twice() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let config = "masters = 1\nslaves = 1\n[mesos]\nsource = 'git'\nrepository = 'https://example.invalid/mesos.git'\n\
                  branch = '1.11.x'\nconfigure_flags = ['--disable-java', '--with-note=a b']\n";
    let config = bench.write("mesosflow.toml", config).display().to_string();
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

    for _ in 0..2 {
        let events = bench.history(&run).events().len() as u64;
        let mut live = bench.start(&["resume", &run]);
        Watch::new(bench.journal(), &run, events).point(&mut live, RUN_LIMIT, Point::started("build-mesos"));
        until("the build", RUN_LIMIT, || {
            (hub.run("pgrep -f '[m]ake -j'").code == 0).then_some(())
        });
        live.kill();
        assert_eq!(bench.status(&run).state(), "crashed");
        assert_eq!(
            hub.run("pgrep -f '[m]ake -j'").code,
            0,
            "the build died with the controller"
        );
    }

    let live = bench.start(&["resume", &run]);
    hub.ask("touch /root/go-on");
    live.finish(RUN_LIMIT).ended(0);
    built_once(&hub);
    bench.status(&run).all_done();
    bench.history(&run).assert_nothing_done_twice();
    assert_healthy(&bench.nodes(&run));
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
