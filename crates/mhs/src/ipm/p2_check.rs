//! Whether a content of type 22 is one of type 2 as well (X.420: P2 is what 1984 can read).
//!
//! Both are written the same way, so a content that uses nothing of 1988 only needs the other number. The check looks
//! at the heading in full and at the tags of body parts, inside forwarded messages too; it skips over what the body
//! parts hold, so that a large message costs a few reads. It is a machine without I/O: [`P2Check::wants`] names octets
//! of the content, [`P2Check::supply`] takes them.
//!
//! When in doubt a content is no P2. That goes for headings longer than [`P2Check::WINDOW`], for forwarded messages
//! with a delivery envelope, which is another one in 1984, and for notifications that return a message.

use ber::{Header, Length, Reader, Tag};

use super::{IPM, IPN};
use crate::OrName;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum P2Verdict {
    /// The content can be sent as type 2 without changing an octet.
    P2,
    /// It can't, or is no interpersonal message at all.
    Beyond,
}

/// The check of one content.
#[derive(Clone, Debug)]
pub struct P2Check {
    length: u64,
    position: u64,
    /// What is open around the position, the innermost last.
    open: Vec<Open>,
    reads: u32,
    verdict: Option<P2Verdict>,
}

/// A constructed encoding that the position stands in.
#[derive(Clone, Copy, Debug)]
struct Open {
    what: What,
    /// Where it ends; `None` for end-of-contents octets.
    end: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The heading, then the body.
    Ipm,
    /// Behind the heading.
    IpmBody,
    Body,
    /// The parameters, then an IPM.
    Forwarded,
    ForwardedIpm,
    /// A body part that is skipped, or a level of it.
    Skipped,
    /// Nothing else may stand in it.
    Filled,
    /// The content has been looked at in full.
    Complete,
}

impl What {
    /// A message without a body is none.
    fn may_end(self) -> Result<(), Beyond> {
        match self {
            What::Ipm | What::IpmBody | What::Forwarded | What::ForwardedIpm => Err(Beyond),
            What::Body | What::Skipped | What::Filled | What::Complete => Ok(()),
        }
    }
}

/// Something of 1988, something malformed, or more than is looked at.
struct Beyond;

impl From<ber::Error> for Beyond {
    fn from(_: ber::Error) -> Self {
        Beyond
    }
}

/// Messages inside messages.
const MAX_OPEN: usize = 64;
/// Reads of one content. A content in more pieces is not worth the work.
const MAX_READS: u32 = 256;
/// Most octets of identifier and length.
const HEADER_MAX: usize = 15;

impl P2Check {
    /// Most octets wanted at once.
    pub const WINDOW: usize = 64 * 1024;

    /// A check of a content of `length` octets.
    pub fn new(length: u64) -> Self {
        P2Check { length, position: 0, open: Vec::new(), reads: 0, verdict: None }
    }

    /// The verdict, once there is one.
    pub fn verdict(&self) -> Option<P2Verdict> {
        self.verdict
    }

