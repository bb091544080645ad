//! The archive with Hadoop and Spark, where machines of a stock image can get it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bench::Bench;

const NAME: &str = "pyspark-2.4.8.tar.gz";

/// A server of files in the machines' network, at the address of their gateway. Dropped, it ends.
#[derive(Debug)]
pub struct Archive {
    server: Child,
    url: String,
}

impl Archive {
    /// Serves the archive that `make ami` has put in the cache, in the network of that range.
    ///
    /// # Panics
    /// It is not there, or Python does not serve it.
    pub(super) fn serve(bench: &mut Bench, cidr: &str) -> Self {
        let folder = bench.path("archive");
        std::fs::create_dir_all(&folder).expect("a folder");
        let cached = cached();
        assert!(
            cached.is_file(),
            "{} is missing: `make ami` puts it there",
            cached.display()
        );
        std::os::unix::fs::symlink(cached, folder.join(NAME)).expect("a link");
        let log = File::create(bench.path("archive.log")).expect("a file");
        let mut server = Command::new("python3")
            .args([
                "-u",
                "-m",
                "http.server",
                "0",
                "--bind",
                &gateway(cidr).to_string(),
                "--directory",
            ])
            // With a slash, by which the guard knows it.
            .arg(format!("{}/", folder.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("python3 starts");
        bench.guarded(server.id());
        let mut line = String::new();
        let out = server.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("what it says");
        // `Serving HTTP on 10.89.0.1 port 40123 (http://10.89.0.1:40123/) ...`
        let address = line.split(['(', ')']).nth(1);
        let address = address.unwrap_or_else(|| panic!("python3 says {line:?}"));
        let url = format!("{address}{NAME}");
        Self { server, url }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        let _killed = self.server.kill();
        let _ended = self.server.wait();
    }
}

fn cached() -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("mesosflow").join(NAME)
}

/// The first address of a range, which the engine gives to this machine.
fn gateway(cidr: &str) -> Ipv4Addr {
    let network: Ipv4Addr = cidr
        .split('/')
        .next()
        .unwrap_or_default()
        .parse()
        .expect("a range");
    Ipv4Addr::from(u32::from(network) + 1)
}
