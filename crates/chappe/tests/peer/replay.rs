//! Plays the initiator of a recorded conversation: its octets as they are, turn by turn.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use testkit::{Capture, Connection, Side};

use super::answers::{answers, count};

/// Answers that a recorded initiator went on after. How often tokens are asked for may differ.
const AWAITED: [&str; 6] = ["CC", "AC", "RF", "AEA", "DN", "MIA"];
/// Place of MIA among them. It is counted within the activity: the end of an activity acknowledges all before it, and
/// an MTA which has it already need not acknowledge checkpoints one by one.
const MIA: usize = 5;

/// What the MTA answered.
#[derive(Debug)]
pub struct Replayed {
    /// All of it, in short words.
    pub answers: Vec<String>,
    /// Whether the MTA ended the connection before everything was sent.
    pub cut_short: bool,
}

impl Replayed {
    /// How many transfers the MTA acknowledged.
    pub fn accepted(&self) -> usize {
        count(&self.answers, "AEA")
    }
}

/// Connections of a capture to one responder which carry P1 in normal mode.
pub fn recorded(name: &str, responder: u16) -> Vec<Connection> {
    // id-ac-mts-transfer, as it is in the AARQ.
    let application_context = [0x06, 0x04, 0x56, 0, 1, 6];
    let mut connections: Vec<Connection> = Capture::fixture(name).to_port(responder).cloned().collect();
    connections.retain(|connection| {
        connection.octets(Side::Initiator).windows(6).any(|window| window == application_context)
    });
    connections
}

/// Sends what the recorded initiator sent. Each turn waits until the MTA has answered what the recorded responder had
/// answered before it, and every transfer that has ended by then.
pub fn replay(stream: TcpStream, connection: &Connection) -> Replayed {
    replay_in_pieces(stream, connection, usize::MAX)
}

/// [`replay`] in writes of at most so many octets.
pub fn replay_in_pieces(mut stream: TcpStream, connection: &Connection, piece: usize) -> Replayed {
    let mut received = Vec::new();
    let mut sent = Vec::new();
    let mut theirs = Vec::new();
    let mut cut_short = false;
    for turn in connection.turns() {
        match turn.side {
            Side::Responder => theirs.extend(turn.octets),
            Side::Initiator => {
                let so_far = answers(&sent);
                let ended = count(&so_far, "AE");
                let mut wanted = tally(&answers(&theirs));
                wanted[3] = ended;
                if ended == count(&so_far, "AS") {
                    wanted[MIA] = 0;
                }
                if !read_until(&mut stream, &mut received, &wanted) {
                    cut_short = true;
                    break;
                }
                // A peer that has aborted may have closed already.
                if turn.octets.chunks(piece).any(|piece| stream.write_all(piece).is_err()) {
                    cut_short = true;
                    break;
                }
                sent.extend(turn.octets);
            }
        }
    }
    if !cut_short {
        let mut wanted = [0; 6];
        wanted[3] = count(&answers(&sent), "AE");
        cut_short = !read_until(&mut stream, &mut received, &wanted);
    }
    if connection.reset_by.is_none() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut received);
    }
    Replayed { answers: answers(&received), cut_short }
}

/// Reads until so many of each of [`AWAITED`] have come; false if the connection ends or is aborted before.
fn read_until(stream: &mut TcpStream, received: &mut Vec<u8>, wanted: &[usize; 6]) -> bool {
    let mut piece = [0; 4096];
    loop {
        let found = answers(received);
        if tally(&found).iter().zip(wanted).all(|(found, wanted)| found >= wanted) {
            return true;
        }
        // Aborted, or refused where the recorded responder had not.
        if count(&found, "AB") > 0 || count(&found, "RF") > wanted[2] {
            return false;
        }
        match stream.read(&mut piece) {
            Ok(0) => return false,
            Ok(length) => received.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error}; wanted {wanted:?} of {AWAITED:?}, got {found:?}"),
        }
    }
}

/// How many of each of [`AWAITED`] there are.
fn tally(answers: &[String]) -> [usize; 6] {
    let activity = answers.iter().rposition(|answer| answer == "AEA").map_or(0, |last| last + 1);
    let mut found = AWAITED.map(|name| count(answers, name));
    found[MIA] = count(&answers[activity..], "MIA");
    found
}

/// A conversation that breaks off after so many octets of its initiator. With `reset` the initiator does not take the
/// last answers, so that its system resets the connection.
pub fn broken_off(connection: &Connection, octets: usize, reset: bool) -> Connection {
    let mut broken = connection.clone();
    let mut left = octets;
    for segment in broken.segments.iter_mut().filter(|segment| segment.side == Side::Initiator) {
        segment.octets.truncate(left);
        left -= segment.octets.len();
    }
    let last = broken.segments.iter().rposition(|s| s.side == Side::Initiator && !s.octets.is_empty());
    broken.segments.truncate(last.map_or(0, |last| last + 1));
    broken.reset_by = reset.then_some(Side::Initiator);
    broken
}
