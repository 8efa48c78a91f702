//! The platform of the image, as npm and .NET name it.

use crate::elf::{Class, Target, machine_name};

/// The image's platform in npm's terms (process.platform, process.arch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) cpu: String,
    pub(crate) libc: &'static str,
}

impl Platform {
    pub(crate) fn of(target: Option<&Target>, is_musl: bool) -> Self {
        let cpu = target.map_or_else(String::new, |target| {
            let is_64 = target.class == Class::Elf64;
            match machine_name(target.machine).as_str() {
                "x86_64" => "x64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                "i386" => "ia32".to_owned(),
                "ppc" | "ppc64" if is_64 => "ppc64".to_owned(),
                "s390" => "s390x".to_owned(),
                "riscv" => "riscv64".to_owned(),
                "loongarch" => "loong64".to_owned(),
                other => other.to_owned(),
            }
        });
        Self { cpu, libc: if is_musl { "musl" } else { "glibc" } }
    }
}
