//! The subject of a message whose content streams past (X.420): for whoever tells people which message is meant.
//!
//! A machine that is fed the content in whatever pieces it comes in and keeps next to nothing: it steps over the members
//! of the heading by their lengths and holds only the two that a subject may stand in, and of these at most
//! [`SubjectFinder::MOST`] octets. It never says that a content is wrong; from one that it does not understand it
//! gives no subject.

use ber::{Header, Length, Reader, Tag};

use super::charset::{self, RightSet};
use super::heading::{Heading, IpmIdentifier, IpmsExtension};
use super::{IPM, list};

const SUBJECT: Tag = Tag::context(8);
const EXTENSIONS: Tag = Tag::context(15);
/// Constructed encodings of indefinite length inside one another that are stepped over.
const MAX_OPEN: u32 = 64;
/// Most octets of identifier and length.
const HEADER_MAX: usize = 15;

/// Finds the subject of one content.
#[derive(Clone, Debug)]
pub struct SubjectFinder {
    state: State,
    /// The start of an element that has not come in full, or a member that is kept.
    held: Vec<u8>,
    /// Octets of the heading that are still to come, if that is known.
    heading: Option<u64>,
    subject: Option<String>,
    extended: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next header is that of the IPM.
    Ipm,
    /// The next header is that of the heading.
    Heading,
    /// The next header is that of a member.
    Member,
    /// Octets are to be stepped over; then a member follows, or what stands inside `open` encodings without a length.
    Skip { octets: u64, open: u32 },
    /// The next header stands inside so many encodings without a length.
    Inside { open: u32 },
    /// The member in `held` is kept until it is whole.
    Keep,
    /// There is nothing more to be found.
    Done,
}

impl Default for SubjectFinder {
    fn default() -> Self {
        SubjectFinder { state: State::Ipm, held: Vec::new(), heading: None, subject: None, extended: None }
    }
}

impl SubjectFinder {
    /// Most octets that are held.
    pub const MOST: usize = 2_048;

