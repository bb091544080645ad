//! What a build needs, and its password.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mesosflow_workflow::{ErrorClass, StepError as _};

use super::{BUILD, build_needs, lacking};

fn said(tools: &str, disk_gb: u32, memory_mb: u32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = build_needs(tools, folder.path().to_str().unwrap(), disk_gb, memory_mb)
        .text()
        .unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &text])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_a_build_lacks_is_named_before_it_begins_with_what_to_do() {
    lacking("m1", &said("sh awk", 0, 1)).unwrap();
    for (said, parts) in [
        (
            said("sh no-such-tool nor-this", 0, 1),
            ["no-such-tool, nor-this is missing", "mesos.packages"],
        ),
        (said("sh", 4_000_000, 1), ["GiB are free", "--root-vol-size"]),
        (
            said("sh", 0, 2_000_000_000),
            ["MiB of memory", "--master-instance-type"],
        ),
    ] {
        let error = lacking("m1", &said).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert!(error.to_string().contains(parts[0]), "{error}");
        assert!(error.hint().unwrap().contains(parts[1]));
    }
}

/// Serves a folder over HTTP to whoever logs in as `me`, and says on which port.
const SERVER: &str = r#"import base64, functools, http.server, sys
wanted = "Basic " + base64.b64encode(b"me:s3cret").decode()
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") == wanted:
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic realm=x")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=sys.argv[1]))
with open(sys.argv[1] + "/port.new", "w") as file:
    file.write(str(server.server_port))
import os
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
# It ends with the test, also where that is killed.
import threading
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"#;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn serve(folder: &Path) -> (Server, String) {
    let process = Command::new("python3")
        .args(["-c", SERVER])
        .arg(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let server = Server(process);
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(port) = fs::read_to_string(folder.join("port")) {
            return (server, format!("http://127.0.0.1:{port}/mesos.git"));
        }
        assert!(Instant::now() < give_up, "the server does not start");
        std::thread::yield_now();
    }
}

/// A repository as a server has it, with a `configure` that is there.
fn repository(folder: &Path) {
    let script = "git init --quiet --initial-branch main work && cd work && echo > configure && chmod 755 configure && git add . &&
        git -c user.name=x -c user.email=x commit --quiet -m x && cd .. &&
        git clone --quiet --bare work mesos.git && cd mesos.git && git update-server-info";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// The real git, against a server that asks for a password: it gets it from the netrc, which is gone afterwards; without one it
/// fails at once, and asks nobody.
#[test]
fn git_logs_in_with_the_netrc_and_keeps_nothing_of_it() {
    let place = tempfile::tempdir().unwrap();
    repository(place.path());
    let (_server, url) = serve(place.path());
    let fetched = |netrc: Option<&str>| {
        let secret = place.path().join("secret");
        let folder = place.path().join("build");
        let _other = fs::remove_dir_all(&folder);
        if let Some(netrc) = netrc {
            fs::create_dir_all(&secret).unwrap();
            fs::write(secret.join(".netrc"), netrc).unwrap();
        }
        // Up to where the build itself would begin.
        let (fetch, _) = BUILD.split_once("[ -x configure ]").unwrap();
        let fetch = fetch.replace("/root/.mesosflow-build", folder.to_str().unwrap());
        let held = netrc.map_or("", |_| secret.to_str().unwrap());
        let output = Command::new("sh")
            .args(["-euc", &fetch])
            .env("HOME", place.path())
            .env("secret", held)
            .env("repository", &url)
            .env("branch", "main")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!secret.exists(), "the netrc is left");
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&told).into_owned(),
        )
    };
    let netrc = "machine 127.0.0.1 login me password s3cret\n";
    let (is_fetched, told) = fetched(Some(netrc));
    assert!(is_fetched, "{told}");
    assert!(place.path().join("build/source/configure").exists());
    let search = Command::new("grep")
        .args(["-rl", "s3cret", "build"])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&search.stdout), "");
    assert!(!told.contains("s3cret"), "{told}");

    let wrong = "machine 127.0.0.1 login me password other\n";
    for (netrc, part) in [(None, "could not read Username"), (Some(wrong), "fatal:")] {
        let (is_fetched, told) = fetched(netrc);
        assert!(!is_fetched && told.contains(part), "{told}");
    }
}
