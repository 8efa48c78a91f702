//! `slimroot vex`: lists vulnerabilities of a builder that its image does not have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::access::ImageAccess;
use super::diff::{is_remote, place};
use crate::attest::{Because, Given, Reported, Vex, VexAbout, VexFormat, reports, vex, write};
use crate::error::Error;
use crate::image_reader::Reference;
use crate::output::Document;
use crate::pack::{Input, Watch, epoch};
use crate::path::show;
use crate::sbom::Inventory;

/// Maximum number of reports of a kind in a note.
const MAX_NAMED: usize = 5;

/// Format of a VEX document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// OpenVEX 0.2.0.
    #[default]
    Openvex,
    /// CycloneDX 1.6 as JSON.
    Cyclonedx,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The image, or a directory with its files.
    image: String,
    /// The root or image from which the image was packed.
    #[arg(long, value_name = "DIR|IMAGE")]
    builder: String,
    /// Vulnerabilities of the builder: lines of VULNERABILITY COMPONENT [FILE…], or the JSON of grype or trivy. Repeatable.
    #[arg(long, value_name = "FILE", required = true)]
    vulnerabilities: Vec<PathBuf>,
    /// A VEX document whose statements are kept; slimroot adds none about vulnerabilities that it decides.
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
    /// Format of the document.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A name under which scanners know the image, such as pkg:oci/app@sha256%3A…; by default, made from its digest.
    /// Repeatable.
    #[arg(long, value_name = "IRI")]
    product: Vec<String>,
    /// Author of the document.
    #[arg(long, value_name = "NAME", default_value = "slimroot")]
    author: String,
    /// Where to write the document instead of stdout. An older file is replaced.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    access: ImageAccess,
}

/// A document for stdout, and notes.
pub(crate) struct Made {
    pub(crate) text: Option<File>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Made, Error> {
    let trees = [&options.image, &options.builder];
    if !trees.iter().any(|name| is_remote(name)) {
        let reads: Vec<PathBuf> = trees.iter().map(|name| place(name)).collect();
        let files = options.vulnerabilities.iter().chain(&options.merge).cloned();
        super::fence::raise_for(&reads.into_iter().chain(files).collect::<Vec<_>>(), options.output.as_slice());
    }
    let mut reported = Vec::new();
    for file in &options.vulnerabilities {
        reported.extend(reports(file)?);
    }
    let given = options.merge.as_deref().map(Given::read).transpose()?;
    let (builder, image) = (options.access.open(&options.builder, watch)?, options.access.open(&options.image, watch)?);
    let inventory = |name: &str, input: &Input| Inventory::of_tree(name, 0, &input.root);
    let (of_builder, of_image) = (inventory("builder", &builder)?, inventory("image", &image)?);
    let found = vex((&builder.root, &of_builder), (&image.root, &of_image), &reported)?;
    let about = about(options, &image)?;
    let format = match options.format {
        Format::Openvex => VexFormat::OpenVex,
        Format::Cyclonedx => VexFormat::CycloneDx,
    };
    let notes = notes(&found);
    if let Some(to) = &options.output {
        let mut fill = |out: &mut dyn Write| write(format, &about, &found.stated, given.as_ref(), out, &to.display());
        Document::write(to, &mut fill)?.place()?;
        return Ok(Made { text: None, notes });
    }
    let name = "the document in the temporary directory";
    let unwritable = |error| Error::unwritable(&name, error);
    let mut text = tempfile::tempfile().map_err(unwritable)?;
    let mut out = std::io::BufWriter::new(&text);
    write(format, &about, &found.stated, given.as_ref(), &mut out, &name)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    text.rewind().map_err(unwritable)?;
    Ok(Made { text: Some(text), notes })
}

/// The names of the image: its package URL (purl-spec, types/oci-definition), if it has a digest.
fn about(options: &Options, image: &Input) -> Result<VexAbout, Error> {
    let file = place(&options.image);
    let name = file.file_name().map_or_else(|| options.image.clone(), |name| name.to_string_lossy().into_owned());
    let address = Reference::parse(&options.image).map(|reference| reference.address()).transpose()?.flatten();
    let repository = address.as_ref().map(|address| format!("{}/{}", address.host(), address.repository()));
    let short = repository.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or(&name).to_lowercase();
    let digest = image.image.as_ref().and_then(|image| image.digest.clone());
    let own = digest.map(|digest| {
        let qualifier = repository.map(|path| format!("?repository_url={path}")).unwrap_or_default();
        format!("pkg:oci/{}@{}{qualifier}", encoded(&short), digest.replace(':', "%3A"))
    });
    let products = if options.product.is_empty() { own.into_iter().collect() } else { options.product.clone() };
    if products.is_empty() {
        return Err(Error::new(
            "bad-argument",
            "the image has no digest, so scanners would not know which image is meant",
        )
        .help("name it with --product, or give the image as oci:DIR:TAG or docker://HOST/NAME:TAG"));
    }
    Ok(VexAbout { name, products, author: options.author.clone(), epoch: epoch()? })
}

/// A part of a package URL.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b".-_~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn notes(found: &Vex) -> Vec<String> {
    let count = |because| found.stated.iter().filter(|one| one.because == because).count();
    let mut notes = vec![format!(
        "{} statements: {} components and {} named files with vulnerable code are not in the image",
        found.stated.len(),
        count(Because::ComponentAbsent),
        count(Because::CodeAbsent)
    )];
    let mut open: BTreeMap<&str, Vec<&Reported>> = BTreeMap::new();
    for (report, why) in &found.open {
        open.entry(why).or_default().push(report);
    }
    for (why, reports) in open {
        let name = |report: &&Reported| format!("{} of {}", show(report.vulnerability.as_bytes()), report.name);
        let mut names: Vec<String> = reports.iter().take(MAX_NAMED).map(name).collect();
        if reports.len() > MAX_NAMED {
            names.push("…".to_owned());
        }
        notes.push(format!("no statement about {} reports, because {why}: {}", reports.len(), names.join(", ")));
    }
    if found.foreign > 0 {
        notes.push(format!(
            "{} files of the image are not in the builder; there is no statement about their contents",
            found.foreign
        ));
    }
    notes
}
