//! Reads JSON of untrusted files, where a parsed value takes many times the memory of its text.

use serde::de::DeserializeOwned;

use crate::path::RootPath;
use crate::root::Root;
use crate::text::json_values;

/// Maximum number of values in a document. Lock files of large projects have some hundred thousand.
const MAX_VALUES: usize = 1 << 19;

/// Parses a document; `None` if it is not JSON of this form or has more than `MAX_VALUES` values.
pub(crate) fn read<T: DeserializeOwned>(root: &Root, path: &RootPath, text: &[u8]) -> Option<T> {
    if json_values(text) > MAX_VALUES {
        root.leave_unread(path, format!("it has more than {MAX_VALUES} values"));
        return None;
    }
    serde_json::from_slice(text).ok()
}
