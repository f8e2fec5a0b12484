//! The heading of a message and its fields (X.420).
//!
//! Strings keep their octets where their character set may be T.61; texts are made of them on demand. Bounds on sizes
//! are kept by what composes a message, not by what reads one.

use ber::{BitString, Oid, Tag, Tlv, Writer};

use super::charset::{self, RightSet};
use super::{OR_NAME, list, oids};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::{OrName, UtcTime, text};

/// ub-recipients of X.411, for each list of recipients.
const MAX_RECIPIENTS: usize = 32_767;
const MAX_IDENTIFIERS: usize = 4096;
const MAX_EXTENSIONS: usize = 1024;

/// Heading of a message. Fields absent and fields with their default value are not told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// this-IPM.
    pub this_ipm: IpmIdentifier,
    /// originator.
    pub originator: Option<OrDescriptor>,
    /// authorizing-users.
    pub authorizing_users: Vec<OrDescriptor>,
    /// primary-recipients.
    pub primary_recipients: Vec<RecipientSpecifier>,
    /// copy-recipients.
    pub copy_recipients: Vec<RecipientSpecifier>,
    /// blind-copy-recipients.
    pub blind_copy_recipients: Vec<RecipientSpecifier>,
    /// replied-to-IPM.
    pub replied_to: Option<IpmIdentifier>,
    /// obsoleted-IPMs.
    pub obsoleted: Vec<IpmIdentifier>,
    /// related-IPMs.
    pub related: Vec<IpmIdentifier>,
    /// subject, as the octets of its TeletexString; see [`Heading::subject_text`].
    pub subject: Option<Vec<u8>>,
    /// expiry-time.
    pub expiry_time: Option<UtcTime>,
    /// reply-time.
    pub reply_time: Option<UtcTime>,
    /// reply-recipients.
    pub reply_recipients: Vec<OrDescriptor>,
    /// importance.
    pub importance: Importance,
    /// sensitivity.
    pub sensitivity: Option<Sensitivity>,
    /// auto-forwarded.
    pub auto_forwarded: bool,
    /// extensions.
    pub extensions: Vec<IpmsExtension>,
    /// Encodings of members that are not known.
    pub unknown: Vec<Vec<u8>>,
}

