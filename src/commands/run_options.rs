//! Options for how the image is run and named, shared by `build` and `slim`, and their conversion into a request.

use clap::{Args, ValueEnum};

use crate::config::exec_form;
use crate::error::Error;
use crate::pack::{PackRequest, healthcheck};
use crate::plan::ImageFormat;

/// The media types of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatOption {
    /// Those of the OCI image specification.
    Oci,
    /// Those of docker's image manifest, version 2, schema 2.
    Docker,
}

/// Settings of the image configuration besides environment, working directory, user, ports and labels.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings of the image")]
pub(crate) struct RunOptions {
    /// ENTRYPOINT: another way to write ENTRY, as a JSON array or words with quotes.
    #[arg(long, value_name = "WORDS", conflicts_with = "entry")]
    pub(crate) entrypoint: Option<String>,
    /// CMD: default arguments, which `docker run IMAGE ARGUMENTS` replaces.
    ///
    /// A JSON array, or words with quotes. Without an entry, the whole command.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) cmd: Option<String>,
    /// Volume of the image; its directory is packed, and belongs to the image's user if the root has none. Repeatable.
    #[arg(long, hide_short_help = true, value_name = "DIR")]
    pub(crate) volume: Vec<String>,
    /// Signal that stops a container, such as SIGINT.
    #[arg(long, hide_short_help = true, value_name = "SIGNAL")]
    pub(crate) stop_signal: Option<String>,
    /// Health check: an address such as http://127.0.0.1:8000/health, or a command as in a Dockerfile.
    ///
    /// http://HOST[:PORT][/PATH] (a status from 200 to 399 is healthy), tcp:HOST:PORT and grpc:HOST:PORT[/SERVICE] are
    /// requested by slimroot's own static probe (6 kB, no shell or curl needed), packed as /slimroot-probe. HOST is
    /// localhost or an IP address. Otherwise `CMD WORDS`: the program is packed, and executed without a shell; write
    /// CMD-SHELL for one. NONE turns off an inherited check. Options such as `--interval=30s --timeout=5s` may precede
    /// all of these.
    #[arg(long, value_name = "CHECK", allow_hyphen_values = true)]
    pub(crate) healthcheck: Option<String>,
    /// Author of the image.
    #[arg(long, hide_short_help = true, value_name = "TEXT")]
    pub(crate) author: Option<String>,
    /// Name of the image in outputs that do not specify one.
    #[arg(long, short = 't', value_name = "NAME[:TAG]")]
    pub(crate) tag: Option<String>,
    /// Media types of the image. Default: docker for an image with a health check, since engines other than Docker
    /// ignore health checks in OCI images; otherwise oci.
    #[arg(long, hide_short_help = true, value_enum, value_name = "FORMAT")]
    pub(crate) image_format: Option<FormatOption>,
}

impl RunOptions {
    /// The request with these options added.
    ///
    /// # Errors
    /// `bad-argument`.
    pub(crate) fn fill(&self, mut request: PackRequest) -> Result<PackRequest, Error> {
        let words = |option: &str, text: &String| {
            exec_form(text).map_err(|why| Error::new("bad-argument", format!("--{option}: {why}")))
        };
        if let Some(text) = &self.entrypoint {
            request.entry = words("entrypoint", text)?;
        }
        if let Some(text) = &self.cmd {
            request.command = Some(words("cmd", text)?);
        }
        request.volumes.clone_from(&self.volume);
        request.stop_signal.clone_from(&self.stop_signal);
        request.healthcheck = self.healthcheck.as_deref().map(healthcheck).transpose()?;
        request.author.clone_from(&self.author);
        request.tag.clone_from(&self.tag);
        request.image_format = self.image_format.map(|format| match format {
            FormatOption::Oci => ImageFormat::Oci,
            FormatOption::Docker => ImageFormat::Docker,
        });
        Ok(request)
    }

    /// These options take precedence over those of a file; lists are joined.
    pub(super) fn over(&self, file: &Self) -> Self {
        let either = |above: &Option<String>, below: &Option<String>| above.clone().or_else(|| below.clone());
        Self {
            entrypoint: either(&self.entrypoint, &file.entrypoint),
            cmd: either(&self.cmd, &file.cmd),
            volume: file.volume.iter().chain(&self.volume).cloned().collect(),
            stop_signal: either(&self.stop_signal, &file.stop_signal),
            healthcheck: either(&self.healthcheck, &file.healthcheck),
            author: either(&self.author, &file.author),
            tag: either(&self.tag, &file.tag),
            image_format: self.image_format.or(file.image_format),
        }
    }
}
