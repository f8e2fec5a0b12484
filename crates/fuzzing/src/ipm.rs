//! Interpersonal messages and notifications: any content is read or refused, shown and written again; what is known of
//! one from its first octets is what all of them say.

use mhs::ipm::{InformationObject, Ipm, encoded_information_types, render_object};

pub(crate) fn run(octets: &[u8]) {
    let summary = Ipm::summary(octets);
    if let Ok(object) = InformationObject::decode(octets) {
        assert!(!render_object(&object).to_string().is_empty());
    }
    let Ok(ipm) = Ipm::decode(octets) else { return };
    assert!(summary.is_ok(), "what can be read whole has a summary: {summary:?}");
    for part in &ipm.body {
        assert!(!part.kind().is_empty());
        // A character of one octet becomes at most four in UTF-8, some of them with a combining mark.
        let text = part.text().unwrap_or_default();
        assert!(text.len() <= 8 * octets.len() + 64, "{} octets of text from {}", text.len(), octets.len());
    }
    let _ = encoded_information_types(&ipm.body);
    let again = ipm.encode();
    assert_eq!(Ipm::decode(&again), Ok(ipm));
}
