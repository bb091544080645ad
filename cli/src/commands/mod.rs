//! One file per command: its arguments, with the help that they have, and what it does.

mod add_slaves;
mod adopt;
mod check;
mod close;
mod clusters;
mod completions;
mod configure;
mod copy_file;
mod destroy;
mod destroy_orphans;
mod doctor;
mod driven;
mod events;
mod get_master;
mod ground;
mod image;
mod inventory;
mod jobs;
mod journal;
mod list;
mod login;
mod logs;
mod man;
mod metrics;
mod orphans;
mod plan;
mod plan_change;
mod plan_configure;
mod plan_destroy;
mod redeploy;
mod remove_slaves;
mod replace_node;
mod replay;
mod report;
mod resume;
mod roles;
mod rollback;
mod run;
mod run_command;
mod spark;
mod spark_submit;
mod ssh_config;
mod start;
mod status;
mod steps;
mod stop;
mod tunnel;
mod ui;
mod userdata;

use clap::Subcommand;

use self::driven::Driven;
use crate::app::App;
use crate::error::CliError;

/// What can be asked for, in the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Driven<run::RunArgs>),
    Resume(Driven<resume::ResumeArgs>),
    Replay(Driven<replay::ReplayArgs>),
    Plan(plan::PlanArgs),
    Doctor(doctor::DoctorArgs),
    Steps(steps::StepsArgs),
    List(list::ListArgs),
    Status(status::StatusArgs),
    Events(events::EventsArgs),
    Logs(logs::LogsArgs),
    Ui(ui::UiArgs),
    Report(report::ReportArgs),
    Metrics(metrics::MetricsArgs),
    Stop(Driven<stop::StopArgs>),
    Start(Driven<start::StartArgs>),
    AddSlaves(Driven<add_slaves::AddSlavesArgs>),
    Adopt(Driven<adopt::AdoptArgs>),
    RemoveSlaves(Driven<remove_slaves::RemoveSlavesArgs>),
    ReplaceNode(Driven<replace_node::ReplaceNodeArgs>),
    Redeploy(Driven<redeploy::RedeployArgs>),
    Configure(Driven<configure::ConfigureArgs>),
    Rollback(Driven<rollback::RollbackArgs>),
    Close(close::CloseArgs),
    Destroy(Driven<destroy::DestroyArgs>),
    Clusters(clusters::ClustersArgs),
    Check(check::CheckArgs),
    Login(login::LoginArgs),
    /// Open Spark's shell for Python on a node
    Pyspark(spark::SparkArgs),
    /// Open Spark's shell for Scala on a node
    SparkShell(spark::SparkArgs),
    SparkSubmit(spark_submit::SparkSubmitArgs),
    Jobs(jobs::JobsArgs),
    GetMaster(get_master::GetMasterArgs),
    Tunnel(tunnel::TunnelArgs),
    #[expect(clippy::enum_variant_names, reason = "`run-command` is what it is called")]
    RunCommand(run_command::RunCommandArgs),
    CopyFile(copy_file::CopyFileArgs),
    Inventory(inventory::InventoryArgs),
    SshConfig(ssh_config::SshConfigArgs),
    Userdata(userdata::UserdataArgs),
    #[command(subcommand)]
    Roles(roles::RolesCommand),
    #[command(subcommand)]
    Image(image::ImageCommand),
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Does what was asked for.
pub(crate) async fn dispatch(app: &App, command: Command) -> Result<(), CliError> {
    let destroys = matches!(command, Command::Destroy(_));
    let done = carry_out(app, command).await;
    done.map_err(|error| error.on_journal(|hint| app.places.named_in(hint), destroys))
}

async fn carry_out(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run::run(&args.app(app)?, &args.own).await,
        Command::Resume(args) => resume::resume(&args.app(app)?, &args.own).await,
        Command::Replay(args) => replay::replay(&args.app(app)?, &args.own).await,
        Command::Plan(args) => plan::plan(app, &args).await,
        Command::Doctor(args) => doctor::doctor(app, &args).await,
        Command::Steps(args) => steps::steps(app, &args),
        Command::List(args) => list::list(app, &args).await,
        Command::Status(args) => status::status(app, &args).await,
        Command::Events(args) => events::events(app, &args).await,
        Command::Ui(args) => ui::ui(app, &args).await,
        Command::Report(args) => report::report(app, &args).await,
        Command::Logs(args) => logs::logs(app, &args).await,
        Command::Metrics(args) => metrics::metrics(app, &args).await,
        Command::Stop(args) => stop::stop(&args.app(app)?, &args.own).await,
        Command::Start(args) => start::start(&args.app(app)?, &args.own).await,
        Command::AddSlaves(args) => add_slaves::add_slaves(&args.app(app)?, &args.own).await,
        Command::Adopt(args) => adopt::adopt(&args.app(app)?, &args.own).await,
        Command::RemoveSlaves(args) => remove_slaves::remove_slaves(&args.app(app)?, &args.own).await,
        Command::ReplaceNode(args) => replace_node::replace_node(&args.app(app)?, &args.own).await,
        Command::Redeploy(args) => redeploy::redeploy(&args.app(app)?, &args.own).await,
        Command::Configure(args) => configure::configure(&args.app(app)?, &args.own).await,
        Command::Rollback(args) => rollback::rollback(&args.app(app)?, &args.own).await,
        Command::Close(args) => close::close(app, &args).await,
        Command::Destroy(args) => destroy::destroy(&args.app(app)?, &args.own).await,
        Command::Clusters(args) => clusters::clusters(app, &args).await,
        Command::Check(args) => check::check(app, &args).await,
        Command::Login(args) => login::login(app, &args).await,
        Command::Pyspark(args) => spark::spark(app, "pyspark", &args).await,
        Command::SparkShell(args) => spark::spark(app, "spark-shell", &args).await,
        Command::SparkSubmit(args) => spark_submit::spark_submit(app, &args).await,
        Command::Jobs(args) => jobs::jobs(app, &args).await,
        Command::GetMaster(args) => get_master::get_master(app, &args).await,
        Command::Tunnel(args) => tunnel::tunnel(app, &args).await,
        Command::RunCommand(args) => run_command::run_command(app, &args).await,
        Command::CopyFile(args) => copy_file::copy_file(app, &args).await,
        Command::Inventory(args) => inventory::inventory(app, &args).await,
        Command::SshConfig(args) => ssh_config::ssh_config(app, &args).await,
        Command::Userdata(args) => userdata::userdata(app, &args).await,
        Command::Roles(command) => roles::roles(app, &command).await,
        Command::Image(command) => image::image(app, &command).await,
        Command::Journal(command) => journal::journal(app, &command).await,
        Command::Completions(args) => completions::completions(app, &args),
        Command::Man(args) => man::man(app, &args),
    }
}
