//! Session SPDU codec: golden TSDUs both ways, round trips, truncation, garbage.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use osi::session::spdu::{
    Ac, Cn, ConnectItem, Enclosure, FunctionalUnits, RefuseReason, Rf, SPDUS_PER_TSDU_MAX, Segmented, Spdu,
    SpduError, TransportDisconnect, TsduMax, UserData, decode_tsdu, dt_tsdu,
};
use osi::session::{ActivityResume, ConnectionIdentifier, OldConnection, ReasonCode};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn no_user() -> UserData {
    UserData::default()
}

fn gt() -> Spdu {
    Spdu::Gt { tokens: 0 }
}

fn pt() -> Spdu {
    Spdu::Pt { tokens: 0, user: no_user() }
}

const CN: &str = "0dca011a0a070405686f7374410b0f170d3236313132323034333030305a05091301001601021a01001402024933037373413403737342c1
    93318190a003800101a281888002078081037073418203707342a433300f020101060452010001300406025101300f02010306045600020c
    300406025101300f02010506045600020730040602510161433041020101a03c603a80020780a106060456000106be2c282a020103a025b0
    23800101810103820101a318a016b014a11280054d54412d41a109160773656372657441";
const AC: &str = "0eaa011a09070405686f7374420b0f170d3236313132323034333030305a05091301001601021a010014020249c17d317ba003800101a274
    800207808303707342a51b300780010081025101300780010081025101300780010081025101614c304a020101a045614380020780a10606
    0456000106a203020100a305a103020100be292827020103a022b120800101810103a218a016b114a11280054d54412d42a1091607736563
    72657442";
const FN: &str = "0913110101c10e610c300a020101a0056203800100";
const DN: &str = "0a10c10e610c300a020101a0056303800100";
const CN_X410: &str = "0d64011a0a071405686f7374410b0f170d3236313132323034333030305a05091301001601011a01001402024933037373413403737342c1
    2d312ba003800100a124800101810103820101a316a014a11280054d54412d41a10916077365637265744184010c";

fn decode_one(text: &str) -> Spdu {
    let tsdu = hex(text);
    let spdus = decode_tsdu(&tsdu).unwrap();
    let [spdu] = spdus.as_slice() else { panic!("{spdus:?}") };
    assert_eq!(spdu.to_tsdu().unwrap(), tsdu, "encodes to the same octets");
    spdu.clone()
}

fn identifier(reference: &str) -> ConnectionIdentifier {
    ConnectionIdentifier {
        user_reference: Some(hex(reference)),
        common_reference: Some(hex("170d3236313132323034333030305a")),
        additional_reference: None,
    }
}

fn item(version: u8) -> ConnectItem {
    ConnectItem {
        protocol_options: Some(0),
        tsdu_max: None,
        version: Some(version),
        initial_serial: None,
        token_setting: Some(0),
    }
}

#[test]
fn golden_connect() {
    for (text, version, reference, user_octets) in
        [(CN, 2, "0405686f737441", 0x93), (CN_X410, 1, "1405686f737441", 0x2D)]
    {
        let Spdu::Cn(cn) = decode_one(text) else { panic!("no CN") };
        assert_eq!(cn.user_data.len(), user_octets);
        let expected = Cn {
            identifier: identifier(reference),
            item: item(version),
            user_requirements: Some(FunctionalUnits::RTSE),
            calling_selector: Some(b"ssA".to_vec()),
            called_selector: Some(b"ssB".to_vec()),
            data_overflow: false,
            user_data: cn.user_data.clone(),
        };
        assert_eq!(cn, expected);
    }
}

#[test]
fn golden_accept_finish_disconnect() {
    let Spdu::Ac(ac) = decode_one(AC) else { panic!("no AC") };
    let expected = Ac {
        identifier: identifier("0405686f737442"),
        item: item(2),
        user_requirements: Some(FunctionalUnits::RTSE),
        user: UserData::whole(ac.user.octets.clone()),
        ..Ac::default()
    };
    assert_eq!((ac.user.octets.len(), ac), (0x7D, expected));
    assert_eq!(
        decode_one(FN),
        Spdu::Fn {
            transport_disconnect: Some(TransportDisconnect(1)),
            user: UserData::whole(hex("610c300a020101a0056203800100")),
        }
    );
    assert_eq!(decode_one(DN), Spdu::Dn { user: UserData::whole(hex("610c300a020101a0056303800100")) });
}

