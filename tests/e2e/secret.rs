//! A password for the server of the Mesos tarball: it reaches curl on the first master, and nothing else. While curl waits with it
//! and afterwards it stands in no journal, event or log, in no command line, and in no file that is left on a node.

use mesosflow_tests::{Bench, Locked, Node, Point, RUN_LIMIT, Watch, assert_healthy, until};

const SECRET: &str = "s3cret-of-the-tarball";

#[test]
fn a_password_reaches_the_program_that_fetches_and_nothing_else() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mesos = bench.mesos().to_owned();
    let server = Locked::start(&mut bench, &mesos, &format!("me:{SECRET}"));
    let url = format!("https://mesos.test:{}/mesos.tar.gz", server.port());

    // In the URL it is refused before it is written anywhere.
    let with = url.replace("https://", &format!("https://me:{SECRET}@"));
    let said = bench
        .say(&["run", "--cluster", &cluster, "--mesos-url", &with])
        .ended(2);
    assert!(!said.err.contains(SECRET), "{}", said.err);
    said.complains(&["`mesos.url` holds", "mesos.netrc"]);
    assert!(!bench.journal().exists());

    let netrc = format!("machine mesos.test login me password {SECRET}\n");
    let words = [
        "run",
        "--cluster",
        &cluster,
        "--masters",
        "1",
        "--slaves",
        "1",
        "--mesos-url",
        &url,
        "--mesos-netrc-env",
        "FOR_MESOS",
    ];
    let with_netrc = |bench: &Bench, words: &[&str]| {
        let mut command = bench.command(words);
        command.env("FOR_MESOS", &netrc);
        command
    };
    let command = with_netrc(&bench, &words);
    let mut live = bench.start_command(command);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("render-config"));
    live.kill();
    let hub = bench.nodes(&run).hub().clone();
    trust(&hub, &server);

    // The password is not in the journal: without it, somebody has to help.
    bench
        .say(&["resume", &run])
        .ended(130)
        .complains(&["FOR_MESOS", "not set", "resume"]);
    let command = with_netrc(&bench, &["resume", &run]);
    let live = bench.start_command(command);
    until("curl with the password", RUN_LIMIT, || {
        server.has_let_in().then_some(())
    });
    let file = hub.ask("stat -c '%a %U' /run/mesosflow-netrc/*/.netrc /run/mesosflow-netrc");
    assert_eq!(file, "600 root\n700 root");
    nowhere(&bench, &run, "--exclude-dir=mesosflow-netrc");
    server.go_on();
    live.finish(RUN_LIMIT).ended(0);

    nowhere(&bench, &run, "");
    assert_eq!(hub.ask("find /run/mesosflow-netrc -type f"), "");
    assert_healthy(&bench.nodes(&run));
}

/// Has the node's curl find the server, and believe that it is it.
fn trust(hub: &Node, server: &Locked) {
    let host = hub.ask("ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'");
    let port = server.port();
    hub.ask(&format!(
        "cat > /root/ca.pem <<'END'\n{}\nEND\nprintf '%s\\n' 'cacert = /root/ca.pem' 'resolve = mesos.test:{port}:{host}' > /root/.curlrc",
        server.certificate()
    ));
}

/// The secret is in nothing that this machine keeps of the run, and on no node.
#[track_caller]
fn nowhere(bench: &Bench, run: &str, but: &str) {
    let mut files = vec![bench.journal().to_owned()];
    files.push(format!("{}-wal", bench.journal().display()).into());
    for folder in [bench.run_dir(run), bench.cluster_dir(run)] {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.is_file()));
    }
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!found, "the secret is in {}", file.display());
    }
    for node in bench.nodes(run).all() {
        // Written so that the search does not find itself.
        let script = format!(
            "s='{}''{}'; grep -rlF {but} -- \"$s\" /root /home /etc /tmp /var /run /mnt /opt /usr/local 2>/dev/null; \
             for p in /proc/[0-9]*; do if tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -qF -- \"$s\"; then echo $p; fi; done; true",
            &SECRET[..8],
            &SECRET[8..]
        );
        assert_eq!(node.ask(&script), "", "on {}", node.name);
    }
}
