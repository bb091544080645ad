//! Chromium, driven by its own driver; and the program that serves the pages.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::support::Bench;

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The pages of a bench's journal, served.
pub(crate) struct Served {
    /// The link that lets in.
    pub(crate) link: String,
    /// The folder that the pages are in.
    base: String,
    _program: Running,
}

impl Served {
    pub(crate) fn begin(bench: &Bench) -> Self {
        let mut program = bench.command(&["ui"]);
        let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let program = Running(child);
        let mut link = String::new();
        out.read_line(&mut link).unwrap();
        assert!(link.starts_with("http://127.0.0.1:"), "{link:?}");
        let link = link.trim().to_owned();
        Self {
            base: base(&link),
            link,
            _program: program,
        }
    }

    /// A page's address.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Where the page that exchanges the link goes on to, without the slash.
fn base(link: &str) -> String {
    let (host, token) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{token} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let (_, path) = page.split_once("0;url=").unwrap();
    let (path, _) = path.split_once("/\"").unwrap();
    format!("http://{host}{path}")
}

/// A browser of its own, with nothing in it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    _driver: Running,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        // Ends with this process, however that ends; and the browser with its driver, at the end of their pipe.
        let mut driver = Command::new("setpriv");
        driver.args(["--pdeathsig", "KILL", "chromedriver", "--port=0"]);
        let child = driver.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("chromedriver is installed by `make setup-test`");
        let out = BufReader::new(child.stdout.take().unwrap());
        let driver = Running(child);
        let port = out.lines().find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("chromedriver says where it listens");
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new",
            // Root has no sandbox, and containers have little shared memory.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
            "--force-color-profile=srgb",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        // Milliseconds: on a busy machine, axe-core alone takes longer than a driver waits by itself.
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"script": 600_000, "pageLoad": 600_000},
        });
        let capabilities: Capabilities = serde_json::from_value(capabilities).unwrap();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            _driver: driver,
            _profile: profile,
        }
    }

    /// What a script returns.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// The text of the page's part that a selector finds.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?})?.textContent ?? ''");
        self.ask(&script).await.as_str().unwrap().to_owned()
    }

    /// A picture, to be looked at; where it is.
    pub(crate) async fn picture(&self, name: &str, width: u32) -> PathBuf {
        self.client.set_window_size(width, 1400).await.unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{width}.png"));
        std::fs::write(&path, self.client.screenshot().await.unwrap()).unwrap();
        path
    }

    /// Nothing is wider than the window.
    pub(crate) async fn fits(&self) -> bool {
        let script = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        self.ask(script).await == true
    }

    /// What axe-core finds serious or worse, in light and in dark.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).expect("axe-core is fetched by `make setup-axe`");
        let mut all = Vec::new();
        for scheme in ["light", "dark"] {
            self.scheme(scheme).await;
            let script = format!(
                "{axe}; const done = arguments[arguments.length - 1]; axe.run(document).then((found) => done(found), (error) => done(String(error)));"
            );
            let found = self.client.execute_async(&script, Vec::new()).await.unwrap();
            let violations = found["violations"]
                .as_array()
                .unwrap_or_else(|| panic!("{found}"));
            assert!(!found["passes"].as_array().unwrap().is_empty());
            let is_bad = |violation: &&Value| {
                ["serious", "critical"].contains(&violation["impact"].as_str().unwrap_or_default())
            };
            let bad = violations.iter().filter(is_bad);
            all.extend(bad.map(|it| format!("{scheme}: {} {}", it["id"], it["nodes"][0]["html"])));
        }
        all
    }

    /// The colours that whoever looks prefers.
    async fn scheme(&self, scheme: &'static str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let command = Cdp {
            command: "Emulation.setEmulatedMedia",
            parameters: json!({"features": features}),
        };
        self.client.issue_cmd(command).await.unwrap();
    }
}

/// A command to the browser beside the standard's.
#[derive(Debug)]
struct Cdp {
    command: &'static str,
    parameters: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for Cdp {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Where `make setup-axe` leaves it.
fn axe() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
        PathBuf::from,
    );
    cache.join("mesosflow/axe-4.14.1/axe.min.js")
}