    /// Takes the next octets of the content; they may be cut anywhere. Tells whether any more are wanted.
    pub fn push(&mut self, mut octets: &[u8]) -> bool {
        while self.state != State::Done {
            if let State::Skip { octets: left, open } = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
                octets = octets.get(here..).unwrap_or_default();
                let left = left.saturating_sub(here as u64);
                self.state = match (left, open) {
                    (0, 0) => State::Member,
                    (0, _) => State::Inside { open },
                    _ => State::Skip { octets: left, open },
                };
                if left > 0 {
                    return true;
                }
                continue;
            }
            if self.state == State::Member && self.heading == Some(0) {
                self.state = State::Done;
                break;
            }
            // Only the start of an element is ever put together from pieces, or a member that is kept.
            let most = if self.state == State::Keep { SubjectFinder::MOST } else { HEADER_MAX };
            let before = self.held.len();
            let piece = octets.get(..most.saturating_sub(before).min(octets.len())).unwrap_or_default();
            let is_keeping = self.state == State::Keep;
            self.held.extend_from_slice(piece);
            match self.step() {
                Some(taken) => {
                    let of_these = taken.saturating_sub(before);
                    octets = octets.get(of_these..).unwrap_or_default();
                    self.held.clear();
                }
                // What was looked at for the header is taken again, with the rest.
                None if self.state == State::Keep && !is_keeping => self.held.truncate(before),
                None if self.held.len() >= most => self.state = State::Done,
                None => return self.state != State::Done,
            }
        }
        self.held = Vec::new();
        false
    }

    /// The subject, if one has been found; the extended one before the other.
    pub fn subject(self) -> Option<String> {
        self.extended.or(self.subject)
    }

    /// Takes the element at the start of what is held: how many of its octets are dealt with; `None` if it lacks some.
    fn step(&mut self) -> Option<usize> {
        if self.state == State::Keep {
            return self.keep();
        }
        let header = match Header::parse(&self.held) {
            Ok(header) => header?,
            Err(_) => return self.end(),
        };
        let is_eoc = header.tag == Tag::EOC;
        match self.state {
            State::Ipm if header.tag == IPM && header.constructed => self.state = State::Heading,
            State::Heading if header.tag == Tag::SET && header.constructed => {
                self.heading = match header.length {
                    Length::Definite(length) => Some(length),
                    Length::Indefinite => None,
                };
                self.state = State::Member;
            }
            State::Member if !is_eoc => return self.member(header),
            State::Inside { open } if is_eoc => {
                let open = open.saturating_sub(1);
                self.count(header.size as u64)?;
                self.state = if open == 0 { State::Member } else { State::Inside { open } };
            }
            State::Inside { open } => return self.step_over(header, open),
            State::Ipm | State::Heading | State::Member | State::Skip { .. } | State::Keep | State::Done => {
                return self.end();
            }
        }
        Some(header.size)
    }

    fn member(&mut self, header: Header) -> Option<usize> {
        let fits = match header.length {
            Length::Definite(length) => {
                length.saturating_add(header.size as u64) <= SubjectFinder::MOST as u64
            }
            Length::Indefinite => true,
        };
        if (header.tag == SUBJECT || header.tag == EXTENSIONS) && header.constructed && fits {
            self.state = State::Keep;
            return None;
        }
        self.step_over(header, 0)
    }

    /// Steps over an element inside `open` encodings without a length.
    fn step_over(&mut self, header: Header, open: u32) -> Option<usize> {
        match header.length {
            Length::Definite(length) => {
                self.count(length.saturating_add(header.size as u64))?;
                self.state = State::Skip { octets: length, open };
            }
            Length::Indefinite if open < MAX_OPEN => {
                self.count(header.size as u64)?;
                self.state = State::Inside { open: open.saturating_add(1) };
            }
            Length::Indefinite => return self.end(),
        }
        Some(header.size)
    }

    /// Takes a member that is kept, once it is whole.
    fn keep(&mut self) -> Option<usize> {
        let member = match Reader::new(&self.held).any() {
            Ok(member) => member,
            Err(error) if error.kind == ber::ErrorKind::Truncated => return None,
            Err(_) => return self.end(),
        };
        let taken = member.raw.len();
        if member.tag == SUBJECT {
            let octets = member.explicit().and_then(|subject| subject.octets().map(|o| o.into_owned()));
            self.subject = octets.ok().map(|octets| charset::decode(&octets, RightSet::Teletex));
        } else {
            let extensions = list(&member, SubjectFinder::MOST, IpmsExtension::decode).unwrap_or_default();
            let mut heading =
                Heading::new(IpmIdentifier { user: None, user_relative_identifier: String::new() });
            heading.extensions = extensions;
            self.extended = heading.subject_text();
        }
        self.count(taken as u64)?;
        self.state = State::Member;
        Some(taken)
    }

    /// Takes octets off what the heading has left; ends if it has not so many.
    fn count(&mut self, octets: u64) -> Option<()> {
        match self.heading {
            None => Some(()),
            Some(left) if left >= octets => {
                self.heading = Some(left - octets);
                Some(())
            }
            Some(_) => {
                self.state = State::Done;
                None
            }
        }
    }

    /// Not what it should be: nothing more is looked for.
    fn end(&mut self) -> Option<usize> {
        self.state = State::Done;
        Some(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use ber::Writer;
    use proptest::prelude::*;

    use super::*;
    use crate::OrName;
    use crate::ipm::{Draft, Ipm};

    fn found(content: &[u8], piece: usize) -> Option<String> {
        let mut finder = SubjectFinder::default();
        for piece in content.chunks(piece.max(1)) {
            if !finder.push(piece) {
                break;
            }
        }
        finder.subject()
    }

    fn composed(subject: &str) -> Vec<u8> {
        let originator = OrName::new("S=a;P=p;A=a;C=GB".parse().unwrap());
        let draft = Draft::new(originator, "1", subject).unwrap();
        draft.text("text of the message").content
    }

    #[test]
    fn a_subject_is_found_in_whatever_pieces_the_content_comes() {
        for subject in ["Invoice 4711", "Grüße", "Счёт № 7", ""] {
            let content = composed(subject);
            let known = Ipm::decode(&content).unwrap().heading.subject_text();
            assert_eq!(known.is_some(), !subject.is_empty());
            for piece in [1, 2, 3, 7, 64, content.len()] {
                assert_eq!(found(&content, piece), known, "{subject} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn members_without_a_length_are_stepped_over() {
        // [0] IPM and SET without lengths, a member [2] which nests two levels without lengths, then the subject.
        let mut content = vec![0xA0, 0x80, 0x31, 0x80, 0xA2, 0x80, 0x30, 0x80, 0x04, 0x01, 0x08, 0, 0, 0, 0];
        content.extend(Writer::encode(|w| {
            w.constructed(SUBJECT, |w| w.primitive(Tag::TELETEX_STRING, b"behind"));
        }));
        content.extend([0, 0, 0, 0]);
        for piece in 1..content.len() {
            assert_eq!(found(&content, piece).as_deref(), Some("behind"));
        }
    }

    #[test]
    fn a_heading_with_thousands_of_recipients_is_never_held() {
        let mut finder = SubjectFinder::default();
        let recipients = vec![0x30_u8; 3_000_000];
        let content = Writer::encode(|w| {
            w.constructed(IPM, |w| {
                w.constructed(Tag::SET, |w| {
                    w.primitive(Tag::context(2), &recipients);
                    w.constructed(SUBJECT, |w| w.primitive(Tag::TELETEX_STRING, b"far behind"));
                });
            });
        });
        for piece in content.chunks(1_000) {
            finder.push(piece);
            assert!(finder.held.capacity() <= 2 * SubjectFinder::MOST);
        }
        assert_eq!(finder.subject().as_deref(), Some("far behind"));
    }

    #[test]
    fn what_stands_in_the_body_is_no_subject() {
        let content = Writer::encode(|w| {
            w.constructed(IPM, |w| {
                w.constructed(Tag::SET, |w| w.primitive(Tag::context(13), &[1]));
                w.constructed(SUBJECT, |w| w.primitive(Tag::TELETEX_STRING, b"none"));
            });
        });
        for piece in 1..content.len() {
            assert_eq!(found(&content, piece), None);
        }
        assert_eq!(found(b"\xA1\x03\x02\x01\x00", 1), None, "a notification");
        assert_eq!(found(b"no content of ours at all", 3), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_survived_and_pieces_never_matter(
            octets in proptest::collection::vec(any::<u8>(), 0..300),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            piece in 1_usize..50,
        ) {
            prop_assert_eq!(found(&octets, piece), found(&octets, octets.len()));
            let mut content = composed("Grüße aus der Ferne");
            for (at, octet) in damage {
                let at = at.index(content.len());
                content[at] = octet;
            }
            prop_assert_eq!(found(&content, piece), found(&content, content.len()));
        }
    }
}
