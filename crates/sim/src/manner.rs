//! The ways in which scripted peers behave, good and bad.

use crate::random::Random;

/// How a peer behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// Accepts the connection and says nothing.
    Mute,
    /// Accepts the connection and reads nothing, after it has bound if that is set.
    Deaf {
        /// It binds first.
        bound: bool,
    },
    /// Closes the connection at once.
    Close,
    /// Resets the connection at once.
    Reset,
    /// Sends these octets.
    Says(Vec<u8>),
    /// Sends back whatever it gets.
    Echo,
    /// Says everything right, one octet a second; after it has bound, if that is set.
    Trickle {
        /// It binds first.
        bound: bool,
    },
    /// Answers to other selectors: of transport, session or presentation.
    Selectors(usize),
    /// Speaks another application in the same stack.
    Application,
    /// Refuses the bind with this error.
    BindError(i64),
    /// Gives another name than ours expects.
    WrongName,
    /// Gives another password.
    WrongPassword,
    /// Answers the bind with these octets.
    BindsWith(Vec<u8>),
    /// Gives back in its bind what it got.
    BindEcho,
    /// Does this when the conversation is there.
    Fails {
        /// Where.
        at: Point,
        /// What.
        deed: Deed,
    },
}

/// A point in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The association is open.
    Open,
    /// A transfer begins.
    Start,
    /// Octets of it have come.
    Data,
    /// It is complete, but for the answer.
    End,
}

/// What a peer does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Aborts, speaking of a passing trouble.
    AbortTemporary,
    /// Aborts, speaking of an error of the other.
    AbortProtocol,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
    /// Says nothing any more.
    Silence,
    /// Refuses the transfer for now.
    RefuseTransient,
    /// Refuses the transfer for ever.
    RefusePermanent,
    /// Sends octets that mean nothing.
    Garbage,
}

impl Deed {
    /// All that end an association or a transfer without an answer to it.
    pub const BREAKS: [Deed; 6] =
        [Deed::AbortTemporary, Deed::AbortProtocol, Deed::Reset, Deed::Close, Deed::Silence, Deed::Garbage];
}

/// A manner that never takes a message, of any kind.
pub fn bad_manner(random: &Random) -> Manner {
    match random.within(0..16) {
        0 => Manner::Mute,
        1 => Manner::Deaf { bound: random.percent(50) },
        2 => Manner::Close,
        3 => Manner::Reset,
        4 => Manner::Says(garbage(random)),
        5 => Manner::Echo,
        6 => Manner::Trickle { bound: random.percent(50) },
        7 => Manner::Selectors(random.below(3)),
        8 => Manner::Application,
        9 => Manner::BindError([0, 1, 2, 77][random.below(4)]),
        10 => Manner::WrongName,
        11 => Manner::WrongPassword,
        12 => Manner::BindsWith(garbage(random)),
        13 => Manner::BindEcho,
        _ => Manner::Fails {
            at: [Point::Open, Point::Start, Point::Data, Point::End][random.below(4)],
            deed: Deed::BREAKS[random.below(Deed::BREAKS.len())],
        },
    }
}

/// Octets that are no TPDU, or almost one.
fn garbage(random: &Random) -> Vec<u8> {
    match random.within(0..5) {
        0 => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        1 => vec![3, 0, 0xFF, 0xFF, 2],
        // A disconnect request to whoever asked.
        2 => vec![3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 0x80],
        3 => vec![3, 0, 0, 4],
        _ => (0..random.spread(3_000)).map(|_| u8::try_from(random.within(0..256)).unwrap_or(0)).collect(),
    }
}