#[test]
fn golden_activity_tsdus() {
    let cases = [
        ("0100 2D05 2903 020101", gt(), Spdu::As { activity: vec![2, 1, 1], user: no_user() }),
        ("0100 0100 AABB", gt(), Spdu::Dt { enclosure: None, data: vec![0xAA, 0xBB] }),
        ("0100 3103 2A0131", gt(), Spdu::Mip { confirm: true, serial: 1, user: no_user() }),
        ("0200 3203 2A0131", pt(), Spdu::Mia { serial: 1, user: no_user() }),
        ("0100 2903 2A0131", gt(), Spdu::Ae { serial: 1, user: no_user() }),
        ("0200 2A03 2A0131", pt(), Spdu::Aea { serial: 1, user: no_user() }),
        ("0100 3105 2A03 323933", gt(), Spdu::Mip { confirm: true, serial: 293, user: no_user() }),
        ("0100 3106 0F0101 2A0132", gt(), Spdu::Mip { confirm: false, serial: 2, user: no_user() }),
        ("0100 1903 320100", gt(), Spdu::Ai { reason: Some(ReasonCode::NON_SPECIFIC) }),
        ("0200 1A00", pt(), Spdu::Aia),
        ("0100 3903 320105", gt(), Spdu::Ad { reason: Some(ReasonCode(5)) }),
        ("0200 3A00", pt(), Spdu::Ada),
        ("0200 3003 320105", pt(), Spdu::Ed { reason: Some(ReasonCode(5)), user: no_user() }),
        ("0200 0000", pt(), Spdu::Er { reflected: vec![] }),
        ("0100 0103 190101 55", gt(), Spdu::Dt { enclosure: Some(Enclosure::BEGINNING), data: vec![0x55] }),
    ];
    for (text, leader, spdu) in cases {
        let tsdu = hex(text);
        assert_eq!(decode_tsdu(&tsdu).unwrap(), [leader, spdu.clone()], "{text}");
        assert_eq!(spdu.to_tsdu().unwrap(), tsdu, "{text}");
    }
}

#[test]
fn single_spdus_at_the_start_of_a_tsdu() {
    let release = Some(TransportDisconnect(3));
    assert_eq!(
        decode_one("1903 110103"),
        Spdu::Ab { transport_disconnect: release, reflected: vec![], user: no_user() }
    );
    assert_eq!(decode_one("1A00"), Spdu::Aa);
    assert_eq!(decode_one("1500"), Spdu::Gtc);
    assert_eq!(decode_one("1600"), Spdu::Gta);
    assert_eq!(decode_one("0100"), gt());
    assert_eq!(
        decode_one("0208 100101 C103 020100"),
        Spdu::Pt { tokens: 1, user: UserData::whole(vec![2, 1, 0]) }
    );
}

#[test]
fn leniency() {
    // Unknown parameter, long form of a short length, the wrong one of two reference codes.
    let dn = decode_tsdu(&hex("0AFF0006 630100 C10155")).unwrap();
    assert_eq!(dn, [Spdu::Dn { user: UserData::whole(vec![0x55]) }]);
    let ac = decode_tsdu(&hex("0E05 0103 0A0141")).unwrap();
    let [Spdu::Ac(ac)] = ac.as_slice() else { panic!("{ac:?}") };
    assert_eq!(ac.identifier.user_reference.as_deref(), Some(&b"A"[..]));
    // A sync type item without its bit means no more than none.
    let ends = decode_tsdu(&hex("0100 2906 0F0100 2A0131")).unwrap();
    assert_eq!(ends, [gt(), Spdu::Ae { serial: 1, user: no_user() }]);
    let goes_on = decode_tsdu(&hex("0100 2906 0F0101 2A0131")).unwrap();
    assert_eq!(goes_on, [gt(), Spdu::Map { serial: 1 }]);
    // User data of MIA in either of two parameters.
    for text in ["0200 3206 2A0131 2E0155", "0200 3206 2A0131 C10155"] {
        let mia = Spdu::Mia { serial: 1, user: UserData::whole(vec![0x55]) };
        assert_eq!(decode_tsdu(&hex(text)).unwrap(), [pt(), mia]);
    }
    // An acceptor's empty called selector is not the same as none.
    let ac = decode_tsdu(&hex("0E02 3400")).unwrap();
    assert!(matches!(ac.as_slice(), [Spdu::Ac(ac)] if ac.called_selector.as_deref() == Some(&[])));
}