    /// Offset and number of the octets to be supplied next; `None` once there is a verdict.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let left = usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX);
        self.verdict.is_none().then(|| (self.position, left.min(P2Check::WINDOW)))
    }

    /// Takes the octets that were wanted. Fewer than that mean that the content is shorter than it should be.
    pub fn supply(&mut self, octets: &[u8]) {
        if self.verdict.is_some() {
            return;
        }
        let start = self.position;
        self.reads += 1;
        let complete = self.wants().is_some_and(|(_, wanted)| octets.len() >= wanted);
        let walked = if complete && self.reads <= MAX_READS { self.walk(start, octets) } else { Err(Beyond) };
        match walked {
            Ok(true) => self.verdict = Some(P2Verdict::P2),
            // Without progress the same octets would be wanted for ever.
            Ok(false) if self.position > start => {}
            Ok(false) | Err(Beyond) => self.verdict = Some(P2Verdict::Beyond),
        }
    }

    /// Goes on as far as the octets, which start at `start`, reach; true at the end of the content.
    fn walk(&mut self, start: u64, octets: &[u8]) -> Result<bool, Beyond> {
        loop {
            self.close()?;
            if self.open.last().is_some_and(|open| open.what == What::Complete) {
                return if self.position == self.length { Ok(true) } else { Err(Beyond) };
            }
            let offset = usize::try_from(self.position.saturating_sub(start)).unwrap_or(usize::MAX);
            let Some(rest) = octets.get(offset..).filter(|rest| !rest.is_empty()) else {
                return if self.position < self.length { Ok(false) } else { Err(Beyond) };
            };
            let at_end = start.saturating_add(octets.len() as u64) >= self.length;
            if rest.len() < HEADER_MAX && !at_end {
                return Ok(false);
            }
            let header = Header::parse(rest).map_err(|_| Beyond)?.ok_or(Beyond)?;
            if !self.take(header, rest)? {
                return Ok(false);
            }
        }
    }

    /// Takes the element whose header has been read. False if more of it has to be in `rest`.
    fn take(&mut self, header: Header, rest: &[u8]) -> Result<bool, Beyond> {
        let size = header.size as u64;
        let Some(open) = self.open.last_mut() else {
            return match header.tag {
                IPM => self.enter(What::Ipm, header).map(|()| true),
                IPN => self.whole(rest, is_1984_notification, What::Complete),
                _ => Err(Beyond),
            };
        };
        if open.end.is_none() && header.tag == Tag::EOC && header.length == Length::Definite(0) {
            open.what.may_end()?;
            self.position += size;
            self.open.pop();
            self.left();
            return Ok(true);
        }
        match open.what {
            What::Ipm if header.tag == Tag::SET => self.whole(rest, is_1984_heading, What::IpmBody),
            What::IpmBody if header.tag == Tag::SEQUENCE => {
                open.what = What::Filled;
                self.enter(What::Body, header).map(|()| true)
            }
            What::Body => self.body_part(header),
            What::Forwarded if header.tag == Tag::SET => {
                self.whole(rest, is_1984_forwarding, What::ForwardedIpm)
            }
            What::ForwardedIpm if header.tag == Tag::SEQUENCE => {
                open.what = What::Filled;
                self.enter(What::Ipm, header).map(|()| true)
            }
            What::Skipped => self.skip(header).map(|()| true),
            What::Ipm
            | What::IpmBody
            | What::Forwarded
            | What::ForwardedIpm
            | What::Filled
            | What::Complete => Err(Beyond),
        }
    }

    /// Checks an element that has to be in `rest` as a whole; then the innermost that is open becomes `next`.
    fn whole(
        &mut self,
        rest: &[u8],
        is_1984: impl Fn(&[u8]) -> Result<bool, ber::Error>,
        next: What,
    ) -> Result<bool, Beyond> {
        let element = match Reader::new(rest).any() {
            Ok(element) => element.raw,
            // Perhaps it fits into a window that starts here; at the start of one, supply() gives up.
            Err(error) if error.kind == ber::ErrorKind::Truncated && rest.len() < P2Check::WINDOW => {
                return Ok(false);
            }
            Err(_) => return Err(Beyond),
        };
        if !is_1984(element)? {
            return Err(Beyond);
        }
        self.position += element.len() as u64;
        match self.open.last_mut() {
            Some(open) => open.what = next,
            None => self.open.push(Open { what: next, end: None }),
        }
        Ok(true)
    }

    /// A body part: those of 1984, and the bilaterally defined one, which implementations of 1984 have as well.
    fn body_part(&mut self, header: Header) -> Result<bool, Beyond> {
        const FORWARDED: Tag = Tag::context(9);
        const SKIPPED: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 14];
        if header.tag == FORWARDED {
            self.enter(What::Forwarded, header)?;
        } else if SKIPPED.iter().any(|&number| header.tag == Tag::context(number)) {
            self.skip(header)?;
        } else {
            return Err(Beyond);
        }
        Ok(true)
    }

    fn skip(&mut self, header: Header) -> Result<(), Beyond> {
        match header.length {
            Length::Indefinite => self.enter(What::Skipped, header),
            Length::Definite(length) => {
                let end = self.position.checked_add(header.size as u64).and_then(|at| at.checked_add(length));
                self.position = end.filter(|end| *end <= self.limit()).ok_or(Beyond)?;
                Ok(())
            }
        }
    }

    fn enter(&mut self, what: What, header: Header) -> Result<(), Beyond> {
        let limit = self.limit();
        self.position += header.size as u64;
        let end = match header.length {
            Length::Indefinite => None,
            Length::Definite(length) => {
                let end = self.position.checked_add(length).filter(|end| *end <= limit);
                Some(end.ok_or(Beyond)?)
            }
        };
        if !header.constructed || self.open.len() >= MAX_OPEN {
            return Err(Beyond);
        }
        self.open.push(Open { what, end });
        Ok(())
    }

    /// Where the innermost encoding of definite length ends.
    fn limit(&self) -> u64 {
        self.open.iter().rev().find_map(|open| open.end).unwrap_or(self.length)
    }

    /// Leaves what ends at the position.
    fn close(&mut self) -> Result<(), Beyond> {
        while let Some(open) = self.open.last() {
            match open.end {
                Some(end) if end == self.position => {}
                Some(end) if end < self.position => return Err(Beyond),
                Some(_) | None => return Ok(()),
            }
            open.what.may_end()?;
            self.open.pop();
            self.left();
        }
        Ok(())
    }

    /// After the outermost element nothing may follow.
    fn left(&mut self) {
        if self.open.is_empty() {
            self.open.push(Open { what: What::Complete, end: None });
        }
    }
}

