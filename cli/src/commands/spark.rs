//! `pyspark` and `spark-shell`: Spark's shells on a node, through the system's SSH client as `login` has it.

use clap::Args;

use super::login::{enter, line};
use crate::app::App;
use crate::clusters::ClusterArgs;
use crate::error::CliError;
use crate::wiring::spark_command;

/// What both take.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct SparkArgs {
    /// The node where the driver runs; by default the first master
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    #[command(flatten)]
    of: ClusterArgs,
    /// Spark's own options
    #[arg(last = true, value_name = "ARG")]
    args: Vec<String>,
}

const HELP: &str = "\
Runs on Mesos where that has Java bindings, and says so and runs on the node alone where not, unless --master is among the
arguments.

  mesosflow pyspark
  mesosflow pyspark -- --master 'local[2]' --driver-memory 2g
  mesosflow spark-shell --node slave-1";

/// Becomes SSH's client that runs the program.
pub(crate) async fn spark(app: &App, program: &str, args: &SparkArgs) -> Result<(), CliError> {
    enter(app, &args.of, args.node.as_deref(), &[], |node| {
        Ok(Some(line(spark_command(node, program, &args.args))?))
    })
    .await
}
