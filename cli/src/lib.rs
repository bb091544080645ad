//! The `mesosflow` command: brings up a whole Apache Mesos cluster as a durable run. All of it is here; the binary only begins it.

mod amend;
mod app;
mod args;
mod belongings;
mod changes;
mod clusters;
mod command_line;
mod commands;
mod config;
mod error;
mod exit;
mod file;
mod health;
mod hints;
mod logging;
mod nearest;
mod notify;
mod page;
mod places;
mod render;
mod runs;
mod session;
mod shape;
mod signals;
mod ssh;
mod takedown;
mod text;
mod ui;
mod views;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::app::App;
use crate::command_line::{Cli, Global};
use crate::commands::Command;
use crate::error::CliError;
use crate::exit::Exit;
use crate::logging::{RunLog, Voice};
use crate::notify::{Channels, Notices};
use crate::places::Places;
use crate::text::clean;
use crate::ui::Ui;

/// How long what still runs on other threads may hold up the end of the program.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Does what the command line says, and tells the exit code.
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let ui = Ui::detect(global.json, global.verbose > 0);
    match start(ui, global, command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit.into()
        }
    }
}

fn start(ui: Ui, global: Global, command: Command) -> Result<Exit, CliError> {
    let Global {
        journal,
        journal_on_network,
        config,
        json: _,
        verbose,
    } = global;
    let places = Places::new(journal.as_deref(), journal_on_network)?;
    let log = RunLog::default();
    let voice = Voice::new(move |line| ui.note(&clean(line)));
    log.install(voice.clone(), verbose);
    let app = App {
        definition: Cli::command,
        ui,
        places,
        config,
        log,
        voice,
        channels: Channels::default(),
        notices: Notices::default(),
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failed, "cannot start the runtime").because_of(&error))?;
    let exit = match runtime.block_on(commands::dispatch(&app, command)) {
        Ok(()) => Exit::Done,
        Err(error) => {
            ui.error(&error);
            error.exit
        }
    };
    // All is said, and nobody who is told of it by others can change how it ended.
    runtime.block_on(app.notices.ended());
    runtime.shutdown_timeout(LAST_WORDS);
    Ok(exit)
}
