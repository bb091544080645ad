//! `spark-submit`: a job of Spark's on the first master, which goes on without this machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use clap::Args;

use super::copy_file::{distinct, open};
use super::jobs::{self, Ended};
use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::{About, Copy, Jobs, Node, Outside, Submission, is_placed, user_and_host};

/// Run a job of Spark's on the cluster, and show what it prints
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct SparkSubmitArgs {
    #[command(flatten)]
    of: ClusterArgs,
    /// Do not wait for it: print its id, and leave
    #[arg(long)]
    detach: bool,
    /// Even while a run of the cluster is driven
    #[arg(long)]
    anyway: bool,
    /// The job: a Python file or a jar of this machine, or the address of one (`hdfs:///…`, `local:/PATH` of the node). All that stands
    /// behind it is the job's own, whatever it looks like
    // One argument for both: behind the first word clap takes nothing for an option, nor `--` for anything.
    #[arg(value_names = ["FILE", "ARG"], required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    job: Vec<String>,
    #[command(flatten, next_help_heading = "Spark")]
    options: Options,
}

/// Options that are spark-submit's, by its names.
#[derive(Debug, Clone, Default, Args)]
struct Options {
    /// Where to run; by default on Mesos, and on the first master alone where Mesos has no Java bindings
    #[arg(long, value_name = "URL")]
    master: Option<String>,
    /// The class to run, of a jar
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// What Mesos and Spark's pages call it
    #[arg(long)]
    name: Option<String>,
    /// A setting of Spark's (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// Python files beside the job, of this machine or by address, with commas between them
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    py_files: Vec<String>,
    /// Jars beside the job, likewise
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    jars: Vec<String>,
    /// Files for the folder of every executor, likewise
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    files: Vec<String>,
    /// Packages of Maven's, with commas between them
    #[arg(long, value_name = "COORDINATES")]
    packages: Option<String>,
    /// Of the driver, as `2g`
    #[arg(long, value_name = "SIZE")]
    driver_memory: Option<String>,
    /// Of each executor
    #[arg(long, value_name = "SIZE")]
    executor_memory: Option<String>,
    /// Of each executor
    #[arg(long, value_name = "N")]
    executor_cores: Option<u32>,
    /// Of all executors together
    #[arg(long, value_name = "N")]
    total_executor_cores: Option<u32>,
}

const HELP: &str = "\
The files go to the first master, where the job runs as root under an id of its own. Neither a lost connection nor the end of this \
program ends it: `mesosflow jobs` shows all, `jobs attach ID` their output, `jobs stop ID` ends one, `jobs forget ID` removes one that \
is over. Ctrl-C asks whether the job is to end. Its arguments and settings are seen by whoever lists the processes there. What a Python \
job writes to standard error, Spark has on standard output.

Exit codes: that of the job; 1 also where it cannot be started, or is lost with its machine; 130 where Ctrl-C left it or ended it; 141 \
where nobody reads its output any more, and it goes on.

  mesosflow spark-submit first.py
  mesosflow spark-submit --master 'local[2]' --conf spark.sql.shuffle.partitions=8 sums.py --days 7
  mesosflow spark-submit --class com.example.Sums --jars parser.jar sums.jar hdfs:///in";

/// Sends, starts, and shows.
pub(crate) async fn spark_submit(app: &App, args: &SparkSubmitArgs) -> Result<(), CliError> {
    let (file, own) = args.job()?;
    let submission = Submission::new();
    let mut sending = Sending::to(&submission);
    let (words, is_placed) = sending.words(&args.options, (file, own)).await?;
    let (user, host) = user_and_host();
    let about = About {
        program: "spark-submit".into(),
        file: file.to_owned(),
        args: own.to_vec(),
        by: format!("{user}@{host}"),
    };
    let job = submission.spark(&about, is_placed, &words);
    let job = job.map_err(|_| CliError::usage("an argument holds a NUL byte"))?;

    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    living.refuse_driven(&journal, args.anyway).await?;
    drop(journal);
    let outside = living.outside()?;
    let node = living.first();
    let submitted = Jobs::on(&outside, node);
    sending.send(&submitted, &submission, (&outside, node)).await?;
    let started = submitted.start(&job).await;
    started.map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("whether job {} has begun is not known", job.id),
        )
        .because_of(&error)
        .hint(format!("`{}` tells", app.places.command(&["jobs"])))
    })?;
    if args.detach {
        return jobs::begun(app, &job.id, node);
    }
    if !app.ui.json {
        app.ui.note(&format!("job {} runs on {}", job.id, node.name));
    }
    jobs::show(app, &submitted, &job.id, Ended::NotYet).await
}

