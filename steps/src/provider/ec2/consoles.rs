//! The machines' consoles: read late and seldom, since each look is a call for one machine alone.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::Api;
use super::console;
use super::failure::Failure;
use crate::remote::HostKey;

/// How old a machine is before its console is read: it has hardly begun to boot until then.
pub(super) const FIRST: Duration = Duration::from_secs(10);
/// The pause before a console is read again that does not show a host key yet, twice as long after each time, and at most the
/// second: cloud-init prints it once.
const EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// What the consoles have shown, by instance.
#[derive(Debug, Default)]
pub(super) struct Consoles(Mutex<HashMap<String, Shown>>);

#[derive(Debug, Clone)]
struct Shown {
    keys: Vec<HostKey>,
    read: Instant,
    /// Before it is read again, if it shows no key.
    pause: Duration,
}

impl Consoles {
    /// The host keys that a machine's console shows. A console that shows none is read again only after a while.
    pub(super) async fn host_keys(&self, api: &Api, id: &str) -> Result<Vec<HostKey>, Failure> {
        let before = self.0.lock().await.get(id).cloned();
        let pause = match &before {
            Some(last) if !last.keys.is_empty() || last.read.elapsed() < last.pause => {
                return Ok(last.keys.clone());
            }
            Some(last) => (last.pause * 2).min(EVERY.1),
            None => EVERY.0,
        };
        let keys = console::host_keys(&text(api, id).await?);
        let shown = Shown {
            keys: keys.clone(),
            read: Instant::now(),
            pause,
        };
        self.0.lock().await.insert(id.to_owned(), shown);
        Ok(keys)
    }
}

/// What a machine's console shows: the newest of it where the machine can tell, else what was kept at its last boot.
async fn text(api: &Api, id: &str) -> Result<String, Failure> {
    let call = |latest: Option<bool>| {
        let call = api.reads().get_console_output().instance_id(id);
        call.set_latest(latest).send()
    };
    let shown = match api.read("GetConsoleOutput", || call(Some(true))).await {
        // Only machines on Nitro can.
        Err(failure) if failure.is(&["UnsupportedOperation", "InvalidParameterValue", "Unsupported"]) => {
            api.read("GetConsoleOutput", || call(None)).await
        }
        shown => shown,
    };
    let text = shown?.output.unwrap_or_default();
    let bytes = BASE64
        .decode(text.split_whitespace().collect::<String>())
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
