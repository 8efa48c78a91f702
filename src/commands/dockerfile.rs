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
use crate::language::system_shell;

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
}

pub(crate) fn run(options: &Options) -> Result<String, Error> {
    let path = if options.file.as_os_str() == "-" { PathBuf::from("/dev/stdin") } else { options.file.clone() };
    let shown = path.display().to_string();
    let text = crate::text::read_bytes(&path).map_err(|error| Error::unreadable(&shown, error))?;
    if text.len() > MAX_TEXT {
        return Err(Error::new("bad-dockerfile", format!("{shown} has more than {} MiB", MAX_TEXT >> 20)));
    }
    let file = Dockerfile::parse(&String::from_utf8_lossy(&text))?;
    slim(&file, options.packer)
}

/// The file with its new last stages.
fn slim(file: &Dockerfile, is_packed_apart: bool) -> Result<String, Error> {
    let Some((last, others)) = file.stages.split_last() else {
        return Err(Error::new("bad-dockerfile", "there is no FROM"));
    };
    let lineage = file.lineage(others.len());
    let run = Run::of(file, &lineage);
    let entry = run.entry().ok_or_else(|| {
        Error::new(
            "bad-dockerfile",
            "the last stage has neither ENTRYPOINT nor CMD, so its base image decides what the container starts",
        )
        .help("write the CMD of the base image into the Dockerfile, so that slimroot can pack its program")
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
    out.push_str(&run.settings(&lineage));
    Ok(out)
}

/// A name that no stage of the file uses.
fn free(file: &Dockerfile, wanted: &str) -> String {
    let is_taken = |name: &String| file.stages.iter().any(|stage| stage.name.as_ref() == Some(name));
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// The settings of a stage.
#[derive(Default)]
struct Run {
    /// ARG and ENV with known values.
    known: BTreeMap<String, String>,
    env: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
    shell: Vec<String>,
    entrypoint: Option<Form>,
    cmd: Option<Form>,
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
            // A new ENTRYPOINT resets a CMD that was inherited; docker does so across stages only.
            "ENTRYPOINT" => self.entrypoint = Some(exec_or_shell(&one.rest)),
            "CMD" => self.cmd = Some(exec_or_shell(&one.rest)),
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

    fn words(&self, form: &Form) -> Vec<String> {
        match form {
            Form::Exec(words) => words.clone(),
            Form::Shell(line) => self.shell.iter().cloned().chain([line.clone()]).collect(),
        }
    }

    /// Returns the command that the container starts (Dockerfile reference, "Understand how CMD and ENTRYPOINT
    /// interact").
    fn entry(&self) -> Option<Vec<String>> {
        let words = match (&self.entrypoint, &self.cmd) {
            (Some(Form::Shell(_)), _) | (Some(_), None) => self.words(self.entrypoint.as_ref()?),
            (Some(entry), Some(cmd)) => [self.words(entry), self.words(cmd)].concat(),
            (None, Some(cmd)) => self.words(cmd),
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
    fn settings(&self, lineage: &[&Instruction]) -> String {
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
            for (name, _) in pairs(&one.rest) {
                if let Some((_, value)) = self.env.iter().find(|(known, _)| *known == name) {
                    out.push_str(&format!("ENV {name}={}\n", serde_json::Value::from(value.as_str())));
                }
            }
        }
        out
    }
}

fn json(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| serde_json::Value::from(word.as_str()).to_string()).collect();
    format!("[{}]", words.join(", "))
}
