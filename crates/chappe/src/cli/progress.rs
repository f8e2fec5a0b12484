//! How far a long transfer is, on a terminal.

use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::output;

/// Transfers that are over sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two updates.
const PACE: Duration = Duration::from_millis(100);

/// A reader that tells on standard error how much has been read, if that is a terminal.
pub(super) struct Progress<R> {
    inner: R,
    total: Option<u64>,
    done: u64,
    next: Option<Instant>,
    shown: bool,
}

impl<R: Read> Progress<R> {
    /// Watches `inner`, which gives `total` octets if that is known.
    pub(super) fn new(inner: R, total: Option<u64>) -> Self {
        let next = io::stderr().is_terminal().then(|| Instant::now() + PATIENCE);
        Progress { inner, total, done: 0, next, shown: false }
    }

    fn show(&mut self) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + PACE);
        self.shown = true;
        // Nothing depends on it.
        let _ = write!(io::stderr(), "\r\x1b[K{}", line(self.done, self.total));
    }
}

impl<R: Read> Read for Progress<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.inner.read(buffer)?;
        self.done += octets as u64;
        self.show();
        Ok(octets)
    }
}

impl<R> Drop for Progress<R> {
    fn drop(&mut self) {
        if self.shown {
            // Whatever comes next starts on a clean line.
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

pub(super) fn line(done: u64, total: Option<u64>) -> String {
    const WIDTH: u64 = 30;
    match total {
        Some(total) if total > 0 => {
            let done = done.min(total);
            // In 128 bits no product of two lengths overflows.
            let share =
                |of: u64| u64::try_from(u128::from(done) * u128::from(of) / u128::from(total)).unwrap_or(of);
            let full = share(WIDTH);
            let bar: String = (0..WIDTH).map(|n| if n < full { '#' } else { '-' }).collect();
            format!("[{bar}] {:3} %  {} of {}", share(100), output::size(done), output::size(total))
        }
        Some(_) | None => output::size(done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up_and_never_overflows() {
        assert_eq!(line(0, Some(10)), format!("[{}]   0 %  0 B of 10 B", "-".repeat(30)));
        assert_eq!(line(5, Some(10)), format!("[{}{}]  50 %  5 B of 10 B", "#".repeat(15), "-".repeat(15)));
        assert!(line(u64::MAX, Some(u64::MAX)).contains("100 %"));
        assert!(line(20, Some(10)).contains("100 %"));
        assert_eq!(line(2048, None), "2.0 KB");
        assert_eq!(line(0, Some(0)), "0 B");
    }

    #[test]
    fn what_is_read_is_what_was_there() {
        let mut all = Vec::new();
        Progress::new(&b"abc"[..], Some(3)).read_to_end(&mut all).unwrap();
        assert_eq!(all, b"abc");
    }
}
