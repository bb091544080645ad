//! The output of several nodes on this program's own two streams: line by line, each with its node's name.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread::JoinHandle;

use mesosflow_workflow::Stop;
use tokio::sync::mpsc;

use crate::error::CliError;
use crate::exit::Exit;
use crate::text::clean;
use crate::wiring::Piece;

/// A line that is longer is broken here, so that no node can fill the memory.
const LONGEST: usize = 64 * 1024;
/// How many bytes of each stream of a node are kept at most.
const KEPT: usize = 64 * 1024 * 1024;
/// How many pieces may wait for a slow reader of the output.
const QUEUE: usize = 16;

/// Writes what nodes say, from a thread of its own: a reader of the output that is slow holds up the nodes, and nothing else.
pub(crate) struct Printer {
    pieces: mpsc::Sender<Piece>,
    thread: JoinHandle<io::Result<()>>,
}

impl Printer {
    /// Begins to print.
    pub(crate) fn start() -> Result<Self, CliError> {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().spawn(move || print(queue));
        let thread = thread
            .map_err(|error| CliError::new(Exit::Failed, "cannot start a thread").because_of(&error))?;
        Ok(Self { pieces, thread })
    }

    /// What one node says, with this in front of each line; with nothing, bytes go through as they are.
    pub(crate) fn of(&self, prefix: &str) -> Voices {
        Voices {
            out: Cutter::new(prefix, io::stdout().is_terminal()),
            err: Cutter::new(prefix, io::stderr().is_terminal()),
            pieces: self.pieces.clone(),
        }
    }

    /// Waits until all is printed. An error is standard output's.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        drop(self.pieces);
        match self.thread.join() {
            Ok(printed) => Ok(printed?),
            Err(_) => Err(CliError::new(Exit::Failed, "the output was cut short")),
        }
    }
}

fn print(mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Out(bytes) => {
                let mut out = io::stdout().lock();
                out.write_all(&bytes).and_then(|()| out.flush())?;
            }
            // Whether anybody listens there does not matter.
            Piece::Err(bytes) => drop(io::stderr().lock().write_all(&bytes)),
        }
    }
    Ok(())
}

/// What a node says, kept for `--json`: the beginning of it where it is very long.
#[derive(Default)]
pub(crate) struct Kept {
    out: Vec<u8>,
    err: Vec<u8>,
    truncated: bool,
}

impl Kept {
    /// Takes a piece of it.
    pub(crate) fn take(&mut self, piece: &Piece) {
        let (kept, bytes) = match piece {
            Piece::Out(bytes) => (&mut self.out, bytes),
            Piece::Err(bytes) => (&mut self.err, bytes),
        };
        let room = bytes.len().min(KEPT - kept.len());
        kept.extend_from_slice(&bytes[..room]);
        self.truncated |= room < bytes.len();
    }

    /// Its standard output, as text.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Its standard error, as text.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// Whether the end of either is left out.
    pub(crate) const fn truncated(&self) -> bool {
        self.truncated
    }
}

/// What one node says.
pub(crate) struct Voices {
    out: Cutter,
    err: Cutter,
    pieces: mpsc::Sender<Piece>,
}

impl Voices {
    /// Takes what came of a node. `false` once nobody reads it any more.
    pub(crate) async fn take(&mut self, piece: Piece) -> bool {
        let piece = match piece {
            Piece::Out(bytes) => Piece::Out(self.out.take(bytes)),
            Piece::Err(bytes) => Piece::Err(self.err.take(bytes)),
        };
        self.hand_on(piece).await
    }

    /// Nothing more comes: what has no end of line yet gets one.
    pub(crate) async fn end(mut self) {
        let (out, err) = (self.out.end(), self.err.end());
        self.hand_on(Piece::Out(out)).await;
        self.hand_on(Piece::Err(err)).await;
    }

    async fn hand_on(&self, piece: Piece) -> bool {
        let (Piece::Out(bytes) | Piece::Err(bytes)) = &piece;
        bytes.is_empty() || self.pieces.send(piece).await.is_ok()
    }
}

