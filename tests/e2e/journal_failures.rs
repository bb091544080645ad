//! A journal that cannot be written ends the program with its own exit code: nothing is begun on a full disk; a disk that
//! fills up in the middle stops the run, which goes on once there is room; a damaged journal is refused.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use mesosflow_tests::{Bench, Point, RUN_LIMIT, SmallDisk, Watch};

#[test]
fn a_full_disk_under_the_journal_stops_a_run_and_a_free_one_lets_it_go_on() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let disk = SmallDisk::mount(bench.path("disk"), "8m");
    bench.set_journal(bench.path("disk/journal.sqlite"));
    let args = ["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"];

    disk.fill();
    let said = bench.say(&args).ended(4).complains(&["journal"]);
    assert!(said.err.contains("hint: "), "{}", said.err);
    assert_eq!(said.out, "");
    assert!(
        bench.engine().networks(&cluster).is_empty(),
        "something was created"
    );
    disk.free();

    let mut live = bench.start(&args);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::item_succeeded("setup-nodes"));
    disk.fill();
    let said = live
        .finish(RUN_LIMIT)
        .ended(4)
        .complains(&["journal", &run, "resume"]);
    assert_eq!(said.run(), run);
    disk.free();

    assert_eq!(bench.status(&run).state(), "crashed");
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    bench.status(&run).all_done();
    let history = bench.history(&run);
    history.assert_well_formed();
    history.assert_nothing_done_twice();
    bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert!(bench.engine().containers(&cluster).is_empty());
}

#[test]
fn a_damaged_journal_is_refused() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let saved = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/journals/v1.sqlite");
    std::fs::copy(saved, bench.journal()).unwrap();
    bench.say(&["list"]).ended(0);
    flip_a_byte_of_each_page(&bench);
    for args in [
        &["list"][..],
        &["status"],
        &["run", "--cluster", &cluster],
        &["resume", "--last"],
    ] {
        let said = bench.say(args).ended(4).complains(&["journal", "hint: "]);
        assert_eq!(said.out, "", "{args:?}");
    }
    std::fs::write(bench.journal(), "this was a journal once, and now it is a letter").unwrap();
    bench
        .say(&["run", "--cluster", &cluster])
        .ended(4)
        .complains(&["journal"]);
    assert!(
        bench.engine().networks(&cluster).is_empty(),
        "something was created"
    );
}

fn flip_a_byte_of_each_page(bench: &Bench) {
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(bench.journal())
        .unwrap();
    let size = file.metadata().unwrap().len();
    for page in 1..size / 4096 {
        let place = SeekFrom::Start(page * 4096 + 4000);
        let mut byte = [0];
        file.seek(place).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(place).unwrap();
        file.write_all(&[byte[0] ^ 0xff]).unwrap();
    }
}
