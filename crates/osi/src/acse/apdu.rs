//! Encodings of the ACSE APDUs (X.227 clause 9): AARQ, AARE, RLRQ, RLRE, ABRT, and the EXTERNALs in their user
//! information. Fields without use here (titles, invocation identifiers, authentication, implementation information,
//! what later editions add) are accepted and passed over, in any order.

use alloc::vec::Vec;

use ber::{BitString, Error, ErrorKind, Oid, Reader, Tag, Tlv, Writer};

pub use super::external::External;

/// An APDU of ACSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcseApdu {
    /// A-ASSOCIATE request.
    Aarq(Aarq),
    /// A-ASSOCIATE response.
    Aare(Aare),
    /// A-RELEASE request: reason 0 normal, 1 urgent, 30 user-defined.
    Rlrq(Release),
    /// A-RELEASE response: reason 0 normal, 1 not finished, 30 user-defined.
    Rlre(Release),
    /// A-ABORT.
    Abrt(Abrt),
}

/// RLRQ or RLRE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Reason, if given.
    pub reason: Option<i64>,
    /// User information.
    pub user_information: Vec<External>,
}

/// AARQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aarq {
    /// Whether version 1 is among the offered versions; so it is when the field is absent.
    pub version1: bool,
    /// Application context name.
    pub application_context: Oid,
    /// Called AP title and AE qualifier.
    pub called: AeTitle,
    /// Calling AP title and AE qualifier.
    pub calling: AeTitle,
    /// User information.
    pub user_information: Vec<External>,
}

/// AP-title and AE-qualifier, each as the BER encoding of the chosen form. Received ones are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AeTitle {
    /// AP-title: a directory name or an object identifier.
    pub ap_title: Option<Vec<u8>>,
    /// AE-qualifier: a relative name or an integer.
    pub ae_qualifier: Option<Vec<u8>>,
}

/// AARE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aare {
    /// Application context name.
    pub application_context: Oid,
    /// Result.
    pub result: AssociateResult,
    /// Result source and diagnostic.
    pub diagnostic: Diagnostic,
    /// User information.
    pub user_information: Vec<External>,
}

/// Associate-result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociateResult {
    /// accepted(0).
    Accepted,
    /// rejected-permanent(1).
    RejectedPermanent,
    /// rejected-transient(2).
    RejectedTransient,
}

/// Associate-source-diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// acse-service-user: 0 null, 1 no reason, 2 application context not supported, 3 to 14 titles and
    /// authentication.
    User(i64),
    /// acse-service-provider: 0 null, 1 no reason, 2 no common version.
    Provider(i64),
}

impl Diagnostic {
    /// null, of the user.
    pub const NULL: Diagnostic = Diagnostic::User(0);
    /// no-reason-given, of the user.
    pub const NO_REASON: Diagnostic = Diagnostic::User(1);
    /// application-context-name-not-supported.
    pub const APPLICATION_CONTEXT: Diagnostic = Diagnostic::User(2);
    /// no-common-acse-version.
    pub const NO_COMMON_VERSION: Diagnostic = Diagnostic::Provider(2);

    /// The number.
    pub fn code(self) -> i64 {
        match self {
            Diagnostic::User(code) | Diagnostic::Provider(code) => code,
        }
    }
}

/// ABRT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abrt {
    /// Whether the provider aborted (abort-source 1) rather than the user (0).
    pub by_provider: bool,
    /// User information.
    pub user_information: Vec<External>,
}

const VERSION: Tag = Tag::context(0);
const APPLICATION_CONTEXT: Tag = Tag::context(1);
const USER_INFORMATION: Tag = Tag::context(30);
/// X.227 has one value in use; a handful is as much as any peer could mean.
const EXTERNALS_MAX: usize = 16;

impl AcseApdu {
    /// Reads an APDU that is all of `octets`.
    ///
    /// # Errors
    /// Not an ACSE APDU.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        let mut top = Reader::new(octets);
        let element = top.any()?;
        top.finish()?;
        match (element.tag.class, element.tag.number) {
            (ber::Class::Application, 0) => Aarq::decode(&element).map(AcseApdu::Aarq),
            (ber::Class::Application, 1) => Aare::decode(&element).map(AcseApdu::Aare),
            (ber::Class::Application, 2) => Release::decode(&element).map(AcseApdu::Rlrq),
            (ber::Class::Application, 3) => Release::decode(&element).map(AcseApdu::Rlre),
            (ber::Class::Application, 4) => Abrt::decode(&element).map(AcseApdu::Abrt),
            (
                ber::Class::Universal | ber::Class::Application | ber::Class::Context | ber::Class::Private,
                _,
            ) => {
                Err(element
                    .error(ErrorKind::UnexpectedTag { expected: Tag::application(0), found: element.tag }))
            }
        }
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| match self {
            AcseApdu::Aarq(aarq) => w.constructed(Tag::application(0), |w| aarq.encode(w)),
            AcseApdu::Aare(aare) => w.constructed(Tag::application(1), |w| aare.encode(w)),
            AcseApdu::Rlrq(release) => w.constructed(Tag::application(2), |w| release.encode(w)),
            AcseApdu::Rlre(release) => w.constructed(Tag::application(3), |w| release.encode(w)),
            AcseApdu::Abrt(abrt) => w.constructed(Tag::application(4), |w| {
                w.integer(Tag::context(0), i64::from(abrt.by_provider));
                encode_user_information(w, &abrt.user_information);
            }),
        })
    }

    /// The abbreviation, for error texts.
    pub fn name(&self) -> &'static str {
        match self {
            AcseApdu::Aarq(_) => "AARQ",
            AcseApdu::Aare(_) => "AARE",
            AcseApdu::Rlrq(_) => "RLRQ",
            AcseApdu::Rlre(_) => "RLRE",
            AcseApdu::Abrt(_) => "ABRT",
        }
    }
}

