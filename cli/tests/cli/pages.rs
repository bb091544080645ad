//! `ui`, `report` and `status --critical-path` as scripts see them; what they look like in a browser is tested there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use crate::support::{Bench, FIRST};

/// The program that serves pages, ended with this.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The pages of a bench, and where they are: host with port, and the path with the token.
fn serve(bench: &Bench) -> (Serving, String, String) {
    let mut child = bench
        .command(&["ui", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    let serving = Serving(child);
    BufReader::new(out).read_line(&mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = said["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let (host, path) = url.split_once('/').unwrap();
    (serving, host.to_owned(), format!("/{path}"))
}

/// The head and the body of an answer to what is sent as it is.
fn ask(host: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The cookie that an answer gives, and the folder that it is for.
fn let_in(head: &str) -> (&str, &str) {
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let mut words = cookie.unwrap().split("; ");
    let cookie = words.next().unwrap();
    let path = words.find_map(|word| word.strip_prefix("Path=")).unwrap();
    (cookie, path.strip_suffix('/').unwrap())
}

fn get(host: &str, path: &str, cookie: &str) -> (String, String) {
    ask(
        host,
        &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"),
    )
}

#[test]
fn pages_are_shown_to_who_has_the_link_and_to_nobody_else() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let (_serving, host, link) = serve(&bench);
    for request in [
        format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        format!("GET /runs/{FIRST} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        format!("GET /assets/page.js HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        format!("GET {link} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"),
        format!("GET http://evil.example{link} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        format!(
            "GET {link} HTTP/1.1\r\nhost: {host}\r\norigin: http://evil.example\r\nconnection: close\r\n\r\n"
        ),
        format!("POST {link} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        format!("GET {link} HTTP/1.0\r\n\r\n"),
    ] {
        let (head, body) = ask(&host, &request);
        assert!(
            head.starts_with("HTTP/1.1 4") || head.starts_with("HTTP/1.0 4"),
            "{request}: {head}"
        );
        assert!(
            !body.contains("demo") && !head.contains("set-cookie"),
            "{request}: {body}"
        );
    }
    let (head, _) = get(&host, &link, "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (cookie, base) = let_in(&head);
    let (head, body) = get(&host, &format!("{base}/runs/{FIRST}"), cookie);
    assert!(
        head.starts_with("HTTP/1.1 200") && body.contains("demo"),
        "{head}"
    );
    for said in [
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
        "x-frame-options: DENY",
    ] {
        assert!(head.contains(said), "{said}: {head}");
    }
    for nothing in [
        "/runs/01jd3k",
        "/runs/01jd3k00000000000000000009",
        "/clusters/x",
        "/nowhere",
    ] {
        let (head, _) = get(&host, &format!("{base}{nothing}"), cookie);
        assert!(head.starts_with("HTTP/1.1 404"), "{nothing}: {head}");
    }
}

#[test]
fn a_journal_that_comes_later_is_shown_and_one_that_goes_is_missed() {
    let bench = Bench::new();
    let (_serving, host, link) = serve(&bench);
    let (head, _) = get(&host, &link, "");
    let (cookie, base) = let_in(&head);
    assert!(
        get(&host, &format!("{base}/"), cookie)
            .1
            .contains("There is none yet")
    );
    assert!(!bench.journal_path().exists(), "a journal was made");
    bench.finished(FIRST, "demo");
    assert!(get(&host, &format!("{base}/"), cookie).1.contains(FIRST));
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        let _none = std::fs::remove_file(bench.path(file));
    }
    assert!(!get(&host, &format!("{base}/"), cookie).1.contains(FIRST));
}

#[test]
fn pages_are_served_on_this_machine_alone() {
    let bench = Bench::new();
    for elsewhere in ["0.0.0.0:0", "10.0.0.1:80", "[::]:0"] {
        bench
            .run_creating_nothing(&["ui", "--listen", elsewhere])
            .refused(2, &["loopback", "ssh -L"]);
    }
}

#[test]
fn a_report_is_written_whole_for_its_owner_and_over_nothing() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["report", "--html", "run.html"])
        .refused(2, &["there is no run"]);
    bench.finished(FIRST, "demo");
    let said = bench.run(&["report", "--html", "run.html"]);
    assert_eq!((said.code, said.out.as_str()), (0, "run.html\n"), "{said:?}");
    let file = bench.path("run.html");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(
        page.contains(FIRST) && page.ends_with("</html>\n") && !page.contains("<script"),
        "{page}"
    );
    bench.write("run.html", "mine");
    bench
        .run_creating_nothing(&["report", "--html", "run.html"])
        .refused(2, &["is there already", "--force"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let said = bench.run(&["report", FIRST, "--html", "run.html", "--force", "--json"]);
    assert_eq!(said.json()["file"], "run.html");
    assert!(std::fs::read_to_string(&file).unwrap().contains(FIRST));
    // Only a file is replaced: neither what a link leads to nor the link itself, nor what is none.
    std::os::unix::fs::symlink("run.html", bench.path("link.html")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(bench.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    for taken in ["link.html", "pipe", "/dev/null"] {
        bench
            .run_creating_nothing(&["report", "--html", taken, "--force"])
            .refused(2, &["is no file"]);
    }
    bench
        .run_creating_nothing(&["report", "--html", "nowhere/run.html"])
        .refused(1, &["cannot write `nowhere/run.html`"]);
}

#[test]
fn the_critical_path_stands_beside_the_status() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let plain = bench.run(&["status", "--json"]).json();
    assert!(plain.get("critical_path").is_none(), "{plain}");
    let with = bench.run(&["status", "--critical-path", "--json"]).json();
    assert_eq!(with["run"], plain["run"]);
    assert_eq!(with["critical_path"]["generation"], 1);
    let text = bench.run(&["status", FIRST, "--critical-path"]);
    assert!(
        text.out.starts_with("critical path of generation 1: "),
        "{text:?}"
    );
}
