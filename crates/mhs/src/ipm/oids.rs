//! Object identifiers of X.420, and of ISO 8571 where a file transfer body part needs them.

use ber::Oid;

/// id-et-ia5-text, 2.6.1.4.0.
pub const ET_IA5_TEXT: Oid = Oid::from_static(&[0x56, 1, 4, 0]);
/// id-et-message, 2.6.1.4.7.
pub const ET_MESSAGE: Oid = Oid::from_static(&[0x56, 1, 4, 7]);
/// id-et-general-text, 2.6.1.4.11.
pub const ET_GENERAL_TEXT: Oid = Oid::from_static(&[0x56, 1, 4, 11]);
/// id-et-file-transfer, 2.6.1.4.12.
pub const ET_FILE_TRANSFER: Oid = Oid::from_static(&[0x56, 1, 4, 12]);
/// id-et-voice, 2.6.1.4.16.
pub const ET_VOICE: Oid = Oid::from_static(&[0x56, 1, 4, 16]);
/// id-ep-general-text, 2.6.1.11.11.
pub const EP_GENERAL_TEXT: Oid = Oid::from_static(&[0x56, 1, 11, 11]);
/// id-ep-file-transfer, 2.6.1.11.12.
pub const EP_FILE_TRANSFER: Oid = Oid::from_static(&[0x56, 1, 11, 12]);
/// id-hex-extended-subject, 2.6.1.5.8.
pub const HEX_EXTENDED_SUBJECT: Oid = Oid::from_static(&[0x56, 1, 5, 8]);
/// id-eit-voice, 2.6.1.12.1.
pub const EIT_VOICE: Oid = Oid::from_static(&[0x56, 1, 12, 1]);
/// The abstract syntax of an unstructured binary file, 1.0.8571.2.4 (ISO 8571).
pub const UNSTRUCTURED_BINARY: Oid = Oid::from_static(&[0x28, 0xC2, 0x7B, 2, 4]);

/// The name of an extended body part type or heading extension, if X.420 defines it.
pub fn name(id: &Oid) -> Option<&'static str> {
    let (arc, number) = match id.contents() {
        [0x56, 1, arc, number] => (*arc, *number),
        _ => return None,
    };
    let table: &[(u8, &str)] = match arc {
        4 => &[
            (0, "ia5-text"),
            (2, "g3-facsimile"),
            (3, "g4-class1"),
            (4, "teletex"),
            (5, "videotex"),
            (6, "encrypted"),
            (7, "message"),
            (8, "mixed-mode"),
            (9, "bilaterally-defined"),
            (10, "nationally-defined"),
            (11, "general-text"),
            (12, "file-transfer"),
            (14, "report"),
            (15, "notification"),
            (16, "voice"),
            (18, "pkcs7"),
        ],
        5 => &[
            (0, "incomplete-copy"),
            (1, "languages"),
            (2, "auto-submitted"),
            (3, "body-part-signatures"),
            (4, "ipm-security-label"),
            (5, "authorization-time"),
            (6, "circulation-list-recipients"),
            (7, "distribution-codes"),
            (8, "extended-subject"),
            (9, "information-category"),
            (10, "manual-handling-instructions"),
            (11, "originators-reference"),
            (12, "precedence-policy-id"),
        ],
        _ => return None,
    };
    table.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
}
