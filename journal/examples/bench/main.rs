//! `make bench`: what durability costs, what a long history costs, and where the time of a deploy goes.
//!
//!     bench MESOSFLOW [FOLDER]
//!
//! The journal is measured through the executor itself, against bare commits of one row in the same folder (by default
//! one on the disk that holds `/var/tmp`; a file system in memory would measure nothing). The two sides of each ratio
//! take turns within one run, and the median of the turns is printed. Long histories are opened by processes of their own,
//! whose memory is theirs. Then MESOSFLOW brings up a cluster and says what its phases took; `-` leaves that out. The last
//! line is one JSON object with all figures.

#![expect(clippy::print_stdout, reason = "a program whose result is its output")]

mod appending;
mod histories;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use appending::WIDTH;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: bench MESOSFLOW [FOLDER]")?;
    if program == histories::CHILD {
        return histories::child(arguments).await;
    }
    let parent = arguments
        .next()
        .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let folder = tempfile::Builder::new()
        .prefix("mesosflow-bench-")
        .tempdir_in(parent)?;

    let appending = appending::measure(folder.path()).await?;
    println!(
        "a bare commit                          {:.3} ms",
        appending.commit_ms
    );
    println!(
        "serial durable steps per bare commit   {:.2}",
        appending.steps_per_commit
    );
    println!(
        "gain of {WIDTH} concurrent items             {:.1}",
        appending.gain
    );
    let histories = histories::measure(folder.path()).await?;
    let mut figures = json!({
        "bare_commit_ms": appending.commit_ms,
        "serial_steps_per_commit_ratio": appending.steps_per_commit,
        "fanout_gain_64": appending.gain,
        "histories": histories,
    });
    if program != "-" {
        let (seconds, phases) = deploy(Path::new(&program), folder.path())?;
        println!("deploy of eight nodes                  {seconds:.1} s");
        for phase in phases.as_array().into_iter().flatten() {
            let share = phase["duration_ms"].as_f64().unwrap_or_default() / 1000.0 / seconds;
            println!(
                "  {:<12} {share:>5.2} of it",
                phase["name"].as_str().unwrap_or_default()
            );
        }
        figures["deploy_seconds"] = json!(seconds);
        figures["phases"] = phases;
    }
    println!("{figures}");
    Ok(())
}

/// Brings a cluster up and takes it down again; seconds of the deploy, and its phases as `status --json` tells them.
fn deploy(program: &Path, folder: &Path) -> Result<(f64, Value), Failure> {
    let cluster = format!("bench-{}", std::process::id());
    let journal = folder.join("deploy.sqlite");
    let mesosflow = |arguments: &[&str]| -> Result<std::process::Output, Failure> {
        Ok(Command::new(program)
            .arg("--journal")
            .arg(&journal)
            .args(arguments)
            .output()?)
    };
    let started = Instant::now();
    let run = mesosflow(&["run", "--cluster", &cluster])?;
    let seconds = started.elapsed().as_secs_f64();
    let status = mesosflow(&["status", "--json"])?;
    let destroyed = mesosflow(&["destroy", "--cluster", &cluster, "--yes"])?;
    for output in [&run, &destroyed] {
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    let status: Value = serde_json::from_slice(&status.stdout)?;
    Ok((seconds, status["phases"].clone()))
}
