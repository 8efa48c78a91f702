//! Requests to one registry: connection, credentials, redirects, retries.

use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use serde::Deserialize;
use ureq::http::{HeaderMap, Method, Request};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::address::is_loopback;
use super::auth::{Challenge, challenge, encoded};
use super::fault::{Fault, of_status, of_transport, registry_message};
use super::login::Login;
use super::{Access, Address};
use crate::error::Error;

/// Maximum number of tries of a request.
pub(super) const MAX_TRIES: u32 = 5;
/// The delay before the second try; each further delay is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Maximum delay; if a registry requests a longer one, the request fails.
const MAX_WAIT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 5;
const MAX_HEADERS: usize = 64 << 10;
/// Maximum size of the document of an error or of a token.
const MAX_ANSWER: u64 = 256 << 10;
/// Maximum length of a token.
const MAX_TOKEN: usize = 64 << 10;
const CONNECT: Duration = Duration::from_secs(20);
/// Time without traffic after which a connection fails.
const IDLE: Duration = Duration::from_secs(90);
/// Time for which a registry may process a request: some compute the digest of a large blob.
const THINK: Duration = Duration::from_secs(300);

/// The body of a request.
pub(super) enum Payload<'b> {
    /// No body and no length.
    None,
    Bytes(&'b [u8]),
    /// A function that opens the body for each try, and the number of bytes.
    Stream(&'b dyn Fn() -> io::Result<Box<dyn Read + 'b>>, u64),
}

/// A request.
pub(super) struct Ask<'b> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload<'b>,
    /// For messages: "read the manifest".
    pub(super) what: &'b str,
}

impl<'b> Ask<'b> {
    pub(super) fn new(method: Method, url: String, what: &'b str) -> Self {
        Self { method, url, headers: Vec::new(), payload: Payload::None, what }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same request to another URL.
    fn at(&self, url: String) -> Ask<'b> {
        let payload = match &self.payload {
            Payload::None => Payload::None,
            Payload::Bytes(bytes) => Payload::Bytes(bytes),
            Payload::Stream(open, size) => Payload::Stream(*open, *size),
        };
        Ask { method: self.method.clone(), url, headers: self.headers.clone(), payload, what: self.what }
    }
}

/// The answer to a request.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    pub(super) fn reader(self) -> Box<dyn Read> {
        Box::new(self.body.into_with_config().limit(u64::MAX).reader())
    }

    /// The whole body; an error of kind `FileTooLarge` if it has more bytes.
    pub(super) fn bytes(self, max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader().take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }
}

/// The last challenge of a registry, and the token for it.
#[derive(Default)]
struct Session {
    challenge: Option<Challenge>,
    token: Option<String>,
}

