//! `plan` and `steps`: they need no provider, and but for the plan of a destroy no journal.

use crate::support::{Bench, FIRST, SECOND};

#[test]
fn an_even_number_of_masters_is_planned_with_a_warning() {
    let bench = Bench::new();
    let said = bench.run_creating_nothing(&["plan", "--masters", "2", "--mesos-source", "none"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err
            .contains("warning: 2 masters need 2 of them alive and survive the loss of 0"),
        "{said:?}"
    );
    assert!(said.out.contains("hdfs-format"), "{said:?}");
    let json = bench
        .run(&["plan", "--masters", "2", "--mesos-source", "none", "--json"])
        .json();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(json["cluster"], "demo");
}

#[test]
fn one_master_skips_zookeeper_in_the_plan_and_says_why() {
    let bench = Bench::new();
    let json = bench
        .run_creating_nothing(&["plan", "--masters", "1", "--mesos-source", "none", "--json"])
        .json();
    let step = json["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["id"] == "zookeeper-start")
        .unwrap();
    assert_eq!(step["action"], "skip");
    assert!(!step["reason"].as_str().unwrap().is_empty());
    let instances = json["creates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|made| made["kind"] == "instance");
    assert_eq!(instances.count(), 3);
}

#[test]
fn bad_input_is_refused_by_plan_as_by_run() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["plan", "--slaves", "0"])
        .refused(2, &["`slaves` is 0"]);
    bench
        .run_creating_nothing(&["plan", "--cluster", "a b"])
        .refused(2, &["`cluster` is no host name"]);
    let without = bench.run_creating_nothing(&["plan"]);
    assert_eq!(without.code, 0, "{without:?}");
    assert!(
        without
            .err
            .contains("`run` would be refused: nothing says where Mesos comes from"),
        "{without:?}"
    );
}

#[test]
fn the_catalogue_as_json_has_exactly_the_promised_keys() {
    let bench = Bench::new();
    let catalogue = bench.run_creating_nothing(&["steps", "--json"]).json();
    for step in catalogue.as_array().unwrap() {
        let mut keys: Vec<_> = step.as_object().unwrap().keys().map(String::as_str).collect();
        keys.retain(|key| *key != "fans_out_over");
        keys.sort_unstable();
        assert_eq!(keys, ["destructive", "id", "notes", "title"]);
    }
    let table = bench.run(&["steps"]).out;
    assert_eq!(table.lines().count(), catalogue.as_array().unwrap().len() + 1);
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let bench = Bench::new();
    let folder = bench.path("man1");
    let said = bench.run(&["man", folder.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    for page in ["mesosflow", "mesosflow-run", "mesosflow-image-prepare"] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH NAME") && text.contains("mesosflow"), "{text}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = bench.run_creating_nothing(&["completions", shell]);
        assert!(
            said.code == 0 && said.out.contains("hdfs") | said.out.contains("replay"),
            "{said:?}"
        );
    }
}

/// What a destroy would do is said by the journal alone: nothing is asked, recorded or made.
#[test]
fn a_destroy_is_planned_by_the_journal() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["plan", "destroy"])
        .refused(2, &["there is no run in the journal"]);
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "one");
    bench.drive(&run, 1);
    drop((run, journal));
    bench.finished(SECOND, "two");
    let before = (bench.events(FIRST), bench.events(SECOND));
    bench
        .run(&["plan", "destroy"])
        .refused(2, &["2 runs have a cluster"]);
    bench
        .run(&["plan", "destroy", "--cluster", "tow"])
        .refused(2, &["no run is about a cluster `tow`", "`two`"]);
    bench
        .run(&["plan", "--masters", "1", "destroy"])
        .refused(2, &["cannot be used with"]);

    let plan = bench
        .run_creating_nothing(&["plan", "destroy", FIRST, "--json"])
        .json();
    assert_eq!(
        (&plan["workflow"], &plan["cluster"]),
        (&"destroy".into(), &"one".into())
    );
    assert_eq!(
        (&plan["run"], &plan["closes"]),
        (&serde_json::Value::Null, &FIRST.into())
    );
    let steps: Vec<_> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["id"])
        .collect();
    assert_eq!(
        steps,
        ["find-resources", "delete-machines", "delete-networks", "see-gone"]
    );
    let shown = bench.run_creating_nothing(&["plan", "destroy", "--cluster", "one"]);
    assert!(
        shown.out.contains("is closed first") && shown.out.contains("see-gone"),
        "{shown:?}"
    );
    let other = bench
        .run(&["plan", "destroy", "--cluster", "two", "--json"])
        .json();
    assert_eq!(other["closes"], serde_json::Value::Null, "{other}");
    assert_eq!((bench.events(FIRST), bench.events(SECOND)), before);
}
