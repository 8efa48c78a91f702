//! The image's configuration (OCI image specification, config.md).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Healthcheck;
use crate::digest::Digest;
use crate::layer::Layer;
use crate::plan::{Plan, RunSettings};

#[derive(Serialize)]
pub(super) struct Config {
    created: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author: String,
    architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    variant: String,
    os: &'static str,
    config: Run,
    rootfs: RootFs,
    history: Vec<Event>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
    /// A set, which Go serialises as a map to empty objects.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Empty>,
    env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmd: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<String, Empty>,
    #[serde(skip_serializing_if = "String::is_empty")]
    working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    stop_signal: String,
    /// Docker's own (docker image specification v1.2); the OCI specification reserves the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Healthcheck>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: Vec<Digest>,
}

#[derive(Serialize)]
struct Event {
    created: String,
    created_by: String,
}

impl Config {
    pub(super) fn build(plan: &Plan, layers: &[Layer]) -> Self {
        let created = timestamp(plan.epoch);
        let RunSettings { entrypoint, command, env, workdir, user, ports, labels, .. } = plan.run.clone();
        let RunSettings { architecture, variant, volumes, details, .. } = plan.run.clone();
        let set = |names: std::collections::BTreeSet<String>| names.into_iter().map(|name| (name, Empty {})).collect();
        Self {
            created: created.clone(),
            author: details.author,
            architecture,
            variant,
            os: "linux",
            config: Run {
                user,
                exposed_ports: set(ports),
                env: env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
                entrypoint,
                cmd: command,
                volumes: set(volumes),
                working_dir: workdir,
                labels,
                stop_signal: details.stop_signal,
                healthcheck: details.healthcheck,
            },
            rootfs: RootFs { r#type: "layers", diff_ids: layers.iter().map(|layer| layer.diff_id).collect() },
            history: layers.iter().map(|layer| event(&created, layer)).collect(),
        }
    }
}

/// The history of a layer. The text has no version, so that images of several versions share digests.
fn event(created: &str, layer: &Layer) -> Event {
    let created_by = match layer.title.as_str() {
        "" => "slimroot build".to_owned(),
        title => format!("slimroot build: {title}"),
    };
    Event { created: created.to_owned(), created_by }
}

/// Formats seconds since 1970 as RFC 3339 in UTC. The date algorithm is civil_from_days in Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
pub(crate) fn timestamp(epoch: u64) -> String {
    let (days, seconds) = (epoch / 86_400, epoch % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date_1() {
        // Expected values come from `date -u -d @N +%FT%TZ`.
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(epoch), text);
        }
    }
}
