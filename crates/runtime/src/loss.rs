//! How the connection under an association was lost, in words that tell an operator where to look.

use std::fmt;
use std::io;
use std::time::Duration;

/// How it was lost.
#[derive(Debug)]
pub(crate) enum Loss {
    /// The peer closed it.
    Closed,
    /// TCP says that it is gone.
    Broken(io::Error),
    /// The peer's TCP lives, and has taken nothing for so long.
    Stalled(Duration),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Closed => f.write_str("TCP connection was closed by the peer"),
            Loss::Stalled(time) => {
                write!(f, "the peer has taken nothing of what is sent to it for {} s", time.as_secs())
            }
            // Other kinds are in the words of the system.
            Loss::Broken(error) => match error.kind() {
                io::ErrorKind::TimedOut => f.write_str(
                    "no answer any more, TCP has given the connection up: the peer or the network on the way to it is gone",
                ),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    f.write_str("TCP connection was reset")
                }
                _ => write!(f, "TCP connection broke: {error}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_from_a_reset() {
        let broken = |kind: io::ErrorKind| Loss::Broken(kind.into()).to_string();
        assert!(broken(io::ErrorKind::TimedOut).starts_with("no answer any more"));
        assert_eq!(broken(io::ErrorKind::ConnectionReset), "TCP connection was reset");
        assert!(broken(io::ErrorKind::HostUnreachable).contains("unreachable"));
        assert!(Loss::Stalled(Duration::from_secs(120)).to_string().ends_with("for 120 s"));
    }
}
