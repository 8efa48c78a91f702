//! The layers of an image while it is written: temporary files, one for each layer and compression that an output needs.

use std::path::PathBuf;

use super::aside::Aside;
use super::{Output, WriteOptions, WrittenTwin};
use crate::error::Error;
use crate::image::{Artifact, Image};
use crate::layer::{Blob, Codec, Layer, PassOptions, Tap, pack};
use crate::plan::Plan;
use crate::root::Tree;

/// Layers in temporary files, with their image.
pub(crate) struct Finished {
    pub(crate) image: Image,
    /// The second image, with the suffix of its tag.
    pub(crate) twin: Option<(String, Image)>,
    /// Documents that refer to the image, for outputs that keep them.
    pub(crate) artifacts: Vec<Artifact>,
    /// The layers' files, in the order of the image's layers; last that of the second image.
    pub(crate) blobs: Vec<PathBuf>,
    form: Form,
    has_parts: bool,
    /// Removes the files in the end.
    _asides: Vec<Aside>,
}

impl Finished {
    /// True if the output takes these layers.
    pub(super) fn is_for(&self, output: &(dyn Output + '_)) -> bool {
        let is_cut = self.has_parts && output.has_layers();
        output.codec().is_some_and(|codec| Form { codec, is_cut } == self.form)
    }

    /// All images, the first with an empty suffix.
    pub(super) fn images(&self) -> impl Iterator<Item = (&str, &Image)> {
        let twin = self.twin.iter().map(|(suffix, image)| (suffix.as_str(), image));
        [("", &self.image)].into_iter().chain(twin)
    }

    /// Bytes of all images, each layer once.
    pub(super) fn bytes(&self) -> u64 {
        let twin = self.twin.as_ref().map_or(0, |(_, image)| {
            let extra = image.layers.last().map_or(0, |layer| layer.size);
            extra + (image.config.len() + image.manifest.len()) as u64
        });
        self.image.bytes() + twin
    }

    /// Returns the part of the report about the second image.
    pub(super) fn written_twin(&self, name: String) -> Option<WrittenTwin> {
        let (_, image) = self.twin.as_ref()?;
        let layer = image.layers.last()?.clone();
        Some(WrittenTwin { name, layer, manifest: image.descriptor.digest, config: image.config_digest })
    }

    /// The layers of all images with their files.
    pub(super) fn layers(&self) -> impl Iterator<Item = (&Layer, &PathBuf)> {
        let extra = self.twin.iter().filter_map(|(_, image)| image.layers.last());
        self.image.layers.iter().chain(extra).zip(&self.blobs)
    }
}

/// Format of the layers of an output.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    codec: Codec,
    /// True if there is a layer for each part, false for a single one.
    is_cut: bool,
}

/// Layers being written.
struct Staged {
    form: Form,
    /// Directory of temporary files.
    near: PathBuf,
    asides: Vec<Aside>,
    layers: Vec<Layer>,
}

impl Staged {
    /// A new temporary file for a layer.
    fn blob(&mut self) -> Result<(String, Blob), Error> {
        let (near, codec) = (self.near.display().to_string(), self.form.codec);
        let mut aside = Aside::file(&self.near, &format!("layer-{}", codec.name()))?;
        let file = aside.create().map_err(|error| Error::unwritable(&near, error))?;
        self.asides.push(aside);
        Ok((near, Blob { codec, file }))
    }
}

/// Writes all layers that the outputs need, and hands the entries to those that want them. A file is read once; if the
/// image has several layers, it is read again for outputs that have only one.
///
/// # Errors
/// As of [`super::write`].
pub(super) fn write(
    tree: &dyn Tree,
    plan: &Plan,
    outputs: &mut [Box<dyn Output + '_>],
    options: &WriteOptions<'_>,
) -> Result<Vec<Finished>, Error> {
    let has_parts = !options.parts.is_empty();
    let mut staged = staged(outputs, has_parts);
    let mut taps: Vec<&mut dyn Tap> = outputs.iter_mut().filter_map(|output| output.tap(plan)).collect();
    let is_whole = !taps.is_empty() || staged.iter().any(|staged| !staged.form.is_cut);
    let passes = u64::from(is_whole) + u64::from(staged.iter().any(|staged| staged.form.is_cut));
    let mut passes = Passes { tree, options, done: 0, all: passes * plan.bytes() };
    if is_whole {
        passes.run(plan, "", staged.iter_mut().filter(|staged| !staged.form.is_cut).collect(), &mut taps)?;
    }
    for part in options.parts {
        let cut: Vec<&mut Staged> = staged.iter_mut().filter(|staged| staged.form.is_cut).collect();
        if !cut.is_empty() {
            passes.run(&part.plan, &part.title, cut, &mut [])?;
        }
    }
    if let Some(twin) = options.twin
        && !staged.is_empty()
    {
        passes.run(&twin.plan, "shell for debugging", staged.iter_mut().collect(), &mut [])?;
    }
    let finished = |Staged { form, asides, mut layers, .. }: Staged| {
        let blobs = asides.iter().map(|aside| aside.path().to_path_buf()).collect();
        let twin = options.twin.map(|twin| (twin.suffix.clone(), Image::build(&twin.plan, layers.clone())));
        layers.truncate(layers.len() - usize::from(twin.is_some()));
        let image = Image::build(plan, layers);
        let artifacts = options.attached.iter().map(|one| Artifact::of(one, &image.descriptor)).collect();
        Finished { image, twin, artifacts, blobs, form, has_parts, _asides: asides }
    };
    Ok(staged.into_iter().map(finished).collect())
}

/// Consecutive passes over the files.
struct Passes<'a> {
    tree: &'a dyn Tree,
    options: &'a WriteOptions<'a>,
    /// Bytes of earlier passes, and of all.
    done: u64,
    all: u64,
}

impl Passes<'_> {
    /// Writes one layer in every form.
    fn run(
        &mut self,
        plan: &Plan,
        title: &str,
        mut into: Vec<&mut Staged>,
        taps: &mut [&mut dyn Tap],
    ) -> Result<(), Error> {
        let blobs = into.iter_mut().map(|staged| staged.blob()).collect::<Result<Vec<_>, _>>()?;
        let PassOptions { threads, cache, progress, stop } = self.options.pass;
        let (before, all) = (self.done, self.all);
        let progress = |done: u64, _: u64| progress((before + done).min(all), all);
        let layers = pack(self.tree, plan, blobs, taps, &PassOptions { threads, cache, progress: &progress, stop })?;
        for (staged, layer) in into.into_iter().zip(layers) {
            staged.layers.push(Layer { title: title.to_owned(), ..layer });
        }
        self.done += plan.bytes();
        Ok(())
    }
}

/// The forms of layers that the outputs need.
fn staged(outputs: &[Box<dyn Output + '_>], has_parts: bool) -> Vec<Staged> {
    let mut staged: Vec<Staged> = Vec::new();
    // Prefer staging next to a file output, where the user chose the location. A stream needs the temporary directory.
    let (streams, files): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.is_stream());
    for output in files.into_iter().chain(streams) {
        let Some(codec) = output.codec() else { continue };
        let form = Form { codec, is_cut: has_parts && output.has_layers() };
        if !staged.iter().any(|known| known.form == form) {
            staged.push(Staged { form, near: output.staging(), asides: Vec::new(), layers: Vec::new() });
        }
    }
    staged
}