/// A registry, for one repository.
pub(super) struct Server<'a> {
    pub(super) address: Address,
    agent: Agent,
    /// `https://HOST` or `http://HOST`.
    base: String,
    login: Option<Login>,
    scopes: RefCell<Vec<String>>,
    session: RefCell<Session>,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Server<'a> {
    /// Connects, and finds out whether the registry speaks TLS.
    ///
    /// # Errors
    /// `registry-unreachable`, `registry-untrusted`, `bad-credentials`, `bad-ca-file`, `interrupted`.
    pub(super) fn open(
        address: &Address,
        access: &Access,
        actions: &str,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let may_be_plain = access.is_insecure || address.is_loopback();
        let scope = format!("repository:{}:{actions}", address.repository());
        let mut server = Self {
            agent: agent(&access.roots(address)?, access.is_insecure, address.is_loopback()),
            base: format!("https://{}", address.server()),
            login: access.login(address)?,
            address: address.clone(),
            scopes: RefCell::new(vec![scope]),
            session: RefCell::new(Session::default()),
            stop,
        };
        let first =
            if may_be_plain { server.ping() } else { server.patiently(|| server.ping()).map_err(Fault::lasting) };
        match first {
            Ok(()) => return Ok(server),
            Err(fault) if !may_be_plain || fault.error.code != "registry-unreachable" => return Err(fault.error),
            Err(_) => {}
        }
        server.base = format!("http://{}", address.server());
        server.patiently(|| server.ping())?;
        Ok(server)
    }

    /// Requests the version, and learns which credentials the registry requires.
    fn ping(&self) -> Result<(), Fault> {
        let answer = self.once(&Ask::new(Method::GET, self.url(""), "reach the registry"), None)?;
        if answer.status == 401 {
            self.session.borrow_mut().challenge = demand(&answer);
        }
        Ok(())
    }

    /// The URL of a path below `/v2/`.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2/{path}", self.base)
    }

    /// The URL of a path of the repository.
    pub(super) fn own(&self, path: &str) -> String {
        self.url(&format!("{}/{path}", self.address.repository()))
    }

    /// Adds a scope for another repository.
    pub(super) fn add_scope(&self, scope: String) {
        let mut scopes = self.scopes.borrow_mut();
        if !scopes.contains(&scope) {
            scopes.push(scope);
            self.session.borrow_mut().token = None;
        }
    }

    /// Sends a request until it succeeds, fails permanently or has failed too often. The returned answer has a status
    /// below 400.
    ///
    /// # Errors
    /// Every code of this module.
    pub(super) fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        self.patiently(|| self.send(ask))
    }

    /// Retries work that may succeed later.
    ///
    /// # Errors
    /// The last failure; `interrupted`.
    pub(super) fn patiently<T>(&self, mut work: impl FnMut() -> Result<T, Fault>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            match work() {
                Ok(found) => return Ok(found),
                Err(fault) => self.pause(fault, &mut tries)?,
            }
        }
    }

    /// Waits before another try.
    ///
    /// # Errors
    /// The failure itself, if a retry is useless; `interrupted`.
    pub(super) fn pause(&self, fault: Fault, tries: &mut u32) -> Result<(), Error> {
        *tries += 1;
        if (self.stop)() {
            return Err(Error::new("interrupted", "ended by a signal"));
        }
        let wait = fault.wait.unwrap_or_else(|| FIRST_WAIT * 2_u32.pow((*tries - 1).min(8)));
        if !fault.is_passing || *tries >= MAX_TRIES || wait > MAX_WAIT {
            return Err(fault.error);
        }
        let begun = Instant::now();
        while begun.elapsed() < wait {
            if (self.stop)() {
                return Err(Error::new("interrupted", "ended by a signal"));
            }
            std::thread::sleep((wait - begun.elapsed().min(wait)).min(Duration::from_millis(50)));
        }
        Ok(())
    }

    /// Sends a request with credentials, and again if the registry requests others.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn send(&self, ask: &Ask<'_>) -> Result<Answer, Fault> {
        let mut is_second = false;
        loop {
            let shown = self.credentials(ask.what)?;
            let answer = self.followed(ask, shown.as_deref())?;
            if answer.status != 401 || is_second {
                return self.judged(ask, answer, shown);
            }
            // The token may have expired, or lack the scope of another repository.
            let demand = demand(&answer);
            let mut session = self.session.borrow_mut();
            if demand.is_none() && session.challenge.is_none() {
                drop(session);
                return self.judged(ask, answer, shown);
            }
            session.challenge = demand.or(session.challenge.take());
            session.token = None;
            is_second = true;
        }
    }

    fn judged(&self, ask: &Ask<'_>, answer: Answer, shown: Option<String>) -> Result<Answer, Fault> {
        if answer.status < 400 {
            return Ok(answer);
        }
        let (status, wait) = (answer.status, retry_after(&answer));
        let secret = shown.and_then(|shown| shown.split_once(' ').map(|(_, secret)| secret.to_owned()));
        let secrets: Vec<String> =
            secret.into_iter().chain(self.login.iter().map(|login| login.secret().to_owned())).collect();
        let says = answer.bytes(MAX_ANSWER).map(|body| registry_message(&body, &secrets)).unwrap_or_default();
        Err(of_status(&self.address, ask.what, status, &says, wait))
    }

    /// Sends a request and follows redirects of reads. Credentials are sent only to the registry itself.
    fn followed(&self, ask: &Ask<'_>, shown: Option<&str>) -> Result<Answer, Fault> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let shown = shown.filter(|_| origin(&url) == origin(&self.base));
            let answer = self.once(&ask.at(url.clone()), shown)?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            if !matches!(ask.method, Method::GET | Method::HEAD) {
                return Err(self.odd("redirects an upload to another host, which no registry does"));
            }
            let next = answer.header("location").map(|to| self.resolved(&url, to));
            url = next.ok_or_else(|| self.odd("redirects without a location"))??;
        }
        Err(self.odd("redirects too often"))
    }

    /// Resolves a `Location`.
    ///
    /// # Errors
    /// A [`Fault`] for plain HTTP if TLS was used before.
    pub(super) fn resolved(&self, from: &str, to: &str) -> Result<String, Fault> {
        let scheme = from.split("://").next().unwrap_or("https");
        let url = if to.starts_with("https://") || to.starts_with("http://") {
            to.to_owned()
        } else if let Some(rest) = to.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if to.starts_with('/') {
            format!("{}{to}", origin(from))
        } else {
            let bare = from.split(['?', '#']).next().unwrap_or(from);
            format!("{}/{to}", bare.rsplit_once('/').map_or(bare, |(dir, _)| dir))
        };
        self.refuse_plain(&url)?;
        Ok(url)
    }

    /// Refuses a redirect from TLS to plain HTTP.
    fn refuse_plain(&self, url: &str) -> Result<(), Fault> {
        let is_plain = url.starts_with("http://");
        if is_plain && self.base.starts_with("https://") || !is_plain && !url.starts_with("https://") {
            return Err(self.odd("leads from TLS to plain HTTP"));
        }
        if is_plain
            && !is_loopback(&self.base["http://".len()..])
            && !is_loopback(host(url))
            && origin(url) != self.base
        {
            return Err(self.odd("leads to plain HTTP on another host"));
        }
        Ok(())
    }

    /// The failure for a violation of the protocol.
    pub(super) fn odd(&self, why: &str) -> Fault {
        let says = format!("{}: {} {why}", self.address, self.address.host());
        Fault::lasting(Error::new("bad-registry", says).help("check the registry, and proxies in front of it"))
    }

    fn once(&self, ask: &Ask<'_>, shown: Option<&str>) -> Result<Answer, Fault> {
        if (self.stop)() {
            return Err(Fault::lasting(Error::new("interrupted", "ended by a signal")));
        }
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.url);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(shown) = shown {
            request = request.header("authorization", shown);
        }
        let unbuilt = |_| self.odd("sends an invalid address");
        let sent = match ask.payload {
            Payload::None => self.agent.run(request.body(SendBody::none()).map_err(unbuilt)?),
            Payload::Bytes(mut bytes) => {
                let request = request.header("content-length", bytes.len().to_string());
                self.agent.run(request.body(SendBody::from_reader(&mut bytes)).map_err(unbuilt)?)
            }
            Payload::Stream(open, size) => {
                let mut reader = open().map_err(|error| Fault::lasting(Error::unreadable(&"the layer", error)))?;
                let request = request.header("content-length", size.to_string());
                self.agent.run(request.body(SendBody::from_reader(&mut reader)).map_err(unbuilt)?)
            }
        };
        let response = sent.map_err(|error| of_transport(&self.address, host(&ask.url), &error))?;
        let (parts, body) = response.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The value of `Authorization`, if the registry requires one.
    fn credentials(&self, what: &str) -> Result<Option<String>, Fault> {
        if let Some(Login::Token(token)) = &self.login {
            return Ok(Some(format!("Bearer {token}")));
        }
        let session = self.session.borrow();
        if let Some(token) = &session.token {
            return Ok(Some(format!("Bearer {token}")));
        }
        let demand = session.challenge.clone();
        drop(session);
        match demand {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(self.login.as_ref().and_then(basic)),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let token = self.token(&realm, service.as_deref(), scope.as_deref(), what)?;
                self.session.borrow_mut().token = Some(token.clone());
                Ok(Some(format!("Bearer {token}")))
            }
        }
    }

    /// Gets a token (distribution, "Token Authentication" and "OAuth2 Token Authentication").
    fn token(&self, realm: &str, service: Option<&str>, scope: Option<&str>, what: &str) -> Result<String, Fault> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            token: Option<String>,
            #[serde(default)]
            access_token: Option<String>,
        }
        self.refuse_plain(realm)?;
        let mut scopes = self.scopes.borrow().clone();
        scopes.extend(scope.filter(|scope| !scopes.iter().any(|own| own == scope)).map(str::to_owned));
        let mut fields: Vec<String> =
            service.map(|service| format!("service={}", encoded(service))).into_iter().collect();
        let answer = if let Some(Login::Identity(refresh)) = &self.login {
            fields.push(format!("scope={}", encoded(&scopes.join(" "))));
            fields.push(format!("grant_type=refresh_token&client_id=slimroot&refresh_token={}", encoded(refresh)));
            let form = fields.join("&");
            let mut ask = Ask::new(Method::POST, realm.to_owned(), what)
                .header("content-type", "application/x-www-form-urlencoded");
            ask.payload = Payload::Bytes(form.as_bytes());
            self.once(&ask, None)?
        } else {
            fields.extend(scopes.iter().map(|scope| format!("scope={}", encoded(scope))));
            if let Some(Login::Password(user, _)) = &self.login {
                fields.push(format!("account={}", encoded(user)));
            }
            let mark = if realm.contains('?') { '&' } else { '?' };
            let ask = Ask::new(Method::GET, format!("{realm}{mark}{}", fields.join("&")), what);
            self.once(&ask, self.login.as_ref().and_then(basic).as_deref())?
        };
        if answer.status >= 400 {
            let ask = Ask::new(Method::GET, String::new(), what);
            return self.judged(&ask, answer, None).map(|_| String::new());
        }
        let given = answer.bytes(MAX_ANSWER).ok().and_then(|bytes| serde_json::from_slice::<Given>(&bytes).ok());
        let token = given.and_then(|given| given.token.or(given.access_token));
        // The token becomes a header, so it must be one word.
        let is_word = |token: &String| {
            !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic())
        };
        token.filter(is_word).ok_or_else(|| self.odd("has a token server that returns no token"))
    }
}

fn agent(roots: &[ureq::tls::Certificate<'static>], is_insecure: bool, is_loopback: bool) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(roots))
        .disable_verification(is_insecure)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(MAX_HEADERS)
        .user_agent(concat!("slimroot/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(IDLE))
        .timeout_per_write(Some(IDLE))
        .timeout_recv_response(Some(THINK));
    // A proxy cannot reach a registry on this machine.
    let config = if is_loopback { config.proxy(None) } else { config };
    Agent::new_with_config(config.build())
}

fn basic(login: &Login) -> Option<String> {
    let Login::Password(user, password) = login else { return None };
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    Some(format!("Basic {text}"))
}

fn demand(answer: &Answer) -> Option<Challenge> {
    challenge(answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()))
}

/// `Retry-After` in seconds. Dates are ignored, because clocks differ.
fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// `SCHEME://HOST:PORT` of a URL.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?', '#']).map_or(url, |end| &url[..start + end])
}

fn host(url: &str) -> &str {
    origin(url).split_once("://").map_or("", |(_, host)| host)
}
