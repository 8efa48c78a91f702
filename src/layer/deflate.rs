//! Makes a complete deflate stream (RFC 1951) continuable. libdeflate compresses a buffer as a whole and marks its last
//! block as final; this clears the mark and ends the stream at a byte, so that another stream can follow.

/// Bits of `BFINAL` and `BTYPE` (RFC 1951, 3.2.3).
const HEAD_BITS: usize = 3;
/// Longest code (3.2.7).
const MAX_CODE: usize = 15;
/// Room for the empty stored block, and for reading eight bytes at a time.
pub(super) const TAIL: usize = 16;

/// Order of the lengths of code lengths (3.2.7).
const LENGTHS_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The symbol that ends a block.
const END_OF_BLOCK: usize = 256;

/// Makes the stream in the first `size` bytes of `out` continuable; `out` has at least [`TAIL`] zero bytes after it.
/// `None` if the bytes are not a deflate stream of this size.
pub(super) fn continuable(mut out: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let (head, end) = last_block(&out, size)?;
    out[head / 8] &= !(1 << (head % 8));
    // An empty stored block: three zero bits, zero bits up to a byte, the length 0 and its complement (3.2.4). The bits
    // after the stream are zero already.
    out.truncate((end + HEAD_BITS).div_ceil(8));
    out.extend([0, 0, 0xff, 0xff]);
    Some(out)
}

/// The position of the last block's first bit, and of the first bit after the stream.
fn last_block(out: &[u8], size: usize) -> Option<(usize, usize)> {
    let mut bits = Bits { bytes: out.get(..size + TAIL)?, at: 0, end: size * 8 };
    let mut codes = Codes::default();
    loop {
        let head = bits.at;
        let is_final = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.skip_stored()?,
            1 => codes.fixed()?.skip(&mut bits)?,
            2 => codes.read(&mut bits)?.skip(&mut bits)?,
            _ => return None,
        }
        if is_final {
            return (bits.at.div_ceil(8) == size).then_some((head, bits.at));
        }
    }
}

/// A position in a stream. Values start at the least significant bit (3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl Bits<'_> {
    /// The next bits, at least 57.
    #[inline]
    fn peek(&self) -> Option<u64> {
        let from = self.at / 8;
        let bytes: [u8; 8] = self.bytes.get(from..from + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes) >> (self.at % 8))
    }

    #[inline]
    fn take(&mut self, count: usize) -> Option<usize> {
        let value = self.peek()? & ((1 << count) - 1);
        self.skip(count)?;
        usize::try_from(value).ok()
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.end).then_some(())
    }

    fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let length = self.take(16)?;
        self.skip(16 + length * 8)
    }
}

/// Meaning of a code, as far as it matters for finding the end of a block.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Unused,
    Literal,
    Length,
    Distance,
    End,
}

/// A code.
#[derive(Clone, Copy, Default)]
struct Code {
    kind: Kind,
    /// Number of its bits together with the extra bits that follow it.
    bits: u8,
}

/// The codes of a block.
#[derive(Default)]
struct Codes {
    symbols: Table,
    distances: Table,
}

impl Codes {
    /// The fixed codes (3.2.6).
    fn fixed(&mut self) -> Option<&Self> {
        let length = |symbol| match symbol {
            0..=143 => 8,
            144..=255 => 9,
            256..=279 => 7,
            _ => 8,
        };
        let lengths: Vec<u8> = (0..288).map(length).collect();
        self.set(&lengths, &[5; 30])
    }

