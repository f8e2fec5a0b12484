//! Bind and unbind (X.880, Generic-ROS-PDUs): the wrappers in which the opening and the closing of an association carry
//! argument, result and error of the bind and unbind operations. The tags are explicit, since the type inside is open.

use alloc::vec::Vec;

use ber::{Error, ErrorKind, Reader, Tag, Writer};

/// A value of Bind or Unbind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindKind {
    /// bind-invoke `[16]`: the argument of the bind.
    BindInvoke,
    /// bind-result `[17]`.
    BindResult,
    /// bind-error `[18]`: the parameter of the error.
    BindError,
    /// unbind-invoke `[19]`: the argument of the unbind.
    UnbindInvoke,
    /// unbind-result `[20]`.
    UnbindResult,
    /// unbind-error `[21]`: the parameter of the error.
    UnbindError,
}

/// A wrapper and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindApdu {
    /// Which it is.
    pub kind: BindKind,
    /// One encoding as it came; empty where the operation has no such value.
    pub value: Vec<u8>,
}

impl BindKind {
    const ALL: [BindKind; 6] = [
        BindKind::BindInvoke,
        BindKind::BindResult,
        BindKind::BindError,
        BindKind::UnbindInvoke,
        BindKind::UnbindResult,
        BindKind::UnbindError,
    ];

    /// The tag.
    pub fn tag(self) -> Tag {
        Tag::context(match self {
            BindKind::BindInvoke => 16,
            BindKind::BindResult => 17,
            BindKind::BindError => 18,
            BindKind::UnbindInvoke => 19,
            BindKind::UnbindResult => 20,
            BindKind::UnbindError => 21,
        })
    }
}

impl BindApdu {
    /// Reads a wrapper that is all of `octets`, with at most one encoding in it.
    ///
    /// # Errors
    /// No Bind and no Unbind.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        let mut top = Reader::new(octets);
        let element = top.any()?;
        top.finish()?;
        let kind = BindKind::ALL.into_iter().find(|kind| kind.tag() == element.tag).ok_or_else(|| {
            element
                .error(ErrorKind::UnexpectedTag { expected: BindKind::BindInvoke.tag(), found: element.tag })
        })?;
        let mut inside = element.reader()?;
        let value = inside.next()?.map(|value| value.raw.to_vec()).unwrap_or_default();
        inside.finish()?;
        Ok(BindApdu { kind, value })
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| w.constructed(self.kind.tag(), |w| w.raw(&self.value)))
    }
}
