//! The image's configuration (OCI image specification, config.md).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::Digest;
use crate::layer::Layer;
use crate::plan::{Plan, RunSettings};

#[derive(Serialize)]
pub(super) struct Config {
    created: String,
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
    entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
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
    created_by: &'static str,
}

impl Config {
    pub(super) fn build(plan: &Plan, layer: &Layer) -> Self {
        let created = timestamp(plan.epoch);
        let RunSettings { entrypoint, env, workdir, user, ports, labels, architecture, variant } = plan.run.clone();
        Self {
            created: created.clone(),
            architecture,
            variant,
            os: "linux",
            config: Run {
                user,
                exposed_ports: ports.into_iter().map(|port| (port, Empty {})).collect(),
                env: env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
                entrypoint,
                working_dir: workdir,
                labels,
            },
            rootfs: RootFs { r#type: "layers", diff_ids: vec![layer.diff_id] },
            history: vec![Event { created, created_by: "slimroot build" }],
        }
    }
}

/// Formats seconds since 1970 as RFC 3339 in UTC. The date algorithm is civil_from_days in Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
fn timestamp(epoch: u64) -> String {
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
