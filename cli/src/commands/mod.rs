//! One file per command.

mod clusters;
mod completions;
pub(crate) mod copy_file;
mod destroy;
mod destroy_damaged;
mod destroy_orphans;
mod events;
pub(crate) mod get_master;
pub(crate) mod image;
pub(crate) mod inventory;
pub(crate) mod journal;
mod list;
pub(crate) mod login;
mod logs;
mod orphans;
mod plan;
mod replay;
mod resume;
mod run;
pub(crate) mod run_command;
pub(crate) mod ssh_config;
mod status;
mod steps;
pub(crate) mod tunnel;

use crate::app::App;
use crate::args::Command;
use crate::error::CliError;

/// Does what was asked for.
pub(crate) async fn dispatch(app: &App, command: Command) -> Result<(), CliError> {
    let destroys = matches!(command, Command::Destroy(_));
    let done = carry_out(app, command).await;
    done.map_err(|error| error.on_journal(&app.places, destroys))
}

async fn carry_out(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run::run(app, &args).await,
        Command::Resume(args) => resume::resume(app, &args).await,
        Command::Replay(args) => replay::replay(app, &args).await,
        Command::Plan(args) => plan::plan(app, &args),
        Command::Steps => steps::steps(app),
        Command::List(args) if args.orphans => orphans::orphans(app, &args).await,
        Command::List(_) => list::list(app).await,
        Command::Status(args) => status::status(app, &args).await,
        Command::Events(args) => events::events(app, &args).await,
        Command::Logs(args) => logs::logs(app, &args).await,
        Command::Destroy(args) => destroy::destroy(app, &args).await,
        Command::Clusters => clusters::clusters(app).await,
        Command::Login(args) => login::login(app, &args).await,
        Command::GetMaster(args) => get_master::get_master(app, &args).await,
        Command::Tunnel(args) => tunnel::tunnel(app, &args).await,
        Command::CopyFile(args) => copy_file::copy_file(app, &args).await,
        Command::Inventory(args) => inventory::inventory(app, &args).await,
        Command::SshConfig(args) => ssh_config::ssh_config(app, &args).await,
        Command::RunCommand(args) => run_command::run_command(app, &args).await,
        Command::Image { command } => image::image(app, &command).await,
        Command::Journal { command } => journal::journal(app, &command).await,
        Command::Completions { shell } => completions::completions(app, shell),
    }
}
