//! Why an association failed: which layer saw it, and who is to blame.

use core::fmt;

/// Whose fault a failure is. It decides what is sent to the peer, whether the connector tries again, and what
/// the operator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The peer broke the protocol.
    PeerMisbehaved,
    /// The peer keeps to the protocol but asks for something that this implementation or its settings do not
    /// offer, or it refused us.
    PeerIncompatible,
    /// The connection ended, or the peer stopped answering.
    PeerGone,
    /// A limit of ours was reached.
    LimitReached,
    /// Our own side asked for it (an abort request), or made an error.
    Local,
}

/// The layer that saw the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The TCP connection.
    Tcp,
    /// RFC 1006 packets.
    Tpkt,
    /// X.224 class 0.
    Cotp,
    /// X.225.
    Session,
    /// X.226.
    Presentation,
    /// X.227.
    Acse,
    /// X.228.
    Rtse,
    /// Remote operations, X.880 and X.229.
    Rose,
    /// What rides on all that: for P1 the bind and the MTS-APDUs, for the access protocols the bind.
    Application,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Tcp => "TCP",
            Layer::Tpkt => "TPKT",
            Layer::Cotp => "COTP",
            Layer::Session => "session",
            Layer::Presentation => "presentation",
            Layer::Acse => "ACSE",
            Layer::Rtse => "RTSE",
            Layer::Rose => "ROSE",
            Layer::Application => "application",
        })
    }
}
