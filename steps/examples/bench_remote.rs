//! `make bench`: what the fence costs on a node.
//!
//!     bench_remote
//!
//! `true` on one warm session behind the fence, against the same outside of it; the two take turns, and the median of each
//! counts. The node is this machine, through an SSH server of its own. The last line is one JSON object with the figures.

#![expect(clippy::print_stdout, reason = "a program whose result is its output")]
#![expect(
    clippy::unwrap_used,
    reason = "shared with the tests, which stop where they cannot go on"
)]

use std::error::Error;
use std::time::{Duration, Instant};

use mesosflow_steps::remote::{Command, Lineage, Pool, RemoteError, Session};
use mesosflow_workflow::{ClusterId, Epoch, FencingToken, Nonce, RunId};
use sshd::Sshd;

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/remote/sshd.rs"]
mod sshd;

/// Commands of each side.
const TURNS: usize = 200;
/// Commands before the first that counts.
const WARM: usize = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Sshd::start();
    let token = FencingToken {
        cluster: ClusterId::of_run(RunId::generate()),
        epoch: Epoch::FIRST,
        nonce: Nonce::generate(),
    };
    let fenced =
        Pool::fenced(server.path("user"), token, Lineage::default()).with_fence_dir(server.text("fence"));
    let fenced = fenced.session(&server.target()).await?;
    let plain = server.session().await;
    let (mut behind, mut outside) = (Vec::new(), Vec::new());
    for turn in 0..TURNS + WARM {
        let (one, other) = (took(&fenced).await?, took(&plain).await?);
        if turn >= WARM {
            behind.push(one);
            outside.push(other);
        }
    }
    let (behind, outside) = (median(behind), median(outside));
    let ratio = behind.as_secs_f64() / outside.as_secs_f64();
    println!("`true` on a node, behind the fence     {:.2} ms", ms(behind));
    println!("`true` on a node, outside of it        {:.2} ms", ms(outside));
    println!("cost of the fence                      {ratio:.2}");
    println!("{{\"fence_cost_ratio\":{ratio:.4}}}");
    Ok(())
}

async fn took(session: &Session) -> Result<Duration, RemoteError> {
    let started = Instant::now();
    session.run(Command::new("nothing", "true")).await?;
    Ok(started.elapsed())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
