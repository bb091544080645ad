//! The archives of Hadoop and Spark, where machines of a stock image can get them.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::gateway;

const NAMES: [&str; 2] = ["pyspark-2.4.8.tar.gz", "pyspark-3.5.9.tar.gz"];

/// A server of these files in the machines' network, at the address of their gateway. Dropped, it ends.
#[derive(Debug)]
pub struct Archive {
    server: JoinHandle<()>,
    url: String,
}

impl Archive {
    /// Serves the archives that `make ami` has put in the cache, in the network of that range.
    ///
    /// # Panics
    /// One is not there, or there is no such address.
    pub(super) fn serve(runtime: &Handle, cidr: &str) -> Self {
        let mut router = Router::new();
        for name in NAMES {
            let cached = cached(name);
            let archive = std::fs::read(&cached);
            let archive = archive
                .unwrap_or_else(|error| panic!("{}: {error}: `make ami` puts it there", cached.display()));
            let archive = Bytes::from(archive);
            let answer = get(move || std::future::ready(archive.clone()));
            router = router.route(&format!("/{name}"), answer);
        }
        let listener = gateway::listen(cidr);
        let url = format!("http://{}/", listener.local_addr().expect("its address"));
        let server = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            // It ends with the scenario, and what it says then interests nobody.
            let _ended = axum::serve(listener, router).await;
        });
        Self { server, url }
    }

    /// The address of their folder.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn cached(name: &str) -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("mesosflow").join(name)
}
