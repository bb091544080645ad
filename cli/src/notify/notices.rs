//! The end of a run is told, beside everything else: it changes nothing of how the program ends, and holds that up no longer than the limit.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::channels::Channels;
use super::command::{self, Ran};
use super::notice::Notice;
use super::webhook::Webhook;
use crate::signals::next_signal;

/// How long whoever is told may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The notices on their way; the same for all who share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Notices {
    /// Tells all channels, beside what else is done; `warn` is told what went wrong. Ctrl-C waits for none of them.
    pub(crate) fn begin(
        &self,
        channels: Channels,
        notice: Notice,
        warn: impl Fn(&str) + Send + Sync + 'static,
    ) {
        let left = next_signal();
        let telling = tokio::spawn(async move {
            tokio::select! {
                () = tell(&channels, &notice, LIMIT, &warn) => {}
                () = left => warn(&format!(
                    "run {} has ended ({}), and it was not waited until that was told",
                    notice.run, notice.state
                )),
            }
        });
        self.all().push(telling);
    }

    /// Waits until all have been told, or could not be.
    pub(crate) async fn ended(&self) {
        let all = std::mem::take(&mut *self.all());
        for telling in all {
            let _ended = telling.await;
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All at once, so that together they take no longer than one.
async fn tell(channels: &Channels, notice: &Notice, limit: Duration, warn: &(dyn Fn(&str) + Send + Sync)) {
    let failed = |whom: &str, why: &str| {
        warn(&format!(
            "run {} has ended ({}), and {whom} could not be told: {why}",
            notice.run, notice.state
        ));
    };
    let command = async {
        if let Some((command, given_by)) = &channels.command
            && let Err(why) = told_command(command, given_by, notice, limit).await
        {
            failed(&format!("the command of `{given_by}`"), &why);
        }
    };
    let url = async {
        if let Some(hook) = &channels.url
            && let Err(why) = told_hook(hook, notice, limit).await
        {
            failed(hook.shown(), &why);
        }
    };
    tokio::join!(command, url);
}

/// The command itself is not logged: it may hold a password.
async fn told_command(command: &str, given_by: &str, notice: &Notice, limit: Duration) -> Result<(), String> {
    tracing::info!(
        by = given_by,
        state = notice.state,
        "tells a command of the run's end"
    );
    let ran = command::run(command, notice, limit).await;
    let Ran { status, output } = ran.map_err(|error| {
        tracing::warn!(by = given_by, %error, "the command cannot be started");
        format!("`sh` cannot be started: {error}")
    })?;
    let said = output.join(" | ");
    let ended = match status {
        Some(status) => ended(status),
        None => Some(format!(
            "it had not ended after {} s, and was killed",
            limit.as_secs_f32()
        )),
    };
    match ended {
        None => {
            tracing::info!(
                by = given_by,
                exit = 0,
                output = said,
                "the command was told of the run's end"
            );
            Ok(())
        }
        Some(how) => {
            let exit = status.and_then(|status| status.code());
            tracing::warn!(by = given_by, exit, output = said, "the command failed: {how}");
            Err(match output.last() {
                Some(last) => format!("{how}: {last}"),
                None => how,
            })
        }
    }
}

/// How a command failed, if it did.
fn ended(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("it was ended by signal {signal}")),
        (None, None) => Some(status.to_string()),
    }
}

async fn told_hook(hook: &Webhook, notice: &Notice, limit: Duration) -> Result<(), String> {
    let host = hook.shown().to_owned();
    tracing::info!(host, state = notice.state, "posts the run's end");
    let (hook, document) = (hook.clone(), notice.document.clone());
    let posted = tokio::task::spawn_blocking(move || hook.post(&document, limit));
    // Its own limit may miss what the system's resolver takes.
    let posted = match tokio::time::timeout(limit, posted).await {
        Ok(Ok(posted)) => posted,
        Ok(Err(_)) => Err("the request failed".to_owned()),
        Err(_) => Err(format!("it has not answered within {} s", limit.as_secs_f32())),
    };
    match &posted {
        Ok(()) => tracing::info!(host, "the run's end was posted"),
        Err(why) => tracing::warn!(host, "the run's end could not be posted: {why}"),
    }
    posted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            run: "01jd3k00000000000000000000".to_owned(),
            cluster: "demo".to_owned(),
            workflow: "deploy".to_owned(),
            state: "failed",
            document: Arc::from(*b"{}"),
        }
    }

    async fn warnings(channels: Channels, limit: Duration) -> Vec<String> {
        let told = Mutex::new(Vec::new());
        tell(&channels, &notice(), limit, &|text| {
            told.lock().unwrap().push(text.to_owned())
        })
        .await;
        told.into_inner().unwrap()
    }

    fn command(command: &str) -> Channels {
        Channels::default().with_flag(Some(command))
    }

    #[tokio::test]
    async fn who_could_not_be_told_is_warned_of_with_why() {
        const LONG: Duration = Duration::from_secs(120);
        assert!(warnings(Channels::default(), LONG).await.is_empty());
        assert!(warnings(command("echo told"), LONG).await.is_empty());
        for (line, why) in [
            ("echo no room >&2; exit 7", "exit code 7: no room"),
            ("exit 7", "exit code 7"),
            ("kill -9 $$", "it was ended by signal 9"),
        ] {
            let expected = format!(
                "run 01jd3k00000000000000000000 has ended (failed), and the command of `--notify` could not be told: {why}"
            );
            assert_eq!(warnings(command(line), LONG).await, [expected]);
        }
    }

    /// Both at once: who is slow twice holds up once.
    #[tokio::test]
    async fn who_is_slow_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = silent.local_addr().unwrap();
        let channels = Channels {
            url: Some(Webhook::parse(&format!("http://{at}/S3CRET")).unwrap()),
            ..command("echo begun; sleep 1000")
        };
        let mut told = warnings(channels, Duration::from_millis(500)).await;
        told.sort();
        let [hook, command] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(
            command.ends_with(
                "`--notify` could not be told: it had not ended after 0.5 s, and was killed: begun"
            ),
            "{told:?}"
        );
        assert!(
            hook.ends_with("http://127.0.0.1 could not be told: it has not answered within 0.5 s"),
            "{told:?}"
        );
    }
}
