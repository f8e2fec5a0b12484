//! The file-transfer body part (X.420, with attributes of ISO 8571).
//!
//! Files are made as unstructured binaries in one piece. Of the attributes only those that help a person are taken
//! apart; compression is not undone.

use ber::{Oid, Reader, Tag, Tlv, Writer};

use super::body::{Instance, write_instance};
use super::charset::{self, RightSet};
use super::{list, oids};
use crate::error::{DecodeError, Within};
use crate::kept::Kept;

/// Pieces of one file, names of one path.
const MAX_ELEMENTS: usize = 65_536;

/// A file with its attributes (X.420 file-transfer-body-part).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTransfer {
    /// What is known of the file.
    pub parameters: Kept<FileTransferParameters>,
    /// Its contents: one after the other they are the file.
    pub data: Vec<FilePiece>,
}

/// Attributes of a file. Those that are not named here are kept until something is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTransferParameters {
    /// pathname: names of directories and of the file.
    pub pathname: Vec<String>,
    /// object-size in octets, as the sender believed it.
    pub object_size: Option<i64>,
    /// document-type-name, if the file is not unstructured-binary.
    pub document_type: Option<Oid>,
    /// user-visible-string of the environment.
    pub user_visible: Vec<String>,
}

/// One EXTERNAL of the file's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePiece {
    /// octet-aligned: octets of the file.
    Octets(Vec<u8>),
    /// Encoding of an EXTERNAL of another form.
    Other(Vec<u8>),
}

impl FileTransfer {
    /// A file called `name` with these contents.
    pub fn new(name: &str, contents: Vec<u8>) -> Self {
        let size = i64::try_from(contents.len()).ok();
        FileTransfer {
            parameters: Kept::new(FileTransferParameters::named(name, size)),
            data: vec![FilePiece::Octets(contents)],
        }
    }

    /// The file's own name: the last of its path.
    pub fn file_name(&self) -> Option<&str> {
        self.parameters.pathname.last().map(String::as_str)
    }

    /// The octets of the file. A piece that is not octet-aligned gives those of its single string, or nothing.
    pub fn contents(&self) -> Vec<u8> {
        let mut contents = Vec::new();
        for piece in &self.data {
            match piece {
                FilePiece::Octets(octets) => contents.extend_from_slice(octets),
                FilePiece::Other(raw) => contents.extend(single_string(raw).unwrap_or_default()),
            }
        }
        contents
    }

    pub(super) fn decode(parameters: Option<&Tlv<'_>>, data: &Tlv<'_>) -> Result<Self, DecodeError> {
        let parameters = match parameters {
            Some(tlv) => {
                let instance = Instance::decode(tlv).field("parameters")?;
                let value = FileTransferParameters::decode(&instance.value).field("parameters")?;
                Kept::received(value, tlv)
            }
            None => Kept::default(),
        };
        let data = list(data, MAX_ELEMENTS, FilePiece::decode).field("data")?;
        Ok(FileTransfer { parameters, data })
    }

    /// Writes the members of the extended body part.
    pub(super) fn write(&self, w: &mut Writer) {
        self.parameters.write(w, |parameters, w| parameters.write(w));
        write_instance(w, Tag::EXTERNAL, &oids::ET_FILE_TRANSFER, |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                for piece in &self.data {
                    match piece {
                        FilePiece::Octets(octets) => w.constructed(Tag::EXTERNAL, |w| {
                            w.oid(Tag::OBJECT_IDENTIFIER, &oids::UNSTRUCTURED_BINARY);
                            w.primitive(OCTET_ALIGNED, octets);
                        }),
                        FilePiece::Other(raw) => w.raw(raw),
                    }
                }
            });
        });
    }
}

/// octet-aligned, an alternative of EXTERNAL's encoding.
pub(super) const OCTET_ALIGNED: Tag = Tag::context(1);

