//! HTTP/1.1 over a stream, one request for each connection (RFC 9112).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

/// Maximum length of a line of the head, and their number.
const MAX_LINE: u64 = 16 << 10;
const MAX_LINES: usize = 200;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Box<dyn Read>,
}

/// Sends a request and reads the head of the answer.
pub(super) fn ask(
    mut stream: UnixStream,
    method: &str,
    path: &str,
    body: Option<(&mut File, u64)>,
) -> io::Result<Answer> {
    let size = body
        .as_ref()
        .map_or(String::new(), |(_, size)| format!("Content-Type: application/x-tar\r\nContent-Length: {size}\r\n"));
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n{size}\r\n")?;
    if let Some((file, size)) = body {
        // An engine that refuses the request answers before it has read everything.
        match io::copy(&mut file.take(size), &mut stream) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    loop {
        let answer = head(&mut reader)?;
        // 100 (Continue) and the like are followed by the answer itself.
        if answer.0 >= 200 {
            return Ok(Answer { status: answer.0, body: framed(reader, answer.1) });
        }
    }
}

/// Framing of a body.
enum Frame {
    Chunks,
    Length(u64),
    Close,
}

fn framed(reader: BufReader<UnixStream>, frame: Frame) -> Box<dyn Read> {
    match frame {
        Frame::Chunks => Box::new(Chunks { inner: reader, left: 0, is_begun: false, is_over: false }),
        Frame::Length(size) => Box::new(Sized { inner: reader, left: size }),
        Frame::Close => Box::new(reader),
    }
}

/// The status and the framing of an answer.
fn head(reader: &mut impl BufRead) -> io::Result<(u16, Frame)> {
    let status = line(reader)?;
    let status = status.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| odd("no status"))?;
    let mut frame = Frame::Close;
    for _ in 0..MAX_LINES {
        let line = line(reader)?;
        if line.is_empty() {
            let has_none = status < 200 || status == 204 || status == 304;
            return Ok((status, if has_none { Frame::Length(0) } else { frame }));
        }
        let Some((name, value)) = line.split_once(':') else { return Err(odd("a header without a name")) };
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" if value.to_ascii_lowercase().contains("chunked") => frame = Frame::Chunks,
            "content-length" if !matches!(frame, Frame::Chunks) => {
                frame = Frame::Length(value.trim().parse().map_err(|_| odd("a length that is none"))?);
            }
            _ => {}
        }
    }
    Err(odd("too many headers"))
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(odd("a line that does not end"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| odd("a line that is no text"))
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer has {what}"))
}

/// A body of known length.
struct Sized<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Sized<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// A body in chunks (RFC 9112, 7.1).
struct Chunks<R> {
    inner: R,
    /// Bytes left of the chunk.
    left: u64,
    is_begun: bool,
    is_over: bool,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            if self.is_begun && !line(&mut self.inner)?.is_empty() {
                return Err(odd("a chunk of another length than it says"));
            }
            self.is_begun = true;
            let size = line(&mut self.inner)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16).map_err(|_| odd("a chunk without a length"))?;
            if self.left == 0 {
                self.is_over = true;
                return Ok(0);
            }
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> io::Result<String> {
        let mut found = String::new();
        let mut body = Chunks { inner: text.as_bytes(), left: 0, is_begun: false, is_over: false };
        body.read_to_string(&mut found).map(|_| found)
    }

    #[test]
    fn chunks_are_joined_and_a_cut_body_is_an_error() {
        // The example of RFC 9112, 7.1.3, and cuts of it.
        let text = "4\r\nWiki\r\n6;x=1\r\npedia \r\n0\r\n\r\n";
        assert_eq!(chunks(text).expect("a body"), "Wikipedia ");
        for cut in 0..text.len() - 4 {
            assert!(chunks(&text[..cut]).is_err(), "{cut}");
        }
        for bad in ["x\r\n", "-1\r\n", "4\r\nWikixx", "ffffffffffffffffff\r\n"] {
            assert!(chunks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn heads_are_bounded() {
        let read = |text: &str| head(&mut text.as_bytes()).map(|(status, _)| status);
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n\r\n").expect("a head"), 200);
        for bad in ["", "HTTP/1.1 2", "FTP 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nnothing\r\n\r\n"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_LINES + 1))).is_err());
        assert!(read(&format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(20_000))).is_err());
    }
}
