//! Masks a stream of bytes as it comes: each byte goes out as soon as it is clear whether it is part of a secret.

use crate::config::{Config, MAX_DIGITS};
use std::rc::Rc;

const MASK: u8 = b'*';
/// How many digits of a run stay readable.
const SHOWN_DIGITS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    Line,
    Secret,
}

/// One direction of one connection. The size of what comes out is that of what went in.
pub struct Masker {
    config: Rc<Config>,
    at: At,
    /// Not decided yet: the begin of a line that may become a secret's word, or digits that may go on.
    held: Vec<u8>,
    /// Secrets and numbers masked so far.
    pub masked: u64,
}

/// How the begin of a line compares with the words.
enum Begin {
    Secret(usize),
    Other,
    Unclear,
}

impl Masker {
    pub fn new(config: Rc<Config>) -> Self {
        Masker { config, at: At::LineStart, held: Vec::new(), masked: 0 }
    }

    /// What can go on now of all that came. With `end` everything does.
    pub fn feed(&mut self, data: &[u8], end: bool) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(data);
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let taken = match self.at {
                At::LineStart => self.begin_line(rest, end, &mut out),
                At::Secret => self.mask_line(rest, &mut out),
                At::Line => self.pass_line(rest, end, &mut out),
            };
            if taken == 0 && self.at != At::Line && self.at != At::Secret {
                break;
            }
            rest = &rest[taken..];
            if taken == 0 {
                if self.waits(rest, end) {
                    break;
                }
                continue;
            }
        }
        self.held = rest.to_vec();
        out
    }

    /// Whether digits at the end have to wait for what follows them.
    fn waits(&self, rest: &[u8], end: bool) -> bool {
        self.at == At::Line && !end && self.config.digits > 0 && run_of(rest).1 == rest.len() && rest.len() <= MAX_DIGITS
    }

    fn compare(&self, rest: &[u8]) -> Begin {
        let mut unclear = false;
        for word in &self.config.secrets {
            let common = word.len().min(rest.len());
            if !rest[..common].eq_ignore_ascii_case(&word[..common]) {
                continue;
            }
            if rest.len() <= word.len() {
                unclear = true;
            } else if matches!(rest[word.len()], b' ' | b'\t') {
                return Begin::Secret(word.len() + 1);
            }
        }
        if unclear {
            Begin::Unclear
        } else {
            Begin::Other
        }
    }

    fn begin_line(&mut self, rest: &[u8], end: bool, out: &mut Vec<u8>) -> usize {
        match self.compare(rest) {
            Begin::Secret(size) => {
                out.extend_from_slice(&rest[..size]);
                self.at = At::Secret;
                self.masked += 1;
                size
            }
            Begin::Unclear if !end => 0,
            _ => {
                self.at = At::Line;
                0
            }
        }
    }

    fn mask_line(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let size = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        out.resize(out.len() + size, MASK);
        if size < rest.len() {
            self.at = At::Line;
        }
        size
    }

    /// Up to the end of the line, or to digits that may go on.
    fn pass_line(&mut self, rest: &[u8], end: bool, out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while at < rest.len() {
            let byte = rest[at];
            if byte == b'\n' {
                out.push(byte);
                self.at = At::LineStart;
                return at + 1;
            }
            if self.config.digits == 0 || !byte.is_ascii_digit() {
                out.push(byte);
                at += 1;
                continue;
            }
            if self.waits(&rest[at..], end) {
                return at;
            }
            let (digits, size) = run_of(&rest[at..]);
            self.put_run(&rest[at..at + size], digits, out);
            at += size;
        }
        at
    }

    fn put_run(&mut self, run: &[u8], digits: usize, out: &mut Vec<u8>) {
        if digits < self.config.digits {
            return out.extend_from_slice(run);
        }
        self.masked += 1;
        let mut left = digits;
        for byte in run {
            let hidden = byte.is_ascii_digit() && left > SHOWN_DIGITS;
            left -= usize::from(byte.is_ascii_digit());
            out.push(if hidden { MASK } else { *byte });
        }
    }
}

/// Digits, each maybe after one space or hyphen, as cards are written: how many, and how many bytes they take.
fn run_of(bytes: &[u8]) -> (usize, usize) {
    let mut digits = 0;
    let mut size = 0;
    let mut at = 0;
    while at < bytes.len() && at < MAX_DIGITS * 2 {
        if bytes[at].is_ascii_digit() {
            digits += 1;
            at += 1;
            size = at;
        } else if matches!(bytes[at], b' ' | b'-') && size == at {
            at += 1;
        } else {
            break;
        }
    }
    // A separator at the very end belongs to the run only if a digit follows, which is not known yet.
    if at == bytes.len() && at > size {
        size = at;
    }
    (digits, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker() -> Masker {
        let text = "secret=PASS\nsecret=AUTH\ndigits=13\n";
        Masker::new(Rc::new(Config::parse(text).unwrap()))
    }

    const IN: &str = "HELO a\r\nPASS hunter2\r\nauth PLAIN AGFubg==\nPASSWORD x\r\nPAS\ncard 4111 1111-1111 1111 ok\n\
                      4111111111111111\nid 123456789012 \nPASS";
    const OUT: &str = "HELO a\r\nPASS *******\r\nauth **************\nPASSWORD x\r\nPAS\ncard **** ****-**** 1111 ok\n\
                       ************1111\nid 123456789012 \nPASS";

    #[test]
    fn masks_words_and_numbers() {
        let mut masker = masker();
        let out = masker.feed(IN.as_bytes(), true);
        assert_eq!(String::from_utf8(out).unwrap(), OUT);
        assert_eq!(masker.masked, 4);
    }

    #[test]
    fn where_it_is_split_does_not_matter() {
        for first in 0..=IN.len() {
            for second in [first, (first + 1).min(IN.len()), (first + 7).min(IN.len()), IN.len()] {
                let mut masker = masker();
                let mut out = masker.feed(&IN.as_bytes()[..first], false);
                out.extend(masker.feed(&IN.as_bytes()[first..second], false));
                out.extend(masker.feed(&IN.as_bytes()[second..], true));
                assert_eq!(String::from_utf8(out).unwrap(), OUT, "split at {} and {}", first, second);
            }
        }
    }

    #[test]
    fn byte_by_byte() {
        let mut masker = masker();
        let mut out = Vec::new();
        for byte in IN.as_bytes() {
            out.extend(masker.feed(&[*byte], false));
        }
        out.extend(masker.feed(&[], true));
        assert_eq!(String::from_utf8(out).unwrap(), OUT);
    }

    #[test]
    fn nothing_waits_that_is_clear() {
        let mut masker = masker();
        assert_eq!(masker.feed(b"login: ", false), b"login: ");
        assert_eq!(masker.feed(b"\nPASS abc", false), b"\nPASS ***");
        assert_eq!(masker.feed(b"def\n", false), b"***\n");
        assert_eq!(masker.feed(b"PAS", false), b"");
        assert_eq!(masker.feed(b"T\n", false), b"PAST\n");
    }

    #[test]
    fn endless_digits_do_not_pile_up() {
        let mut masker = masker();
        let mut out = 0;
        for _ in 0..1000 {
            out += masker.feed(&[b'1'; 100], false).len();
        }
        assert!(out > 99_000 && masker.held.len() <= MAX_DIGITS * 2);
    }
}
