//! S5: a third-party MTA gets standard P1 and nothing else, whatever the shape of the messages and the settings of the
//! link; and the message that it can't take holds up no other.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent::settings::{BindErrorCoding, Conformance};
use ber::Oid;
use mhs::ContentType;
use mhs::p1::{Criticality, ExtensionField, ExtensionType, Extensions, MtsApdu};
use tokio::time::sleep;

use super::Control;
use super::stage::{Letter, Stage};
use crate::check::Expected;
use crate::manner::{Deed, Manner};
use crate::network::HostWorld;
use crate::peer::Peer;
use crate::site::{P1, Site, connector, user};

/// Numbers of the extensions that X.411 defines for what MTAs transfer.
const STANDARD: std::ops::RangeInclusive<i64> = 1..=40;
/// The open interval with its jitter, and a little more.
const OPEN_INTERVAL: Duration = Duration::from_secs(70);
/// Repetitions of the transfer of one message.
const RETRIES: u32 = 2;

pub(super) async fn play(stage: &mut Stage) {
    let at = IpAddr::V4(Ipv4Addr::new(10, 3, 0, 1));
    let p1 = SocketAddr::new(at, P1);
    let host = HostWorld::new(&stage.network, at, stage.random.split());
    let peer = Peer::new("THIRD", stage.shared_books());
    stage.sites.push(Site::new(&stage.network, &stage.random, "ALPHA", 1));
    link(stage, p1);
    stage.start(0).await;
    // A peer that gives back our own bind is not us.
    peer.behave(Manner::BindEcho);
    if let Ok(listening) = host.accept_on(p1) {
        tokio::spawn(Arc::clone(&peer).serve(listening));
    }
    let count = stage.random.within(6..24);
    let poisoned: BTreeSet<u64> = (1..=count).filter(|_| stage.random.percent(15)).collect();
    let deeds = [Deed::AbortProtocol, Deed::Reset, Deed::Close, Deed::Garbage, Deed::RefusePermanent];
    let deed = deeds[stage.random.below(deeds.len())];
    if let Ok(mut poison) = peer.poison.lock() {
        *poison = Some((poisoned.clone(), deed));
    }
    for number in 1..=count {
        shaped(stage, poisoned.contains(&number));
        if stage.random.percent(30) {
            sleep(Duration::from_millis(stage.random.spread(5_000))).await;
        }
    }
    sleep(Duration::from_secs(stage.random.spread(200))).await;
    let echoed = peer.heard().apdus.len();
    if echoed > 0 {
        stage.found.push(format!("{echoed} messages went to a peer that only gave back our bind"));
    }
    peer.behave(Manner::Well);
    // Each of the poison breaks one association before all others have gone, and two more after that.
    let rounds = poisoned.len() as u64;
    sleep(OPEN_INTERVAL * u32::try_from(rounds + 2).unwrap_or(u32::MAX)).await;
    let arrived: BTreeSet<u64> = peer.heard().arrivals.iter().map(|(number, _)| *number).collect();
    let late = (1..=count).filter(|number| !poisoned.contains(number) && !arrived.contains(number)).count();
    if late > 0 {
        stage.found.push(format!("{late} messages wait behind {rounds} that the peer can't take"));
    }
    stage.drain(OPEN_INTERVAL * u32::try_from(rounds * 3 + 5).unwrap_or(u32::MAX)).await;
    if stage.control == Some(Control::Private) {
        let mut heard = peer.heard();
        heard.apdus.iter_mut().for_each(|apdu| *apdu = with_private_extension(apdu));
    }
    judge(stage, &peer);
    stage.network.kill(at);
    stage.end().await;
}