impl Heading {
    /// A heading with nothing but its identifier.
    pub fn new(this_ipm: IpmIdentifier) -> Self {
        Heading {
            this_ipm,
            originator: None,
            authorizing_users: Vec::new(),
            primary_recipients: Vec::new(),
            copy_recipients: Vec::new(),
            blind_copy_recipients: Vec::new(),
            replied_to: None,
            obsoleted: Vec::new(),
            related: Vec::new(),
            subject: None,
            expiry_time: None,
            reply_time: None,
            reply_recipients: Vec::new(),
            importance: Importance::Normal,
            sensitivity: None,
            auto_forwarded: false,
            extensions: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// The subject in words: the extended subject if there is one, else the subject.
    pub fn subject_text(&self) -> Option<String> {
        self.extensions
            .iter()
            .find(|extension| extension.id == oids::HEX_EXTENDED_SUBJECT)
            .and_then(|extension| universal_or_bmp(&extension.value))
            .or_else(|| self.subject.as_deref().map(|octets| charset::decode(octets, RightSet::Teletex)))
    }

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut this_ipm = None;
        let mut heading = Heading::new(IpmIdentifier { user: None, user_relative_identifier: String::new() });
        let mut members = tlv.reader()?;
        while let Some(member) = members.next()? {
            let m = &member;
            if m.tag == IpmIdentifier::TAG {
                this_ipm = Some(IpmIdentifier::decode(m).field("this-IPM")?);
                continue;
            }
            let number = if m.tag.class == ber::Class::Context { m.tag.number } else { u32::MAX };
            match number {
                0 => heading.originator = Some(OrDescriptor::decode(m).field("originator")?),
                1 => {
                    heading.authorizing_users =
                        list(m, MAX_RECIPIENTS, OrDescriptor::decode).field("authorizing-users")?;
                }
                2 => {
                    heading.primary_recipients =
                        list(m, MAX_RECIPIENTS, RecipientSpecifier::decode).field("primary-recipients")?;
                }
                3 => {
                    heading.copy_recipients =
                        list(m, MAX_RECIPIENTS, RecipientSpecifier::decode).field("copy-recipients")?;
                }
                4 => {
                    heading.blind_copy_recipients =
                        list(m, MAX_RECIPIENTS, RecipientSpecifier::decode).field("blind-copy-recipients")?;
                }
                5 => heading.replied_to = Some(IpmIdentifier::decode(m).field("replied-to-IPM")?),
                6 => {
                    heading.obsoleted =
                        list(m, MAX_IDENTIFIERS, IpmIdentifier::decode).field("obsoleted-IPMs")?;
                }
                7 => {
                    heading.related =
                        list(m, MAX_IDENTIFIERS, IpmIdentifier::decode).field("related-IPMs")?;
                }
                8 => {
                    let subject = m.explicit().field("subject")?;
                    heading.subject = Some(subject.octets().field("subject")?.into_owned());
                }
                9 => heading.expiry_time = Some(UtcTime::decode(m).field("expiry-time")?),
                10 => heading.reply_time = Some(UtcTime::decode(m).field("reply-time")?),
                11 => {
                    heading.reply_recipients =
                        list(m, MAX_RECIPIENTS, OrDescriptor::decode).field("reply-recipients")?;
                }
                12 => heading.importance = Importance::from_number(m.integer().field("importance")?),
                13 => heading.sensitivity = Some(Sensitivity(m.integer().field("sensitivity")?)),
                14 => heading.auto_forwarded = m.boolean().field("auto-forwarded")?,
                15 => {
                    heading.extensions =
                        list(m, MAX_EXTENSIONS, IpmsExtension::decode).field("extensions")?;
                }
                _ => {
                    if heading.unknown.len() >= MAX_EXTENSIONS {
                        let kind = DecodeErrorKind::TooMany { limit: MAX_EXTENSIONS };
                        return Err(DecodeError::new(kind, m.offset()));
                    }
                    heading.unknown.push(m.raw.to_vec());
                }
            }
        }
        heading.this_ipm = this_ipm.ok_or_else(|| DecodeError::missing("this-IPM", tlv.offset()))?;
        Ok(heading)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SET, |w| {
            self.this_ipm.write(IpmIdentifier::TAG, w);
            if let Some(originator) = &self.originator {
                originator.write(Tag::context(0), w);
            }
            write_list(w, 1, &self.authorizing_users, |d, w| d.write(Tag::SET, w));
            write_list(w, 2, &self.primary_recipients, RecipientSpecifier::write);
            write_list(w, 3, &self.copy_recipients, RecipientSpecifier::write);
            write_list(w, 4, &self.blind_copy_recipients, RecipientSpecifier::write);
            if let Some(identifier) = &self.replied_to {
                identifier.write(Tag::context(5), w);
            }
            write_list(w, 6, &self.obsoleted, |id, w| id.write(IpmIdentifier::TAG, w));
            write_list(w, 7, &self.related, |id, w| id.write(IpmIdentifier::TAG, w));
            if let Some(subject) = &self.subject {
                w.constructed(Tag::context(8), |w| w.primitive(Tag::TELETEX_STRING, subject));
            }
            if let Some(time) = &self.expiry_time {
                time.write(Tag::context(9), w);
            }
            if let Some(time) = &self.reply_time {
                time.write(Tag::context(10), w);
            }
            write_list(w, 11, &self.reply_recipients, |d, w| d.write(Tag::SET, w));
            if self.importance != Importance::Normal {
                w.integer(Tag::context(12), self.importance.number());
            }
            if let Some(Sensitivity(number)) = self.sensitivity {
                w.integer(Tag::context(13), number);
            }
            if self.auto_forwarded {
                w.boolean(Tag::context(14), true);
            }
            write_list(w, 15, &self.extensions, IpmsExtension::write);
            self.unknown.iter().for_each(|raw| w.raw(raw));
        });
    }
}

