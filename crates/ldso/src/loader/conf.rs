//! `/etc/ld.so.conf`, from which ldconfig builds the cache. Loaders never read it; it only helps to explain why a
//! library is not found (ldconfig(8); parse_conf of glibc's elf/ldconfig.c).

use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::RootPath;
use slimroot_rootfs::root::{Root, RootGlob};

const CONF: &str = "/etc/ld.so.conf";
/// Maximum file size, include depth and number of files.
const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 1024;

/// The directories in the root's ld.so.conf, in order.
///
/// # Errors
/// `unreadable`.
pub fn conf_dirs(root: &Root) -> Result<Vec<RootPath>, Error> {
    let mut dirs = Vec::new();
    // Each file with the chain of files that include it.
    let mut open = vec![(RootPath::new(CONF).unwrap_or_else(RootPath::root), Vec::new())];
    let mut seen = 0;
    while let Some((file, chain)) = open.pop() {
        seen += 1;
        if chain.contains(&file) {
            continue;
        }
        if chain.len() > MAX_DEPTH {
            root.leave_unread(&file, format!("files that are included more than {MAX_DEPTH} deep are not read"));
            continue;
        }
        if seen > MAX_FILES {
            root.leave_unread(&file, format!("included files after the first {MAX_FILES} are not read"));
            break;
        }
        let Some((_, text)) = root.read_followed(file.as_bytes(), MAX_BYTES)? else { continue };
        let mut included = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let mut words = line.split_whitespace();
            match words.next() {
                None | Some("hwcap") => {}
                Some("include") => {
                    for pattern in words {
                        let near = file.parent().unwrap_or_else(RootPath::root);
                        let pattern =
                            if pattern.starts_with('/') { pattern.to_owned() } else { format!("{near}/{pattern}") };
                        // ldconfig ignores an invalid pattern.
                        let Ok(glob) = RootGlob::new(&pattern) else { continue };
                        included.extend(root.matching(&glob)?);
                    }
                }
                Some(_) => dirs.extend(RootPath::new(line)),
            }
        }
        let chain: Vec<RootPath> = chain.into_iter().chain([file]).collect();
        open.extend(included.into_iter().rev().map(|path| (path, chain.clone())));
    }
    Ok(dirs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use slimroot_rootfs::root::MemTree;

    #[test]
    fn includes_are_read_in_order_and_rings_end() {
        let mut tree = MemTree::default();
        tree.file("/etc/ld.so.conf", 0o644, "/opt/a/ # first\nhwcap 1 x\ninclude ld.so.conf.d/*.conf\n/opt/z");
        tree.file("/etc/ld.so.conf.d/1.conf", 0o644, "/opt/b\ninclude /etc/ld.so.conf.d/1.conf\n");
        tree.file("/etc/ld.so.conf.d/2.conf", 0o644, "/opt/c\n");
        let dirs = conf_dirs(&Root::new(Arc::new(tree))).expect("read");
        let dirs: std::collections::BTreeSet<String> = dirs.iter().map(ToString::to_string).collect();
        assert_eq!(dirs.into_iter().collect::<Vec<_>>(), ["/opt/a", "/opt/b", "/opt/c", "/opt/z"]);
    }
}
