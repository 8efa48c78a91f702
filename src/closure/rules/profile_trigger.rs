//! Profiles: those requested by the user, and those whose triggers fire.

use super::{On, Rule};
use crate::closure::Sign;
use crate::closure::demand::{Apply, Demand};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Profile;

pub(super) const RULE: Rule = Rule {
    id: "profile-trigger",
    about: "Applies the profiles that the user asks for, and those whose triggers the programs of the image fire.",
    brings_packages: false,
    facts: &[On::Begin, On::Changed],
    on,
};

/// The profile that contains the paths of certificate bundles.
const BUNDLES: &str = "ca-certificates";

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    if fact == Fact::Begin { asked(state) } else { triggered(state) }
}

/// Applies the requested profiles, in the process that is the evidence for their triggers, if any.
fn asked(state: &State<'_>) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for profile in &state.request.profiles {
        let object = first_sign(state, profile)?.and_then(|sign| sign.object);
        let profile = profile.name.clone();
        demands.push(Demand::Apply(Apply { profile, sign: None, object, is_hidden: false }));
    }
    for profile in &state.request.profiles {
        let object = first_sign(state, profile)?.and_then(|sign| sign.object);
        extended(state, &mut demands, profile, object.as_ref());
    }
    if !state.request.authorities.is_empty() {
        // --ca needs a trust store to add the certificate authorities to.
        let is_in = |profiles: &[Profile]| profiles.iter().any(|profile| profile.name == BUNDLES);
        let sign = Sign { says: "--ca is given".to_owned(), object: None };
        demands.push(Demand::Want { profile: BUNDLES, sign });
        if !is_in(&state.request.automatic) && !is_in(&state.request.profiles) {
            let apply = Apply { profile: BUNDLES.to_owned(), sign: None, object: None, is_hidden: true };
            demands.extend(is_in(&state.request.known).then_some(Demand::Apply(apply)));
        }
    }
    Ok(demands)
}

/// Applies the profiles whose triggers now fire, and those that they extend.
fn triggered(state: &State<'_>) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for profile in state.request.automatic.iter().filter(|profile| !state.is_applied(&profile.name)) {
        let wanted = state.wanted.get(profile.name.as_str()).and_then(|signs| signs.first()).cloned();
        let sign = match wanted {
            Some(sign) => Some(sign),
            None => first_sign(state, profile)?,
        };
        if let Some(sign) = sign {
            apply(state, &mut demands, profile, sign);
        }
    }
    Ok(demands)
}

fn apply(state: &State<'_>, demands: &mut Vec<Demand>, profile: &Profile, sign: Sign) {
    let object = sign.object.clone();
    let name = profile.name.clone();
    demands.push(Demand::Apply(Apply { profile: name, sign: Some(sign), object: object.clone(), is_hidden: false }));
    extended(state, demands, profile, object.as_ref());
}

/// Applies the profiles that a profile extends.
fn extended(state: &State<'_>, demands: &mut Vec<Demand>, profile: &Profile, object: Option<&RootPath>) {
    for name in &profile.extends {
        let is_known = |demand: &Demand| matches!(demand, Demand::Apply(apply) if apply.profile == *name);
        let extended = state.request.automatic.iter().find(|other| other.name == *name);
        if let Some(extended) = extended.filter(|_| !state.is_applied(name) && !demands.iter().any(is_known)) {
            let says = format!("required by profile {}", profile.name);
            apply(state, demands, extended, Sign { says, object: object.cloned() });
        }
    }
}

fn first_sign(state: &State<'_>, profile: &Profile) -> Result<Option<Sign>, Error> {
    for clue in &profile.when {
        if let Some(sign) = state.signs.of(state, clue)? {
            return Ok(Some(sign));
        }
    }
    Ok(None)
}
