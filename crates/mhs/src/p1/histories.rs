//! What extensions say of names: histories of redirection and of distribution lists, and extensions which are one
//! name, a set of names or one choice (X.411 redirection-history, dl-expansion-history,
//! originator-and-DL-expansion-history and others).
//!
//! Histories grow at the end; what stands in them already stays octet for octet. What is decided with them is the
//! agent's.

use ber::{Reader, Tag, Tlv, Writer};

use super::extension_table::StandardExtension;
use super::extensions::{Criticality, ExtensionField, ExtensionType, Extensions};
use crate::codes::RedirectionReason;
use crate::error::{DecodeError, Within};
use crate::kept::{Kept, List, expect};
use crate::or_address::OR_NAME;
use crate::{GlobalDomainIdentifier, MtaName, OrName, UtcTime};

/// ub-dl-expansions and ub-redirections: elements of one history.
pub const MAX_HISTORY: usize = 512;
/// Names in one dl-exempted-recipients that are read. The Recommendation has no bound.
const MAX_EXEMPTED: usize = super::MAX_RECIPIENTS;

/// One redirection: who was to receive it, when and why somebody else was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The recipient before.
    pub intended_recipient: OrName,
    /// When.
    pub time: UtcTime,
    /// Why.
    pub reason: RedirectionReason,
}

/// A distribution list and when it was expanded; or, as the first of originator-and-DL-expansion-history, the
/// originator and the time of submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DlExpansion {
    /// The list, or the originator.
    pub name: OrName,
    /// When.
    pub time: UtcTime,
}

/// Redirections of one recipient, the first first.
pub type RedirectionHistory = List<Kept<Redirection>>;
/// Lists that were expanded, the first first.
pub type DlExpansionHistory = List<Kept<DlExpansion>>;

impl Redirection {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let name = reader.expect(Tag::SEQUENCE).field("intended-recipient-name")?;
        let mut inner = name.reader()?;
        let intended_recipient = OrName::decode(&inner.expect(OR_NAME)?).field("intended-recipient")?;
        let time = UtcTime::decode(&inner.expect(Tag::UTC_TIME)?).field("redirection-time")?;
        let reason = reader.expect(Tag::ENUMERATED).field("redirection-reason")?;
        let reason = RedirectionReason(reason.integer().field("redirection-reason")?);
        Ok(Redirection { intended_recipient, time, reason })
    }

    fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SEQUENCE, |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                self.intended_recipient.write(OR_NAME, w);
                self.time.write(Tag::UTC_TIME, w);
            });
            w.integer(Tag::ENUMERATED, self.reason.0);
        });
    }
}

impl DlExpansion {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let name = OrName::decode(&reader.expect(OR_NAME)?).field("name")?;
        let time = UtcTime::decode(&reader.expect(Tag::UTC_TIME)?).field("time")?;
        Ok(DlExpansion { name, time })
    }

    fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SEQUENCE, |w| {
            self.name.write(OR_NAME, w);
            self.time.write(Tag::UTC_TIME, w);
        });
    }
}

impl Extensions {
    /// The redirections of this recipient (extension 25); empty if there are none.
    ///
    /// # Errors
    /// The value of the extension is no such history.
    pub fn redirection_history(&self) -> Result<RedirectionHistory, DecodeError> {
        self.history(StandardExtension::REDIRECTION_HISTORY, Redirection::decode)
    }

    /// Adds a redirection at the end of the history.
    ///
    /// # Errors
    /// What is there is no such history; it stays as it is.
    pub fn push_redirection(&mut self, redirection: Redirection) -> Result<(), DecodeError> {
        let mut history = self.redirection_history()?;
        history.push(redirection.into());
        self.set_history(StandardExtension::REDIRECTION_HISTORY, &history, Redirection::write);
        Ok(())
    }

    /// The lists that were expanded on the way (extension 26); empty if there are none.
    ///
    /// # Errors
    /// The value of the extension is no such history.
    pub fn dl_expansion_history(&self) -> Result<DlExpansionHistory, DecodeError> {
        self.history(StandardExtension::DL_EXPANSION_HISTORY, DlExpansion::decode)
    }

    /// Adds a list at the end of the history.
    ///
    /// # Errors
    /// What is there is no such history; it stays as it is.
    pub fn push_dl_expansion(&mut self, expansion: DlExpansion) -> Result<(), DecodeError> {
        let mut history = self.dl_expansion_history()?;
        history.push(expansion.into());
        self.set_history(StandardExtension::DL_EXPANSION_HISTORY, &history, DlExpansion::write);
        Ok(())
    }