    /// The codes that a block defines (3.2.7).
    fn read(&mut self, bits: &mut Bits<'_>) -> Option<&Self> {
        let (symbols, distances, orders) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
        let mut own = [0; LENGTHS_ORDER.len()];
        for place in &LENGTHS_ORDER[..orders] {
            own[*place] = u8::try_from(bits.take(3)?).ok()?;
        }
        // The table is free until the codes of the block are known.
        self.symbols.set(&own, |_| (Kind::Literal, 0))?;
        let mut lengths: Vec<u8> = Vec::new();
        while lengths.len() < symbols + distances {
            let (symbol, code) = self.symbols.slow(bits.peek()?)?;
            bits.skip(usize::from(code.bits))?;
            let (value, count) = match symbol {
                0..=15 => (u8::try_from(symbol).ok()?, 1),
                16 => (*lengths.last()?, 3 + bits.take(2)?),
                17 => (0, 3 + bits.take(3)?),
                _ => (0, 11 + bits.take(7)?),
            };
            lengths.resize(lengths.len() + count, value);
        }
        self.set(lengths.get(..symbols)?, lengths.get(symbols..symbols + distances)?)
    }

    fn set(&mut self, symbols: &[u8], distances: &[u8]) -> Option<&Self> {
        self.symbols.set(symbols, |symbol| match symbol {
            0..END_OF_BLOCK => (Kind::Literal, 0),
            END_OF_BLOCK => (Kind::End, 0),
            // 3.2.5: eight lengths without extra bits, then four with each number of them; the last has none.
            257..=264 | 285 => (Kind::Length, 0),
            _ => (Kind::Length, (symbol - 261) / 4),
        })?;
        self.symbols.join_literals();
        // 3.2.5: four distances without extra bits, then two with each number of them.
        self.distances.set(distances, |symbol| (Kind::Distance, (symbol / 2).saturating_sub(1)))?;
        Some(self)
    }

    /// Skips the contents of a block.
    fn skip(&self, bits: &mut Bits<'_>) -> Option<()> {
        loop {
            let mut next = bits.peek()?;
            let mut code = self.symbols.code(next)?;
            if code.kind == Kind::Literal {
                // A lookup skips at most 11 bits of literals, so there are enough bits for another one and the bits
                // after it.
                bits.at += usize::from(code.bits);
                next >>= code.bits;
                code = self.symbols.code(next)?;
            }
            bits.at += usize::from(code.bits);
            match code.kind {
                Kind::Literal => {}
                Kind::Length => bits.at += usize::from(self.distances.code(next >> code.bits)?.bits),
                Kind::End => return (bits.at <= bits.end).then_some(()),
                Kind::Unused | Kind::Distance => return None,
            }
        }
    }
}

/// Number of bits with which codes are looked up; longer codes are rare.
const FAST: usize = 11;

/// A set of codes.
struct Table {
    /// By the next bits of the stream; `Unused` for codes that are longer.
    fast: Box<[Code; 1 << FAST]>,
    /// Number of bits of these codes themselves.
    lengths: Box<[u8; 1 << FAST]>,
    /// Number of codes of each length.
    counts: [usize; MAX_CODE + 1],
    /// Symbols with their codes, in the order of the codes.
    sorted: Vec<(usize, Code)>,
}

impl Default for Table {
    fn default() -> Self {
        let (fast, lengths) = (Box::new([Code::default(); 1 << FAST]), Box::new([0; 1 << FAST]));
        Self { fast, lengths, counts: [0; MAX_CODE + 1], sorted: Vec::new() }
    }
}

