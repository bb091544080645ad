//! Ctrl-C: the first stops in good order, the second at once.

use mesosflow_workflow::Stop;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::CliError;
use crate::exit::Exit;

/// From now on, SIGINT and SIGTERM request `stop`, which `say` is told; a second one ends the process, which is as safe
/// as a kill.
pub(crate) fn stop_on_signals(stop: Stop, say: impl Fn(&str) + Send + 'static) -> Result<(), CliError> {
    let listen = |kind| {
        signal(kind)
            .map_err(|error| CliError::new(Exit::Failed, "cannot listen for signals").because_of(&error))
    };
    let mut interrupts = listen(SignalKind::interrupt())?;
    let mut terminations = listen(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            if asked {
                std::process::exit(Exit::Interrupted.code().into());
            }
            asked = true;
            say(
                "stopping: what runs has a few seconds to end, the roll of a node as long as it takes; Ctrl-C again leaves at once",
            );
            stop.request();
        }
    });
    Ok(())
}

/// Resolves with the next SIGINT or SIGTERM from now on, whoever else hears it; never where they cannot be listened for.
pub(crate) fn next_signal() -> impl Future<Output = ()> + Send + 'static {
    let interrupts = signal(SignalKind::interrupt());
    let both = interrupts.and_then(|interrupts| Ok((interrupts, signal(SignalKind::terminate())?)));
    async move {
        match both {
            Ok((mut interrupts, mut terminations)) => tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            },
            Err(_) => std::future::pending().await,
        }
    }
}
