use core::fmt;

/// Class of a tag (X.690 8.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Types of ASN.1 itself.
    Universal,
    /// Types of one application, as in `[APPLICATION 4]`.
    Application,
    /// Meaning depends on where the tag stands, as in `[2]`.
    Context,
    /// Types private to an enterprise.
    Private,
}

/// Class and number of a tag. Whether an encoding is constructed is not part of it: a string keeps its tag
/// in both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Class of the tag.
    pub class: Class,
    /// Number within the class.
    pub number: u32,
}

#[allow(missing_docs, reason = "the constants carry the ASN.1 names of the universal types")]
impl Tag {
    pub const EOC: Tag = Tag::universal(0);
    pub const BOOLEAN: Tag = Tag::universal(1);
    pub const INTEGER: Tag = Tag::universal(2);
    pub const BIT_STRING: Tag = Tag::universal(3);
    pub const OCTET_STRING: Tag = Tag::universal(4);
    pub const NULL: Tag = Tag::universal(5);
    pub const OBJECT_IDENTIFIER: Tag = Tag::universal(6);
    pub const OBJECT_DESCRIPTOR: Tag = Tag::universal(7);
    pub const EXTERNAL: Tag = Tag::universal(8);
    pub const ENUMERATED: Tag = Tag::universal(10);
    pub const RELATIVE_OID: Tag = Tag::universal(13);
    pub const UTF8_STRING: Tag = Tag::universal(12);
    pub const SEQUENCE: Tag = Tag::universal(16);
    pub const SET: Tag = Tag::universal(17);
    pub const NUMERIC_STRING: Tag = Tag::universal(18);
    pub const PRINTABLE_STRING: Tag = Tag::universal(19);
    pub const TELETEX_STRING: Tag = Tag::universal(20);
    pub const IA5_STRING: Tag = Tag::universal(22);
    pub const UTC_TIME: Tag = Tag::universal(23);
    pub const GENERALIZED_TIME: Tag = Tag::universal(24);
    pub const GRAPHIC_STRING: Tag = Tag::universal(25);
    pub const GENERAL_STRING: Tag = Tag::universal(27);
    pub const UNIVERSAL_STRING: Tag = Tag::universal(28);
    pub const BMP_STRING: Tag = Tag::universal(30);
}

impl Tag {
    /// A tag of class universal.
    pub const fn universal(number: u32) -> Tag {
        Tag { class: Class::Universal, number }
    }

    /// A tag of class application.
    pub const fn application(number: u32) -> Tag {
        Tag { class: Class::Application, number }
    }

    /// A context-specific tag.
    pub const fn context(number: u32) -> Tag {
        Tag { class: Class::Context, number }
    }
}

/// As written in ASN.1: `[2]`, `[APPLICATION 4]`, `[UNIVERSAL 16]`.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            Class::Universal => write!(f, "[UNIVERSAL {}]", self.number),
            Class::Application => write!(f, "[APPLICATION {}]", self.number),
            Class::Context => write!(f, "[{}]", self.number),
            Class::Private => write!(f, "[PRIVATE {}]", self.number),
        }
    }
}