impl FileTransferParameters {
    /// The parameters of an unstructured file.
    pub(super) fn named(name: &str, object_size: Option<i64>) -> Self {
        FileTransferParameters {
            pathname: vec![name.to_owned()],
            object_size,
            ..FileTransferParameters::default()
        }
    }

    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut parameters = FileTransferParameters::default();
        let mut fields = tlv.reader()?;
        while let Some(field) = fields.next()? {
            if field.tag == Tag::context(1) {
                parameters.document_type = document_type(&field).field("contents-type")?;
            } else if field.tag == Tag::context(2) {
                let mut environment = field.reader().field("environment")?;
                while let Some(member) = environment.next().field("environment")? {
                    if member.tag == Tag::context(3) {
                        parameters.user_visible = names(&member).field("user-visible-string")?;
                    }
                }
            } else if field.tag == Tag::context(4) {
                parameters.decode_attributes(&field).field("file-attributes")?;
            }
        }
        Ok(parameters)
    }

    fn decode_attributes(&mut self, tlv: &Tlv<'_>) -> Result<(), DecodeError> {
        let mut attributes = tlv.reader()?;
        while let Some(attribute) = attributes.next()? {
            let tag = attribute.tag;
            // complete-pathname is [23] in X.420 and [APPLICATION 23] in ISO 8571.
            if [Tag::context(0), Tag::context(23), Tag::application(23)].contains(&tag) {
                self.pathname = names(&attribute).field("pathname")?;
            } else if tag == Tag::context(13) {
                let size = attribute.explicit().field("object-size")?;
                if size.tag == Tag::context(1) {
                    self.object_size = Some(size.integer().field("object-size")?);
                }
            }
        }
        Ok(())
    }

    /// Writes the parameters as the `[0]` member of an extended body part.
    pub(super) fn write(&self, w: &mut Writer) {
        write_instance(w, Tag::context(0), &oids::EP_FILE_TRANSFER, |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                if let Some(document_type) = &self.document_type {
                    w.constructed(Tag::context(1), |w| {
                        w.constructed(Tag::context(0), |w| w.oid(Tag::OBJECT_IDENTIFIER, document_type));
                    });
                }
                if !self.user_visible.is_empty() {
                    w.constructed(Tag::context(2), |w| write_names(w, Tag::context(3), &self.user_visible));
                }
                if self.pathname.is_empty() && self.object_size.is_none() {
                    return;
                }
                w.constructed(Tag::context(4), |w| {
                    if !self.pathname.is_empty() {
                        write_names(w, Tag::context(0), &self.pathname);
                    }
                    if let Some(size) = self.object_size {
                        w.constructed(Tag::context(13), |w| w.integer(Tag::context(1), size));
                    }
                });
            });
        });
    }
}

impl FilePiece {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        while let Some(field) = fields.next()? {
            if field.tag == OCTET_ALIGNED {
                return Ok(FilePiece::Octets(field.octets()?.into_owned()));
            }
        }
        Ok(FilePiece::Other(tlv.raw.to_vec()))
    }
}

/// The document type of a Contents-Type-Attribute, if it names one.
fn document_type(tlv: &Tlv<'_>) -> Result<Option<Oid>, DecodeError> {
    let choice = tlv.explicit()?;
    if choice.tag != Tag::context(0) {
        return Ok(None);
    }
    Ok(Some(choice.reader()?.expect(Tag::OBJECT_IDENTIFIER)?.oid()?))
}

fn names(tlv: &Tlv<'_>) -> Result<Vec<String>, DecodeError> {
    list(tlv, MAX_ELEMENTS, |name| Ok(charset::decode(&name.octets()?, RightSet::Latin1)))
}

fn write_names(w: &mut Writer, tag: Tag, names: &[String]) {
    w.constructed(tag, |w| {
        names.iter().for_each(|name| w.primitive(Tag::GRAPHIC_STRING, &charset::encode_graphic(name)));
    });
}

/// The octets of an EXTERNAL whose single ASN.1 type is a string.
fn single_string(raw: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Reader::new(raw).any().ok()?.reader().ok()?;
    while let Some(field) = fields.next().ok()? {
        if field.tag == Tag::context(0) {
            return Some(field.explicit().ok()?.octets().ok()?.into_owned());
        }
    }
    None
}