impl SparkSubmitArgs {
    /// The job's file, and what is its own.
    fn job(&self) -> Result<(&str, &[String]), CliError> {
        match self.job.split_first() {
            Some((file, _)) if file.starts_with('-') => Err(CliError::usage(format!(
                "`{file}` is no option of this command, and no file"
            ))
            .hint("options of Spark's that have no flag here are settings: `--conf KEY=VALUE`; a file of that name is `./-…`")),
            Some((file, own)) => Ok((file, own)),
            None => Err(CliError::usage("no job is named")),
        }
    }
}

/// The files of this machine that a job needs.
struct Sending {
    folder: String,
    copies: Vec<Copy>,
    names: BTreeSet<String>,
}

impl Sending {
    fn to(submission: &Submission) -> Self {
        Self {
            folder: submission.folder(),
            copies: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    /// The words of spark-submit, and whether its options say where to run.
    async fn words(
        &mut self,
        options: &Options,
        (file, own): (&str, &[String]),
    ) -> Result<(Vec<String>, bool), CliError> {
        let mut words = self.options(options).await?;
        let is_placed = is_placed(&words);
        words.push(self.file(file).await?);
        words.extend_from_slice(own);
        Ok((words, is_placed))
    }

    /// The options of spark-submit, with each file where it will be.
    async fn options(&mut self, options: &Options) -> Result<Vec<String>, CliError> {
        let Options {
            master,
            class,
            name,
            conf,
            py_files,
            jars,
            files,
            packages,
            driver_memory,
            executor_memory,
            executor_cores,
            total_executor_cores,
        } = options;
        let mut words = Vec::new();
        let mut add = |option: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        };
        add("--master", master.clone());
        add("--class", class.clone());
        add("--name", name.clone());
        for setting in conf {
            if !setting.contains('=') {
                return Err(CliError::usage(format!("--conf {setting} is no KEY=VALUE")));
            }
            add("--conf", Some(setting.clone()));
        }
        for (option, named) in [("--py-files", py_files), ("--jars", jars), ("--files", files)] {
            let mut there = Vec::new();
            for file in named {
                if file.is_empty() {
                    return Err(CliError::usage(format!("{option}: a file has no name")));
                }
                there.push(self.file(file).await?);
            }
            add(option, (!there.is_empty()).then(|| there.join(",")));
        }
        add("--packages", packages.clone());
        add("--driver-memory", driver_memory.clone());
        add("--executor-memory", executor_memory.clone());
        add("--executor-cores", executor_cores.map(|count| count.to_string()));
        add(
            "--total-executor-cores",
            total_executor_cores.map(|count| count.to_string()),
        );
        Ok(words)
    }

    /// Where a file will be: an address is one already.
    async fn file(&mut self, named: &str) -> Result<String, CliError> {
        if is_address(named) {
            return Ok(named.to_owned());
        }
        let (file, name) = open(Path::new(named)).await?;
        if let Some(sign) = [',', '#'].into_iter().find(|sign| name.contains(*sign)) {
            return Err(CliError::usage(format!(
                "{named}: Spark takes `{sign}` for the end of a name; give the file another one"
            )));
        }
        distinct(&mut self.names, &name)?;
        let there = format!("{}/{name}", self.folder);
        self.copies
            .push(Copy::new(file, name, format!("{}/", self.folder), true));
        Ok(there)
    }

    async fn send(
        &self,
        jobs: &Jobs,
        submission: &Submission,
        (outside, node): (&Outside, &Node),
    ) -> Result<(), CliError> {
        let failed = |error: &dyn std::error::Error| {
            CliError::new(
                Exit::Failed,
                "the job's files cannot be sent: nothing was started",
            )
            .because_of(error)
        };
        if self.copies.is_empty() {
            return Ok(());
        }
        jobs.receive(submission).await.map_err(|error| failed(&error))?;
        let sent = Arc::new(AtomicU64::new(0));
        for copy in &self.copies {
            let copied = copy.straight(outside, node, &sent).await;
            copied.map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// `scheme:/…`, as Spark reads it: a file of this machine has no such name.
fn is_address(named: &str) -> bool {
    let Some((scheme, rest)) = named.split_once(':') else {
        return false;
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_scheme)
        && rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SparkSubmitArgs,
    }

    fn parsed(words: &[&str]) -> SparkSubmitArgs {
        let line = Line::try_parse_from(std::iter::once(&"spark-submit").chain(words));
        line.unwrap_or_else(|error| panic!("{error}")).args
    }

    async fn words(words: &[&str]) -> Result<Vec<String>, String> {
        let mut sending = Sending {
            folder: "/there".into(),
            copies: Vec::new(),
            names: BTreeSet::new(),
        };
        let args = parsed(words);
        let words = match args.job() {
            Ok(job) => sending.words(&args.options, job).await,
            Err(error) => Err(error),
        };
        words.map(|(words, _)| words).map_err(|error| error.message)
    }

    #[tokio::test]
    async fn files_are_where_they_will_be_and_the_rest_is_handed_on() {
        let folder = tempfile::tempdir().unwrap();
        let here = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            path.display().to_string()
        };
        let (job, one, two) = (here("job.py"), here("one.py"), here("two.zip"));
        let both = format!("{one},{two},hdfs:///three.py");
        let line = [
            "--py-files",
            &both,
            "--conf",
            "a=b",
            "--driver-memory",
            "2g",
            "--",
            &job,
            "in",
            "--days",
            "7",
            "--",
            "--master=x",
        ];
        assert_eq!(
            words(&line).await.unwrap(),
            [
                "--conf",
                "a=b",
                "--py-files",
                "/there/one.py,/there/two.zip,hdfs:///three.py",
                "--driver-memory",
                "2g",
                "/there/job.py",
                "in",
                "--days",
                "7",
                "--",
                "--master=x"
            ]
        );
        let line = ["a.py", "--", "-x", "--cluster", "c"].map(|word| word.replace("a.py", &job));
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        assert_eq!(words(&line).await.unwrap()[1..], ["--", "-x", "--cluster", "c"]);
        assert!(
            words(&["--deploy-mode", "cluster", &job])
                .await
                .unwrap_err()
                .contains("--deploy-mode")
        );
        assert_eq!(words(&["local:/root/a.py"]).await.unwrap(), ["local:/root/a.py"]);
        let twice = words(&["--jars", &one, &one]).await.unwrap_err();
        assert_eq!(twice, "two of the files are called `one.py`");
        let comma = here("a,b.py");
        assert!(words(&[&comma]).await.unwrap_err().contains("`,`"));
        assert!(words(&[&here("a#b.py")]).await.unwrap_err().contains("`#`"));
        let empty = words(&["--jars", "", &job]).await.unwrap_err();
        assert_eq!(empty, "--jars: a file has no name");
        assert!(words(&["/no/such.py"]).await.unwrap_err().contains("/no/such.py"));
        assert!(
            words(&["--conf", "spark.master", &job])
                .await
                .unwrap_err()
                .contains("KEY=VALUE")
        );
    }

    #[test]
    fn an_address_has_a_scheme() {
        for address in [
            "hdfs:///a.py",
            "hdfs://h:9000/a.py",
            "local:/root/a.jar",
            "https://h/a.jar",
            "s3a://b/c",
        ] {
            assert!(is_address(address), "{address}");
        }
        for file in ["a.py", "./a:b.py", "/tmp/hdfs:/a.py", "a b:/c", ":/a", "12:30.py"] {
            assert!(!is_address(file), "{file}");
        }
    }
}
