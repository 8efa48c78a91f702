//! Addresses that slimroot's own health probe requests (`packaging/probe/probe.c`).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Path of the probe in the image.
pub const PROBE: &str = "/slimroot-probe";

/// The kinds of addresses, with the port that may be left out.
const HTTP: &str = "http://";
const HTTPS: &str = "https://";
const TCP: &str = "tcp:";
const GRPC: &str = "grpc:";
/// The limits of the probe.
const MAX_ADDRESS: usize = 2048;
const MAX_SERVICE: usize = 100;

/// True if the text is an address for the probe.
pub(super) fn is_address(text: &str) -> bool {
    [HTTP, HTTPS, TCP, GRPC].iter().any(|kind| text.starts_with(kind))
}

/// Refuses an address that the probe cannot request.
///
/// # Errors
/// Returns a sentence that says what is wrong.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > MAX_ADDRESS {
        return Err(format!("an address has at most {MAX_ADDRESS} bytes"));
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{bad:?} must be written as %XX in an address"));
    }
    if text.starts_with(HTTPS) {
        return Err("slimroot's probe has no TLS: use http:// with a port without TLS, tcp:HOST:PORT, or CMD with a program of the \
                    image"
            .to_owned());
    }
    if let Some(rest) = text.strip_prefix(HTTP) {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        return host_and_port(&rest[..end], false);
    }
    let is_grpc = text.starts_with(GRPC);
    let rest = text.strip_prefix(GRPC).or_else(|| text.strip_prefix(TCP)).unwrap_or(text);
    let (place, service) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_grpc && place != rest {
        return Err("write tcp:HOST:PORT".to_owned());
    }
    if service.len() > MAX_SERVICE {
        return Err(format!("the name of a service has at most {MAX_SERVICE} bytes"));
    }
    host_and_port(place, true)
}

/// `HOST:PORT`. HOST must not need name resolution: the container requests itself, and the probe does not resolve
/// names.
fn host_and_port(text: &str, needs_port: bool) -> Result<(), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() && !host.contains('.') => (host, port),
        Some((host, _)) => return Err(format!("{host} is not an IPv6 address that slimroot's probe supports")),
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            if host != "localhost" && host.parse::<Ipv4Addr>().is_err() {
                return Err(format!(
                    "slimroot's probe does not resolve names, so {host:?} must be localhost or an address such as \
                     127.0.0.1"
                ));
            }
            (host, port)
        }
    };
    match port.strip_prefix(':').map(str::parse::<u16>) {
        Some(Ok(1..)) => Ok(()),
        None if port.is_empty() && !needs_port => Ok(()),
        _ => Err(format!("write a port from 1 to 65535 after {host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_need_no_name_service() {
        for good in [
            "http://127.0.0.1",
            "http://127.0.0.1:8000/health?full=1",
            "http://localhost:80",
            "http://[::1]:8000/",
            "tcp:127.0.0.1:5432",
            "grpc:localhost:50051",
            "grpc:[::1]:50051/shop.Cart",
        ] {
            assert!(is_address(good), "{good}");
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("https://127.0.0.1/", "no TLS"),
            ("http://app:8000/", "does not resolve names"),
            ("http://me@127.0.0.1/", "does not resolve names"),
            ("http:///health", "does not resolve names"),
            ("http://127.0.0.1:/", "a port"),
            ("http://127.0.0.1:0/", "a port"),
            ("http://127.0.0.1:70000/", "a port"),
            ("http://[::ffff:127.0.0.1]/", "not an IPv6 address"),
            ("http://[fe80::1%eth0]:1/", "not an IPv6 address"),
            ("http://127.0.0.1/a b", "%XX"),
            ("tcp:127.0.0.1", "a port"),
            ("tcp:127.0.0.1:80/x", "tcp:HOST:PORT"),
            ("grpc:127.0.0.1", "a port"),
        ] {
            assert!(check(bad).is_err_and(|says| says.contains(why)), "{bad}");
        }
    }
}