#[test]
fn violations() {
    let code = |spdu, code, octets| SpduError::Parameter { spdu, code, octets };
    for (text, error) in [
        ("", SpduError::Truncated { spdu: "TSDU", needed: 2, left: 0 }),
        ("0D", SpduError::Truncated { spdu: "TSDU", needed: 2, left: 1 }),
        ("0A05 C1", SpduError::Truncated { spdu: "TSDU", needed: 5, left: 1 }),
        ("0A03 C10500", SpduError::Truncated { spdu: "DN", needed: 5, left: 1 }),
        ("2D05 2903 020101", SpduError::Identifier { si: 45, offset: 0 }),
        ("0100 1500", SpduError::Identifier { si: 21, offset: 2 }),
        // EX, TD, CD, CDA, RS and RA belong to functional units that are not offered.
        ("0500", SpduError::Identifier { si: 5, offset: 0 }),
        ("2100", SpduError::Identifier { si: 33, offset: 0 }),
        ("0100 3D00", SpduError::Identifier { si: 61, offset: 2 }),
        ("0200 3E00", SpduError::Identifier { si: 62, offset: 2 }),
        ("0100 3500", SpduError::Identifier { si: 53, offset: 2 }),
        ("0200 2200", SpduError::Identifier { si: 34, offset: 2 }),
        ("1500 00", SpduError::Trailing { spdu: "GTC", octets: 1 }),
        ("0100 2D00", SpduError::Missing { spdu: "AS", code: 41 }),
        ("0100 2D09 2907 01020304050607", code("AS", 41, 7)),
        ("0100 3104 2A02 3141", code("MIP", 42, 2)),
        ("0100 3102 2A00", code("MIP", 42, 0)),
        ("0100 3109 2A07 31313131313131", code("MIP", 42, 7)),
        ("0100 3106 2A0131 2A0131", SpduError::Duplicate { spdu: "MIP", code: 42 }),
        ("0D03 140102", code("CN", 20, 1)),
        ("0C02 3200", code("RF", 50, 0)),
        ("0D06 C101AA C201BB", code("CN", 194, 1)),
    ] {
        assert_eq!(decode_tsdu(&hex(text)), Err(error), "{text}");
    }
    let mut many = hex("0200");
    for _ in 0..SPDUS_PER_TSDU_MAX {
        many.extend(hex("3A00"));
    }
    let limit = SPDUS_PER_TSDU_MAX;
    assert_eq!(decode_tsdu(&many), Err(SpduError::TooManySpdus { limit }));
    many.truncate(many.len() - 2);
    assert_eq!(decode_tsdu(&many).unwrap().len(), SPDUS_PER_TSDU_MAX, "extended concatenation is taken");
}

#[test]
fn long_values_use_long_lengths() {
    let user_data = vec![7; 600];
    let cn = Spdu::Cn(Cn { user_data, ..Cn::default() });
    let tsdu = cn.to_tsdu().unwrap();
    assert_eq!(tsdu[..8], [13, 255, 2, 92, 194, 255, 2, 88]);
    assert_eq!(decode_tsdu(&tsdu).unwrap(), [cn]);
    let too_long = Spdu::Dn { user: UserData::whole(vec![0; 65_534]) };
    assert!(matches!(too_long.to_tsdu(), Err(SpduError::TooLong { .. })));
    assert!(Spdu::Mip { confirm: true, serial: 1_000_000, user: no_user() }.to_tsdu().is_err());
}

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

fn user() -> impl Strategy<Value = UserData> {
    (prop::sample::select(vec![None, Some(Enclosure::BEGINNING), Some(Enclosure::WHOLE)]), octets(600))
        .prop_map(|(enclosure, octets)| UserData { enclosure, octets })
}

fn later_user() -> impl Strategy<Value = UserData> {
    (prop::sample::select(vec![Enclosure::MIDDLE, Enclosure::END]), octets(600))
        .prop_map(|(enclosure, octets)| UserData { enclosure: Some(enclosure), octets })
}

