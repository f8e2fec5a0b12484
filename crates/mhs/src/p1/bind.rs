//! MTA-bind: how two MTAs tell each other who they are (X.411 MTABindArgument).
//!
//! In normal mode each value is wrapped in an explicit tag, `[16]`, `[17]` or `[18]`; in X.410 mode it is
//! bare. Both are always accepted. Strong credentials are carried, not checked.

use core::fmt;

use ber::{Reader, Tag, Tlv, Writer};

use crate::MtaName;
use crate::error::{DecodeError, DecodeErrorKind, Within};

/// What the initiator says; `None` if it does not authenticate itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtaBindArgument {
    /// Who it is.
    pub authentication: Option<Authentication>,
}

/// What the responder says; `None` if it does not authenticate itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtaBindResult {
    /// Who it is.
    pub authentication: Option<Authentication>,
}

/// An MTA's name and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The MTA's name.
    pub name: MtaName,
    /// The proof.
    pub credentials: Credentials,
}

/// Credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A password.
    Simple(Password),
    /// Anything else, as its encoding.
    Other(Vec<u8>),
}

/// A password. Never printed, and compared in a time that does not depend on where it differs.
#[derive(Clone)]
pub struct Password {
    octets: Vec<u8>,
    form: PasswordForm,
}

/// How a password stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordForm {
    /// IA5String.
    Ia5String,
    /// OCTET STRING.
    OctetString,
}

/// Why a bind was refused. Open: unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MtaBindError(pub i64);

const ARGUMENT: Tag = Tag::context(16);
const RESULT: Tag = Tag::context(17);
const ERROR: Tag = Tag::context(18);
const AUTHENTICATED: Tag = Tag::context(1);

impl MtaBindArgument {
    /// A bind with name and password.
    pub fn simple(name: MtaName, password: Password) -> Self {
        MtaBindArgument { authentication: Some(Authentication::simple(name, password)) }
    }

    /// The encoding for normal mode.
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| w.constructed(ARGUMENT, |w| write(self.authentication.as_ref(), w)))
    }

    /// The encoding for X.410 mode.
    pub fn to_bare_octets(&self) -> Vec<u8> {
        Writer::encode(|w| write(self.authentication.as_ref(), w))
    }

    /// Reads either encoding.
    ///
    /// # Errors
    /// The octets are no bind argument.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let authentication = read(octets, ARGUMENT).field("MTABindArgument")?;
        Ok(MtaBindArgument { authentication })
    }
}

impl MtaBindResult {
    /// A bind with name and password.
    pub fn simple(name: MtaName, password: Password) -> Self {
        MtaBindResult { authentication: Some(Authentication::simple(name, password)) }
    }

    /// The encoding for normal mode.
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| w.constructed(RESULT, |w| write(self.authentication.as_ref(), w)))
    }

    /// The encoding for X.410 mode.
    pub fn to_bare_octets(&self) -> Vec<u8> {
        Writer::encode(|w| write(self.authentication.as_ref(), w))
    }

    /// Reads either encoding.
    ///
    /// # Errors
    /// The octets are no bind result.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let authentication = read(octets, RESULT).field("MTABindResult")?;
        Ok(MtaBindResult { authentication })
    }
}

impl Authentication {
    fn simple(name: MtaName, password: Password) -> Self {
        Authentication { name, credentials: Credentials::Simple(password) }
    }
}

fn write(authentication: Option<&Authentication>, w: &mut Writer) {
    let Some(authentication) = authentication else {
        w.null(Tag::NULL);
        return;
    };
    w.constructed(AUTHENTICATED, |w| {
        authentication.name.write(Tag::context(0), w);
        w.constructed(Tag::context(1), |w| match &authentication.credentials {
            Credentials::Simple(password) => w.primitive(password.form.tag(), &password.octets),
            Credentials::Other(raw) => w.raw(raw),
        });
    });
}

