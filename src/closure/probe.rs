//! slimroot's own health probe: a static program for each machine, made by `packaging/probe/build`.

use crate::elf::{Class, Target, machine_name};

/// The programs by machine.
const PROGRAMS: [(&str, &[u8]); 2] =
    [("x86_64", include_bytes!("probe/amd64")), ("aarch64", include_bytes!("probe/arm64"))];

/// The probe for a machine; `None` if there is none for it.
pub(super) fn for_machine(target: &Target) -> Option<&'static [u8]> {
    let is_made_for = target.class == Class::Elf64 && target.little_endian;
    let machine = machine_name(target.machine);
    PROGRAMS.iter().find(|(name, _)| is_made_for && *name == machine).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_probe_is_a_static_program_for_its_machine() {
        for (name, bytes) in PROGRAMS {
            let object = crate::elf::parse(bytes).expect("ELF");
            assert!(object.is_static_program() && for_machine(&object.target) == Some(bytes), "{name}");
        }
    }
}