fn segmented() -> impl Strategy<Value = Segmented> {
    prop::sample::select(vec![
        Segmented::Ac,
        Segmented::Fn,
        Segmented::Dn,
        Segmented::Nf,
        Segmented::Ab,
        Segmented::Pt,
        Segmented::As,
        Segmented::Ar,
        Segmented::Ae,
        Segmented::Aea,
        Segmented::Mip,
        Segmented::Mia,
        Segmented::Ed,
    ])
}

fn connection_identifier() -> impl Strategy<Value = ConnectionIdentifier> {
    (prop::option::of(octets(64)), prop::option::of(octets(64)), prop::option::of(octets(4))).prop_map(
        |(user_reference, common_reference, additional_reference)| ConnectionIdentifier {
            user_reference,
            common_reference,
            additional_reference,
        },
    )
}

fn connect_item() -> impl Strategy<Value = ConnectItem> {
    (
        any::<Option<u8>>(),
        any::<Option<(u16, u16)>>(),
        any::<Option<u8>>(),
        prop::option::of(0u32..1_000_000),
        any::<Option<u8>>(),
    )
        .prop_map(|(protocol_options, sizes, version, initial_serial, token_setting)| ConnectItem {
            protocol_options,
            tsdu_max: sizes
                .map(|(from_initiator, from_responder)| TsduMax { from_initiator, from_responder }),
            version,
            initial_serial,
            token_setting,
        })
}

fn resume() -> impl Strategy<Value = ActivityResume> {
    let reference = || prop::option::of(octets(64));
    (
        octets(6),
        octets(6),
        0u32..1_000_000,
        reference(),
        reference(),
        reference(),
        prop::option::of(octets(4)),
    )
        .prop_map(|(new_activity, old_activity, serial, called, calling, common, additional)| {
            let old = OldConnection {
                called_reference: called,
                calling_reference: calling,
                common_reference: common,
                additional_reference: additional,
            };
            let old_connection = (old != OldConnection::default()).then_some(old);
            ActivityResume { new_activity, old_activity, serial, old_connection }
        })
}

