//! The compiled-in profiles; `tests/tidy.rs` compares this list with the folder.

/// Name and text of each file in `profiles/`.
pub const BUILTIN: &[(&str, &str)] = &[
    ("base", include_str!("../../profiles/base.toml")),
    ("ca-certificates", include_str!("../../profiles/ca-certificates.toml")),
    ("ca-directory", include_str!("../../profiles/ca-directory.toml")),
    ("fontconfig", include_str!("../../profiles/fontconfig.toml")),
    ("gconv", include_str!("../../profiles/gconv.toml")),
    ("locale", include_str!("../../profiles/locale.toml")),
    ("magic", include_str!("../../profiles/magic.toml")),
    ("mime", include_str!("../../profiles/mime.toml")),
    ("node", include_str!("../../profiles/node.toml")),
    ("nss", include_str!("../../profiles/nss.toml")),
    ("openssl", include_str!("../../profiles/openssl.toml")),
    ("perl", include_str!("../../profiles/perl.toml")),
    ("php", include_str!("../../profiles/php.toml")),
    ("python", include_str!("../../profiles/python.toml")),
    ("ruby", include_str!("../../profiles/ruby.toml")),
    ("tcl", include_str!("../../profiles/tcl.toml")),
    ("terminfo", include_str!("../../profiles/terminfo.toml")),
    ("tzdata", include_str!("../../profiles/tzdata.toml")),
    ("unwind", include_str!("../../profiles/unwind.toml")),
];
