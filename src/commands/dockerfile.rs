//! `slimroot dockerfile`: prints a Dockerfile with a last stage that slimroot makes.
//!
//! The file's own lines stay as they are. Its last stage becomes the builder; a stage from scratch follows, with the
//! files that slimroot packs and with every setting that the last stage has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::closure::DEFAULT_PATH;
use crate::config::{Healthcheck, PROBE};
use crate::dockerfile::{Dockerfile, Form, Instruction, MAX_TEXT, exec_or_shell, expand, pairs};
use crate::error::Error;
use crate::image_reader::{self, ReadOptions, Reference};
use crate::language::system_shell;
use crate::pack::{quoted_by, statements_of};
use crate::registry::Access;

/// The name for a last stage without one, and for the stage that packs.
const BUILDER: &str = "builder";
const PACKER: &str = "slimroot";
/// The user of an image that specifies none.
const ROOT: &str = "0:0";
/// Instructions that set run settings; the others create files.
const SETTINGS: [&str; 11] = [
    "ENV",
    "LABEL",
    "MAINTAINER",
    "EXPOSE",
    "VOLUME",
    "WORKDIR",
    "USER",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The Dockerfile; - is stdin.
    #[arg(value_name = "FILE", default_value = "Dockerfile")]
    file: PathBuf,
    /// Packs in a separate stage, so that the builder stage is unchanged. Always done if the builder is FROM scratch.
    #[arg(long)]
    packer: bool,
    /// Image that the last stage is based on, whose settings (ENV, USER, ENTRYPOINT, …) are repeated too: docker://NAME:TAG, a
    /// NAME:TAG of docker or podman, or an archive. Only its configuration is read.
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
}

/// A Dockerfile with a last stage, and notes on what it lacks.
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<Printed, Error> {
    let path = if options.file.as_os_str() == "-" { PathBuf::from("/dev/stdin") } else { options.file.clone() };
    let shown = path.display().to_string();
    let text = crate::text::read_bytes(&path).map_err(|error| Error::unreadable(&shown, error))?;
    if text.len() > MAX_TEXT {
        return Err(Error::new("bad-dockerfile", format!("{shown} has more than {} MiB", MAX_TEXT >> 20)));
    }
    let file = Dockerfile::parse(&String::from_utf8_lossy(&text))?;
    let base = options.base.as_deref().map(instructions_of).transpose()?;
    slim(&file, base.as_deref(), options.packer)
}

/// The settings of an image as instructions.
fn instructions_of(image: &str) -> Result<Vec<Instruction>, Error> {
    let reference = Reference::parse(image).ok_or_else(|| {
        Error::new("bad-argument", format!("--base {} is not an image", crate::path::show(image.as_bytes())))
            .help("write docker://NAME:TAG for an image in a registry, or NAME:TAG for one in a local store")
    })?;
    let read = ReadOptions { progress: &|_, _| (), stop: &|| false, access: &Access::default(), platform: None };
    let lines = statements_of(&image_reader::settings(&reference, &read)?);
    let mut file = Dockerfile::parse(&format!("FROM {image}\n{}\n", lines.join("\n")))?;
    Ok(file.stages.pop().map(|stage| stage.instructions).unwrap_or_default())
}

/// The file with its new last stages. `base` has the settings of the base image, if they are known.
fn slim(file: &Dockerfile, base: Option<&[Instruction]>, is_packed_apart: bool) -> Result<Printed, Error> {
    let Some((last, others)) = file.stages.split_last() else {
        return Err(Error::new("bad-dockerfile", "there is no FROM"));
    };
    let image = file.base_image(others.len()).unwrap_or_default();
    let image = run_text(image, &file.args);
    let lineage = file.lineage(others.len(), base.unwrap_or_default());
    let run = Run::of(file, &lineage);
    let entry = run.entry().ok_or_else(|| {
        Error::new(
            "bad-dockerfile",
            "the last stage has neither ENTRYPOINT nor CMD, so its base image decides what the container starts",
        )
        .help(format!(
            "--base docker://{image} reads that; or write the CMD of the base image into the Dockerfile, so that slimroot can \
             pack its program"
        ))
    })?;
    let name = last.name.clone().unwrap_or_else(|| free(file, BUILDER));
    let packer = free(file, PACKER);
    let mut out = file.head.clone();
    for stage in others {
        out.push_str(&stage.from);
        stage.instructions.iter().for_each(|one| out.push_str(&one.text));
    }
    out.push_str(last.from.trim_end());
    out.push_str(&if last.name.is_none() { format!(" AS {name}\n") } else { "\n".to_owned() });
    last.instructions.iter().for_each(|one| out.push_str(&one.text));
    let is_apart = is_packed_apart || last.base == "scratch";
    let from = if is_apart { &packer } else { &name };
    out.push_str(&if is_apart { run.packer(&packer, &name, &entry) } else { run.step(&entry) });
    out.push_str(&format!("\nFROM scratch\nCOPY --from={from} /rootfs /\n"));
    out.push_str(&run.settings(&lineage, file.escape));
    let is_known = base.is_some() || image == "scratch";
    let unknown = (!is_known).then(|| {
        format!(
            "settings of the base image {image} (ENV, USER, ENTRYPOINT, …) are not repeated: --base docker://{image} \
             reads them"
        )
    });
    let triggers = lineage.iter().any(|one| one.name == "ONBUILD");
    let left_out =
        triggers.then(|| "ONBUILD is not repeated: nothing can be built from an image without a shell".to_owned());
    Ok(Printed { text: out, notes: unknown.into_iter().chain(left_out).collect() })
}

