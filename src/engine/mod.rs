//! Local stores of engines, through the API over their unix sockets: that of docker (moby API, `/images/load` and
//! `/images/get`), which `podman system service` speaks too. Answers are untrusted and bounded.

mod http;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use http::Answer;

/// Transports of local stores, as skopeo names them.
pub const WORDS: [&str; 2] = ["docker-daemon", "containers-storage"];

/// The API version: that of docker 1.13, which current docker and podman still accept.
const VERSION: &str = "v1.41";
/// Time for which an engine may be silent. Loading an image of some GB takes a while.
const PATIENCE: Duration = Duration::from_secs(600);
/// The status of an answer if there is no such image.
const ABSENT: u16 = 404;
/// Maximum length of a message of an engine.
const MAX_MESSAGE: u64 = 1 << 20;

/// A local store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    word: &'static str,
    socket: PathBuf,
}

impl Engine {
    /// The store of a transport; the socket is that of the environment (DOCKER_HOST, CONTAINER_HOST), or the usual one.
    ///
    /// # Errors
    /// `bad-argument` for an address that is not a unix socket.
    pub fn find(word: &str) -> Result<Self, Error> {
        let docker = word == WORDS[0];
        let variable = if docker { "DOCKER_HOST" } else { "CONTAINER_HOST" };
        let word = if docker { WORDS[0] } else { WORDS[1] };
        let stated = std::env::var(variable).ok().filter(|text| !text.is_empty());
        let socket = match stated {
            Some(text) => match text.strip_prefix("unix://") {
                Some(path) => PathBuf::from(path),
                None => {
                    return Err(Error::new("bad-argument", format!("{word}: {variable} is not a unix socket"))
                        .help("write unix:///PATH; for an engine on another machine push to a registry"));
                }
            },
            None if docker => PathBuf::from("/var/run/docker.sock"),
            None => own_podman().unwrap_or_else(|| PathBuf::from("/run/podman/podman.sock")),
        };
        Ok(Self { word, socket })
    }

    /// The socket.
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Checks that the engine answers.
    ///
    /// # Errors
    /// `engine-unreachable`, `engine-refused`.
    pub fn ping(&self) -> Result<(), Error> {
        self.ask("GET", "/_ping", None)?.text(MAX_MESSAGE).map(drop).map_err(|error| self.cut(error))
    }

    /// True if the store has an image of this name.
    ///
    /// # Errors
    /// `engine-unreachable`, `engine-refused`.
    pub fn has(&self, name: &str) -> Result<bool, Error> {
        Ok(self.image(name, "json")?.is_some())
    }

    /// Loads an archive of docker's format.
    ///
    /// # Errors
    /// `engine-unreachable`, `engine-refused`.
    pub fn load(&self, archive: &mut File) -> Result<(), Error> {
        archive.rewind().map_err(|error| self.cut(error))?;
        let size = archive.metadata().map_err(|error| self.cut(error))?.len();
        let path = format!("/{VERSION}/images/load?quiet=1");
        let says = self.ask("POST", &path, Some((archive, size)))?.text(MAX_MESSAGE);
        let says = says.map_err(|error| self.cut(error))?;
        // A failed load is reported in a stream of messages, after the status was sent.
        let fault = says.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            message.get("error")?.as_str().map(str::to_owned)
        });
        match fault {
            Some(fault) => Err(self.refused(&fault)),
            None => Ok(()),
        }
    }

    /// Saves an image as an archive of docker's format.
    ///
    /// # Errors
    /// `image-missing`, `engine-unreachable`, `engine-refused`, `disk-full`.
    pub fn save(&self, name: &str, to: &mut File) -> Result<(), Error> {
        let Some(answer) = self.image(name, "get")? else {
            return Err(Error::new("image-missing", format!("{}:{name}: the store has no such image", self.word)));
        };
        let mut body = answer.body;
        io::copy(&mut body, to).map_err(|error| self.cut(error))?;
        to.rewind().map_err(|error| self.cut(error))
    }

    /// Requests a document about an image; `None` if there is no such image.
    fn image(&self, name: &str, what: &str) -> Result<Option<Answer>, Error> {
        // Names of images have no characters that would need to be escaped.
        let answer = self.send("GET", &format!("/{VERSION}/images/{name}/{what}"), None)?;
        if answer.status == ABSENT { Ok(None) } else { self.accepted(answer).map(Some) }
    }

    fn ask(&self, method: &str, path: &str, body: Option<(&mut File, u64)>) -> Result<Answer, Error> {
        self.accepted(self.send(method, path, body)?)
    }

    /// The answer to a request, whatever its status.
    fn send(&self, method: &str, path: &str, body: Option<(&mut File, u64)>) -> Result<Answer, Error> {
        let unreachable = |error: io::Error| {
            let says = format!("{}: there is no engine at {}", self.word, self.socket.display());
            let help = match self.word == WORDS[0] {
                true => "start docker, or set DOCKER_HOST to its unix socket",
                false => {
                    "start podman system service (systemctl start podman.socket), or set CONTAINER_HOST to its unix socket"
                }
            };
            Error::new("engine-unreachable", says).help(help).because(error)
        };
        let stream = UnixStream::connect(&self.socket).map_err(unreachable)?;
        let patient = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        patient.map_err(unreachable)?;
        http::ask(stream, method, path, body).map_err(|error| self.cut(error))
    }

    /// An answer with a status of success.
    fn accepted(&self, answer: Answer) -> Result<Answer, Error> {
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let status = answer.status;
        let says = answer.text(MAX_MESSAGE).unwrap_or_default();
        let message = serde_json::from_str::<serde_json::Value>(&says).ok();
        let message = message.as_ref().and_then(|message| message.get("message")?.as_str()).unwrap_or(&says);
        Err(self.refused(&format!("{message} (status {status})")))
    }

    fn cut(&self, error: io::Error) -> Error {
        Error::new("engine-unreachable", format!("{}: the connection to the engine broke", self.word)).because(error)
    }

    fn refused(&self, says: &str) -> Error {
        const MAX: usize = 300;
        let shown: String = crate::path::show(says.trim().as_bytes()).chars().take(MAX).collect();
        Error::new("engine-refused", format!("{}: the engine says: {shown}", self.word))
    }
}

/// The socket of the user's own podman.
fn own_podman() -> Option<PathBuf> {
    let dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty())?;
    Some(PathBuf::from(dir).join("podman/podman.sock")).filter(|socket| socket.exists())
}

impl Answer {
    /// The whole body as text.
    fn text(self, max: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.body.take(max).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
