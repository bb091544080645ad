//! What `roles export` says, and how it ends.

use crate::support::Bench;

const EXPORT: [&str; 4] = ["roles", "export", "--format", "ansible"];

fn export<'a>(further: &[&'a str]) -> Vec<&'a str> {
    EXPORT.into_iter().chain(further.iter().copied()).collect()
}

#[test]
fn an_export_is_repeated_and_leaves_what_is_somebodys() {
    let bench = Bench::new();
    let first = bench.run(&export(&["roles", "--json"])).json();
    assert_eq!(first["folder"], "roles");
    let written = first["written"].as_array().unwrap();
    for path in [
        "site.yml",
        "README.md",
        "roles/mesos/files/scripts/mesosflow-role",
    ] {
        assert!(written.contains(&path.into()), "{path}: {first:#}");
    }
    let again = bench.run(&export(&["roles", "--json"])).json();
    assert_eq!(
        (&again["written"], &again["removed"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    assert_eq!(again["unchanged"], written.len());

    bench.write("roles/site.yml", "---\n");
    bench
        .run(&export(&["roles"]))
        .refused(3, &["site.yml is somebody's own", "--force"]);
    let forced = bench.run(&export(&["roles", "--force"]));
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(forced.out.starts_with("roles: 1 file written, "), "{forced:?}");
    // No journal comes of it.
    assert!(!bench.path("journal.sqlite").exists());
}

#[test]
fn what_is_no_export_is_left() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/file", "");
    bench
        .run_creating_nothing(&export(&["mine", "--force"]))
        .refused(3, &["mine is not empty", "does not exist yet"]);
    bench
        .run_creating_nothing(&export(&["mine/file"]))
        .refused(1, &["cannot make mine/file"]);
    bench
        .run_creating_nothing(&export(&["new", "--cluster", "none"]))
        .refused(2, &["there is no run in the journal"]);
    bench
        .run_creating_nothing(&["roles", "export", "new"])
        .refused(2, &["--format"]);
}
