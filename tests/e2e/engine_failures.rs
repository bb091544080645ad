//! No container engine, and one that fails: the first is refused before anything is created, the second ends the run with
//! the engine's own words, and what was half made is destroyed.

use mesosflow_tests::{Bench, RUN_LIMIT};

#[test]
fn without_an_engine_nothing_is_begun() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    bench.write("bin/README", "no engine here\n");
    let mut command = bench.command(&["run", "--cluster", &cluster]);
    command.env("PATH", bench.path("bin"));
    let said = bench.start_command(command).finish(RUN_LIMIT).ended(2);
    let said = said.complains(&["engine", "podman", "docker", "install podman"]);
    assert_eq!(said.out, "");
    assert!(!bench.journal().exists(), "a journal was made");
    assert!(bench.engine().networks(&cluster).is_empty());
}

#[test]
fn an_engine_that_fails_is_quoted_and_what_it_made_is_destroyed() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    bench.wrap_engine(
        "case \" $* \" in *' create --name '*) echo 'Error: the disk of this engine is on fire' >&2; exit 125 ;; esac",
    );
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    let said = live.finish(RUN_LIMIT).ended(1);
    said.complains(&[
        "launch-",
        "the disk of this engine is on fire",
        "create container",
        "resume",
    ]);
    let status = bench.status(&run);
    assert_eq!(status.state(), "failed");
    assert_eq!(status.nodes().len(), 0);
    assert_eq!(bench.engine().networks(&cluster).len(), 1);
    assert!(bench.engine().containers(&cluster).is_empty());

    bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert!(bench.engine().networks(&cluster).is_empty());
    bench.say(&["destroy", &run, "--yes"]).ended(0);
}
