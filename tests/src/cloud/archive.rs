//! The archive with Hadoop and Spark, where machines of a stock image can get it.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::gateway;

const NAME: &str = "pyspark-2.4.8.tar.gz";

/// A server of that one file in the machines' network, at the address of their gateway. Dropped, it ends.
#[derive(Debug)]
pub struct Archive {
    server: JoinHandle<()>,
    url: String,
}

impl Archive {
    /// Serves the archive that `make ami` has put in the cache, in the network of that range.
    ///
    /// # Panics
    /// It is not there, or there is no such address.
    pub(super) fn serve(runtime: &Handle, cidr: &str) -> Self {
        let cached = cached();
        let archive = std::fs::read(&cached);
        let archive =
            archive.unwrap_or_else(|error| panic!("{}: {error}: `make ami` puts it there", cached.display()));
        let archive = Bytes::from(archive);
        let listener = gateway::listen(cidr);
        let url = format!("http://{}/{NAME}", listener.local_addr().expect("its address"));
        let router = Router::new().route(
            &format!("/{NAME}"),
            get(move || std::future::ready(archive.clone())),
        );
        let server = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            // It ends with the scenario, and what it says then interests nobody.
            let _ended = axum::serve(listener, router).await;
        });
        Self { server, url }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn cached() -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("mesosflow").join(NAME)
}
