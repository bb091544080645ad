//! The stand-in for AWS: a moto server of one scenario's own, installed by `make setup-test`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bench::Bench;
use crate::wait::until;

/// How long it may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(180);
const REQUIREMENTS: &str = include_str!("../../fixtures/moto/requirements.txt");
/// The images that exist: moto's own list is old, and knows no architecture of what is registered later.
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/moto/images.json");

/// A moto server. Dropped, it is killed; should the test be killed, the guard kills it.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    port: u16,
}

impl Moto {
    /// Starts one on a free port of this machine, and waits for its first answer.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    pub fn start(bench: &mut Bench) -> Self {
        let packages = packages();
        assert!(
            packages.is_dir(),
            "{} is missing: `make setup-test` comes before the EC2 tests",
            packages.display()
        );
        let log = bench.path("moto.log");
        let file = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .expect("a log for moto")
        };
        let mut command = Command::new("python3");
        command
            // Python does not know this option, which only shows whose server it is: the guard ends no other.
            .args(["-X", &format!("mesosflow-test={}", log.display())])
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONPATH", &packages)
            .env("PYTHONUNBUFFERED", "1")
            .env("MOTO_AMIS_PATH", IMAGES)
            .stdin(Stdio::null())
            .stdout(file())
            .stderr(file());
        bench.surround(&mut command);
        let mut process = command.spawn().expect("python3 starts");
        bench.guarded(process.id());
        let port = until("the port of the moto server", START_LIMIT, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let ended = process.try_wait().expect("moto can be waited for");
            assert!(ended.is_none(), "the moto server ended:\n{text}");
            port_in(&text)
        });
        until("an answer of the moto server", START_LIMIT, || {
            answers(port).then_some(())
        });
        Self { process, port }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Where `make setup-test` puts it.
fn packages() -> PathBuf {
    let version = REQUIREMENTS.lines().find_map(|line| line.strip_prefix("moto=="));
    let version = version.expect("moto's version among the requirements");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let cache = cache.map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    cache.join("mesosflow").join(format!("moto-{version}"))
}

fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("Running on http://127.0.0.1:")?;
    let (port, _) = rest.split_once('\n')?;
    port.trim().parse().ok()
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let mut answer = [0; 5];
    stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/"
}
