//! Probes: requests to a server in a trial, over HTTP/1.1 without encryption.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use regex::bytes::Regex;

use crate::error::Error;

/// Time that a server gets to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum size of an answer.
const MAX_ANSWER: u64 = 8 << 20;

/// Parts of a request besides the path.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// A request, with the answer that is expected.
#[derive(Clone, Debug)]
pub struct Probe {
    /// As written.
    pub text: String,
    pub(super) to: SocketAddr,
    path: String,
    host: String,
    status: Option<u16>,
    request: Request,
    /// A pattern that the body must match.
    pub(super) matches: Option<Regex>,
}

/// The answer of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    /// The status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// An address of the trial: loopback, because there is no other interface.
fn address(host: &str) -> Option<IpAddr> {
    match host.trim_start_matches('[').trim_end_matches(']') {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "::1" => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        other => other.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback).map(IpAddr::V4),
    }
}

impl Probe {
    /// Parses `http://HOST:PORT/PATH[=STATUS]`.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || {
            Error::new("bad-argument", format!("--probe {text} is not of the form http://127.0.0.1:PORT/PATH[=STATUS]"))
        };
        let (url, status) = match text.rsplit_once('=') {
            Some((url, status)) if status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()) => {
                (url, status.parse().ok())
            }
            _ => (text, None),
        };
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let (name, port) = match host.rsplit_once(':').filter(|(name, _)| !name.ends_with(':') && !name.is_empty()) {
            Some((name, port)) => (name, port.parse().map_err(|_| bad())?),
            None => (host, 80),
        };
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(bad());
        }
        let to = SocketAddr::new(address(name).ok_or_else(bad)?, port);
        let path = if path.is_empty() { "/" } else { path };
        let request = Request { method: "GET".to_owned(), headers: BTreeMap::new(), body: Vec::new() };
        let (path, host) = (path.to_owned(), host.to_owned());
        Ok(Self { text: text.to_owned(), to, path, host, status, request, matches: None })
    }

    /// This probe with another request, another status if there is one, and a pattern for the body.
    pub(super) fn with(self, request: Request, status: Option<u16>, matches: Option<Regex>) -> Self {
        let text =
            if request.method == "GET" { self.text.clone() } else { format!("{} {}", request.method, self.text) };
        Self { text, request, status: status.or(self.status), matches, ..self }
    }

    /// True if the answer has the status that is expected (without one, any below 400), and a body that matches.
    pub fn is_met(&self, answer: &Answer) -> bool {
        let is_right = |status: u16| self.status.map_or(status < 400, |wanted| status == wanted);
        answer.status.is_some_and(is_right) && self.matches.as_ref().is_none_or(|wanted| wanted.is_match(&answer.body))
    }

    /// Sends the request over a connection.
    pub(super) fn ask(&self, stream: std::io::Result<TcpStream>) -> Answer {
        stream
            .and_then(|stream| self.answer(stream))
            .unwrap_or_else(|error| Answer { failure: Some(error.to_string()), ..Answer::default() })
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<Answer> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (path, host) = (&self.path, &self.host);
        let Request { method, headers, body } = &self.request;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: slimroot\r\nAccept: */*\r\nConnection: close\r\n"
        );
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
        let mut bytes = Vec::new();
        let ended = stream.take(MAX_ANSWER).read_to_end(&mut bytes);
        // "HTTP/1.1 200 OK"
        let status = bytes.get(9..12).filter(|_| bytes.starts_with(b"HTTP/1."));
        let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let body = bytes.windows(4).position(|part| part == b"\r\n\r\n").map(|at| bytes[at + 4..].to_vec());
        match (status, ended) {
            (Some(status), _) => Ok(Answer { status: Some(status), body: body.unwrap_or_default(), failure: None }),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(std::io::Error::other("the answer is not HTTP")),
        }
    }
}

/// Parses `tcp:PORT`.
///
/// # Errors
/// `bad-argument`.
pub fn ready(text: &str) -> Result<SocketAddr, Error> {
    let port = text.strip_prefix("tcp:").and_then(|port| port.parse().ok()).filter(|port| *port > 0_u16);
    port.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        .ok_or_else(|| Error::new("bad-argument", format!("--ready {text} is not of the form tcp:PORT")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_go_to_the_trial_alone() {
        let parsed = |text| Probe::parse(text).ok().map(|probe| (probe.to.to_string(), probe.path, probe.status));
        let probe = |to: &str, path: &str, status| Some((to.to_owned(), path.to_owned(), status));
        assert_eq!(parsed("http://127.0.0.1:8000/a?b=1=404"), probe("127.0.0.1:8000", "/a?b=1", Some(404)));
        assert_eq!(parsed("http://localhost"), probe("127.0.0.1:80", "/", None));
        assert_eq!(parsed("http://[::1]:81/"), probe("[::1]:81", "/", None));
        for text in ["https://127.0.0.1/", "http://example.org/", "http://127.0.0.1:x/", "http://127.0.0.1/a b"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
