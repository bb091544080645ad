//! What goes to and fro between a client of ZooKeeper and a server, as far as one question needs it: a session is begun, one thing
//! is asked, the session is ended. The same in all versions since 3.0; the node needs no client of its own, and no Java is started.

/// The types of requests.
const GET_DATA: i32 = 4;
const GET_CHILDREN: i32 = 8;
const CLOSE: i32 = -11;
/// The number of the one question, by which its answer is known.
const QUESTION: i32 = 1;
/// What a server answers of a node that there is not.
const NO_NODE: i32 = -101;
/// How long a session that was not ended would be kept, in milliseconds.
const SESSION_MS: i32 = 5_000;

/// What a server said is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It broke off, or is of another kind.
    #[error("ZooKeeper gave an answer that is none")]
    Malformed,
    /// The server refuses, by its own number.
    #[error("ZooKeeper refuses to tell: error {0}")]
    Refused(i32),
}

/// The bytes that ask for the names below `path`, as `printf` takes them.
pub(super) fn children_request(path: &str) -> String {
    printed(&request(GET_CHILDREN, path))
}

/// The bytes that ask for what `path` holds, as `printf` takes them.
pub(super) fn data_request(path: &str) -> String {
    printed(&request(GET_DATA, path))
}

/// The names in an answer in hexadecimal; none where there is no such node.
pub(super) fn children(answer: &str) -> Result<Option<Vec<String>>, WireError> {
    let Some(mut body) = reply(answer)? else {
        return Ok(None);
    };
    let count = body.number()?;
    let name = |_| {
        let bytes = body.buffer()?;
        String::from_utf8(bytes).map_err(|_| WireError::Malformed)
    };
    (0..count).map(name).collect::<Result<_, _>>().map(Some)
}

/// The data in an answer in hexadecimal; none where there is no such node.
pub(super) fn data(answer: &str) -> Result<Option<Vec<u8>>, WireError> {
    reply(answer)?.map(|mut body| body.buffer()).transpose()
}

fn request(kind: i32, path: &str) -> Vec<u8> {
    let mut connect = Vec::new();
    // Protocol, and the last change that was seen.
    connect.extend([0; 12]);
    connect.extend(SESSION_MS.to_be_bytes());
    // A new session, without a password.
    connect.extend([0; 8]);
    connect.extend(16_i32.to_be_bytes());
    connect.extend([0; 16]);
    // A server without a quorum is no help.
    let read_only = 0;
    connect.push(read_only);

    let mut ask = Vec::new();
    ask.extend(QUESTION.to_be_bytes());
    ask.extend(kind.to_be_bytes());
    ask.extend(length(path.len()));
    ask.extend(path.as_bytes());
    let watch = 0;
    ask.push(watch);

    let mut close = Vec::new();
    close.extend((QUESTION + 1).to_be_bytes());
    close.extend(CLOSE.to_be_bytes());

    let frames = [connect, ask, close].into_iter();
    frames
        .flat_map(|frame| [length(frame.len()).to_vec(), frame].concat())
        .collect()
}

/// A length as it stands before what it is of. No path of ours comes near 2³¹.
fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes()
}

fn printed(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}

/// What follows the header of the answer to the one question.
fn reply(answer: &str) -> Result<Option<Reader>, WireError> {
    let bytes = answer
        .split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).map_err(|_| WireError::Malformed));
    let mut all = Reader(bytes.collect::<Result<_, _>>()?);
    let _connected = all.buffer()?;
    let mut reply = Reader(all.buffer()?);
    if reply.number()? != QUESTION {
        return Err(WireError::Malformed);
    }
    let _last_change = reply.take(8)?;
    match reply.number()? {
        0 => Ok(Some(reply)),
        NO_NODE => Ok(None),
        error => Err(WireError::Refused(error)),
    }
}

/// Bytes that are read from the front.
struct Reader(Vec<u8>);

impl Reader {
    fn take(&mut self, count: usize) -> Result<Vec<u8>, WireError> {
        if self.0.len() < count {
            return Err(WireError::Malformed);
        }
        let rest = self.0.split_off(count);
        Ok(std::mem::replace(&mut self.0, rest))
    }

    fn number(&mut self) -> Result<i32, WireError> {
        let bytes = self.take(4)?.try_into().map_err(|_| WireError::Malformed)?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// What stands behind its length; −1 stands for nothing.
    fn buffer(&mut self) -> Result<Vec<u8>, WireError> {
        match self.number()? {
            -1 => Ok(Vec::new()),
            length => self.take(usize::try_from(length).map_err(|_| WireError::Malformed)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server answers that began a session, with a reply to the question of number `xid`.
    fn answer(xid: i32, error: i32, body: &[u8]) -> String {
        let reply = [&xid.to_be_bytes()[..], &[0; 8], &error.to_be_bytes(), body].concat();
        let frames = [vec![7; 37], reply];
        let bytes = frames.map(|frame| [length(frame.len()).to_vec(), frame].concat());
        let hex: Vec<_> = bytes.concat().iter().map(|byte| format!(" {byte:02x}")).collect();
        // As od prints them.
        hex.chunks(16).map(|line| line.concat() + "\n").collect()
    }

    fn buffer(text: &str) -> Vec<u8> {
        [&length(text.len())[..], text.as_bytes()].concat()
    }

    #[test]
    fn a_question_is_three_frames_of_which_the_last_hangs_up() {
        let asked = request(GET_CHILDREN, "/mesos");
        assert_eq!(asked.len(), 4 + 45 + 4 + 19 + 4 + 8);
        assert_eq!(asked[..4], 45_i32.to_be_bytes());
        assert!(asked.ends_with(&[0, 0, 0, 8, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xf5]));
        assert!(children_request("/m").contains(r"\000\000\000\002\057\155\000"));
    }

    #[test]
    fn names_and_data_are_taken_out_of_an_answer() {
        let two = [&2_i32.to_be_bytes()[..], &buffer("log_replicas"), &buffer("b")].concat();
        let names = children(&answer(1, 0, &two)).unwrap().unwrap();
        assert_eq!(names, ["log_replicas", "b"]);
        // The node's own numbers follow, which may look like anything.
        let held = [buffer("{}"), b"}}}}".repeat(17)].concat();
        assert_eq!(data(&answer(1, 0, &held)), Ok(Some(b"{}".to_vec())));
        assert_eq!(data(&answer(1, 0, &[0xff; 4])), Ok(Some(Vec::new())));
        assert_eq!(data(&answer(1, NO_NODE, &[])), Ok(None));
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        assert_eq!(children(&answer(1, -102, &[])), Err(WireError::Refused(-102)));
        let whole = answer(1, 0, &[&1_i32.to_be_bytes()[..], &buffer("name")].concat());
        let bytes: Vec<_> = whole.split_whitespace().collect();
        for cut in 0..bytes.len() {
            let cut = bytes[..cut].join(" ");
            assert_eq!(children(&cut), Err(WireError::Malformed), "{cut}");
        }
        for other in ["x", "ff ff ff ff 7f ff ff ff 00", &answer(2, 0, &[0; 4])] {
            assert_eq!(children(other), Err(WireError::Malformed), "{other}");
        }
    }
}