impl Table {
    /// Assigns codes to symbols from their lengths (3.2.2). `None` if there are more than fit.
    fn set(&mut self, lengths: &[u8], meaning: impl Fn(usize) -> (Kind, usize)) -> Option<()> {
        self.counts = [0; MAX_CODE + 1];
        for length in lengths.iter().filter(|length| **length > 0) {
            *self.counts.get_mut(usize::from(*length))? += 1;
        }
        // The next code of each length, and its place among all.
        let mut next = [(0_usize, 0); MAX_CODE + 1];
        for length in 1..=MAX_CODE {
            let (count, (code, place)) = (self.counts[length - 1], next[length - 1]);
            next[length] = ((code + count) << 1, place + count);
            if next[length].0 + self.counts[length] > 1 << length {
                return None;
            }
        }
        self.fast.fill(Code::default());
        self.sorted.clear();
        self.sorted.resize(self.counts.iter().sum(), Default::default());
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let (kind, extra) = meaning(symbol);
            let code = Code { kind, bits: length + u8::try_from(extra).ok()? };
            let bits = usize::from(*length);
            let (value, place) = next[bits];
            next[bits] = (value + 1, place + 1);
            self.sorted[place] = (symbol, code);
            if bits <= FAST {
                // Codes start at their most significant bit, other values at their least.
                for index in (value.reverse_bits() >> (usize::BITS as usize - bits)..1 << FAST).step_by(1 << bits) {
                    (self.fast[index], self.lengths[index]) = (code, *length);
                }
            }
        }
        Some(())
    }

    /// Extends entries of the table, so that one lookup skips as many literals as possible, and the length after them.
    fn join_literals(&mut self) {
        let single = self.fast.clone();
        for (index, code) in self.fast.iter_mut().enumerate() {
            while code.kind == Kind::Literal {
                let at = index >> code.bits;
                if single[at].kind == Kind::Unused || usize::from(code.bits + self.lengths[at]) > FAST {
                    break;
                }
                *code = Code { kind: single[at].kind, bits: code.bits + single[at].bits };
            }
        }
    }

    #[inline]
    fn code(&self, next: u64) -> Option<Code> {
        let code = self.fast[(next & ((1 << FAST) - 1)) as usize];
        if code.kind == Kind::Unused { self.slow(next).map(|(_, code)| code) } else { Some(code) }
    }

    /// Finds a code and its symbol bit by bit.
    fn slow(&self, mut next: u64) -> Option<(usize, Code)> {
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            value = value << 1 | usize::try_from(next & 1).ok()?;
            next >>= 1;
            first <<= 1;
            if value < first + count {
                return self.sorted.get(index + value - first).copied();
            }
            first += count;
            index += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(text: &[u8], level: i32) -> (Vec<u8>, usize) {
        let level = libdeflater::CompressionLvl::new(level).expect("a level");
        let mut compressor = libdeflater::Compressor::new(level);
        let mut out = vec![0; compressor.deflate_compress_bound(text.len()) + TAIL];
        let size = compressor.deflate_compress(text, &mut out).expect("room");
        (out, size)
    }

    /// Bytes of a kind that libdeflate stores, and others that it compresses with fixed and with own codes.
    fn texts() -> Vec<Vec<u8>> {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let random: Vec<u8> = (0..300_000).map(|_| noise()).collect();
        let words: Vec<u8> = (0..200_000).map(|_| b"etaoin shrdlu\n"[usize::from(noise()) % 14]).collect();
        let mixed = [&words[..], &random, &[0; 100_000], &words].concat();
        vec![vec![], vec![b'x'], vec![0; 1 << 20], random, words, mixed]
    }

    /// The decoder must read on after the end of each stream. `tests/it/gzip_layers.rs` has other decoders.
    #[test]
    fn streams_can_follow_each_other() {
        for level in 1..=12 {
            let (mut joined, mut expected) = (Vec::new(), Vec::new());
            for text in texts() {
                let (out, size) = compressed(&text, level);
                joined.extend(continuable(out, size).expect("a stream"));
                expected.extend(text);
            }
            joined.extend([3, 0]);
            let mut decoded = vec![0; expected.len()];
            let mut decoder = libdeflater::Decompressor::new();
            assert_eq!(decoder.deflate_decompress(&joined, &mut decoded), Ok(expected.len()), "level {level}");
            assert!(decoded == expected, "level {level}");
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        let (out, size) = compressed(b"some text, some text, some text", 6);
        assert!(continuable(out.clone(), size - 1).is_none());
        assert!(continuable(vec![0xff; 64], 48).is_none());
        assert!(continuable(out, size).is_some());
    }
}