fn read(octets: &[u8], wrapper: Tag) -> Result<Option<Authentication>, DecodeError> {
    let mut top = Reader::new(octets);
    let mut tlv = top.any()?;
    top.finish()?;
    if tlv.tag == wrapper {
        tlv = tlv.explicit()?;
    }
    match tlv.tag {
        Tag::NULL => Ok(None),
        AUTHENTICATED => read_authentication(&tlv).map(Some),
        other => Err(DecodeError::new(DecodeErrorKind::Choice(other), tlv.offset())),
    }
}

fn read_authentication(tlv: &Tlv<'_>) -> Result<Authentication, DecodeError> {
    let mut name = None;
    let mut credentials = None;
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        if member.tag == Tag::context(0) && name.is_none() {
            // The 1984 form wraps nothing either, but a constructed string is legal.
            name = Some(MtaName::decode(&member).field("name")?);
        } else if member.tag == Tag::context(1) && credentials.is_none() {
            let inner = member.explicit().field("credentials")?;
            credentials = Some(match inner.tag {
                Tag::IA5_STRING => Credentials::Simple(Password {
                    octets: inner.octets().field("credentials")?.into_owned(),
                    form: PasswordForm::Ia5String,
                }),
                Tag::OCTET_STRING => Credentials::Simple(Password {
                    octets: inner.octets().field("credentials")?.into_owned(),
                    form: PasswordForm::OctetString,
                }),
                _ => Credentials::Other(inner.raw.to_vec()),
            });
        }
    }
    Ok(Authentication {
        name: name.ok_or_else(|| DecodeError::missing("name", tlv.offset()))?,
        credentials: credentials.ok_or_else(|| DecodeError::missing("credentials", tlv.offset()))?,
    })
}

impl Password {
    /// A password sent as IA5String, unless it has other characters: then as OCTET STRING.
    pub fn new(text: &str) -> Self {
        let form = if text.is_ascii() { PasswordForm::Ia5String } else { PasswordForm::OctetString };
        Password { octets: text.as_bytes().to_vec(), form }
    }

    /// A password of any octets in a given form.
    pub fn from_octets(octets: &[u8], form: PasswordForm) -> Self {
        Password { octets: octets.to_vec(), form }
    }

    /// How it stands on the wire.
    pub fn form(&self) -> PasswordForm {
        self.form
    }
}

impl PasswordForm {
    fn tag(self) -> Tag {
        match self {
            PasswordForm::Ia5String => Tag::IA5_STRING,
            PasswordForm::OctetString => Tag::OCTET_STRING,
        }
    }
}

/// Equality of the octets, whatever the form. Time depends on the length of `self` alone.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        let theirs = other.octets.iter().copied().chain(core::iter::repeat(0));
        let difference = self.octets.iter().zip(theirs).fold(0u8, |sum, (a, b)| sum | (a ^ b));
        // Keeps the optimiser from leaving the loop at the first difference.
        core::hint::black_box(difference) == 0 && self.octets.len() == other.octets.len()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Simple(password) => password.fmt(f),
            Credentials::Other(raw) => write!(f, "Other({} octets)", raw.len()),
        }
    }
}

#[allow(missing_docs, reason = "the constants carry the names of X.411")]
impl MtaBindError {
    pub const BUSY: MtaBindError = MtaBindError(0);
    pub const AUTHENTICATION_ERROR: MtaBindError = MtaBindError(2);
    pub const UNACCEPTABLE_DIALOGUE_MODE: MtaBindError = MtaBindError(3);
    pub const UNACCEPTABLE_SECURITY_CONTEXT: MtaBindError = MtaBindError(4);
    pub const INADEQUATE_ASSOCIATION_CONFIDENTIALITY: MtaBindError = MtaBindError(5);
}

impl MtaBindError {
    /// The encoding for normal mode.
    pub fn to_octets(self) -> Vec<u8> {
        Writer::encode(|w| w.constructed(ERROR, |w| w.integer(Tag::INTEGER, self.0)))
    }

    /// The encoding without the tag around it, as some MTAs send it.
    pub fn to_bare_octets(self) -> Vec<u8> {
        Writer::encode(|w| w.integer(Tag::INTEGER, self.0))
    }

