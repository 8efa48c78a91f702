//! Reading and writing the part of DER (X.690, section 8) that certificates and key stores need.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const TELETEX: u8 = 0x14;
pub(super) const IA5: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const VISIBLE: u8 = 0x1a;
pub(super) const UNIVERSAL: u8 = 0x1c;
pub(super) const BMP: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const CONTEXT_0: u8 = 0xa0;

/// A value: its tag, its content, and its complete encoding.
#[derive(Clone, Copy)]
pub(super) struct Value<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    pub(super) whole: &'d [u8],
}

/// The first value, and the bytes after it.
pub(super) fn first(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(short) {
        length @ 0..0x80 => (length, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long & 0x7f)?;
            // Lengths of more than four bytes do not occur: such files are not read.
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = &bytes[..bytes.len() - rest.len()];
    Some((Value { tag, content, whole }, rest))
}

/// A sequence of values; `None` if the bytes contain anything else.
pub(super) fn all(mut bytes: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = first(bytes)?;
        found.push(value);
        bytes = rest;
    }
    Some(found)
}

/// Encodes a value.
pub(super) fn make(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut made = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ 0..0x80) => made.push(length),
        _ => {
            let digits = content.len().to_be_bytes();
            let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
            made.push(0x80 | digits.len() as u8);
            made.extend_from_slice(digits);
        }
    }
    made.extend_from_slice(content);
    made
}