fn write_list<T>(w: &mut Writer, number: u32, items: &[T], mut write: impl FnMut(&T, &mut Writer)) {
    if !items.is_empty() {
        w.constructed(Tag::context(number), |w| items.iter().for_each(|item| write(item, w)));
    }
}

/// IPMIdentifier: names a message among all messages of its originator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpmIdentifier {
    /// Who gave the identifier.
    pub user: Option<OrName>,
    /// LocalIPMIdentifier, at most 64 characters.
    pub user_relative_identifier: String,
}

impl IpmIdentifier {
    pub(super) const TAG: Tag = Tag::application(11);

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut user = None;
        let mut local = None;
        let mut members = tlv.reader()?;
        while let Some(member) = members.next()? {
            match member.tag {
                OR_NAME => user = Some(OrName::decode(&member).field("user")?),
                // LocalIPMIdentifier is a PrintableString; other strings have been seen and mean the same.
                Tag::PRINTABLE_STRING | Tag::IA5_STRING | Tag::TELETEX_STRING => {
                    local = Some(text::decode(&member).field("user-relative-identifier")?);
                }
                _ => {}
            }
        }
        let user_relative_identifier =
            local.ok_or_else(|| DecodeError::missing("user-relative-identifier", tlv.offset()))?;
        Ok(IpmIdentifier { user, user_relative_identifier })
    }

    pub(super) fn write(&self, tag: Tag, w: &mut Writer) {
        w.constructed(tag, |w| {
            if let Some(user) = &self.user {
                user.write(OR_NAME, w);
            }
            w.primitive(Tag::PRINTABLE_STRING, &text::to_latin1(&self.user_relative_identifier));
        });
    }
}

/// ORDescriptor: a user by address, by a name for people, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrDescriptor {
    /// formal-name.
    pub formal_name: Option<OrName>,
    /// free-form-name, as the octets of its TeletexString; see [`OrDescriptor::free_form_text`].
    pub free_form_name: Option<Vec<u8>>,
    /// telephone-number.
    pub telephone_number: Option<String>,
}

impl OrDescriptor {
    /// A user by O/R name alone.
    pub fn formal(name: OrName) -> Self {
        OrDescriptor { formal_name: Some(name), ..OrDescriptor::default() }
    }

    /// The free-form name in words.
    pub fn free_form_text(&self) -> Option<String> {
        self.free_form_name.as_deref().map(|octets| charset::decode(octets, RightSet::Teletex))
    }

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut descriptor = OrDescriptor::default();
        let mut members = tlv.reader()?;
        while let Some(member) = members.next()? {
            if member.tag == OR_NAME {
                descriptor.formal_name = Some(OrName::decode(&member).field("formal-name")?);
            } else if member.tag == Tag::context(0) {
                descriptor.free_form_name = Some(member.octets().field("free-form-name")?.into_owned());
            } else if member.tag == Tag::context(1) {
                descriptor.telephone_number = Some(text::decode(&member).field("telephone-number")?);
            }
        }
        Ok(descriptor)
    }

    pub(super) fn write(&self, tag: Tag, w: &mut Writer) {
        w.constructed(tag, |w| {
            if let Some(name) = &self.formal_name {
                name.write(OR_NAME, w);
            }
            if let Some(octets) = &self.free_form_name {
                w.primitive(Tag::context(0), octets);
            }
            if let Some(number) = &self.telephone_number {
                w.primitive(Tag::context(1), &text::to_latin1(number));
            }
        });
    }
}

/// RecipientSpecifier: a recipient and what the originator asks of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientSpecifier {
    /// recipient.
    pub recipient: OrDescriptor,
    /// notification-requests: bit 0 receipt, 1 non-receipt, 2 return of the message.
    pub notification_requests: BitString,
    /// reply-requested.
    pub reply_requested: bool,
    /// recipient-extensions.
    pub extensions: Vec<IpmsExtension>,
}

