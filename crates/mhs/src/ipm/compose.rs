//! Composing messages: whole ones, and ones around a file that is streamed.
//!
//! This is a small user agent for the command line and tests. Identifiers and times come from the caller.

use ber::{Tag, Writer};

use super::body::{BodyPart, EXTENDED, encoded_information_types};
use super::file_transfer::{FileTransferParameters, OCTET_ALIGNED};
use super::heading::{Heading, Importance, IpmIdentifier, IpmsExtension, OrDescriptor, RecipientSpecifier};
use super::{IPM, Ipm, charset, oids};
use crate::{ContentType, EncodedInformationTypes, OrName, text};

/// ub-subject-field: of the TeletexString, counted in octets, which no receiver counts more generously.
const MAX_SUBJECT_OCTETS: usize = 128;
/// ub-extended-subject-length.
const MAX_SUBJECT_CHARACTERS: usize = 256;
/// ub-local-ipm-identifier.
const MAX_LOCAL_IDENTIFIER: usize = 64;

/// A message to be submitted: a heading, to which a text or a file is added.
///
/// ```
/// use mhs::{OrAddress, OrName, ipm::{Draft, Ipm}};
///
/// let jo = OrName::new("S=sender;G=jo;P=ALPHA;A= ;C=GB".parse::<OrAddress>()?);
/// let al = OrName::new("S=receiver;G=al;P=BETA;A= ;C=GB".parse::<OrAddress>()?);
/// let draft = Draft::new(jo, "1 221126", "Grüße")?.to(al);
/// let composed = draft.text("Good morning.\n");
/// let ipm = Ipm::decode(&composed.content)?;
/// assert_eq!(ipm.heading.subject_text().as_deref(), Some("Grüße"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    heading: Heading,
}

/// The content type of what a [`Draft`] makes.
pub const CONTENT_TYPE: ContentType = ContentType::P22;

/// A composed message that is whole in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposedText {
    /// The content, of type [`CONTENT_TYPE`].
    pub content: Vec<u8>,
    /// original-encoded-information-types for its envelope.
    pub encoded_information_types: EncodedInformationTypes,
}

/// A composed message around a file that is not in memory: prefix, the octets of the file, suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposedFile {
    /// What comes in front of the file.
    pub prefix: Vec<u8>,
    /// What comes behind it. Every length is definite, so there is nothing to close.
    pub suffix: Vec<u8>,
    /// Octets of the whole content.
    pub content_length: u64,
    /// original-encoded-information-types for its envelope.
    pub encoded_information_types: EncodedInformationTypes,
}

/// A heading that X.420 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Neither the subject nor the extended subject can hold it.
    #[error("subject has {characters} characters, at most {MAX_SUBJECT_CHARACTERS} are possible")]
    SubjectTooLong {
        /// Number of its characters.
        characters: usize,
    },
    /// LocalIPMIdentifier is a PrintableString of at most 64 characters.
    #[error("IPM identifier must be 1 to {MAX_LOCAL_IDENTIFIER} characters of PrintableString")]
    LocalIdentifier,
    /// More octets than BER lengths can say.
    #[error("file of {octets} octets is too large for a message")]
    FileTooLarge {
        /// Its size.
        octets: u64,
    },
}

impl Draft {
    /// A message from `originator`, who has never used `local_identifier` for another.
    ///
    /// A subject that is not exactly a TeletexString of 128 octets goes into the extended subject as well, which
    /// takes 256 characters of any script; the subject then holds the nearest spelling
    /// (see [`charset::encode_teletex`]) of as much as fits. Control characters become spaces. An empty subject is left
    /// out.
    ///
    /// # Errors
    /// Subject too long, or identifier too long or not printable.
    pub fn new(originator: OrName, local_identifier: &str, subject: &str) -> Result<Self, ComposeError> {
        if local_identifier.is_empty()
            || local_identifier.len() > MAX_LOCAL_IDENTIFIER
            || !text::is_printable(local_identifier)
        {
            return Err(ComposeError::LocalIdentifier);
        }
        let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let characters = subject.chars().count();
        if characters > MAX_SUBJECT_CHARACTERS {
            return Err(ComposeError::SubjectTooLong { characters });
        }
        let mut heading = Heading::new(IpmIdentifier {
            user: Some(originator.clone()),
            user_relative_identifier: local_identifier.to_owned(),
        });
        heading.originator = Some(OrDescriptor::formal(originator));
        let teletex = charset::encode_teletex(&subject, MAX_SUBJECT_OCTETS);
        if !teletex.exact {
            heading.extensions.push(IpmsExtension::extended_subject(&subject));
        }
        // An empty string is legal, and what peers have made of it is not: left out, nobody has to read it.
        heading.subject = Some(teletex.octets).filter(|octets| !octets.is_empty());
        Ok(Draft { heading })
    }

