//! The compiled-in profiles; `tests/tidy.rs` compares this list with the folder.

/// Name and text of each file in `profiles/`.
pub const BUILTIN: &[(&str, &str)] = &[
    ("base", include_str!("../../profiles/base.toml")),
    ("ca-certificates", include_str!("../../profiles/ca-certificates.toml")),
    ("locale", include_str!("../../profiles/locale.toml")),
    ("nss", include_str!("../../profiles/nss.toml")),
    ("tzdata", include_str!("../../profiles/tzdata.toml")),
];
