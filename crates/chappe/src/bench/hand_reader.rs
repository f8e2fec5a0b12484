//! The least typed reader of a message: it finds the fields of P1 and borrows them, definite lengths only. It checks
//! neither alphabets nor bounds, duplicates, nesting or what must be there, keeps no octets, and tells of no error but
//! "no". What the decoder of `mhs` needs beyond its time is what the checks and what is kept cost.

#![allow(dead_code, reason = "what is read is the work to be measured; nobody looks at all of it")]

use super::baseline::element;

/// The fields of a message.
#[derive(Debug, Default)]
pub(super) struct HandMessage<'a> {
    identifier: (Domain<'a>, &'a [u8]),
    originator: Address<'a>,
    /// By tag: those which are one value each.
    simple: [Option<&'a [u8]>; 12],
    pub(super) recipients: Vec<HandRecipient<'a>>,
    trace: Vec<(Domain<'a>, Supplied<'a>)>,
    extensions: Vec<Extension<'a>>,
    content: &'a [u8],
}

#[derive(Debug, Default)]
struct Domain<'a> {
    country: &'a [u8],
    admd: &'a [u8],
    prmd: &'a [u8],
}

#[derive(Debug, Default)]
struct Supplied<'a> {
    time: &'a [u8],
    action: u8,
}

#[derive(Debug, Default)]
struct Address<'a> {
    country: &'a [u8],
    admd: &'a [u8],
    standard: [Option<&'a [u8]>; 7],
    name: [Option<&'a [u8]>; 4],
    units: Vec<&'a [u8]>,
    domain_defined: Vec<(&'a [u8], &'a [u8])>,
    extensions: Vec<(u8, &'a [u8])>,
}

#[derive(Debug, Default)]
pub(super) struct HandRecipient<'a> {
    name: Address<'a>,
    number: u8,
    indicators: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

#[derive(Debug, Default)]
struct Extension<'a> {
    number: u8,
    criticality: &'a [u8],
    value: &'a [u8],
}

/// Identifier octet and contents of the next element.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let identifier = *rest.first()?;
    let (_, contents, after) = element(rest)?;
    *rest = after;
    Some((identifier, contents))
}

fn only(mut octets: &[u8]) -> Option<&[u8]> {
    Some(next(&mut octets)?.1)
}

/// Reads a message of definite lengths.
pub(super) fn read(mut octets: &[u8]) -> Option<HandMessage<'_>> {
    let mut apdu = next(&mut octets)?.1;
    let mut envelope = next(&mut apdu)?.1;
    let mut message = HandMessage { content: next(&mut apdu)?.1, ..HandMessage::default() };
    while !envelope.is_empty() {
        let (identifier, mut contents) = next(&mut envelope)?;
        match identifier {
            0x64 => message.identifier = (domain(next(&mut contents)?.1)?, next(&mut contents)?.1),
            0x60 => message.originator = address(contents)?,
            0xA2 => {
                while !contents.is_empty() {
                    message.recipients.push(recipient(next(&mut contents)?.1)?);
                }
            }
            0x69 => {
                while !contents.is_empty() {
                    let mut element = next(&mut contents)?.1;
                    let domain = domain(next(&mut element)?.1)?;
                    message.trace.push((domain, supplied(next(&mut element)?.1)?));
                }
            }
            0xA3 => message.extensions = extensions(contents)?,
            other => {
                if let Some(place) = message.simple.get_mut(usize::from(other & 0x1F)) {
                    *place = Some(contents);
                }
            }
        }
    }
    Some(message)
}

fn domain(mut octets: &[u8]) -> Option<Domain<'_>> {
    let country = only(next(&mut octets)?.1)?;
    let admd = only(next(&mut octets)?.1)?;
    Some(Domain { country, admd, prmd: next(&mut octets).map_or(&[], |prmd| prmd.1) })
}

fn supplied(mut octets: &[u8]) -> Option<Supplied<'_>> {
    let mut supplied = Supplied::default();
    while !octets.is_empty() {
        match next(&mut octets)? {
            (0x80, time) => supplied.time = time,
            (0x82, action) => supplied.action = *action.first()?,
            _ => {}
        }
    }
    Some(supplied)
}

fn recipient(mut octets: &[u8]) -> Option<HandRecipient<'_>> {
    let mut recipient = HandRecipient::default();
    while !octets.is_empty() {
        match next(&mut octets)? {
            (0x60, name) => recipient.name = address(name)?,
            (0x80, number) => recipient.number = *number.first()?,
            (0x81, indicators) => recipient.indicators = indicators,
            (0xA3, list) => recipient.extensions = extensions(list)?,
            _ => {}
        }
    }
    Some(recipient)
}

fn address(mut octets: &[u8]) -> Option<Address<'_>> {
    let mut address = Address::default();
    let mut standard = next(&mut octets)?.1;
    while !standard.is_empty() {
        let (identifier, mut contents) = next(&mut standard)?;
        match identifier {
            0x61 => address.country = only(contents)?,
            0x62 => address.admd = only(contents)?,
            0xA5 => {
                while !contents.is_empty() {
                    let (identifier, part) = next(&mut contents)?;
                    *address.name.get_mut(usize::from(identifier & 0x1F))? = Some(part);
                }
            }
            0xA6 => {
                while !contents.is_empty() {
                    address.units.push(next(&mut contents)?.1);
                }
            }
            0xA2 => *address.standard.get_mut(2)? = Some(only(contents)?),
            other => *address.standard.get_mut(usize::from(other & 0x1F))? = Some(contents),
        }
    }
    while !octets.is_empty() {
        let (identifier, mut list) = next(&mut octets)?;
        while !list.is_empty() {
            let mut pair = next(&mut list)?.1;
            let (first, second) = (next(&mut pair)?.1, next(&mut pair)?.1);
            if identifier == 0x30 {
                address.domain_defined.push((first, second));
            } else {
                address.extensions.push((*first.first()?, second));
            }
        }
    }
    Some(address)
}

fn extensions(mut octets: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut list = Vec::new();
    while !octets.is_empty() {
        let mut field = next(&mut octets)?.1;
        let mut extension = Extension::default();
        while !field.is_empty() {
            match next(&mut field)? {
                (0x80, number) => extension.number = *number.first()?,
                (0x81, bits) => extension.criticality = bits,
                (0xA2, value) => extension.value = value,
                _ => {}
            }
        }
        list.push(extension);
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found() {
        let octets = super::super::baseline::golden_message();
        let message = read(&octets).unwrap();
        assert_eq!(message.recipients.len(), 2);
        assert_eq!(message.recipients[1].number, 2);
        assert_eq!(message.recipients[1].name.name[0], Some(&b"Rcpt2"[..]));
        assert_eq!((message.trace.len(), message.extensions.len()), (1, 2));
        assert_eq!(message.identifier.0.prmd, b"ACME");
        assert_eq!(message.content.len(), 0x9E + 3);
        assert!(read(&octets[..octets.len() - 1]).is_none());
    }
}
