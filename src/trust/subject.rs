//! Names and times of certificates.

use super::der;

/// commonName, organizationName, organizationalUnitName: the most descriptive first.
const TELLING: [&[u8]; 3] = [&[0x55, 4, 3], &[0x55, 4, 10], &[0x55, 4, 11]];

/// The canonical name that OpenSSL hashes (crypto/x509/x_name.c, x509_name_canon): strings in UTF-8 and lower case,
/// with single spaces, and without the outer SEQUENCE header.
pub(super) fn canonical(name: &[u8]) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    for set in der::all(name)? {
        let mut pairs = Vec::new();
        for pair in der::all(set.content)? {
            let fields = der::all(pair.content)?;
            let (kind, value) = (fields.first()?, fields.get(1)?);
            let value = match text(value) {
                Some(text) => der::make(der::UTF8, plain(&text).as_bytes()),
                None => value.whole.to_vec(),
            };
            pairs.push(der::make(der::SEQUENCE, &[kind.whole, &value].concat()));
        }
        pairs.sort();
        made.extend(der::make(der::SET, &pairs.concat()));
    }
    Some(made)
}

fn plain(text: &str) -> String {
    // Only ASCII whitespace is collapsed, and only ASCII letters are lower-cased.
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let words: Vec<&str> = text.split(is_blank).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

/// The text of a string value; `None` for other values.
fn text(value: &der::Value<'_>) -> Option<String> {
    let wide = |size: usize| {
        let letters = value.content.chunks_exact(size);
        let number = |letter: &[u8]| letter.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        letters.map(|letter| char::from_u32(number(letter)).unwrap_or('\u{fffd}')).collect()
    };
    match value.tag {
        der::UTF8 => Some(String::from_utf8_lossy(value.content).into_owned()),
        der::PRINTABLE | der::TELETEX | der::IA5 | der::VISIBLE => Some(wide(1)),
        der::BMP => Some(wide(2)),
        der::UNIVERSAL => Some(wide(4)),
        _ => None,
    }
}

/// The most descriptive part of a name.
pub(super) fn words(name: &[u8]) -> String {
    let mut pairs = Vec::new();
    for set in der::all(name).unwrap_or_default() {
        for pair in der::all(set.content).unwrap_or_default() {
            if let Some([kind, value]) = der::all(pair.content).as_deref() {
                pairs.push((kind.content, text(value).unwrap_or_default()));
            }
        }
    }
    let of = |kind: &&[u8]| pairs.iter().find(|(own, _)| own == kind).map(|(_, text)| text.clone());
    TELLING.iter().find_map(of).unwrap_or_else(|| "a certificate without a name".to_owned())
}

/// A time in seconds since 1970 (RFC 5280, section 4.1.2.5).
pub(super) fn seconds(time: &der::Value<'_>) -> Option<i64> {
    let digits = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let digits = match time.tag {
        // Two-digit years are between 1950 and 2049.
        der::UTC_TIME if digits.as_bytes().first()? < &b'5' => format!("20{digits}"),
        der::UTC_TIME => format!("19{digits}"),
        der::GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    // Gregorian calendar with years that start in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day;
    const BEFORE_1970: i64 = 719_469;
    Some((days - BEFORE_1970) * 86_400 + part(8, 10)? * 3600 + part(10, 12)? * 60 + part(12, 14)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |tag, text: &str| seconds(&der::Value { tag, content: text.as_bytes(), whole: &[] });
        assert_eq!(at(der::UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(der::UTC_TIME, "240229120000Z"), Some(1_709_208_000));
        assert_eq!(at(der::GENERALIZED_TIME, "21000301000001Z"), Some(4_107_542_401));
        assert_eq!(at(der::UTC_TIME, "no"), None);
    }
}