    /// This message with one more primary recipient.
    #[must_use]
    pub fn to(mut self, recipient: OrName) -> Self {
        self.heading.primary_recipients.push(RecipientSpecifier::new(recipient));
        self
    }

    /// This message with one more copy recipient.
    #[must_use]
    pub fn copy_to(mut self, recipient: OrName) -> Self {
        self.heading.copy_recipients.push(RecipientSpecifier::new(recipient));
        self
    }

    /// This message with one more blind copy recipient: for a copy that goes to nobody else (X.420: the others do not
    /// learn of a blind copy recipient).
    #[must_use]
    pub fn blind_copy_to(mut self, recipient: OrName) -> Self {
        self.heading.blind_copy_recipients.push(RecipientSpecifier::new(recipient));
        self
    }

    /// This message with an importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.heading.importance = importance;
        self
    }

    /// The heading so far.
    pub fn heading(&self) -> &Heading {
        &self.heading
    }

    /// The message with `text` as its body; see [`BodyPart::text_part`] for its kind.
    pub fn text(&self, text: &str) -> ComposedText {
        self.parts(vec![BodyPart::text_part(text)])
    }

    /// The message with these body parts.
    pub fn parts(&self, body: Vec<BodyPart>) -> ComposedText {
        let encoded_information_types = encoded_information_types(&body);
        let content = Ipm { heading: self.heading.clone(), body }.encode();
        ComposedText { content, encoded_information_types }
    }

    /// The message with a file of `file_octets` octets as its last body part, behind `note` if there is one.
    ///
    /// The file is an unstructured binary in one piece. Its octets are not needed: they come between
    /// [`ComposedFile::prefix`] and [`ComposedFile::suffix`].
    ///
    /// # Errors
    /// The file is so large that lengths overflow.
    pub fn file(
        &self,
        note: Option<&str>,
        file_name: &str,
        file_octets: u64,
    ) -> Result<ComposedFile, ComposeError> {
        let too_large = ComposeError::FileTooLarge { octets: file_octets };
        let size = i64::try_from(file_octets).map_err(|_| too_large)?;
        let note: Vec<BodyPart> = note.map(BodyPart::text_part).into_iter().collect();
        let encoded_information_types = encoded_information_types(&note).with_file_transfer();

        // From the inside out: what is in front of the file at each level, then the header of that level.
        let mut prefix = Writer::new();
        prefix.oid(Tag::OBJECT_IDENTIFIER, &oids::UNSTRUCTURED_BINARY);
        prefix.header(OCTET_ALIGNED, false, file_octets);
        let external = enclose(Tag::EXTERNAL, prefix.into_vec(), file_octets);
        let data = enclose(Tag::SEQUENCE, external, file_octets);
        let value = enclose(Tag::context(0), data, file_octets);
        let mut instance = Writer::new();
        instance.oid(Tag::OBJECT_IDENTIFIER, &oids::ET_FILE_TRANSFER);
        instance.raw(&value);
        let instance = enclose(Tag::EXTERNAL, instance.into_vec(), file_octets);
        let mut extended = Writer::new();
        FileTransferParameters::named(file_name, Some(size)).write(&mut extended);
        extended.raw(&instance);
        let part = enclose(EXTENDED, extended.into_vec(), file_octets);
        let mut body = Writer::new();
        note.iter().for_each(|part| part.write(&mut body));
        body.raw(&part);
        let body = enclose(Tag::SEQUENCE, body.into_vec(), file_octets);
        let mut ipm = Writer::new();
        self.heading.write(&mut ipm);
        ipm.raw(&body);
        let prefix = enclose(IPM, ipm.into_vec(), file_octets);
        let content_length = (prefix.len() as u64).checked_add(file_octets).ok_or(too_large)?;
        Ok(ComposedFile { prefix, suffix: Vec::new(), content_length, encoded_information_types })
    }
}

/// `inside` as the contents of a constructed encoding that goes on for `more` octets behind it.
fn enclose(tag: Tag, inside: Vec<u8>, more: u64) -> Vec<u8> {
    Writer::encode(|w| {
        w.header(tag, true, (inside.len() as u64).saturating_add(more));
        w.raw(&inside);
    })
}