/// Where the output of a node goes.
pub(crate) enum Listener {
    Printer(Voices),
    Keeper(Kept),
}

impl Listener {
    /// One that keeps it where results are JSON, and prints it otherwise, with this in front of each line.
    pub(crate) fn of(is_json: bool, printer: &Printer, prefix: &str) -> Self {
        match is_json {
            true => Self::Keeper(Kept::default()),
            false => Self::Printer(printer.of(prefix)),
        }
    }

    /// Takes all that comes, and gives what it has kept. Once nobody reads it any more, `stop` is requested: nobody needs it, here or
    /// elsewhere.
    pub(crate) async fn listen(mut self, mut pieces: mpsc::Receiver<Piece>, stop: &Stop) -> Kept {
        while let Some(piece) = pieces.recv().await {
            match &mut self {
                Self::Keeper(kept) => kept.take(&piece),
                Self::Printer(voices) => {
                    if !voices.take(piece).await {
                        stop.request();
                    }
                }
            }
        }
        match self {
            Self::Keeper(kept) => kept,
            Self::Printer(voices) => {
                voices.end().await;
                Kept::default()
            }
        }
    }
}

/// Cuts a stream of bytes into lines.
struct Cutter {
    prefix: String,
    /// What comes from nodes must not steer a terminal.
    terminal: bool,
    line: Vec<u8>,
}

impl Cutter {
    fn new(prefix: &str, terminal: bool) -> Self {
        Self {
            prefix: prefix.to_owned(),
            terminal,
            line: Vec::new(),
        }
    }

    /// The whole lines that there are with these bytes.
    fn take(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.prefix.is_empty() && !self.terminal {
            return bytes;
        }
        let mut lines = Vec::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let room = &rest[..rest.len().min(LONGEST - self.line.len())];
            let end = room.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(room.len());
            self.line.extend_from_slice(&room[..taken]);
            rest = &rest[end.map_or(taken, |end| end + 1)..];
            if end.is_some() || self.line.len() == LONGEST {
                self.put_line(&mut lines);
            }
        }
        lines
    }

    fn end(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        if !self.line.is_empty() {
            self.put_line(&mut lines);
        }
        lines
    }

    fn put_line(&mut self, lines: &mut Vec<u8>) {
        lines.extend_from_slice(self.prefix.as_bytes());
        match self.terminal {
            true => lines.extend_from_slice(clean(&String::from_utf8_lossy(&self.line)).as_bytes()),
            false => lines.extend_from_slice(&self.line),
        }
        lines.push(b'\n');
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(prefix: &str, terminal: bool, pieces: &[&[u8]]) -> Vec<u8> {
        let mut cutter = Cutter::new(prefix, terminal);
        let mut said: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| cutter.take(piece.to_vec()))
            .collect();
        said.extend(cutter.end());
        said
    }

    #[test]
    fn each_line_has_its_nodes_name_however_it_is_cut() {
        assert_eq!(
            cut("a: ", false, &[b"one\ntw", b"o\n\nth", b"ree"]),
            b"a: one\na: two\na: \na: three\n"
        );
        assert_eq!(cut("a: ", false, &[b""]), b"");
        assert_eq!(cut("a: ", false, &[b"\xff\x00\n"]), b"a: \xff\x00\n");
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let long = vec![b'x'; 2 * LONGEST + 1];
        let said = cut("a: ", false, &[&long]);
        let lines: Vec<_> = said.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        assert_eq!(lines, [LONGEST + 3, LONGEST + 3, 4, 0]);
    }

    #[test]
    fn the_bytes_of_one_node_go_through_as_they_are() {
        assert_eq!(cut("", false, &[b"\x1b[1m\xff", b"no end"]), b"\x1b[1m\xffno end");
    }

    #[test]
    fn no_node_steers_the_terminal() {
        assert_eq!(cut("", true, &[b"\x1b[2J\xffx\n"]), "[2J\u{fffd}x\n".as_bytes());
    }
}
