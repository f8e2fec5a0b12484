//! Two walks over the same octets: with the reader of `ber` and all its checks, and with the least that finds its way.

use ber::Reader;

/// A message with two recipients that independent decoders found clean.
pub(super) fn golden_message() -> Vec<u8> {
    let text = include_str!("../../../testkit/fixtures/golden/message.hex");
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect()
}

/// Walks all elements with [`Reader`]; gives the number of octets in primitive ones.
pub(super) fn walk_checked(octets: &[u8]) -> usize {
    fn inside(mut reader: Reader<'_>) -> usize {
        let mut sum = 0;
        while let Ok(Some(element)) = reader.next() {
            sum +=
                if element.constructed { element.reader().map_or(0, inside) } else { element.contents.len() };
        }
        sum
    }
    inside(Reader::new(octets))
}

/// The same with the least that a reader must do: definite lengths only, no limit on nesting, no places, no error but
/// "no".
pub(super) fn walk_least(octets: &[u8]) -> usize {
    fn inside(octets: &[u8]) -> Option<usize> {
        let mut rest = octets;
        let mut sum = 0;
        while !rest.is_empty() {
            let (constructed, contents, after) = element(rest)?;
            sum += if constructed { inside(contents)? } else { contents.len() };
            rest = after;
        }
        Some(sum)
    }
    inside(octets).unwrap_or(0)
}

/// Whether the first element is constructed, its contents, and what follows it.
pub(super) fn element(octets: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (&identifier, mut rest) = octets.split_first()?;
    if identifier & 0x1F == 0x1F {
        while rest.split_off_first()? & 0x80 != 0 {}
    }
    let length = usize::from(*rest.split_off_first()?);
    let length = if length < 0x80 {
        length
    } else {
        let (octets, after) = rest.split_at_checked(length & 0x7F)?;
        rest = after;
        octets.iter().fold(0, |sum: usize, &octet| sum.wrapping_shl(8) | usize::from(octet))
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((identifier & 0x20 != 0, contents, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_walks_see_the_same() {
        let message = golden_message();
        let sum = walk_checked(&message);
        assert!(sum > message.len() / 2 && sum < message.len());
        assert_eq!(walk_least(&message), sum);
    }
}
