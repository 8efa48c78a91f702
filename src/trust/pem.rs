//! PEM, the text form of certificates (RFC 7468).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// PEM labels of certificates. OpenSSL's TRUSTED CERTIFICATE has trust settings after the certificate.
const LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"TRUSTED CERTIFICATE", b"X509 CERTIFICATE"];
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const PRIVATE: &[u8] = b"PRIVATE KEY";
/// Characters per line.
const LINE: usize = 64;

/// The certificates in DER, in order; `None` for one that is not valid base64.
pub fn certificates(text: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for line in text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        if let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) {
            open = LABELS.contains(&label).then(Vec::new);
        } else if line.starts_with(END) {
            found.extend(open.take().map(|lines| decode(&lines)));
        } else if let Some(lines) = &mut open {
            lines.extend_from_slice(line);
        }
    }
    found
}

/// True if the text contains a private key.
pub(super) fn has_private_key(text: &[u8]) -> bool {
    let labels = text.split(|b| *b == b'\n').filter_map(|line| line.trim_ascii().strip_prefix(BEGIN));
    labels.into_iter().any(|label| label.strip_suffix(DASHES).is_some_and(|label| label.ends_with(PRIVATE)))
}

pub(super) fn encode(der: &[u8]) -> String {
    let mut letters = String::new();
    for three in der.chunks(3) {
        let bits = three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 0x3f) as usize];
            letters.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for at in (0..letters.len()).step_by(LINE) {
        text.push_str(&letters[at..letters.len().min(at + LINE)]);
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn decode(letters: &[u8]) -> Option<Vec<u8>> {
    let letters = letters.trim_ascii_end();
    let end = letters.iter().rposition(|letter| *letter != b'=').map_or(0, |at| at + 1);
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    for four in letters[..end].chunks(4) {
        let mut bits = 0_u32;
        for letter in four {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|known| known == letter)?).ok()?;
        }
        bits <<= 6 * (4 - four.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for length in 0..200 {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(certificates(encode(&bytes).as_bytes()), [Some(bytes)]);
        }
    }
}