/// A link to the peer with settings of all kinds.
fn link(stage: &mut Stage, p1: SocketAddr) {
    let random = stage.random.split();
    let mut settings = connector("THIRD", vec![p1.to_string()]);
    settings.retry.max_transfer_retries = RETRIES;
    settings.rts.checkpoint_size_kb = [0, 1, 30][random.below(3)];
    settings.rts.recovery_timeout_s = [0, 60][random.below(2)];
    settings.two_way_alternate = random.percent(30);
    settings.association.max_associations = [1, 3][random.below(2)];
    settings.association.threshold_messages = [1, 50][random.below(2)];
    settings.strip_internal_trace = random.percent(30);
    settings.strip_bilateral_information = random.percent(30);
    settings.strip_content_return_request = random.percent(30);
    if random.percent(20) {
        settings.form.bind_error = BindErrorCoding::Bare;
    }
    settings.form.tpdu_size = [128, 2048, 8192][random.below(3)];
    settings.conformance = Conformance::Normal1988;
    stage.sites[0].settings.connectors.push(settings);
}

/// A message of some shape.
fn shaped(stage: &mut Stage, poisoned: bool) {
    let random = &stage.random;
    let recipients = (0..random.spread(4)).map(|n| user(&format!("reader{n}"), "THIRD")).collect();
    let letter = Letter {
        site: 0,
        originator: user("writer", "ALPHA"),
        recipients,
        length: usize::try_from(random.spread(100_000)).unwrap_or(0),
        delivery_reports: false,
        shaped: true,
        expected: if poisoned { Expected::NonDelivery } else { Expected::Delivery },
    };
    stage.submit(letter);
}

/// What a third-party MTA may not see of us.
fn judge(stage: &mut Stage, peer: &Peer) {
    let heard = peer.heard();
    let standard = standard_bind();
    for argument in heard.binds.iter().filter(|argument| **argument != standard) {
        stage.found.push(format!("a bind that is not standard: {argument:02x?}"));
    }
    for apdu in &heard.apdus {
        let found = match MtsApdu::from_octets(apdu) {
            Ok(MtsApdu::Message(message)) => {
                let envelope = &message.envelope;
                let mut found = private(&envelope.extensions);
                for fields in &*envelope.per_recipient_fields {
                    found.extend(private(&fields.extensions));
                }
                if envelope.per_domain_bilateral_information.is_some() {
                    found.push("bilateral information".to_owned());
                }
                if !matches!(*envelope.content_type, ContentType::BuiltIn(0..=22)) {
                    found.push(format!("content type {}", *envelope.content_type));
                }
                found
            }
            Ok(MtsApdu::Report(report)) => private(&report.envelope.extensions),
            Ok(MtsApdu::Probe(probe)) => private(&probe.extensions),
            Err(error) => vec![format!("an APDU that can't be read: {error}")],
        };
        stage.found.extend(found.into_iter().map(|what| format!("a third-party MTA got {what}")));
    }
}

/// The bind of ALPHA as X.411 has it: name and password, nothing else.
fn standard_bind() -> Vec<u8> {
    let tlv = |tag: u8, value: &[u8]| [&[tag, u8::try_from(value.len()).unwrap_or(0)], value].concat();
    let password = tlv(0xA1, &tlv(0x16, b"of ALPHA"));
    tlv(0xB0, &tlv(0xA1, &[tlv(0x80, b"ALPHA"), password].concat()))
}

/// The same message with an extension that nobody else knows: for the control.
fn with_private_extension(apdu: &[u8]) -> Vec<u8> {
    let Ok(MtsApdu::Message(mut message)) = MtsApdu::from_octets(apdu) else { return apdu.to_vec() };
    let vendor = ExtensionType::Private(Oid::from_static(&[0x2B, 6, 1, 4, 1]));
    message.envelope.extensions.set(ExtensionField::new(vendor, Criticality::NONE, vec![5, 0]));
    MtsApdu::Message(message).to_octets()
}

fn private(extensions: &Extensions) -> Vec<String> {
    let odd = |field: &ExtensionField| match field.extension_type() {
        ExtensionType::Standard(number) if STANDARD.contains(number) => None,
        other => Some(format!("extension {other}")),
    };
    extensions.iter().filter_map(odd).collect()
}
