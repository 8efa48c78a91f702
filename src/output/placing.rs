//! Moves what is complete into place: all of it or nothing. The order is: data for streams, files and directories,
//! documents, tags in registries. Each step is harder to take back than the one before it, and a document that is in
//! place is about an image that is in place too.

use super::layers::Finished;
use super::{Destination, Document, Output, Prepared, Written};
use crate::cleanup;
use crate::error::Error;
use crate::layer::interrupted;
use crate::plan::Plan;

/// Completes all outputs before the first is moved into place, so that a failure leaves none of them behind.
pub(super) fn put_all(
    mut outputs: Vec<Box<dyn Output + '_>>,
    mut documents: Vec<Document>,
    destinations: &[Destination],
    (plan, finished): (&Plan, &[Finished]),
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Written>, Error> {
    let mut puts: Vec<Prepared> = outputs.iter().map(|_| Prepared::default()).collect();
    // Streams come last, after all other outputs proved to be writable, because their data cannot be taken back.
    for are_streams in [false, true] {
        for (output, put) in outputs.iter_mut().zip(&mut puts).filter(|(output, _)| output.is_stream() == are_streams) {
            if stop() {
                return Err(interrupted());
            }
            *put = output.prepare(plan, finished_for(&**output, finished), stop)?;
        }
        if !are_streams {
            documents.iter_mut().try_for_each(Document::send)?;
        }
    }
    if stop() {
        return Err(interrupted());
    }
    place_all(&mut outputs, &mut documents, destinations)?;
    let mut written = Vec::new();
    for ((output, destination), mut put) in outputs.into_iter().zip(destinations).zip(puts) {
        let finished = finished_for(&*output, finished);
        put.notes.extend(output.settle());
        let image = finished.map(|finished| &finished.image).filter(|_| put.has_image);
        let kept = finished.filter(|_| destination.has_referrers());
        let referrers = kept.iter().flat_map(|kept| &kept.artifacts).map(|one| one.descriptor.digest).collect();
        let layers = finished.map(|finished| finished.image.layers.clone()).unwrap_or_default();
        written.push(Written {
            destination: destination.text.clone(),
            is_stdout: destination.is_stdout(),
            bytes: put.bytes,
            layer: layers.first().filter(|_| layers.len() == 1).cloned(),
            layers: if layers.len() == 1 { Vec::new() } else { layers },
            manifest: image.map(|image| image.descriptor.digest),
            config: image.map(|image| image.config_digest),
            referrers,
            twin: put.twin.and_then(|name| finished?.written_twin(name)),
            notes: put.notes,
        });
    }
    Ok(written)
}

/// Moves documents into place without an image: all or none.
///
/// # Errors
/// `output-exists`, `output-unwritable`, `disk-full`.
pub(crate) fn place_documents(mut documents: Vec<Document>) -> Result<(), Error> {
    documents.iter_mut().try_for_each(Document::send)?;
    place_all(&mut [], &mut documents, &[])
}

/// One thing to move into place.
#[derive(Clone, Copy)]
enum Step {
    Output(usize),
    Document(usize),
}

/// Moves everything into place or nothing.
///
/// # Errors
/// `output-exists`, `output-unwritable`. If something could not be taken back, the error names it.
fn place_all(
    outputs: &mut [Box<dyn Output + '_>],
    documents: &mut [Document],
    destinations: &[Destination],
) -> Result<(), Error> {
    let of_outputs = |is_last: bool| {
        let these = outputs.iter().enumerate().filter(move |(_, output)| output.is_placed_last() == is_last);
        these.map(|(at, _)| Step::Output(at)).collect::<Vec<_>>()
    };
    let (first, last) = (of_outputs(false), of_outputs(true));
    let order: Vec<Step> = first.into_iter().chain((0..documents.len()).map(Step::Document)).chain(last).collect();
    cleanup::begin_placing();
    for (done, step) in order.iter().enumerate() {
        let placed = match *step {
            Step::Output(at) => outputs[at].place(),
            Step::Document(at) => documents[at].put(),
        };
        let Err(mut error) = placed else { continue };
        let mut stay = Vec::new();
        for step in order[..done].iter().rev() {
            let (taken, name) = match *step {
                Step::Output(at) => (outputs[at].take_back(), destinations[at].text.clone()),
                Step::Document(at) => (documents[at].take_back(), documents[at].to().display().to_string()),
            };
            if let Err(why) = taken {
                stay.push(format!("{name} ({why})"));
            }
        }
        if stay.is_empty() {
            cleanup::placing_failed();
        } else {
            error.says = format!("{}; already in place and not removed: {}", error.says, stay.join(", "));
        }
        return Err(error);
    }
    Ok(())
}

fn finished_for<'a>(output: &(dyn Output + '_), finished: &'a [Finished]) -> Option<&'a Finished> {
    finished.iter().find(|finished| finished.is_for(output))
}