impl RecipientSpecifier {
    /// A recipient by O/R name, without requests.
    pub fn new(name: OrName) -> Self {
        RecipientSpecifier { recipient: OrDescriptor::formal(name), ..RecipientSpecifier::default() }
    }

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut recipient = None;
        let mut specifier = RecipientSpecifier::default();
        let mut members = tlv.reader()?;
        while let Some(member) = members.next()? {
            let m = &member;
            if m.tag == Tag::context(0) {
                recipient = Some(OrDescriptor::decode(m).field("recipient")?);
            } else if m.tag == Tag::context(1) {
                specifier.notification_requests = m.bit_string().field("notification-requests")?;
            } else if m.tag == Tag::context(2) {
                specifier.reply_requested = m.boolean().field("reply-requested")?;
            } else if m.tag == Tag::context(3) {
                specifier.extensions =
                    list(m, MAX_EXTENSIONS, IpmsExtension::decode).field("recipient-extensions")?;
            }
        }
        specifier.recipient = recipient.ok_or_else(|| DecodeError::missing("recipient", tlv.offset()))?;
        Ok(specifier)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SET, |w| {
            self.recipient.write(Tag::context(0), w);
            if self.notification_requests.octets.iter().any(|&octet| octet != 0) {
                w.bit_string(Tag::context(1), &self.notification_requests);
            }
            if self.reply_requested {
                w.boolean(Tag::context(2), true);
            }
            write_list(w, 3, &self.extensions, IpmsExtension::write);
        });
    }
}

/// IPMSExtension: a field named by an object identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpmsExtension {
    /// type.
    pub id: Oid,
    /// Encoding of the value; empty if it is absent, which means NULL.
    pub value: Vec<u8>,
}

impl IpmsExtension {
    /// The extended-subject extension: at most 256 characters of any script.
    pub(super) fn extended_subject(subject: &str) -> Self {
        let wide = subject.chars().any(|c| u32::from(c) > 0xFFFF);
        let value = Writer::encode(|w| {
            w.constructed(Tag::SET, |w| {
                if wide {
                    let octets: Vec<u8> = subject.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
                    w.primitive(Tag::UNIVERSAL_STRING, &octets);
                } else {
                    w.primitive(Tag::BMP_STRING, &text::to_bmp(subject));
                }
            });
        });
        IpmsExtension { id: oids::HEX_EXTENDED_SUBJECT, value }
    }

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let id = fields.expect(Tag::OBJECT_IDENTIFIER).field("type")?.oid().field("type")?;
        let value = fields.next().field("value")?.map(|value| value.raw.to_vec()).unwrap_or_default();
        Ok(IpmsExtension { id, value })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SEQUENCE, |w| {
            w.oid(Tag::OBJECT_IDENTIFIER, &self.id);
            w.raw(&self.value);
        });
    }
}

/// The text of an encoded UniversalOrBMPString.
fn universal_or_bmp(value: &[u8]) -> Option<String> {
    let mut members = ber::Reader::new(value).expect(Tag::SET).ok()?.reader().ok()?;
    let string = members.next().ok()??;
    match string.tag {
        Tag::BMP_STRING | Tag::UNIVERSAL_STRING => text::decode(&string).ok(),
        _ => None,
    }
}

/// Importance of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Importance {
    /// 0.
    Low,
    /// 1.
    #[default]
    Normal,
    /// 2.
    High,
    /// A number that X.420 does not define.
    Other(i64),
}

impl Importance {
    fn from_number(number: i64) -> Self {
        match number {
            0 => Importance::Low,
            1 => Importance::Normal,
            2 => Importance::High,
            other => Importance::Other(other),
        }
    }

    fn number(self) -> i64 {
        match self {
            Importance::Low => 0,
            Importance::Normal => 1,
            Importance::High => 2,
            Importance::Other(number) => number,
        }
    }
}

impl core::fmt::Display for Importance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Importance::Low => f.write_str("low"),
            Importance::Normal => f.write_str("normal"),
            Importance::High => f.write_str("high"),
            Importance::Other(number) => write!(f, "({number})"),
        }
    }
}

/// Sensitivity of a message: 1 personal, 2 private, 3 company-confidential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity(pub i64);

impl core::fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            1 => f.write_str("personal"),
            2 => f.write_str("private"),
            3 => f.write_str("company-confidential"),
            other => write!(f, "({other})"),
        }
    }
}