const IDENTIFIER: Tag = Tag::application(11);
const EITS: Tag = Tag::application(5);
const OR_NAME: Tag = Tag::application(0);

/// Members 0 to 14 of the heading are those of 1984; 15 are the extensions.
fn is_1984_heading(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| {
        let number = (0..=14).find(|&number| member.tag == Tag::context(number));
        match number {
            None if member.tag == IDENTIFIER => is_1984_identifier(member.raw),
            None => Ok(false),
            Some(0) => is_1984_descriptor(member.raw),
            Some(1 | 11) => every(member.raw, |descriptor| is_1984_descriptor(descriptor.raw)),
            Some(2..=4) => every(member.raw, |recipient| is_1984_recipient(recipient.raw)),
            Some(5) => is_1984_identifier(member.raw),
            Some(6 | 7) => every(member.raw, |identifier| is_1984_identifier(identifier.raw)),
            Some(_) => Ok(true),
        }
    })
}

/// The same members with the same tags but for the extensions, and no message returned.
fn is_1984_notification(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| match member.tag {
        IDENTIFIER => is_1984_identifier(member.raw),
        EITS => Ok(true),
        tag if tag == Tag::context(1) || tag == Tag::context(2) => is_1984_descriptor(member.raw),
        tag if tag == Tag::context(0) => {
            let choice = member.explicit()?;
            every(choice.raw, |field| Ok((0..=2).any(|number| field.tag == Tag::context(number))))
        }
        _ => Ok(false),
    })
}

/// The parameters of a forwarded message: its delivery time alone.
fn is_1984_forwarding(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| Ok(member.tag == Tag::context(0)))
}

fn is_1984_recipient(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| match member.tag {
        tag if tag == Tag::context(0) => is_1984_descriptor(member.raw),
        tag => Ok(tag == Tag::context(1) || tag == Tag::context(2)),
    })
}

fn is_1984_descriptor(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| match member.tag {
        OR_NAME => Ok(OrName::decode(member).is_ok_and(|name| name.is_1984())),
        tag => Ok(tag == Tag::context(0) || tag == Tag::context(1)),
    })
}

fn is_1984_identifier(octets: &[u8]) -> Result<bool, ber::Error> {
    every(octets, |member| match member.tag {
        OR_NAME => Ok(OrName::decode(member).is_ok_and(|name| name.is_1984())),
        tag => Ok(tag == Tag::PRINTABLE_STRING),
    })
}

