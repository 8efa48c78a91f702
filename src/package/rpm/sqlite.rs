//! SQLite, the database of rpm since 4.16: the table `Packages` contains headers, and the other tables are indexes by
//! tag (rpm's lib/backend/sqlite.c).

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB};

use super::header::Header;

const MAGIC: &[u8] = b"SQLite format 3\0";
/// The header bytes that select write-ahead logging, which a database in memory does not support.
const JOURNAL: std::ops::Range<usize> = 18..20;
const NO_LOG: [u8; 2] = [1, 1];
/// Maximal size of a header that is read.
const MAX_HEADER: i32 = 64 << 20;
/// Limit for the steps of SQLite's virtual machine. Only damaged files need more.
const PATIENCE: u32 = 1000;
const STEPS: i32 = 1_000_000;

/// The type of an index's keys: strings of the header, or bytes.
enum Key {
    Texts,
    /// Strings, without the names of rpm's own features.
    Required,
    Bytes,
}

/// The index tables in the order in which rpm creates them, with their tags and keys.
const TABLES: [(&str, u32, Key); 18] = [
    ("Name", super::header::NAME, Key::Texts),
    ("Basenames", super::header::BASE_NAMES, Key::Texts),
    ("Group", 1016, Key::Texts),
    ("Requirename", super::header::REQUIRE_NAME, Key::Required),
    ("Providename", super::header::PROVIDE_NAME, Key::Texts),
    ("Conflictname", 1054, Key::Texts),
    ("Obsoletename", 1090, Key::Texts),
    ("Triggername", 1066, Key::Texts),
    ("Dirnames", super::header::DIR_NAMES, Key::Texts),
    ("Installtid", super::header::INSTALL_TID, Key::Bytes),
    ("Sigmd5", 261, Key::Bytes),
    ("Sha1header", 269, Key::Texts),
    ("Filetriggername", 5069, Key::Texts),
    ("Transfiletriggername", 5079, Key::Texts),
    ("Recommendname", 5046, Key::Texts),
    ("Suggestname", 5049, Key::Texts),
    ("Supplementname", 5052, Key::Texts),
    ("Enhancename", 5055, Key::Texts),
];
/// Indexes with one key per package.
const SINGLE: [&str; 3] = ["Name", "Group", "Sha1header"];

/// The headers of a database with its write-ahead log; `None` if it is invalid or damaged. The schema in the file is
/// not trusted: its triggers, views and functions are not run.
pub(super) fn headers(mut bytes: Vec<u8>, log: &[u8]) -> Option<Vec<Vec<u8>>> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    super::wal::apply(&mut bytes, log);
    bytes.get_mut(JOURNAL)?.copy_from_slice(&NO_LOG);
    read(&bytes).ok()
}

fn read(bytes: &[u8]) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut database = Connection::open_in_memory()?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_HEADER)?;
    database.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true)?;
    database.pragma_update(None, "cell_size_check", true)?;
    let mut left = PATIENCE;
    database.progress_handler(
        STEPS,
        Some(move || {
            left = left.saturating_sub(1);
            left == 0
        }),
    )?;
    let is_table = "SELECT count(*) FROM sqlite_schema WHERE name = 'Packages' AND type = 'table' AND rootpage > 0";
    if database.query_row(is_table, [], |row| row.get::<_, i64>(0))? != 1 {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let mut statement = database.prepare("SELECT blob FROM Packages ORDER BY hnum")?;
    let mut found = Vec::new();
    // Values share no pages, so together they are at most as long as the file. This bounds the work on damaged files.
    let mut left = bytes.len();
    for header in statement.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
        let header = header?;
        left = left.checked_sub(header.len()).ok_or(rusqlite::Error::InvalidQuery)?;
        found.push(header);
    }
    Ok(found)
}

/// Writes a database with these headers. The same headers give the same bytes.
pub(super) fn write(headers: &[Header]) -> rusqlite::Result<Vec<u8>> {
    let mut database = Connection::open_in_memory()?;
    database.execute_batch("PRAGMA page_size = 512; PRAGMA encoding = 'UTF-8'; BEGIN")?;
    let packages = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)";
    database.execute_batch(packages)?;
    for (name, _, key) in &TABLES {
        let affinity = if matches!(key, Key::Bytes) { "BLOB" } else { "TEXT" };
        database.execute_batch(&format!(
            "CREATE TABLE '{name}' (key '{affinity}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, \
             FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))"
        ))?;
        if !matches!(key, Key::Bytes) {
            database.execute_batch(&format!("CREATE INDEX '{name}_key_idx' ON '{name}'(key ASC)"))?;
            if !SINGLE.contains(name) {
                database.execute_batch(&format!("CREATE INDEX '{name}_hnum_idx' ON '{name}'(hnum ASC)"))?;
            }
        }
    }
    let mut insert = database.prepare("INSERT INTO Packages (blob) VALUES (?1)")?;
    for header in headers {
        insert.execute([header.bytes()])?;
    }
    drop(insert);
    for (name, tag, key) in &TABLES {
        let mut insert = database.prepare(&format!("INSERT INTO '{name}' VALUES (?1, ?2, ?3)"))?;
        for (number, header) in (1_i64..).zip(headers) {
            if matches!(key, Key::Bytes) {
                let bytes = header.binary(*tag);
                if !bytes.is_empty() {
                    insert.execute((bytes, number, 0))?;
                }
                continue;
            }
            for (index, word) in (0_i64..).zip(header.texts(*tag)) {
                if !matches!(key, Key::Required) || !word.starts_with(b"rpmlib(") {
                    insert.execute((String::from_utf8_lossy(word), number, index))?;
                }
            }
        }
    }
    database.execute_batch("COMMIT")?;
    Ok(database.serialize(MAIN_DB)?.to_vec())
}
