//! Names of domains, MTAs and messages (X.411 GlobalDomainIdentifier, MTAName, MTSIdentifier).

use core::fmt;
use core::str::FromStr;

use ber::{Tag, Tlv, Writer};

use crate::error::{DecodeError, Within};
use crate::or_address::codec::{write_country, write_domain_name};
use crate::or_address::text_form::{self, Component};
use crate::or_address::{AddressError, AddressErrorKind};
use crate::text;

/// A management domain, as named in trace information and message identifiers.
///
/// `==` compares the characters; [`GlobalDomainIdentifier::is_same_domain`] compares as X.402 does.
/// Text form: `C=GB;A= ;P=ALPHA`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalDomainIdentifier {
    /// Two letters (ISO 3166) or three digits (X.121).
    pub country: String,
    /// Administration domain; one space stands for any.
    pub admd: String,
    /// Private domain.
    pub prmd: Option<String>,
}

/// The name of an MTA, 1 to 32 IA5 characters when made here. Received ones may be anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MtaName(String);

/// Identifies a message, probe or report for ever. Text form: `C=GB;A= ;P=ALPHA;L=local-id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MtsIdentifier {
    /// The domain that gave the identifier.
    pub domain: GlobalDomainIdentifier,
    /// Unique within the domain.
    pub local: String,
}

/// A name that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is no list of `key=value`, or a key occurs twice.
    #[error(transparent)]
    Syntax(#[from] AddressError),
    /// A component that must be there is not.
    #[error("`{0}=` is missing")]
    Missing(&'static str),
    /// A component with the wrong number of characters.
    #[error("{what} has {length} characters; {min} to {max} are allowed")]
    Length {
        /// The component's name in X.411.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The shortest allowed.
        min: usize,
        /// The longest allowed.
        max: usize,
    },
    /// A character that the component's string type does not have.
    #[error("{what} can't contain {character:?}")]
    Character {
        /// The component's name in X.411.
        what: &'static str,
        /// The first such character.
        character: char,
    },
}

/// ub-local-id-length.
const MAX_LOCAL: usize = 32;
/// ub-mta-name-length.
const MAX_MTA_NAME: usize = 32;
/// ub-domain-name-length.
const MAX_DOMAIN: usize = 16;

fn check(what: &'static str, value: &str, min: usize, max: usize) -> Result<(), NameError> {
    let length = value.chars().count();
    if length < min || length > max {
        return Err(NameError::Length { what, length, min, max });
    }
    match value.chars().find(|c| !c.is_ascii()) {
        Some(character) => Err(NameError::Character { what, character }),
        None => Ok(()),
    }
}

impl GlobalDomainIdentifier {
    /// Whether both name the same domain: case and superfluous spaces do not matter, and a blank ADMD is
    /// equal to an empty one.
    pub fn is_same_domain(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    fn canonical(&self) -> [String; 3] {
        let prmd = self.prmd.as_deref().unwrap_or_default();
        [text::fold(&self.country), text::fold(&self.admd), text::fold(prmd)]
    }

    /// Checks lengths and characters for use in what this MTA originates.
    ///
    /// # Errors
    /// The first component that is wrong.
    pub fn validate(&self) -> Result<(), NameError> {
        check("country-name", &self.country, 2, 3)?;
        check("administration-domain-name", &self.admd, 0, MAX_DOMAIN)?;
        match &self.prmd {
            Some(prmd) => check("private-domain-identifier", prmd, 1, MAX_DOMAIN),
            None => Ok(()),
        }
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let country = reader.expect(Tag::application(1)).field("country-name")?;
        let admd = reader.expect(Tag::application(2)).field("administration-domain-name")?;
        let prmd = reader.next().field("private-domain-identifier")?;
        Ok(GlobalDomainIdentifier {
            country: text::decode(&country.explicit().field("country-name")?)?,
            admd: text::decode(&admd.explicit().field("administration-domain-name")?)?,
            prmd: match prmd {
                // Some implementations wrap it in an explicit context tag.
                Some(p) if p.tag == Tag::context(2) && p.constructed => Some(text::decode(&p.explicit()?)?),
                Some(p) => Some(text::decode(&p).field("private-domain-identifier")?),
                None => None,
            },
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::application(3), |w| {
            write_country(w, Tag::application(1), &self.country);
            w.constructed(Tag::application(2), |w| write_domain_name(w, &self.admd));
            if let Some(prmd) = &self.prmd {
                write_domain_name(w, prmd);
            }
        });
    }

    fn from_components(components: &mut Vec<Component>) -> Result<Self, NameError> {
        let mut take = |key| {
            let at = components.iter().position(|c| c.key.eq_ignore_ascii_case(key))?;
            Some(components.remove(at).value)
        };
        let domain = GlobalDomainIdentifier {
            country: take("C").filter(|c| !c.is_empty()).ok_or(NameError::Missing("C"))?,
            // A blank value is one space; none at all stands for the same.
            admd: take("A").unwrap_or_else(|| " ".to_owned()),
            prmd: take("P").filter(|p| !p.is_empty()),
        };
        if let Some(again) = components.first() {
            return Err(again.error(AddressErrorKind::DuplicateKey).into());
        }
        domain.validate()?;
        Ok(domain)
    }
}

impl fmt::Display for GlobalDomainIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text_form::write_component(f, "C", &self.country, true)?;
        text_form::write_component(f, "A", &self.admd, false)?;
        match &self.prmd {
            Some(prmd) => text_form::write_component(f, "P", prmd, false),
            None => Ok(()),
        }
    }
}

impl FromStr for GlobalDomainIdentifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut components = text_form::split(text, |key| ["C", "A", "P"].contains(&key))?;
        GlobalDomainIdentifier::from_components(&mut components)
    }
}

