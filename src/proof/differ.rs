//! Differences between two runs, and failures of a run that is compared with no other.

use std::collections::BTreeMap;

use super::Experiment;
use super::probe::Answer;
use super::run::Outcome;

const STREAMS: [&str; 2] = ["standard output", "standard error"];
/// Maximum length of a line in a message.
const MAX_SHOWN: usize = 160;

/// The part of a run that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The exit status, readiness, or the status of an answer. They are never treated as unsteady.
    End,
    /// An output.
    Stream(usize),
    /// The body of an answer.
    Answer(usize),
}

impl What {
    /// Name in reports.
    pub(super) fn name(self, experiment: &Experiment) -> String {
        match self {
            Self::End => "the end".to_owned(),
            Self::Stream(at) => STREAMS[at].to_owned(),
            Self::Answer(at) => format!("the answer to {}", experiment.probes[at].text),
        }
    }

    fn text(self, run: &Outcome) -> &[u8] {
        match self {
            Self::End => b"",
            Self::Stream(at) => &run.output[at],
            Self::Answer(at) => run.answers.get(at).map_or(b"", |answer| &answer.body),
        }
    }
}

/// A difference between two runs.
pub(super) struct Difference {
    pub(super) what: What,
    pub(super) says: String,
}

/// Lists differences between the packed run and one in the builder root.
pub(super) fn differences(run: &Outcome, other: &Outcome, experiment: &Experiment) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |what: What, says: String| found.push(Difference { what, says });
    let (own, theirs) = (end(run), end(other));
    if own != theirs {
        differ(What::End, format!("it {own}; in the builder root it {theirs}"));
    }
    if run.ready != other.ready {
        let says = if run.ready { "accepts connections only here" } else { "accepts no connection" };
        differ(What::End, format!("it {says}, unlike in the builder root"));
    }
    for (at, name) in STREAMS.iter().enumerate() {
        if run.output[at] != other.output[at] {
            let line = first_difference(&run.output[at], &other.output[at]);
            differ(What::Stream(at), format!("{name} differs from that in the builder root{line}"));
        }
    }
    for (at, (probe, (answer, known))) in
        experiment.probes.iter().zip(run.answers.iter().zip(&other.answers)).enumerate()
    {
        if answer.status != known.status {
            let says = format!("{} answers {}; in the builder root {}", probe.text, shown(answer), shown(known));
            differ(What::End, says);
        } else if answer.body != known.body {
            let line = first_difference(&answer.body, &known.body);
            differ(
                What::Answer(at),
                format!("the body of the answer to {} differs from that in the builder root{line}", probe.text),
            );
        }
    }
    found
}

/// Finds a line that both runs in the builder root print and the packed run does not, in output that varies.
pub(super) fn lacks(what: What, run: &Outcome, others: [&Outcome; 2], experiment: &Experiment) -> Option<Difference> {
    let count = |run: &Outcome| {
        let mut lines: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        what.text(run).split(|byte| *byte == b'\n').for_each(|line| *lines.entry(line.to_vec()).or_default() += 1);
        lines
    };
    let (own, [first, second]) = (count(run), others.map(count));
    let in_both = first.keys().filter(|line| !line.trim_ascii().is_empty() && second.contains_key(*line));
    let line = in_both.into_iter().find(|line| !own.contains_key(*line))?;
    let says =
        format!("{} lacks a line that it always has in the builder root: {}", what.name(experiment), line_shown(line));
    Some(Difference { what, says })
}

/// Lists failures of a run that is compared with no other.
pub(super) fn faults(run: &Outcome, experiment: &Experiment) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut fault = |says: String| found.push(Difference { what: What::End, says });
    if !run.is_right_end(experiment) {
        fault(format!("it {}", end(run)));
    }
    if experiment.ready.is_some() && !run.ready {
        fault("it accepts no connection".to_owned());
    }
    for (at, name) in STREAMS.iter().enumerate() {
        if let Some(wanted) = experiment.says[at].as_ref().filter(|wanted| !wanted.is_match(&run.output[at])) {
            fault(format!("{name} does not match `{wanted}`"));
        }
    }
    for (probe, answer) in experiment.probes.iter().zip(&run.answers) {
        if !probe.is_met(answer) {
            let wanted = probe.matches.as_ref().map(|wanted| format!(", and `{wanted}` should match"));
            fault(format!("{} answers {}{}", probe.text, shown(answer), wanted.unwrap_or_default()));
        }
    }
    found
}

/// Describes how a run ended, as a verb.
pub(crate) fn end(run: &Outcome) -> String {
    match (&run.failure, run.cut, run.stopped, run.status, run.signal) {
        (Some(failure), ..) => format!("cannot be executed: {failure}"),
        (_, Some(cut), ..) => format!("was ended because {cut}"),
        (_, _, true, ..) => "ran until it was stopped".to_owned(),
        (.., Some(status), _) => format!("ended with status {status}"),
        (.., signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

fn shown(answer: &Answer) -> String {
    match (answer.status, &answer.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) => format!("nothing ({failure})"),
        (None, None) => "nothing".to_owned(),
    }
}

/// The first line that differs, shortened.
fn first_difference(own: &[u8], theirs: &[u8]) -> String {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> { text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let (own, theirs) = (lines(own), lines(theirs));
    let at = own.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(own.len().min(theirs.len()));
    let line = |lines: &[Vec<u8>]| lines.get(at).map_or_else(|| "nothing".to_owned(), |line| line_shown(line));
    format!(" in line {}: {} instead of {}", at + 1, line(&own), line(&theirs))
}

fn line_shown(line: &[u8]) -> String {
    let line = crate::path::show(&line[..line.len().min(MAX_SHOWN)]).into_owned();
    if line.is_empty() { "nothing".to_owned() } else { format!("`{line}`") }
}
