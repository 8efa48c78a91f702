//! One run of a program: starts it, waits until it is ready, sends requests, stops it, and collects its output.

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::Experiment;
use super::probe::Answer;
use crate::guest::{Begun, Isolation, Trial, connect};
use crate::watch::{self, Trace};

const PACE: Duration = Duration::from_millis(10);
/// Delay between two attempts to connect.
const BETWEEN_TRIES: Duration = Duration::from_millis(40);
/// Time that a program gets to end after its stop signal.
const GRACE: Duration = Duration::from_secs(3);
/// Maximum size of output that is kept for each stream, and that is accepted.
const MAX_KEPT: usize = 1 << 20;
const MAX_OUTPUT: u64 = 256 << 20;
const SIGKILL: i32 = 9;

/// Observable result of a run.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// Exit status; absent if a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// True if it was stopped at the end of the planned time.
    pub stopped: bool,
    /// The reason why it was ended before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<&'static str>,
    /// True if it accepted a connection, as `--ready` requires.
    pub ready: bool,
    /// The reason why its program could not be executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Answers to the probes.
    pub answers: Vec<Answer>,
    /// Standard output and error.
    #[serde(skip)]
    pub output: [Vec<u8>; 2],
    /// Run time in milliseconds.
    pub milliseconds: u64,
    /// Paths that it looked up.
    #[serde(skip)]
    pub trace: Trace,
}

impl Outcome {
    /// True if the run has no failures that can be detected without a comparison.
    pub fn is_good(&self, experiment: &Experiment) -> bool {
        let is_said = experiment
            .says
            .iter()
            .zip(&self.output)
            .all(|(wanted, said)| wanted.as_ref().is_none_or(|wanted| wanted.is_match(said)));
        let is_ready = experiment.ready.is_none() || self.ready;
        self.is_right_end(experiment) && is_ready && is_said && self.is_answering(experiment)
    }

    /// True if it ended as expected.
    pub(super) fn is_right_end(&self, experiment: &Experiment) -> bool {
        let is_end = self.stopped || self.status == Some(experiment.status);
        is_end && self.failure.is_none() && self.cut.is_none()
    }

    fn is_answering(&self, experiment: &Experiment) -> bool {
        experiment.probes.len() == self.answers.len()
            && experiment.probes.iter().zip(&self.answers).all(|(probe, answer)| probe.is_met(answer))
    }
}

/// Runs a trial.
///
/// # Errors
/// The kernel's error, if it does not permit the isolation or the tracing.
pub(super) fn run(
    trial: &Trial<'_>,
    isolation: Isolation,
    experiment: &Experiment,
    stop: &(dyn Fn() -> bool + Sync),
) -> std::io::Result<Outcome> {
    let (out, to_out) = std::io::pipe()?;
    let (errors, to_errors) = std::io::pipe()?;
    let stdio: [OwnedFd; 3] = [input(&experiment.input)?.into(), to_out.into(), to_errors.into()];
    let said = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let listener = |pipe| Builder::new().spawn_scoped(scope, || listen(pipe, &said));
        let output = [listener(out)?, listener(errors)?];
        let (send, begun) = mpsc::channel();
        let (is_over, over) = mpsc::channel::<()>();
        let tracer = Builder::new().spawn_scoped(scope, move || {
            let _is_over = is_over;
            let began = |begun| {
                let _ = send.send(begun);
            };
            trial.run(isolation, stdio, &began)
        })?;
        let mut outcome = Outcome::default();
        if let Ok(begun) = begun.recv() {
            let mut guide = Guide { begun, experiment, over: &over, said: &said, stop, started };
            guide.follow_run(&mut outcome);
        }
        let ended = tracer.join().unwrap_or_else(|_| Err(std::io::Error::other("the tracer has failed")))?;
        outcome.output = output.map(|thread| thread.join().unwrap_or_default());
        outcome.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcome.failure = ended.failure.map(|error| error.to_string());
        if ended.is_crowded {
            outcome.cut = Some("it has too many processes");
        }
        (outcome.status, outcome.signal, outcome.trace) = (ended.status, ended.signal, ended.trace);
        if outcome.failure.is_some() {
            outcome.status = None;
        }
        Ok(outcome)
    })
}

/// The standard input, as a file without a name.
fn input(text: &[u8]) -> std::io::Result<std::fs::File> {
    use std::io::{Seek, Write};
    if text.is_empty() {
        return std::fs::File::open("/dev/null");
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(text)?;
    file.rewind()?;
    Ok(file)
}

/// Reads a pipe to its end; keeps the beginning.
fn listen(mut pipe: std::io::PipeReader, said: &AtomicU64) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        said.fetch_add(read as u64, Ordering::Relaxed);
        let room = MAX_KEPT.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&buffer[..room]);
    }
    kept
}

/// Controls a running program during its trial.
struct Guide<'a> {
    begun: Begun,
    experiment: &'a Experiment,
    over: &'a mpsc::Receiver<()>,
    said: &'a AtomicU64,
    stop: &'a (dyn Fn() -> bool + Sync),
    started: Instant,
}

impl Guide<'_> {
    fn follow_run(&mut self, outcome: &mut Outcome) {
        let experiment = self.experiment;
        let mut sockets = std::mem::take(&mut self.begun.sockets).into_iter();
        if let Some(to) = experiment.ready {
            let Some(socket) = sockets.next() else { return };
            while !outcome.ready {
                outcome.ready = connect(&socket, to).is_ok();
                if !outcome.ready && self.wait(BETWEEN_TRIES, outcome) {
                    return;
                }
            }
        }
        for (probe, socket) in experiment.probes.iter().zip(sockets) {
            outcome.answers.push(probe.ask(connect(&socket, probe.to)));
        }
        match experiment.lasts {
            Some(time) => {
                if self.wait(time.saturating_sub(self.started.elapsed()), outcome) {
                    return;
                }
            }
            None if experiment.is_server() => {}
            None => {
                self.wait(experiment.limit, outcome);
                return;
            }
        }
        outcome.stopped = true;
        watch::kill(self.begun.pid, experiment.stop_signal);
        if !self.is_over(GRACE) {
            watch::kill(self.begun.pid, SIGKILL);
        }
    }

    fn is_over(&self, time: Duration) -> bool {
        self.over.recv_timeout(time) != Err(mpsc::RecvTimeoutError::Timeout)
    }

    /// Waits; true if the program has ended, or was ended because a limit was reached.
    fn wait(&self, time: Duration, outcome: &mut Outcome) -> bool {
        let begun = Instant::now();
        loop {
            if self.is_over(PACE.min(time)) {
                return true;
            }
            let cut = match () {
                () if (self.stop)() => Some("it was interrupted"),
                () if self.started.elapsed() >= self.experiment.limit => Some("it did not end in time"),
                () if self.said.load(Ordering::Relaxed) > MAX_OUTPUT => Some("it wrote too much"),
                () => None,
            };
            if cut.is_some() {
                outcome.cut = cut;
                watch::kill(self.begun.pid, SIGKILL);
                return true;
            }
            if begun.elapsed() >= time {
                return false;
            }
        }
    }
}

/// The sockets that an experiment needs: for each, true if it is for IPv6.
pub(super) fn sockets(experiment: &Experiment) -> Vec<bool> {
    let all: Vec<SocketAddr> =
        experiment.ready.into_iter().chain(experiment.probes.iter().map(|probe| probe.to)).collect();
    all.iter().map(SocketAddr::is_ipv6).collect()
}
