//! A bounded memory of a stream: its end, not its beginning, because that is where the reason is.

/// The last bytes of what was pushed.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    dropped: bool,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            dropped: false,
        }
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
        // Trimmed at twice the limit, so that each byte is moved at most once.
        if self.bytes.len() > self.limit.saturating_mul(2) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.limit);
        if excess > 0 {
            self.bytes.drain(..excess);
            self.dropped = true;
        }
    }

    /// The bytes that were kept, and whether any were dropped.
    pub(super) fn take(&mut self) -> (Vec<u8>, bool) {
        self.trim();
        (std::mem::take(&mut self.bytes), self.dropped)
    }
}

/// The last lines of `bytes` that say something, for an error message.
pub(super) fn last_lines(bytes: &[u8]) -> String {
    const LINES: usize = 8;
    const LENGTH: usize = 1200;
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(LINES)
        .collect();
    lines.reverse();
    let joined = lines.join("\n");
    let excess = joined.chars().count().saturating_sub(LENGTH);
    // Control characters of a node's output must not reach the user's terminal.
    joined
        .chars()
        .skip(excess)
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut tail = Tail::new(4);
        for chunk in ["ab", "cdefgh", "i", "jk"] {
            tail.push(chunk.as_bytes());
        }
        assert_eq!(tail.take(), (b"hijk".to_vec(), true));
    }

    #[test]
    fn nothing_is_dropped_up_to_the_limit() {
        let mut tail = Tail::new(4);
        tail.push(b"abcd");
        assert_eq!(tail.take(), (b"abcd".to_vec(), false));
        assert_eq!(Tail::new(0).take(), (Vec::new(), false));
    }

    #[test]
    fn last_lines_skip_the_empty_ones_and_control_characters() {
        assert_eq!(last_lines(b"one\n\n  \ntwo\x1b[31m\n\n"), "one\ntwo\u{fffd}[31m");
        let many: String = (0..20).map(|n| format!("line {n}\n")).collect();
        assert!(last_lines(many.as_bytes()).starts_with("line 12"));
        assert_eq!(last_lines(&[b'x'; 5000]).len(), 1200);
    }
}
