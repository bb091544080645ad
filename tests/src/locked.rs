//! A server of files over HTTPS that asks for a password, and keeps everybody waiting until it is told to answer.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bench::Bench;
use crate::wait::until;

/// The name that its certificate is for.
const NAME: &str = "mesos.test";
const START_LIMIT: Duration = Duration::from_secs(180);

const SERVER: &str = r#"import base64, http.server, os, ssl, sys, time
folder, served, login = sys.argv[1:4]
wanted = "Basic " + base64.b64encode(login.encode()).decode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != wanted:
            print("refused", flush=True)
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        print("let in", flush=True)
        while not os.path.exists(folder + "/go-on"):
            time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", str(os.path.getsize(served)))
        self.end_headers()
        with open(served, "rb") as file:
            self.wfile.write(file.read())
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("port", server.server_port, flush=True)
server.serve_forever()
"#;

/// The server. Dropped, it is killed; should the test be killed, the guard kills it.
#[derive(Debug)]
pub struct Locked {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Locked {
    /// Serves a file to whoever logs in so (`name:password`).
    ///
    /// # Panics
    /// There is no python3 or openssl, or it does not start.
    pub fn start(bench: &mut Bench, served: &std::path::Path, login: &str) -> Self {
        let script = bench.write("locked/server.py", SERVER);
        let folder = bench.path("locked");
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            ])
            .arg(format!("/CN={NAME}"))
            .args([
                "-addext",
                &format!("subjectAltName=DNS:{NAME}"),
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ])
            .current_dir(&folder)
            .stderr(Stdio::null())
            .status();
        assert!(
            made.expect("openssl starts").success(),
            "openssl makes no certificate"
        );
        let log = folder.join("log");
        let mut process = Command::new("python3")
            .arg(&script)
            .args([&folder, served])
            .arg(login)
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("a log"))
            .spawn()
            .expect("python3 starts");
        bench.guarded(process.id());
        let port = until("the port of the server", START_LIMIT, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let ended = process.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "the server ended: {text}");
            text.lines()
                .find_map(|line| line.strip_prefix("port ")?.parse().ok())
        });
        Self {
            process,
            folder,
            port,
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate.
    ///
    /// # Panics
    /// It is gone.
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.folder.join("cert.pem")).expect("the certificate")
    }

    /// Whether somebody has logged in, who waits for the file.
    pub fn has_let_in(&self) -> bool {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().any(|line| line == "let in")
    }

    /// Answers from now on.
    ///
    /// # Panics
    /// It cannot be told.
    pub fn go_on(&self) {
        fs::write(self.folder.join("go-on"), "").expect("a file");
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
