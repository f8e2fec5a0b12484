//! What a peer sends in the course of an association: pieces that lead a machine on, for scripts to change.

use std::sync::LazyLock;

use testkit::GoldenVector;

use crate::Script;

/// TSDUs of either side.
pub(crate) fn tsdus() -> &'static [Vec<u8>] {
    static TSDUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(made);
    &TSDUS
}

fn made() -> Vec<Vec<u8>> {
    let mut tsdus: Vec<Vec<u8>> = [
        GoldenVector::Connect,
        GoldenVector::ConnectX410,
        GoldenVector::Accept,
        GoldenVector::Finish,
        GoldenVector::Disconnect,
    ]
    .map(GoldenVector::octets)
    .into();
    // P-DATA with an RTTR that holds the EXTERNAL of an APDU.
    let data = [
        0x01, 0x00, 0x01, 0x00, 0x61, 0x16, 0x30, 0x14, 0x02, 1, 3, 0xA0, 0x0F, 0x04, 0x0D, 0x28, 0x0B, 0x02,
        1, 5, 0xA0, 6, 0xA0, 4, 0x31, 2, 0x05, 0,
    ];
    let others: [&[u8]; 16] = [
        // GT + AS, GT + DT, GT + MIP, GT + AE.
        &[0x01, 0x00, 0x2D, 0x05, 0x29, 0x03, 0x02, 0x01, 0x01],
        &data,
        &[0x01, 0x00, 0x31, 0x03, 0x2A, 0x01, b'1'],
        &[0x01, 0x00, 0x29, 0x03, 0x2A, 0x01, b'1'],
        // PT + MIA, PT + AEA, PT + ED.
        &[0x02, 0x00, 0x32, 0x03, 0x2A, 0x01, b'1'],
        &[0x02, 0x00, 0x2A, 0x03, 0x2A, 0x01, b'1'],
        &[0x02, 0x00, 0x30, 0x03, 0x32, 0x01, 5],
        // GT and PT alone, AI, AIA, AD, ADA, GTC, GTA, AB.
        &[0x01, 0x03, 0x10, 0x01, 0x15],
        &[0x02, 0x03, 0x10, 0x01, 0x15],
        &[0x01, 0x00, 0x19, 0x00],
        &[0x02, 0x00, 0x1A, 0x00],
        &[0x01, 0x00, 0x39, 0x00],
        &[0x02, 0x00, 0x3A, 0x00],
        &[0x15, 0x00],
        &[0x16, 0x00],
        &[0x19, 0x03, 0x11, 0x01, 0x03],
    ];
    tsdus.extend(others.iter().map(|tsdu| tsdu.to_vec()));
    tsdus
}

/// One of `pieces` as the script chooses, perhaps with one octet changed, as it tells.
pub(crate) fn changed(pieces: &[Vec<u8>], script: &mut Script<'_>) -> Vec<u8> {
    let which = usize::from(script.octet());
    let mut piece = pieces.get(which % pieces.len().max(1)).cloned().unwrap_or_default();
    if which >= 0x80 {
        let (at, to) = (usize::from(script.number()), script.octet());
        let length = piece.len().max(1);
        if let Some(octet) = piece.get_mut(at % length) {
            *octet = to;
        }
    }
    piece
}
