//! What `run-command` and `copy-file` take beside OpenSSH and rsync: the same nodes, the same keys, one after the other in turns, and
//! each from a cold start. To be run by itself (`make bench`); it prints, and asserts nothing about time.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mesosflow_tests::{Bench, Point, RUN_LIMIT, Watch};
use serde_json::json;

/// How many nodes there are, unless the environment says otherwise; each side talks to as many at once.
const NODES: usize = 16;
const NODES_WORD: &str = "MESOSFLOW_BENCH_NODES";
/// How often each is done.
const TURNS: usize = 7;
/// The size of the file that is copied, MiB.
const FILE_MIB: u64 = 64;
/// How often it is copied by either.
const COPIES: usize = 3;

/// The names of the nodes, a line each.
struct Names {
    file: PathBuf,
    nodes: usize,
}

#[test]
#[ignore = "a bench, which wants the machine for itself"]
fn bench_of_every_day() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let nodes = std::env::var(NODES_WORD).map_or(NODES, |text| text.parse().unwrap());
    let slaves = (nodes - 1).to_string();
    let mut live = bench.start(&[
        "run",
        "--cluster",
        &cluster,
        "--masters",
        "1",
        "--slaves",
        &slaves,
    ]);
    let run = live.run();
    // All nodes have answered then, and none of their daemons takes anybody's time.
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("render-config"));
    live.kill();
    bench.say(&["close", &run, "--yes"]).ended(0);
    let config = bench.say(&["ssh-config"]).ended(0).out;
    let names = config.lines().filter_map(|line| line.strip_prefix("Host "));
    let names = names.collect::<Vec<_>>().join("\n");
    assert_eq!(names.lines().count(), nodes);
    let config = bench.write("nodes.config", &config).display().to_string();
    let names = Names {
        file: bench.write("nodes", &names),
        nodes,
    };

    commands(&bench, &config, &names);
    copies(&bench, &config, &names);
}

fn commands(bench: &Bench, config: &str, names: &Names) {
    let (mut ours, mut theirs, mut hands) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(took(bench.command(&["run-command", "--", "true"]), true));
        theirs.push(took(each(names, &["ssh", "-F", config, "{}", "true"]), true));
        // The key exchange, and nobody is let in.
        let none = "-oPreferredAuthentications=none";
        hands.push(took(
            each(names, &["ssh", "-F", config, none, "{}", "true"]),
            false,
        ));
    }
    let (ours, theirs, hands) = (median(ours), median(theirs), median(hands));
    tell(&json!({
        "nodes": names.nodes,
        "run_command_ms": ms(ours),
        "openssh_ms": ms(theirs),
        "openssh_handshake_ms": ms(hands),
        "run_command_vs_openssh": ratio(ours, theirs),
    }));
}

fn copies(bench: &Bench, config: &str, names: &Names) {
    let file = bench.path("file").display().to_string();
    let mut random = std::fs::File::open("/dev/urandom").unwrap().take(FILE_MIB << 20);
    std::io::copy(&mut random, &mut std::fs::File::create(&file).unwrap()).unwrap();
    let remove = || {
        took(
            bench.command(&["run-command", "--", "rm", "-f", "/root/bench-file"]),
            true,
        )
    };
    let rsync = format!("ssh -F {config}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..COPIES {
        ours.push(took(
            bench.command(&["copy-file", &file, "/root/bench-file"]),
            true,
        ));
        remove();
        theirs.push(took(
            each(names, &["rsync", "-e", &rsync, &file, "{}:/root/bench-file"]),
            true,
        ));
        remove();
    }
    let (ours, theirs) = (median(ours), median(theirs));
    tell(&json!({
        "nodes": names.nodes,
        "file_mib": FILE_MIB,
        "copy_file_ms": ms(ours),
        "rsync_ms": ms(theirs),
        "copy_file_vs_rsync": ratio(ours, theirs),
    }));
}

/// The command for each of the names, on all at once.
fn each(names: &Names, command: &[&str]) -> Command {
    let mut xargs = Command::new("xargs");
    xargs
        .args(["-P", &names.nodes.to_string(), "-I", "{}", "-a"])
        .arg(&names.file)
        .args(command);
    xargs
}

fn took(mut command: Command, succeeds: bool) -> Duration {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let took = begun.elapsed();
    if succeeds {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    took
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn ratio(ours: Duration, theirs: Duration) -> f64 {
    (ours.as_secs_f64() / theirs.as_secs_f64() * 100.0).round() / 100.0
}

fn tell(line: &serde_json::Value) {
    println!("{line}");
}