/// The name of an image with the ARG before the first FROM.
fn run_text(image: &str, args: &[(String, Option<String>)]) -> String {
    let known = args.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    expand(image, &known).unwrap_or_else(|| image.to_owned())
}

/// A name that no stage of the file uses.
fn free(file: &Dockerfile, wanted: &str) -> String {
    let is_taken = |name: &String| file.stages.iter().any(|stage| stage.name.as_ref() == Some(name));
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// The settings of a stage.
/// CMD or ENTRYPOINT. A shell form is for the shell that SHELL named before it.
struct Started {
    words: Vec<String>,
    is_shell: bool,
}

#[derive(Default)]
struct Run {
    /// ARG and ENV with known values.
    known: BTreeMap<String, String>,
    env: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
    shell: Vec<String>,
    entrypoint: Option<Started>,
    cmd: Option<Started>,
    /// Programs of HEALTHCHECK.
    probes: Vec<String>,
    /// Address in the HEALTHCHECK, if slimroot's own probe can request it instead.
    address: Option<String>,
}

impl Run {
    fn of(file: &Dockerfile, lineage: &[&Instruction]) -> Self {
        // The shell of shell forms, until SHELL names another (Dockerfile reference, SHELL).
        let shell = vec![system_shell().to_owned(), "-c".to_owned()];
        let mut run = Self { shell, ..Self::default() };
        let global: BTreeMap<&str, &str> =
            file.args.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect();
        for one in lineage {
            run.read(one, &global);
        }
        run
    }

    fn read(&mut self, one: &Instruction, global: &BTreeMap<&str, &str>) {
        match one.name.as_str() {
            "ARG" => {
                for (name, value) in pairs(&one.rest) {
                    let value = value.or_else(|| global.get(name.as_str()).map(|value| (*value).to_owned()));
                    if let Some(value) = value.and_then(|value| expand(&value, &self.known)) {
                        self.known.entry(name).or_insert(value);
                    }
                }
            }
            "ENV" => {
                let before = self.known.clone();
                for (name, value) in pairs(&one.rest) {
                    let mut scope = before.clone();
                    scope.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
                    if let Some(value) = expand(&value.unwrap_or_default(), &scope) {
                        self.known.insert(name.clone(), value.clone());
                        self.env.retain(|(known, _)| *known != name);
                        self.env.push((name, value));
                    }
                }
            }
            "WORKDIR" => {
                let dir = expand(one.rest.trim_matches('"'), &self.known).unwrap_or_else(|| one.rest.clone());
                self.workdir = Some(match (&self.workdir, dir.starts_with('/')) {
                    (Some(above), false) => format!("{}/{dir}", above.trim_end_matches('/')),
                    (None, false) => format!("/{dir}"),
                    (_, true) => dir,
                });
            }
            "USER" => self.user = Some(expand(&one.rest, &self.known).unwrap_or_else(|| one.rest.clone())),
            "SHELL" => {
                if let Form::Exec(words) = exec_or_shell(&one.rest) {
                    self.shell = words;
                }
            }
            "ENTRYPOINT" => self.entrypoint = Some(self.started(&one.rest)),
            "CMD" => self.cmd = Some(self.started(&one.rest)),
            "HEALTHCHECK" => {
                self.probes = self.probe(one.rest.trim());
                self.address = Healthcheck::parse(&one.rest).ok().and_then(|check| check.address());
            }
            _ => {}
        }
    }

    /// The programs that a health check starts: a shell form starts the shell, and its first word.
    fn probe(&self, rest: &str) -> Vec<String> {
        let Some(command) = rest.strip_prefix("CMD") else { return Vec::new() };
        match exec_or_shell(command) {
            Form::Exec(words) => words.into_iter().take(1).collect(),
            Form::Shell(line) => {
                let first = line.split_whitespace().next().map(str::to_owned);
                self.shell.first().cloned().into_iter().chain(first).collect()
            }
        }
    }

    fn started(&self, rest: &str) -> Started {
        match exec_or_shell(rest) {
            Form::Exec(words) => Started { words, is_shell: false },
            Form::Shell(line) => Started { words: self.shell.iter().cloned().chain([line]).collect(), is_shell: true },
        }
    }

    /// Returns the command that the container starts (Dockerfile reference, "Understand how CMD and ENTRYPOINT
    /// interact").
    fn entry(&self) -> Option<Vec<String>> {
        let words = match (&self.entrypoint, &self.cmd) {
            (Some(entry), Some(cmd)) if !entry.is_shell => [&entry.words[..], &cmd.words].concat(),
            (Some(started), _) | (None, Some(started)) => started.words.clone(),
            (None, None) => return None,
        };
        (!words.is_empty()).then_some(words)
    }

    /// Options that both forms need, and the entry.
    fn options(&self, entry: &[String], circumstances: bool) -> Vec<String> {
        let mut words = vec!["build".to_owned(), "-o".to_owned(), "/rootfs".to_owned()];
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        self.probes.iter().for_each(|probe| add("--bin", probe));
        // An image without USER runs as root, and so does the new one.
        add("--user", self.user.as_deref().unwrap_or(ROOT));
        if circumstances {
            self.env.iter().for_each(|(name, value)| add("--env", &format!("{name}={value}")));
            self.workdir.iter().for_each(|dir| add("--workdir", dir));
        }
        words.push("--".to_owned());
        words.extend(entry.iter().cloned());
        words
    }

    /// The comment before the step that packs.
    fn comment(&self) -> String {
        let smaller = self.address.as_ref().map_or(String::new(), |address| {
            let check = json(&[PROBE.to_owned(), address.clone()]);
            format!("# Smaller: --healthcheck {address} instead of --bin, and HEALTHCHECK CMD {check}\n")
        });
        format!("\n# slimroot packs what the image needs.\n{smaller}")
    }

    /// The last steps of the builder stage, which has the settings itself.
    fn step(&self, entry: &[String]) -> String {
        let user = if self.user.is_some() { "USER root\n" } else { "" };
        let words = [vec!["/usr/local/bin/slimroot".to_owned()], self.options(entry, false)].concat();
        format!("{}{user}COPY slimroot /usr/local/bin/slimroot\nRUN {}\n", self.comment(), json(&words))
    }

    /// A stage that packs another one.
    fn packer(&self, name: &str, builder: &str, entry: &[String]) -> String {
        let mut words = self.options(entry, true);
        words.splice(1..1, ["--root".to_owned(), "/builder".to_owned()]);
        words.insert(0, "/slimroot".to_owned());
        format!(
            "{}FROM scratch AS {name}\nCOPY slimroot /slimroot\n\
             RUN --mount=type=bind,from={builder},target=/builder {}\n",
            self.comment(),
            json(&words)
        )
    }

    /// The settings of the stage for the new one: as written, except PATH, which is written out because scratch has
    /// none.
    fn settings(&self, lineage: &[&Instruction], escape: char) -> String {
        let mut out = String::new();
        let last = |name: &str| lineage.iter().rposition(|one| one.name == name);
        for (at, one) in lineage.iter().enumerate() {
            let counts_once = matches!(one.name.as_str(), "CMD" | "ENTRYPOINT" | "USER" | "HEALTHCHECK" | "STOPSIGNAL");
            let is_setting = SETTINGS.contains(&one.name.as_str()) || matches!(one.name.as_str(), "ARG" | "SHELL");
            if !is_setting || counts_once && last(&one.name) != Some(at) {
                continue;
            }
            let is_path = one.name == "ENV" && pairs(&one.rest).iter().any(|(name, _)| name == "PATH");
            if !is_path {
                let lines =
                    one.text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
                lines.for_each(|line| out.push_str(&format!("{line}\n")));
                continue;
            }
            for (name, written) in pairs(&one.rest) {
                let known = self.env.iter().find(|(known, _)| *known == name);
                // A variable that only the base image has is left to the builder, which replaces it by nothing.
                let value = match (known, written) {
                    (Some((_, value)), _) => quoted_by(value, escape),
                    (None, written) => format!("\"{}\"", written.unwrap_or_default()),
                };
                out.push_str(&format!("ENV {name}={value}\n"));
            }
        }
        out
    }
}

fn json(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| serde_json::Value::from(word.as_str()).to_string()).collect();
    format!("[{}]", words.join(", "))
}