impl Aarq {
    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut version1 = true;
        let mut application_context = None;
        let (mut called, mut calling) = (AeTitle::default(), AeTitle::default());
        let mut user_information = Vec::new();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            match context_number(&field) {
                Some(0) => version1 = decode_version(&field)?,
                Some(1) => application_context = Some(field.explicit()?.oid()?),
                Some(2) => called.ap_title = Some(field.contents.to_vec()),
                Some(3) => called.ae_qualifier = Some(field.contents.to_vec()),
                Some(6) => calling.ap_title = Some(field.contents.to_vec()),
                Some(7) => calling.ae_qualifier = Some(field.contents.to_vec()),
                Some(30) => user_information = decode_user_information(&field)?,
                Some(_) | None => {}
            }
        }
        let application_context = application_context
            .ok_or_else(|| element.error(ErrorKind::Missing { expected: APPLICATION_CONTEXT }))?;
        Ok(Aarq { version1, application_context, called, calling, user_information })
    }

    fn encode(&self, w: &mut Writer) {
        if !self.version1 {
            w.bit_string(VERSION, &BitString::default());
        }
        w.constructed(APPLICATION_CONTEXT, |w| w.oid(Tag::OBJECT_IDENTIFIER, &self.application_context));
        self.called.encode(w, 2);
        self.calling.encode(w, 6);
        encode_user_information(w, &self.user_information);
    }
}

impl AeTitle {
    fn encode(&self, w: &mut Writer, first: u32) {
        for (number, value) in (first..).zip([&self.ap_title, &self.ae_qualifier]) {
            if let Some(value) = value {
                w.constructed(Tag::context(number), |w| w.raw(value));
            }
        }
    }
}

impl Aare {
    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let (mut application_context, mut result, mut diagnostic) = (None, None, None);
        let mut user_information = Vec::new();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            match context_number(&field) {
                Some(1) => application_context = Some(field.explicit()?.oid()?),
                Some(2) => {
                    result = Some(match field.explicit()?.integer()? {
                        0 => AssociateResult::Accepted,
                        1 => AssociateResult::RejectedPermanent,
                        2 => AssociateResult::RejectedTransient,
                        // The type is extensible; whatever else there may be, accepted it is not.
                        _ => AssociateResult::RejectedPermanent,
                    });
                }
                Some(3) => {
                    let choice = field.explicit()?;
                    let code = choice.explicit()?.integer()?;
                    diagnostic = Some(if choice.tag == Tag::context(2) {
                        Diagnostic::Provider(code)
                    } else {
                        Diagnostic::User(code)
                    });
                }
                Some(30) => user_information = decode_user_information(&field)?,
                Some(_) | None => {}
            }
        }
        let missing = |number| element.error(ErrorKind::Missing { expected: Tag::context(number) });
        Ok(Aare {
            application_context: application_context.ok_or_else(|| missing(1))?,
            result: result.ok_or_else(|| missing(2))?,
            // Mandatory, but nothing hangs on it.
            diagnostic: diagnostic.unwrap_or(Diagnostic::NULL),
            user_information,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.constructed(APPLICATION_CONTEXT, |w| w.oid(Tag::OBJECT_IDENTIFIER, &self.application_context));
        w.constructed(Tag::context(2), |w| {
            let result = match self.result {
                AssociateResult::Accepted => 0,
                AssociateResult::RejectedPermanent => 1,
                AssociateResult::RejectedTransient => 2,
            };
            w.integer(Tag::INTEGER, result);
        });
        w.constructed(Tag::context(3), |w| {
            let (number, code) = match self.diagnostic {
                Diagnostic::User(code) => (1, code),
                Diagnostic::Provider(code) => (2, code),
            };
            w.constructed(Tag::context(number), |w| w.integer(Tag::INTEGER, code));
        });
        encode_user_information(w, &self.user_information);
    }
}

impl Release {
    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut release = Release::default();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            match context_number(&field) {
                Some(0) => release.reason = Some(field.integer()?),
                Some(30) => release.user_information = decode_user_information(&field)?,
                Some(_) | None => {}
            }
        }
        Ok(release)
    }

    fn encode(&self, w: &mut Writer) {
        if let Some(reason) = self.reason {
            w.integer(Tag::context(0), reason);
        }
        encode_user_information(w, &self.user_information);
    }
}

impl Abrt {
    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut by_provider = false;
        let mut user_information = Vec::new();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            match context_number(&field) {
                Some(0) => by_provider = field.integer()? == 1,
                Some(30) => user_information = decode_user_information(&field)?,
                Some(_) | None => {}
            }
        }
        Ok(Abrt { by_provider, user_information })
    }
}

fn context_number(field: &Tlv<'_>) -> Option<u32> {
    (field.tag.class == ber::Class::Context).then_some(field.tag.number)
}

fn decode_version(field: &Tlv<'_>) -> Result<bool, Error> {
    Ok(field.bit_string()?.bit(0))
}

fn decode_user_information(field: &Tlv<'_>) -> Result<Vec<External>, Error> {
    let mut entries = field.reader()?;
    let mut list = Vec::new();
    while !entries.is_empty() {
        if list.len() == EXTERNALS_MAX {
            return Err(entries.error(ErrorKind::BadContents(field.tag)));
        }
        list.push(External::from_element(&entries.expect(Tag::EXTERNAL)?)?);
    }
    Ok(list)
}

fn encode_user_information(w: &mut Writer, list: &[External]) {
    if list.is_empty() {
        return;
    }
    w.constructed(USER_INFORMATION, |w| {
        for external in list {
            external.write(w);
        }
    });
}