impl MtaName {
    /// A name for use in what this MTA originates.
    ///
    /// # Errors
    /// Empty, longer than 32 characters or not IA5.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check("mta-name", name, 1, MAX_MTA_NAME)?;
        Ok(MtaName(name.to_owned()))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        Ok(MtaName(text::decode(tlv)?))
    }

    pub(crate) fn write(&self, tag: Tag, w: &mut Writer) {
        w.primitive(tag, &text::to_latin1(&self.0));
    }
}

impl fmt::Display for MtaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MtaName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        MtaName::new(text)
    }
}

impl MtsIdentifier {
    /// An identifier given by `domain`.
    ///
    /// # Errors
    /// A domain that [`GlobalDomainIdentifier::validate`] refuses; local identifier empty, longer than 32
    /// characters or not IA5.
    pub fn new(domain: GlobalDomainIdentifier, local: &str) -> Result<Self, NameError> {
        domain.validate()?;
        check("local-identifier", local, 1, MAX_LOCAL)?;
        Ok(MtsIdentifier { domain, local: local.to_owned() })
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let domain = reader.expect(Tag::application(3)).field("global-domain-identifier")?;
        let domain = GlobalDomainIdentifier::decode(&domain).field("global-domain-identifier")?;
        let local = text::decode(&reader.any().field("local-identifier")?).field("local-identifier")?;
        Ok(MtsIdentifier { domain, local })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::application(4), |w| {
            self.domain.write(w);
            w.primitive(Tag::IA5_STRING, &text::to_latin1(&self.local));
        });
    }
}

impl fmt::Display for MtsIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.domain.fmt(f)?;
        text_form::write_component(f, "L", &self.local, false)
    }
}

impl FromStr for MtsIdentifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut components = text_form::split(text, |key| ["C", "A", "P", "L"].contains(&key))?;
        let local = components.iter().position(|c| c.key.eq_ignore_ascii_case("L"));
        let local = components.remove(local.ok_or(NameError::Missing("L"))?).value;
        MtsIdentifier::new(GlobalDomainIdentifier::from_components(&mut components)?, &local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_printed_and_read() {
        for text in ["C=GB;A= ;P=ALPHA;L=MTA-A 20261122 0001", "C=234;A=GOLD 400;L=a;;b", "C=GB;A=;L=\" x\""]
        {
            let identifier: MtsIdentifier = text.parse().unwrap();
            assert_eq!(identifier.to_string(), text);
        }
        let domain: GlobalDomainIdentifier = "/c=GB/p=ALPHA".parse().unwrap();
        assert_eq!(domain.to_string(), "C=GB;A= ;P=ALPHA");
    }

    #[test]
    fn what_is_wrong_with_an_identifier_is_said() {
        let error = |text: &str| text.parse::<MtsIdentifier>().unwrap_err().to_string();
        assert_eq!(error("C=GB;A= ;P=ALPHA"), "`L=` is missing");
        assert_eq!(error("A= ;L=x"), "`C=` is missing");
        assert_eq!(error("C=GB;L=x;O=y"), "at character 10: `O`: there is no such attribute key");
        assert_eq!(error("C=GB;L=x;L=y"), "at character 10: `L`: the attribute is given twice");
        assert_eq!(error("C=GB;L="), "local-identifier has 0 characters; 1 to 32 are allowed");
        assert_eq!(error("C=GB;L=\u{e4}"), "local-identifier can't contain 'ä'");
        assert_eq!(error("C=G;L=x"), "country-name has 1 characters; 2 to 3 are allowed");
    }

    #[test]
    fn mta_names_are_bounded() {
        assert!(MtaName::new(&"x".repeat(32)).is_ok());
        assert!(MtaName::new(&"x".repeat(33)).is_err());
        assert!(MtaName::new("").is_err());
        assert!(MtaName::new("Ä").is_err());
    }

    #[test]
    fn domains_are_compared_without_case_and_blanks() {
        let domain = |text: &str| text.parse::<GlobalDomainIdentifier>().unwrap();
        assert!(domain("C=GB;A= ;P=ALPHA").is_same_domain(&domain("C=gb;A=;P=alpha")));
        assert!(!domain("C=GB;A= ;P=ALPHA").is_same_domain(&domain("C=GB;A= ;P=BETA")));
        assert!(!domain("C=GB;A= ;P=ALPHA").is_same_domain(&domain("C=GB;A= ")));
        assert!(!domain("C=GB;A=X;P=ALPHA").is_same_domain(&domain("C=GB;A= ;P=ALPHA")));
    }
}
