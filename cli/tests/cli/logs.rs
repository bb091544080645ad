//! `logs`: the lines of a run's log, by step and node.

use crate::support::{Bench, FIRST};

fn bench_with_log() -> Bench {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let folder = bench.path("runs").join(FIRST);
    std::fs::create_dir_all(&folder).unwrap();
    let line = |step: &str, node: &str, title: &str| {
        format!(
            r#"{{"timestamp":"2026-03-01T09:30:00Z","level":"DEBUG","message":"command ended","node":"{node}","title":"{title}","status":0,"ms":12,"target":"x","spans":[{{"name":"step","step":"{step}"}}]}}"#
        )
    };
    let log = [
        line("render-config", "demo-master-1", "render"),
        line("hdfs-format", "demo-master-1", "format"),
        line("hdfs-start", "demo-slave-1", "start"),
        r#"{"timestamp":"2026-03-01T09:30:00Z","level":"DE"#.to_owned(),
    ];
    std::fs::write(folder.join("log.jsonl"), log.join("\n")).unwrap();
    bench
}

#[test]
fn lines_are_chosen_by_run_step_and_node() {
    let bench = bench_with_log();
    let titles = |args: &[&str]| {
        let said = bench.run(&[&["logs"], args].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let title = |line: &str| line.rsplit_once("title=").unwrap().1.to_owned();
        said.out.lines().map(title).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(titles(&[]), "render format start");
    assert_eq!(titles(&["01jd3k"]), "render format start");
    assert_eq!(titles(&["hdfs-format"]), "format");
    assert_eq!(titles(&["01jd3k", "hdfs-start"]), "start");
    assert_eq!(titles(&["--node", "demo-master-1"]), "render format");
    assert_eq!(titles(&["hdfs-start", "--node", "slave-1"]), "start");
    assert_eq!(titles(&["hdfs-start", "--node", "master-1"]), "");
}

#[test]
fn with_json_lines_are_passed_on() {
    let bench = bench_with_log();
    let said = bench.run(&["logs", "hdfs-format", "--json"]);
    let line: serde_json::Value = serde_json::from_str(said.out.trim_end()).unwrap();
    assert_eq!(
        (&line["title"], &line["spans"][0]["step"]),
        (&"format".into(), &"hdfs-format".into())
    );
}

#[test]
fn an_unknown_step_is_refused_and_a_run_without_a_log_is_not() {
    let bench = bench_with_log();
    bench
        .run(&["logs", "hdfs-fromat"])
        .refused(2, &["did you mean `hdfs-format`?"]);
    bench
        .run(&["logs", FIRST, "none"])
        .refused(2, &["no step is called `none`"]);
    std::fs::remove_dir_all(bench.path("runs")).unwrap();
    let said = bench.run_creating_nothing(&["logs"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert!(said.err.contains("has no log"), "{said:?}");
}
