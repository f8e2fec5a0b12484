//! What an MTA answered, layer by layer in short words: `CC`, `AC`, `MIA`, `AEA`, `AB ARU ABRT RTAB 6` and so on.

use osi::acse::apdu::{AcseApdu, External};
use osi::cotp::tpdu::Tpdu;
use osi::presentation::UserData;
use osi::presentation::ppdu::{Abort, Cpr};
use osi::rtse::apdu::{Rtorj, RtseApdu};
use osi::session::spdu::{Spdu, decode_tsdu};

/// The PDUs in the octets that a peer received, as far as the octets go.
pub fn answers(octets: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut tsdu = Vec::new();
    let mut rest = octets;
    while let [3, _, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((packet, after)) = rest.split_at_checked(length) else { break };
        rest = after;
        match Tpdu::decode(&packet[4..]).expect("the MTA sends legal TPDUs") {
            Tpdu::Dt { end_of_tsdu, data } => {
                tsdu.extend(data);
                if end_of_tsdu {
                    let spdus = decode_tsdu(&tsdu).expect("the MTA sends legal SPDUs");
                    found.extend(spdus.iter().map(spdu));
                    tsdu.clear();
                }
            }
            Tpdu::Dr { reason, .. } => found.push(format!("DR {reason}")),
            Tpdu::Er { cause, .. } => found.push(format!("ER {cause}")),
            other @ (Tpdu::Cr(_) | Tpdu::Cc(_)) => found.push(other.name().to_owned()),
        }
    }
    found
}

/// How many of the answers begin with this word.
pub fn count(answers: &[String], name: &str) -> usize {
    answers.iter().filter(|answer| answer.split(' ').next() == Some(name)).count()
}

fn spdu(spdu: &Spdu) -> String {
    let mut words = vec![spdu.name().to_owned()];
    match spdu {
        Spdu::Ab { user, .. } if !user.octets.is_empty() => {
            match Abort::decode(&user.octets).expect("the MTA sends legal aborts") {
                Abort::Aru(data) => {
                    words.push("ARU".to_owned());
                    words.extend(data.map(values).unwrap_or_default());
                }
                Abort::Arp { reason, .. } => words.push(format!("ARP {}", reason.unwrap_or(-1))),
                Abort::X410 => words.push("ARU-X410".to_owned()),
            }
        }
        Spdu::Rf(rf) => {
            words.push(rf.reason.to_string());
            match Cpr::decode(&rf.user_data) {
                Ok(Some(cpr)) => {
                    words.push("CPR".to_owned());
                    words.extend(cpr.provider_reason.map(|reason| reason.to_string()));
                    words.extend(cpr.user_data.map(values).unwrap_or_default());
                }
                Ok(None) => {
                    let rtorj = Rtorj::decode_x410(&rf.user_data).expect("the MTA sends legal refusals");
                    words.push("RTORJ-X410".to_owned());
                    words.extend(rtorj.refuse_reason.map(|reason| reason.to_string()));
                }
                Err(_) => {}
            }
        }
        _ => {}
    }
    words.join(" ")
}

fn values(data: UserData<'_>) -> Vec<String> {
    let UserData::Full(list) = data else { return vec!["simply encoded".to_owned()] };
    list.iter().flat_map(|pdv| acse(pdv.value.octets())).collect()
}

fn acse(octets: &[u8]) -> Vec<String> {
    let apdu = AcseApdu::decode(octets).expect("the MTA sends legal ACSE APDUs");
    let mut words = vec![apdu.name().to_owned()];
    let information: &[External] = match &apdu {
        AcseApdu::Aarq(aarq) => &aarq.user_information,
        AcseApdu::Aare(aare) => {
            words.push(format!("{:?} {:?}", aare.result, aare.diagnostic));
            &aare.user_information
        }
        AcseApdu::Abrt(abrt) => &abrt.user_information,
        AcseApdu::Rlrq(_) | AcseApdu::Rlre(_) => &[],
    };
    for external in information {
        let apdu = RtseApdu::decode(&external.encoding).expect("the MTA sends legal RTSE APDUs");
        words.push(apdu.name().to_owned());
        match apdu {
            RtseApdu::Rtab(rtab) => words.extend(rtab.reason.map(|reason| reason.0.to_string())),
            RtseApdu::Rtorj(rtorj) => words.push(testkit::hex(&rtorj.user_data)),
            RtseApdu::Rtorq(_) | RtseApdu::Rtoac(_) | RtseApdu::Rttp(_) | RtseApdu::Rttr(_) => {}
        }
    }
    words
}
