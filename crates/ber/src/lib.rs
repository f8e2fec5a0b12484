//! Basic Encoding Rules (X.690 clause 8): a zero-copy reader and a writer.
//!
//! The reader is lenient where BER is (indefinite lengths, constructed strings, non-minimal lengths) and strict
//! where an MTA must be: nesting has a limit, every length is checked against the octets that are there before
//! anything is allocated, and no scan is recursive. Each element keeps its encoding ([`Tlv::raw`]) so that what
//! is merely relayed can leave as it came.
//!
//! No protocol is known here. Alphabets and sizes of strings are not checked: that is for whoever knows the type.
//!
//! ```
//! use ber::{Reader, Tag, Writer};
//!
//! let mut w = Writer::new();
//! w.constructed(Tag::SEQUENCE, |w| {
//!     w.integer(Tag::INTEGER, 22);
//!     w.primitive(Tag::context(0), b"MTA-A");
//! });
//! let octets = w.into_vec();
//!
//! let mut top = Reader::new(&octets);
//! let mut fields = top.expect(Tag::SEQUENCE)?.reader()?;
//! assert_eq!(fields.expect(Tag::INTEGER)?.integer()?, 22);
//! assert_eq!(fields.expect(Tag::context(0))?.octets()?.as_ref(), b"MTA-A");
//! fields.finish()?;
//! # Ok::<(), ber::Error>(())
//! ```
#![no_std]

extern crate alloc;

mod error;
mod header;
mod octets;
mod oid;
mod reader;
mod tag;
mod value;
mod writer;

pub use error::{Error, ErrorKind};
pub use header::{Header, Length};
pub use octets::Octets;
pub use oid::Oid;
pub use reader::{DEFAULT_DEPTH, Reader, Tlv};
pub use tag::{Class, Tag};
pub use value::BitString;
pub use writer::Writer;