fn spdu() -> impl Strategy<Value = Spdu> {
    let serial = || 0u32..1_000_000;
    let item_17 = || prop::option::of(any::<u8>().prop_map(TransportDisconnect));
    let units = || prop::option::of(any::<u16>().prop_map(FunctionalUnits));
    let reason = || prop::option::of(any::<u8>().prop_map(ReasonCode));
    let selector = || prop::option::of(octets(16));
    prop_oneof![
        (
            connection_identifier(),
            connect_item(),
            units(),
            selector(),
            selector(),
            any::<bool>(),
            octets(700)
        )
            .prop_map(
                |(identifier, item, user_requirements, calling, called, data_overflow, user_data)| {
                    Spdu::Cn(Cn {
                        identifier,
                        item,
                        user_requirements,
                        calling_selector: calling,
                        called_selector: called,
                        data_overflow,
                        user_data,
                    })
                }
            ),
        (
            connection_identifier(),
            connect_item(),
            any::<Option<u8>>(),
            units(),
            selector(),
            selector(),
            user()
        )
            .prop_map(|(identifier, item, tokens, user_requirements, calling, called, user)| {
                Spdu::Ac(Ac {
                    identifier,
                    item,
                    tokens,
                    user_requirements,
                    calling_selector: calling,
                    called_selector: called,
                    user,
                })
            }),
        (connection_identifier(), item_17(), units(), any::<Option<u8>>(), any::<u8>(), octets(600))
            .prop_map(|(identifier, transport_disconnect, user_requirements, version, reason, user_data)| {
                Spdu::Rf(Rf {
                    identifier,
                    transport_disconnect,
                    user_requirements,
                    version,
                    enclosure: None,
                    reason,
                    user_data,
                })
            }),
        (item_17(), user()).prop_map(|(transport_disconnect, user)| Spdu::Fn { transport_disconnect, user }),
        user().prop_map(|user| Spdu::Dn { user }),
        user().prop_map(|user| Spdu::Nf { user }),
        (item_17(), octets(9), user()).prop_map(|(transport_disconnect, reflected, user)| Spdu::Ab {
            transport_disconnect,
            reflected,
            user
        }),
        (any::<u8>(), user()).prop_map(|(tokens, user)| Spdu::Pt { tokens, user }),
        any::<u8>().prop_map(|tokens| Spdu::Gt { tokens }),
        prop::sample::select(vec![Spdu::Aa, Spdu::Gtc, Spdu::Gta, Spdu::Pr, Spdu::Aia, Spdu::Ada]),
        prop_oneof![user(), later_user()].prop_map(|user| Spdu::Cdo { user }),
        (any::<Option<(u16, u16)>>(), any::<Option<u8>>()).prop_map(|(sizes, version)| Spdu::Oa {
            tsdu_max: sizes
                .map(|(from_initiator, from_responder)| TsduMax { from_initiator, from_responder }),
            version,
        }),
        (segmented(), later_user()).prop_map(|(of, user)| Spdu::Segment { of, user }),
        (prop::option::of((0u8..4).prop_map(Enclosure)), octets(600))
            .prop_map(|(enclosure, data)| Spdu::Dt { enclosure, data }),
        (octets(6), user()).prop_map(|(activity, user)| Spdu::As { activity, user }),
        (resume(), user()).prop_map(|(resume, user)| Spdu::Ar { resume, user }),
        reason().prop_map(|reason| Spdu::Ai { reason }),
        reason().prop_map(|reason| Spdu::Ad { reason }),
        (serial(), user()).prop_map(|(serial, user)| Spdu::Ae { serial, user }),
        serial().prop_map(|serial| Spdu::Map { serial }),
        (serial(), user()).prop_map(|(serial, user)| Spdu::Aea { serial, user }),
        (any::<bool>(), serial(), user()).prop_map(|(confirm, serial, user)| Spdu::Mip {
            confirm,
            serial,
            user
        }),
        (serial(), user()).prop_map(|(serial, user)| Spdu::Mia { serial, user }),
        (reason(), user()).prop_map(|(reason, user)| Spdu::Ed { reason, user }),
        octets(20).prop_map(|reflected| Spdu::Er { reflected }),
    ]
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(spdu in spdu()) {
        let tsdu = spdu.to_tsdu().unwrap();
        let decoded = decode_tsdu(&tsdu).unwrap();
        prop_assert_eq!(decoded.last(), Some(&spdu));
    }

    #[test]
    fn a_cut_never_passes_for_the_whole(spdu in spdu()) {
        let tsdu = spdu.to_tsdu().unwrap();
        for end in 0..tsdu.len() {
            // Data has no length of its own, and the first of two SPDUs may stand alone.
            if let Ok(decoded) = decode_tsdu(&tsdu[..end]) {
                prop_assert_ne!(decoded.last(), Some(&spdu));
                prop_assert!(end == 2 || matches!(spdu, Spdu::Dt { .. }), "{end}: {decoded:?}");
            }
        }
    }

    #[test]
    fn garbage_never_panics(
        garbage in prop::collection::vec(prop_oneof![0u8..64, 192u8..196, Just(255), any::<u8>()], 0..200)
    ) {
        if let Ok(spdus) = decode_tsdu(&garbage) {
            prop_assert!((1..=SPDUS_PER_TSDU_MAX).contains(&spdus.len()));
            for spdu in &spdus {
                prop_assert!(spdu.to_tsdu().is_ok(), "{spdu:?}");
            }
        }
    }

    #[test]
    fn both_ways_to_encode_data_agree(data in octets(300), segment in prop::option::of(0u8..4)) {
        let enclosure = segment.map(Enclosure);
        let mut tsdu = vec![1, 0];
        Spdu::Dt { enclosure, data: data.clone() }.encode(&mut tsdu).unwrap();
        prop_assert_eq!(dt_tsdu(enclosure, &data), tsdu);
    }
}

#[test]
fn refuse_keeps_the_data_behind_its_reason() {
    let rf = Spdu::Rf(Rf {
        reason: RefuseReason::USER_WITH_DATA,
        user_data: hex("300580010087"),
        transport_disconnect: Some(TransportDisconnect(1)),
        ..Rf::default()
    });
    let tsdu = rf.to_tsdu().unwrap();
    assert_eq!(tsdu, hex("0C0C 110101 3207 02 300580010087"));
    assert_eq!(decode_tsdu(&tsdu).unwrap(), [rf]);
}
