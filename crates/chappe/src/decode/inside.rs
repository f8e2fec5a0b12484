//! What rides in the user data of the session while an association is opened and ended, as trees: ACSE, RTSE, the bind.
//! Each protocol that is met is added to the layers.

use mhs::Tree;
use mhs::p1::bind::{Authentication, Credentials, MtaBindArgument, MtaBindError, MtaBindResult};
use osi::acse::apdu::AcseApdu;
use osi::presentation::UserData;
use osi::rtse::apdu::{ConnectionData, RtseApdu};

use super::ladder::Layers;

/// The encodings in presentation user data.
pub(super) fn encodings<'v>(values: &'v UserData<'_>) -> Vec<&'v [u8]> {
    match values {
        UserData::Simple(octets) => vec![octets],
        UserData::Full(values) => values.iter().map(|value| value.value.octets()).collect(),
    }
}

/// The values of a connect PPDU: ACSE with RTSE and the bind inside.
pub(super) fn values(values: Option<&UserData<'_>>, tree: &mut Tree, layers: &mut Layers) {
    let Some(values) = values else { return };
    for octets in encodings(values) {
        tree.push(acse_tree(octets, layers));
    }
}

/// User data of an SPDU which may hold anything.
pub(super) fn user_tree(octets: &[u8], layers: &mut Layers) -> Vec<Tree> {
    if octets.is_empty() {
        return Vec::new();
    }
    match UserData::decode(octets) {
        Ok(values) => {
            layers.push("presentation", "user data");
            acse_trees(&values, layers)
        }
        Err(_) => vec![rtse_or_hex(octets, layers)],
    }
}

/// Each of these values as APDU of ACSE.
pub(super) fn acse_trees(values: &UserData<'_>, layers: &mut Layers) -> Vec<Tree> {
    encodings(values).into_iter().map(|octets| acse_tree(octets, layers)).collect()
}

/// An APDU of ACSE, or of RTSE where there is none.
fn acse_tree(octets: &[u8], layers: &mut Layers) -> Tree {
    let Ok(apdu) = AcseApdu::decode(octets) else { return rtse_or_hex(octets, layers) };
    layers.push("ACSE", apdu.name());
    let mut tree = Tree::new(apdu.name());
    let inside = match &apdu {
        AcseApdu::Aarq(aarq) => {
            tree.add("application context", &aarq.application_context);
            aarq.user_information.as_slice()
        }
        AcseApdu::Aare(aare) => {
            tree.add("application context", &aare.application_context);
            tree.add("result", format!("{:?}", aare.result));
            tree.add("diagnostic", format!("{:?}", aare.diagnostic));
            aare.user_information.as_slice()
        }
        AcseApdu::Abrt(abrt) => {
            tree.add("source", if abrt.by_provider { "provider" } else { "user" });
            abrt.user_information.as_slice()
        }
        AcseApdu::Rlrq(release) | AcseApdu::Rlre(release) => {
            if let Some(reason) = release.reason {
                tree.add("reason", reason);
            }
            release.user_information.as_slice()
        }
    };
    for external in inside {
        tree.push(rtse_or_hex(&external.encoding, layers));
    }
    tree
}

/// An APDU of RTSE in normal mode, or what is none.
pub(super) fn rtse_or_hex(octets: &[u8], layers: &mut Layers) -> Tree {
    match RtseApdu::decode(octets) {
        Ok(apdu) => rtse_tree(&apdu, layers),
        Err(_) => Tree::leaf("user data", hex(octets)),
    }
}

/// An RTSE APDU of X.410 mode, which only its place tells.
pub(super) fn x410_tree(apdu: Result<RtseApdu, ber::Error>, octets: &[u8], layers: &mut Layers) -> Tree {
    match apdu {
        Ok(apdu) => rtse_tree(&apdu, layers),
        Err(_) => Tree::leaf("user data", hex(octets)),
    }
}

/// An APDU of RTSE, with the bind in it.
pub(super) fn rtse_tree(apdu: &RtseApdu, layers: &mut Layers) -> Tree {
    layers.push("RTSE", apdu.name());
    let mut tree = Tree::new(apdu.name());
    match apdu {
        RtseApdu::Rtorq(rtorq) => {
            tree.add("checkpoint size (KB)", rtorq.checkpoint_size_kb);
            tree.add("window size", rtorq.window_size);
            tree.add("dialogue mode", format!("{:?}", rtorq.dialogue_mode));
            if let Some(protocol) = rtorq.application_protocol {
                tree.add("application protocol", protocol);
            }
            let read = |octets: &[u8]| MtaBindArgument::from_octets(octets).map(|bind| bind.authentication);
            tree.push(bind_tree(&rtorq.connection_data, |octets| read(octets).ok(), layers));
        }
        RtseApdu::Rtoac(rtoac) => {
            tree.add("checkpoint size (KB)", rtoac.checkpoint_size_kb);
            tree.add("window size", rtoac.window_size);
            let read = |octets: &[u8]| MtaBindResult::from_octets(octets).map(|bind| bind.authentication);
            tree.push(bind_tree(&rtoac.connection_data, |octets| read(octets).ok(), layers));
        }
        RtseApdu::Rtorj(rtorj) => {
            if let Some(reason) = rtorj.refuse_reason {
                tree.add("refuse reason", reason);
            }
            if !rtorj.user_data.is_empty() {
                tree.push(match MtaBindError::from_octets(&rtorj.user_data) {
                    Ok(error) => {
                        layers.push("P1", "bind error");
                        Tree::leaf("bind error", error.0)
                    }
                    Err(_) => Tree::leaf("user data", hex(&rtorj.user_data)),
                });
            }
        }
        RtseApdu::Rttp(priority) => tree.add("priority", priority),
        RtseApdu::Rttr(octets) => tree.add("octets", octets.len()),
        RtseApdu::Rtab(rtab) => {
            if let Some(reason) = &rtab.reason {
                tree.add("reason", format!("{reason:?}"));
            }
        }
    }
    tree
}

fn bind_tree(
    data: &ConnectionData,
    read: impl Fn(&[u8]) -> Option<Option<Authentication>>,
    layers: &mut Layers,
) -> Tree {
    let octets = match data {
        ConnectionData::Recover(old) => {
            return Tree::leaf("connection data", format!("recovery of association {old}"));
        }
        ConnectionData::Open(octets) if octets.is_empty() => return Tree::leaf("connection data", "none"),
        ConnectionData::Open(octets) => octets,
    };
    match read(octets) {
        None => Tree::leaf("user data", hex(octets)),
        Some(None) => {
            layers.push("P1", "bind");
            Tree::leaf("bind", "no authentication")
        }
        Some(Some(authentication)) => {
            layers.push("P1", "bind");
            let mut tree = Tree::leaf("bind", "");
            tree.value = None;
            tree.add("MTA name", &authentication.name);
            // A capture shows the password to whoever has it; a decoded one is pasted into mails.
            tree.add(
                "credentials",
                match &authentication.credentials {
                    Credentials::Simple(_) => "password (not shown)",
                    Credentials::Other(_) => "other",
                },
            );
            tree
        }
    }
}

/// Octets in hexadecimal, of many only the first.
pub(super) fn hex(octets: &[u8]) -> String {
    const SHOWN: usize = 64;
    let digits: String = octets.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect();
    match octets.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{digits} and {more} more"),
        Some(_) | None => digits,
    }
}
