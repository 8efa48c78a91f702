//! Rules: what a fact means for the image. One file a rule. A rule reads the state and answers with demands; it changes
//! nothing, so the same facts always give the same image.

mod claim;
mod copy;
mod dlopen_name;
mod dlopen_note;
mod elf;
mod include;
mod languages;
mod named_paths;
mod named_programs;
mod nsswitch;
mod package;
mod package_commands;
mod package_files;
mod package_scripts;
mod profile_make;
mod profile_open;
mod profile_take;
mod profile_trigger;
mod same_source;
mod settings;

pub(super) use settings::delegated_programs;

use super::demand::Demand;
use super::state::{Applied, State};
use super::worklist::Fact;
use crate::error::Error;

/// The id of a rule: in `why`, in JSON, in `slimroot explain rule:ID` and `--no-rule ID`.
pub type RuleId = &'static str;

/// Kinds of facts that a rule is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Begin,
    Launched,
    Resolved,
    Required,
    Brought,
    Applied,
    Changed,
}

/// A rule.
pub(super) struct Rule {
    /// Its id.
    pub(super) id: RuleId,
    /// One sentence: what it packs, and on which evidence.
    pub(super) about: &'static str,
    /// True if objects that it opens have their packages packed with them.
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
            Fact::Changed => On::Changed,
        };
        self.facts.contains(&kind)
    }
}

/// The entry and each `--bin`: where everything begins.
pub(super) static ENTRY: Rule = Rule {
    id: "entry",
    about: "Packs the entry, each --bin, and the interpreters that their #! lines name.",
    brings_packages: true,
    facts: &[],
    on: |_, _| Ok(Vec::new()),
};

/// Steps after the last fact. They answer to no fact, but `why` names them.
pub(super) const TRUST: RuleId = "trust";
pub(super) const RECORDS: RuleId = "package-records";
pub(super) const BYTECODE: RuleId = "bytecode";

/// Every rule, in the order in which facts are handed out.
pub(super) static RULES: &[Rule] = &[
    elf::RULE,
    dlopen_note::RULE,
    dlopen_name::RULE,
    languages::MISSING_APPLICATION,
    languages::ARGUMENTS,
    languages::DOTNET,
    languages::JAVA,
    languages::NODE,
    languages::PERL,
    languages::PHP,
    languages::PYTHON,
    languages::RUBY,
    languages::SHELL,
    languages::WRAPPER,
    claim::RULE,
    package_files::RULE,
    package_scripts::RULE,
    same_source::RULE,
    package_commands::RULE,
    named_paths::RULE,
    named_programs::RULE,
    copy::RULE,
    include::RULE,
    package::RULE,
    profile_take::RULE,
    settings::RULE,
    profile_open::RULE,
    profile_make::RULE,
    profile_trigger::RULE,
    nsswitch::RULE,
];

/// Every rule with its page, those of the seal too.
pub fn pages() -> Vec<(RuleId, &'static str)> {
    let seal = [
        (TRUST, "Adds the authorities of --ca to every trust store that is packed."),
        (RECORDS, "Writes the package database records and licences of the packages that are packed."),
        (BYTECODE, "Adds Python bytecode that the root's own interpreter made (--pyc)."),
    ];
    let all = std::iter::once(&ENTRY).chain(RULES).map(|rule| (rule.id, rule.about));
    all.chain(seal).collect()
}

/// The rule of an id.
pub(super) fn find(id: RuleId) -> Option<&'static Rule> {
    std::iter::once(&ENTRY).chain(RULES).find(|rule| rule.id == id)
}

/// The applied profiles that a fact is about: the new one; or, when programs and arguments came to be known since, every
/// one that reads them. With it the answer by which the rule remembers that it has seen to it.
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