/// Whether every member of a constructed encoding is as it should be.
fn every(
    octets: &[u8],
    check: impl Fn(&ber::Tlv<'_>) -> Result<bool, ber::Error>,
) -> Result<bool, ber::Error> {
    let mut members = Reader::new(octets).any()?.reader()?;
    while let Some(member) = members.next()? {
        if !check(&member)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use ber::Writer;

    use super::*;
    use crate::OrAddress;
    use crate::ipm::Draft;

    /// The verdict, and how many octets were asked for.
    fn look(content: &[u8], length: u64) -> (P2Verdict, usize) {
        let mut check = P2Check::new(length);
        let mut asked = 0;
        while let Some((offset, wanted)) = check.wants() {
            asked += wanted;
            let offset = usize::try_from(offset).unwrap();
            let octets = content.get(offset..).unwrap_or_default();
            check.supply(octets.get(..wanted.min(octets.len())).unwrap());
        }
        (check.verdict().unwrap(), asked)
    }

    fn verdict(content: &[u8]) -> P2Verdict {
        look(content, content.len() as u64).0
    }

    fn draft(to: &str) -> Draft {
        let name = |text: &str| OrName::new(text.parse::<OrAddress>().unwrap());
        Draft::new(name("S=a;P=A;A= ;C=GB"), "1", "Subject").unwrap().to(name(to))
    }

    #[test]
    fn plain_text_between_1984_addresses_is_p2() {
        assert_eq!(verdict(&draft("S=b;P=B;A= ;C=GB").text("hello").content), P2Verdict::P2);
        assert_eq!(verdict(&draft("CN=b;P=B;A= ;C=GB").text("hello").content), P2Verdict::Beyond);
        assert_eq!(verdict(&draft("S=b;P=B;A= ;C=GB").text("Привет").content), P2Verdict::Beyond);
        let name = OrName::new("S=a;P=A;A= ;C=GB".parse::<OrAddress>().unwrap());
        let wide = Draft::new(name, "1", "Привет").unwrap().text("hello").content;
        assert_eq!(verdict(&wide), P2Verdict::Beyond);
        let file = draft("S=b;P=B;A= ;C=GB").file(None, "x", 3).unwrap();
        assert_eq!(verdict(&[file.prefix, vec![1, 2, 3]].concat()), P2Verdict::Beyond);
    }

    /// A content around body parts; `indefinite` lengths or definite ones.
    fn content(parts: &[u8], indefinite: bool) -> Vec<u8> {
        let plain = draft("S=b;P=B;A= ;C=GB").parts(Vec::new()).content;
        let inside = Reader::new(&plain).any().unwrap().contents;
        // The empty body is `30 00`.
        let heading = &inside[..inside.len() - 2];
        if indefinite {
            return [&[0xA0, 0x80], heading, &[0x30, 0x80], parts, &[0, 0, 0, 0]].concat();
        }
        Writer::encode(|w| {
            w.constructed(IPM, |w| {
                w.raw(heading);
                w.constructed(Tag::SEQUENCE, |w| w.raw(parts));
            });
        })
    }

    fn part(number: u32, contents: &[u8]) -> Vec<u8> {
        Writer::encode(|w| w.constructed(Tag::context(number), |w| w.raw(contents)))
    }

    #[test]
    fn lengths_of_any_form_are_followed() {
        let text = [0x31, 0, 0x16, 1, b'x'];
        for indefinite in [false, true] {
            assert_eq!(verdict(&content(&part(0, &text), indefinite)), P2Verdict::P2);
            assert_eq!(verdict(&content(&part(15, &text), indefinite)), P2Verdict::Beyond);
            let chunks = [&[0xAE, 0x80, 0x24, 0x80, 4, 1, 0, 0, 0, 0, 0][..], &part(15, &[])].concat();
            assert_eq!(verdict(&content(&chunks[..11], indefinite)), P2Verdict::P2);
            assert_eq!(verdict(&content(&chunks, indefinite)), P2Verdict::Beyond, "behind a part in pieces");
        }
    }

    #[test]
    fn forwarded_messages_are_looked_into() {
        let inner = |number| {
            let whole = content(&part(number, &[]), false);
            let message = Reader::new(&whole).any().unwrap().contents.to_vec();
            Writer::encode(|w| w.constructed(Tag::SEQUENCE, |w| w.raw(&message)))
        };
        let forwarded = |parameters: &[u8], number| {
            let parameters = Writer::encode(|w| w.constructed(Tag::SET, |w| w.raw(parameters)));
            content(&part(9, &[parameters, inner(number)].concat()), false)
        };
        assert_eq!(verdict(&forwarded(&[], 0)), P2Verdict::P2);
        assert_eq!(verdict(&forwarded(&[0x80, 0], 0)), P2Verdict::P2);
        assert_eq!(verdict(&forwarded(&[], 15)), P2Verdict::Beyond);
        assert_eq!(verdict(&forwarded(&[0xA1, 0], 0)), P2Verdict::Beyond);
    }

    #[test]
    fn what_is_cut_or_goes_on_is_no_p2() {
        for indefinite in [false, true] {
            let whole = content(&part(0, &[0x31, 0, 0x16, 1, b'x']), indefinite);
            for end in 0..whole.len() {
                assert_eq!(verdict(&whole[..end]), P2Verdict::Beyond, "{end}");
            }
            assert_eq!(verdict(&[&whole[..], &[0]].concat()), P2Verdict::Beyond);
        }
        assert_eq!(verdict(b"no message"), P2Verdict::Beyond);
    }

    #[test]
    fn a_large_body_part_is_skipped() {
        let size = 100_000_000_u64;
        let mut head = content(&[], false);
        head.truncate(head.len() - 2);
        // Written by hand: the lengths of what is around a part that is not here.
        let heading = Reader::new(&content(&[], false)).any().unwrap().contents.to_vec();
        let heading = &heading[..heading.len() - 2];
        let mut part = Writer::new();
        part.header(Tag::context(14), false, size);
        let part = part.into_vec();
        let mut body = Writer::new();
        body.header(Tag::SEQUENCE, true, part.len() as u64 + size);
        let body = [body.into_vec(), part].concat();
        let mut whole = Writer::new();
        whole.header(IPM, true, (heading.len() + body.len()) as u64 + size);
        let prefix = [whole.into_vec(), heading.to_vec(), body].concat();
        let (verdict, asked) =
            look(&[&prefix[..], &vec![0; P2Check::WINDOW]].concat(), prefix.len() as u64 + size);
        assert_eq!(verdict, P2Verdict::P2);
        assert!(asked <= 2 * P2Check::WINDOW, "{asked}");
    }
}
