//! Programs in command lines of configuration files.

/// The programs that a shell would start for a command line.
pub(crate) fn programs_of(line: &str) -> Vec<String> {
    let line = line.replace("\\n", "\n");
    let parts = line.split([';', '|', '&', '\n']).filter_map(|part| {
        let part = part.trim_start();
        match part.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => part.split_whitespace().next(),
        }
    });
    let is_plain = |name: &&str| !name.is_empty() && !name.contains(['%', '$', '`', '\'', '>', '<']);
    parts.filter(is_plain).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::programs_of as programs;

    #[test]
    fn programs_stand_where_a_shell_starts_them() {
        assert_eq!(programs("\"gs\" -q \"-f%i\"; /bin/mv \"%o\" x"), ["gs", "/bin/mv"]);
        assert_eq!(programs("\"blender\" -b \"%i\"\\n\"convert\" x | dwebp -"), ["blender", "convert", "dwebp"]);
        assert!(programs("%x y").is_empty());
    }
}
