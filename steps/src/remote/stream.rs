//! The output of a command as it comes, for who shows it or who could not hold all of it.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::exec::Exec;
use super::feed::{self, Sink, SinkReceiver};
use super::output::Piece;
use super::tail::Tail;

/// Where a channel's output goes, and the work of handing it on if somebody takes it: that ends with the output, and has the end
/// of standard error, in which there may be a word of the node's about the command itself.
pub(super) fn sinks<'a>(
    exec: &Exec<'a>,
    wake: &Arc<Notify>,
) -> ((Sink, Sink), impl Future<Output = Option<Vec<u8>>> + use<'a>) {
    let kept = exec.max_output;
    let (sinks, piped) = match exec.taker {
        None => {
            let tails = (Sink::Tail(Tail::new(kept.0)), Sink::Tail(Tail::new(kept.1)));
            (tails, None)
        }
        Some(taker) => {
            let (out, from_out) = feed::pipe(wake);
            let (err, from_err) = feed::pipe(wake);
            ((out, err), Some((taker, from_out, from_err)))
        }
    };
    let handing_on = async move {
        let (taker, out, err) = piped?;
        let mut tail = Tail::new(kept.1);
        tokio::join!(
            hand_on(out, taker, Piece::Out),
            hand_on(err, taker, |bytes| {
                tail.push(&bytes);
                Piece::Err(bytes)
            })
        );
        Some(tail.take().0)
    };
    (sinks, handing_on)
}

/// What nobody takes any more is read and dropped.
async fn hand_on(
    mut from: SinkReceiver,
    taker: &mpsc::Sender<Piece>,
    mut piece: impl FnMut(Vec<u8>) -> Piece,
) {
    while let Some(bytes) = from.recv().await {
        let _gone = taker.send(piece(bytes)).await;
    }
}