    /// The originator of a report's subject and the lists it was expanded by (extension 30); empty if there are none.
    ///
    /// # Errors
    /// The value of the extension is no such history.
    pub fn originator_and_dl_expansion_history(&self) -> Result<DlExpansionHistory, DecodeError> {
        self.history(StandardExtension::ORIGINATOR_AND_DL_EXPANSION_HISTORY, DlExpansion::decode)
    }

    /// Puts `history` into a report: the originator, then the lists.
    pub fn set_originator_and_dl_expansion_history(&mut self, history: &DlExpansionHistory) {
        let number = StandardExtension::ORIGINATOR_AND_DL_EXPANSION_HISTORY;
        self.set_history(number, history, DlExpansion::write);
    }

    fn history<T>(
        &self,
        number: i64,
        decode: impl Fn(&Tlv<'_>) -> Result<T, DecodeError>,
    ) -> Result<List<Kept<T>>, DecodeError> {
        let Some(field) = self.standard(number) else { return Ok(List::default()) };
        let tlv = Reader::new(field.value()).any()?;
        expect(&tlv, Tag::SEQUENCE)?;
        List::decode(&tlv, Tag::SEQUENCE, MAX_HISTORY + 1, |tlv| Ok(Kept::received(decode(tlv)?, tlv)))
    }

    fn set_history<T>(&mut self, number: i64, history: &List<Kept<T>>, write: impl Fn(&T, &mut Writer)) {
        let value = Writer::encode(|w| {
            history.write(w, Tag::SEQUENCE, |element, w| element.write(w, &write));
        });
        self.set_standard(number, value);
    }

    /// Replaces the value of a standard extension, whose criticality stays; one that is added is not critical.
    fn set_standard(&mut self, number: i64, value: Vec<u8>) {
        let extension_type = ExtensionType::Standard(number);
        let criticality = self.get(&extension_type).map_or(Criticality::NONE, ExtensionField::criticality);
        self.set(ExtensionField::new(extension_type, criticality, value));
    }

    /// The value of an extension which is one O/R name: originator-requested-alternate-recipient,
    /// reporting-DL-name. `None` if it is absent or none.
    pub fn name(&self, number: i64) -> Option<OrName> {
        let tlv = Reader::new(self.standard(number)?.value()).any().ok()?;
        if tlv.tag == OR_NAME { OrName::decode(&tlv).ok() } else { None }
    }

    /// Sets an extension which is one O/R name.
    pub fn set_name(&mut self, number: i64, name: &OrName) {
        self.set_standard(number, name.encode());
    }

    /// Whether an extension which is one choice says "prohibited", the value 1:
    /// recipient-reassignment-prohibited, dl-expansion-prohibited, conversion-with-loss-prohibited.
    pub fn prohibits(&self, number: i64) -> bool {
        let Some(field) = self.standard(number) else { return false };
        Reader::new(field.value()).any().and_then(|tlv| tlv.integer()).is_ok_and(|choice| choice == 1)
    }

    /// Whom an expanded list must not send it to (extension 42); names that can't be read are left out.
    pub fn dl_exempted_recipients(&self) -> Vec<OrName> {
        let Some(field) = self.standard(StandardExtension::DL_EXEMPTED_RECIPIENTS) else { return Vec::new() };
        let Ok(tlv) = Reader::new(field.value()).any() else { return Vec::new() };
        let Ok(mut reader) = tlv.reader() else { return Vec::new() };
        let mut names = Vec::new();
        while let Ok(Some(name)) = reader.next()
            && names.len() < MAX_EXEMPTED
        {
            names.extend(OrName::decode(&name));
        }
        names
    }

    /// Says which MTA made a report (extension 39).
    pub fn set_reporting_mta_name(&mut self, domain: &GlobalDomainIdentifier, mta: &MtaName) {
        let value = Writer::encode(|w| {
            w.constructed(Tag::SEQUENCE, |w| {
                domain.write(w);
                mta.write(Tag::IA5_STRING, w);
            });
        });
        self.set_standard(StandardExtension::REPORTING_MTA_NAME, value);
    }

    /// The MTA that made a report (extension 39). `None` if it is absent or can't be read.
    pub fn reporting_mta_name(&self) -> Option<(GlobalDomainIdentifier, MtaName)> {
        let field = self.standard(StandardExtension::REPORTING_MTA_NAME)?;
        let mut reader = Reader::new(field.value()).any().ok()?.reader().ok()?;
        let domain = GlobalDomainIdentifier::decode(&reader.expect(Tag::application(3)).ok()?).ok()?;
        let mta = MtaName::decode(&reader.any().ok()?).ok()?;
        Some((domain, mta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> OrName {
        OrName::new(text.parse().unwrap())
    }

    fn time() -> UtcTime {
        UtcTime::from_octets(b"261122043000Z")
    }

    #[test]
    fn a_history_grows_at_its_end_and_keeps_the_octets_before() {
        let mut extensions = Extensions::new();
        for list in ["CN=one;C=GB", "CN=two;C=GB"] {
            extensions.push_dl_expansion(DlExpansion { name: name(list), time: time() }).unwrap();
        }
        let history = extensions.dl_expansion_history().unwrap();
        let names: Vec<String> = history.iter().map(|list| list.name.to_string()).collect();
        assert_eq!(names, ["CN=one;C=GB", "CN=two;C=GB"]);
        // An over-long length in the first element survives the third.
        let first = history[0].raw().unwrap().to_vec();
        let odd: Vec<u8> = [&[0x30, 0x81, first[1]], &first[2..]].concat();
        let value = [&[0x30, odd.len() as u8], &odd[..]].concat();
        extensions.set_standard(StandardExtension::DL_EXPANSION_HISTORY, value);
        extensions.push_dl_expansion(DlExpansion { name: name("CN=three;C=GB"), time: time() }).unwrap();
        let history = extensions.dl_expansion_history().unwrap();
        assert_eq!((history.len(), history[0].raw()), (2, Some(&odd[..])));
    }

    #[test]
    fn a_redirection_has_the_encoding_of_the_module() {
        let mut extensions = Extensions::new();
        let reason = RedirectionReason::ORIGINATOR_REQUESTED;
        let intended_recipient = name("C=GB");
        extensions.push_redirection(Redirection { intended_recipient, time: time(), reason }).unwrap();
        let value = extensions.standard(25).unwrap().value();
        let expected = [
            &[0x30, 0x20, 0x30, 0x1E, 0x30, 0x19, 0x60, 0x08, 0x30, 0x06, 0x61, 0x04, 0x13, 0x02][..],
            b"GB\x17\x0D261122043000Z\x0A\x01\x01",
        ]
        .concat();
        assert_eq!(value, expected);
        assert_eq!(extensions.redirection_history().unwrap()[0].reason, reason);
    }

    #[test]
    fn what_is_no_history_is_an_error_and_stays() {
        let mut extensions = Extensions::new();
        extensions.set_standard(StandardExtension::DL_EXPANSION_HISTORY, vec![4, 1, 0]);
        assert!(extensions.dl_expansion_history().is_err());
        assert!(extensions.push_dl_expansion(DlExpansion { name: name("C=GB"), time: time() }).is_err());
        assert_eq!(extensions.standard(26).map(ExtensionField::value), Some(&[4, 1, 0][..]));
    }

    #[test]
    fn names_and_choices_are_read_and_nonsense_is_none() {
        let mut extensions = Extensions::new();
        assert!(!extensions.prohibits(3));
        extensions.set_standard(3, vec![0x0A, 1, 1]);
        assert!(extensions.prohibits(3));
        extensions.set_standard(3, vec![0x0A, 1, 0]);
        assert!(!extensions.prohibits(3));
        extensions.set_name(2, &name("S=x;C=GB"));
        assert_eq!(extensions.name(2), Some(name("S=x;C=GB")));
        extensions.set_standard(2, vec![5, 0]);
        assert_eq!(extensions.name(2), None);
        let domain: GlobalDomainIdentifier = "C=GB;A= ;P=X".parse().unwrap();
        let mta = MtaName::new("MTA-X").unwrap();
        extensions.set_reporting_mta_name(&domain, &mta);
        assert_eq!(extensions.reporting_mta_name(), Some((domain, mta)));
        let two: Vec<u8> = [name("S=x;C=GB").encode(), vec![5, 0], name("S=y;C=GB").encode()].concat();
        extensions.set_standard(42, [&[0x31, two.len() as u8], &two[..]].concat());
        assert_eq!(extensions.dl_exempted_recipients(), [name("S=x;C=GB"), name("S=y;C=GB")]);
    }
}
