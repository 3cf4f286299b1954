//! What a server prints: drained all the time, the last lines kept.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How the database says that a statement was interrupted.
pub(super) const INTERRUPTED: &str = "interrupted (9)";
/// How many lines are kept.
const LINES: usize = 100;
/// How many bytes of a line are kept.
const LINE_LENGTH: u64 = 4096;

#[derive(Debug, Default)]
pub(super) struct Output {
    lines: Mutex<VecDeque<String>>,
    announced: AtomicBool,
    interrupted: AtomicBool,
}

impl Output {
    /// Reads to the end of the pipe, so that the server never waits for room in it.
    pub(super) fn drain(&self, pipe: impl Read) {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        // An over-long line comes in pieces.
        while let Ok(1..) = (&mut reader).take(LINE_LENGTH).read_until(b'\n', &mut line) {
            self.push(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }

    fn push(&self, line: &str) {
        // `start-dev` prints its addresses once all of its services have started.
        if line.starts_with("Server:") {
            self.announced.store(true, Ordering::Relaxed);
        }
        if line.contains(INTERRUPTED) {
            self.interrupted.store(true, Ordering::Relaxed);
        }
        let mut lines = self.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    /// Whether the server has printed its addresses.
    pub(super) fn announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    /// Whether the database has ever answered that a statement was interrupted.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether the server could not listen on one of its ports.
    pub(super) fn address_in_use(&self) -> bool {
        let mut lines = self.lock();
        let lines = lines.make_contiguous();
        lines
            .iter()
            .any(|line| line.contains("address already in use"))
    }

    /// The last lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// The last lines as one text.
    pub(super) fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(text: &[u8]) -> Output {
        let output = Output::default();
        output.drain(text);
        output
    }

    #[test]
    fn the_last_lines_are_kept() {
        let text: String = (0..250).map(|n| format!("line {n}\n")).collect();
        let lines = drained(text.as_bytes()).lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines.first().map(String::as_str), Some("line 150"));
        assert_eq!(lines.last().map(String::as_str), Some("line 249"));
    }

    #[test]
    fn empty_lines_an_unfinished_line_and_broken_text_do_not_end_the_reading() {
        let lines = drained(b"one\n\n\xff\xfe two\r\nthree").lines();
        assert_eq!(lines, ["one", "", "\u{fffd}\u{fffd} two", "three"]);
    }

    #[test]
    fn a_line_without_end_is_kept_in_pieces() {
        let lines = drained(&vec![b'x'; 3 * LINE_LENGTH as usize]).lines();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() == LINE_LENGTH as usize));
    }

    #[test]
    fn what_the_server_says_is_understood() {
        let quiet = drained(b"CLI 1.5.1 (Server 1.29.1, UI 2.42.1)\n");
        assert!(!quiet.announced() && !quiet.interrupted() && !quiet.address_in_use());

        assert!(drained(b"Server:  localhost:7233\n").announced());
        assert!(drained(b"level=ERROR error=\"interrupted (9)\"\n").interrupted());
        let taken = b"Error: can't set frontend port 7233: listen tcp 127.0.0.1:7233: bind: address already in use\n";
        assert!(drained(taken).address_in_use());
    }

    #[test]
    fn an_interruption_is_remembered_after_its_line_is_gone() {
        let text = format!("interrupted (9)\n{}", "other\n".repeat(2 * LINES));
        assert!(drained(text.as_bytes()).interrupted());
    }
}