    /// Reads the encoding, wrapped as it should be or bare as some MTAs send it.
    ///
    /// # Errors
    /// The octets are no bind error.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        MtaBindError::read(octets).field("MTABindError")
    }

    fn read(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut top = Reader::new(octets);
        let mut tlv = top.any()?;
        top.finish()?;
        if tlv.tag == ERROR && tlv.constructed {
            tlv = tlv.explicit()?;
        }
        Ok(MtaBindError(tlv.integer()?))
    }
}

/// `authentication-error (2)`.
impl fmt::Display for MtaBindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            MtaBindError::BUSY => "busy",
            MtaBindError::AUTHENTICATION_ERROR => "authentication-error",
            MtaBindError::UNACCEPTABLE_DIALOGUE_MODE => "unacceptable-dialogue-mode",
            MtaBindError::UNACCEPTABLE_SECURITY_CONTEXT => "unacceptable-security-context",
            MtaBindError::INADEQUATE_ASSOCIATION_CONFIDENTIALITY => "inadequate-association-confidentiality",
            MtaBindError(_) => "unknown-bind-error",
        };
        write!(f, "{name} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).unwrap()).collect()
    }

    #[test]
    fn simple_bind_is_encoded_as_independent_decoders_expect() {
        let bind = MtaBindArgument::simple(MtaName::new("MTA-A").unwrap(), Password::new("secretA"));
        assert_eq!(bind.to_octets(), hex("b014a11280054d54412d41a109160773656372657441"));
        let bind = MtaBindResult::simple(MtaName::new("MTA-B").unwrap(), Password::new("secretB"));
        assert_eq!(bind.to_octets(), hex("b114a11280054d54412d42a109160773656372657442"));
    }

    #[test]
    fn wrapped_and_bare_binds_are_read() {
        let bind = MtaBindArgument::simple(MtaName::new("MTA-A").unwrap(), Password::new("secret"));
        assert_eq!(MtaBindArgument::from_octets(&bind.to_octets()), Ok(bind.clone()));
        assert_eq!(MtaBindArgument::from_octets(&bind.to_bare_octets()), Ok(bind));
        let anonymous = MtaBindResult::default();
        assert_eq!(anonymous.to_bare_octets(), [5, 0]);
        assert_eq!(MtaBindResult::from_octets(&anonymous.to_octets()), Ok(anonymous));
        // A result is no argument.
        assert!(MtaBindArgument::from_octets(&MtaBindResult::default().to_octets()).is_err());
    }

    #[test]
    fn unknown_members_and_octet_string_passwords_are_tolerated() {
        let octets = hex("a1198205abababababa1080406736563726574800641424344454600");
        let octets = &octets[..octets.len() - 1];
        let bind = MtaBindArgument::from_octets(octets).unwrap().authentication.unwrap();
        assert_eq!(bind.name.as_str(), "ABCDEF");
        assert_eq!(bind.credentials, Credentials::Simple(Password::new("secret")));
    }

    #[test]
    fn errors_are_read_wrapped_or_bare() {
        assert_eq!(MtaBindError::AUTHENTICATION_ERROR.to_octets(), hex("b203020102"));
        assert_eq!(MtaBindError::AUTHENTICATION_ERROR.to_bare_octets(), hex("020102"));
        assert_eq!(MtaBindError::from_octets(&hex("b203020102")), Ok(MtaBindError(2)));
        assert_eq!(MtaBindError::from_octets(&hex("020102")), Ok(MtaBindError(2)));
        assert_eq!(MtaBindError(2).to_string(), "authentication-error (2)");
        assert!(MtaBindError::from_octets(&hex("b20302")).is_err());
    }

    #[test]
    fn passwords_are_compared_by_octets_and_never_printed() {
        let octets = Password::from_octets(b"secret", PasswordForm::OctetString);
        assert_eq!(Password::new("secret"), octets);
        for other in ["secre", "secret0", "secret\0", "Secret", ""] {
            assert_ne!(Password::new("secret"), Password::new(other), "{other:?}");
            assert_ne!(Password::new(other), Password::new("secret"), "{other:?}");
        }
        let bind = MtaBindArgument::simple(MtaName::new("A").unwrap(), Password::new("secret"));
        assert!(!format!("{bind:?}").contains("secret"));
    }
}
