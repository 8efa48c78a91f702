//! Rules: the consequences of facts for the image. There is one file per rule. A rule reads the state and answers with
//! demands. It changes nothing, so the same facts always give the same image.

mod argument_commands;
mod beam_programs;
mod beside_program;
mod bytecode;
mod claim;
mod command_names;
mod copy;
mod dlopen_name;
mod dlopen_note;
mod elf;
mod embedded_objects;
mod include;
mod jar_programs;
mod languages;
mod named_helpers;
mod named_paths;
mod named_programs;
mod named_settings;
mod nsswitch;
mod own_commands;
mod own_settings;
mod own_sources;
mod package;
mod package_commands;
mod package_files;
mod package_scripts;
mod package_sources;
mod package_tables;
mod profile_make;
mod profile_open;
mod profile_start;
mod profile_take;
mod profile_trigger;
mod same_source;
mod settings;
mod source_commands;
mod source_data;
mod subcommand;
mod trace;

pub(super) use bytecode::interpreters;
pub(super) use settings::config_programs;

use super::demand::Demand;
use super::state::{Applied, State};
use super::worklist::Fact;
use crate::error::Error;

/// The id of a rule: in `why`, in JSON, in `slimroot explain rule:ID` and `--no-rule ID`.
pub type RuleId = &'static str;

/// The kinds of facts that a rule can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Begin,
    Launched,
    Resolved,
    Required,
    Brought,
    Applied,
    Held,
    Changed,
}

/// A rule.
pub(super) struct Rule {
    /// Its id.
    pub(super) id: RuleId,
    /// One sentence: the files that it packs, and the evidence for them.
    pub(super) about: &'static str,
    /// True if the packages of objects that it opens are packed too.
    pub(super) brings_packages: bool,
    pub(super) facts: &'static [On],
    pub(super) on: fn(&State<'_>, Fact) -> Result<Vec<Demand>, Error>,
}

impl Rule {
    pub(super) fn takes(&self, fact: Fact) -> bool {
        let kind = match fact {
            Fact::Begin => On::Begin,
            Fact::Launched(_) => On::Launched,
            Fact::Resolved(_) => On::Resolved,
            Fact::Required(_) => On::Required,
            Fact::Brought(_) => On::Brought,
            Fact::Applied(_) => On::Applied,
            Fact::Held(_) => On::Held,
            Fact::Changed => On::Changed,
        };
        self.facts.contains(&kind)
    }
}

/// The entry and each `--bin`, from which everything starts.
pub(super) static ENTRY: Rule = Rule {
    id: "entry",
    about: "Packs the entry, each --bin, and the interpreters that their #! lines name.",
    brings_packages: true,
    facts: &[],
    on: |_, _| Ok(Vec::new()),
};

/// The rule whose plug-ins a configuration names.
pub(super) const SETTINGS: RuleId = settings::RULE.id;

/// The rule for what objects inside other files need.
pub(super) const EMBEDDED: RuleId = embedded_objects::RULE.id;

/// Steps after the last fact. They do not react to facts, but `why` shows their names.
pub(super) const TRUST: RuleId = "trust";
pub(super) const RECORDS: RuleId = "package-records";

/// All rules, in the order in which they receive facts.
pub(super) static RULES: &[Rule] = &[
    elf::RULE,
    dlopen_note::RULE,
    dlopen_name::RULE,
    embedded_objects::RULE,
    languages::MISSING_APPLICATION,
    languages::ARGUMENTS,
    languages::DOTNET,
    languages::JAVA,
    languages::NODE,
    languages::PERL,
    languages::PHP,
    languages::PYTHON,
    languages::R,
    languages::RUBY,
    languages::SHELL,
    languages::WRAPPER,
    languages::UNREAD,
    beside_program::RULE,
    claim::RULE,
    package_files::RULE,
    package_scripts::RULE,
    package_sources::RULE,
    same_source::RULE,
    package_commands::RULE,
    source_commands::RULE,
    named_paths::RULE,
    named_programs::RULE,
    command_names::RULE,
    own_commands::RULE,
    own_settings::RULE,
    own_sources::RULE,
    subcommand::RULE,
    argument_commands::RULE,
    jar_programs::RULE,
    beam_programs::RULE,
    copy::RULE,
    include::RULE,
    package::RULE,
    trace::RULE,
    profile_take::RULE,
    settings::RULE,
    profile_open::RULE,
    profile_start::RULE,
    profile_make::RULE,
    profile_trigger::RULE,
    nsswitch::RULE,
    named_settings::RULE,
    package_tables::RULE,
    bytecode::RULE,
];

/// All rules with their descriptions, including the steps of the seal.
pub fn pages() -> Vec<(RuleId, &'static str)> {
    let seal = [
        (TRUST, "Adds the authorities of --ca to every trust store that is packed."),
        (RECORDS, "Writes the package database records and licences of the packages that are packed."),
    ];
    let all = std::iter::once(&ENTRY).chain(RULES).map(|rule| (rule.id, rule.about));
    all.chain(seal).collect()
}

/// True for the id of a rule that `--no-rule` leaves out.
pub fn is_optional(id: &str) -> bool {
    RULES.iter().any(|rule| rule.id == id)
}

/// The rule with this id.
pub(super) fn find(id: RuleId) -> Option<&'static Rule> {
    std::iter::once(&ENTRY).chain(RULES).find(|rule| rule.id == id)
}

/// The applied profiles that a fact concerns: the new one; or, if new programs or arguments are known, each profile
/// that reads them. Each comes with the answer by which the rule remembers that it has handled it.
fn applied<'s>(
    state: &'s State<'_>,
    rule: RuleId,
    fact: Fact,
    reads_programs: impl Fn(&crate::profile::Profile) -> bool,
) -> Vec<(&'s Applied, &'s crate::profile::Profile, Demand)> {
    let known = |applied: &'s Applied| Some((applied, state.profile(&applied.profile)?));
    let answer = |name: &str| format!("{name} {}", state.news);
    let fresh: Vec<_> = match fact {
        Fact::Applied(at) => state.applied.get(at).into_iter().filter_map(known).collect(),
        _ => state
            .applied
            .iter()
            .filter_map(known)
            .filter(|(_, profile)| reads_programs(profile))
            .filter(|(_, profile)| !state.is_done(rule, &answer(&profile.name)))
            .collect(),
    };
    fresh.into_iter().map(|(one, profile)| (one, profile, Demand::Done(answer(&profile.name)))).collect()
}
