//! SQLite, the database of rpm since 4.16: the table `Packages` contains headers, and the other tables are indexes by
//! tag (rpm's lib/backend/sqlite.c).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::header::Header;
use super::store::{MAX_HEADER, Store, Take};
use crate::root::Source;

const MAGIC: &[u8] = b"SQLite format 3\0";
/// Offset of the header bytes that select write-ahead logging, because the log is not next to the copy.
const JOURNAL: u64 = 18;
const NO_LOG: [u8; 2] = [1, 1];
/// Length of the pieces in which a file is copied.
const PIECE: usize = 1 << 20;
/// Limit for the steps of SQLite's virtual machine, which only damaged files exceed.
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

/// A private copy of a database, with the transactions of its write-ahead log. SQLite opens files only by name, and in
/// an untrusted root, a name may refer to another file by then.
pub(super) struct Copy {
    database: Connection,
    size: usize,
    /// Steps that a query may still take, in units of [`STEPS`].
    left: Arc<AtomicU32>,
}

impl Copy {
    /// Copies a database and opens it; `None` if it is invalid or damaged. The schema in the file is not trusted: its
    /// triggers, views and functions are not run.
    ///
    /// # Errors
    /// Any I/O error of the copy.
    pub(super) fn open(source: &dyn Source, log: Option<&dyn Source>) -> io::Result<Option<Self>> {
        let mut magic = [0; MAGIC.len()];
        if source.read_at(0, &mut magic)? < magic.len() || magic != MAGIC {
            return Ok(None);
        }
        // Remove its name once it is open, so that nothing remains even after a crash.
        let named = tempfile::NamedTempFile::new()?;
        let Ok(database) = Connection::open_with_flags(named.path(), OpenFlags::SQLITE_OPEN_READ_ONLY) else {
            return Ok(None);
        };
        let file = named.into_file();
        copy(source, &file)?;
        if let Some(log) = log {
            super::wal::apply(&file, log)?;
        }
        file.write_all_at(&NO_LOG, JOURNAL)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut copy = Self { database, size, left: Arc::new(AtomicU32::new(PATIENCE)) };
        Ok(copy.prepare().is_ok().then_some(copy))
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        let left = Arc::clone(&self.left);
        let is_over = move || left.fetch_sub(1, Ordering::Relaxed) <= 1;
        self.database.progress_handler(STEPS, Some(is_over))?;
        let database = &self.database;
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        database.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(MAX_HEADER).unwrap_or(i32::MAX))?;
        database.pragma_update(None, "cell_size_check", true)?;
        let is_table = "SELECT count(*) FROM sqlite_schema WHERE name = 'Packages' AND type = 'table' AND rootpage > 0";
        if database.query_row(is_table, [], |row| row.get::<_, i64>(0))? != 1 {
            return Err(rusqlite::Error::InvalidQuery);
        }
        Ok(())
    }

    fn read(&self, take: Take<'_>) -> rusqlite::Result<()> {
        self.left.store(PATIENCE, Ordering::Relaxed);
        // rpm's hnum is the row ID. Another order would make SQLite sort, which takes memory and space.
        let mut statement = self.database.prepare("SELECT rowid, blob FROM Packages NOT INDEXED ORDER BY rowid")?;
        let mut rows = statement.query([])?;
        // Values share no pages, so together they are at most as long as the file. This bounds the work on damaged files.
        let mut left = self.size;
        while let Some(row) = rows.next()? {
            let header = row.get_ref(1)?.as_blob()?;
            left = left.checked_sub(header.len()).ok_or(rusqlite::Error::InvalidQuery)?;
            take(row.get_ref(0)?.as_i64()?.cast_unsigned(), header).ok_or(rusqlite::Error::InvalidQuery)?;
        }
        Ok(())
    }
}

impl Store for Copy {
    fn each(&self, take: Take<'_>) -> Option<()> {
        self.read(take).ok()
    }
}

/// Copies a file without its holes.
fn copy(source: &dyn Source, to: &File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = source.read_at(at, &mut piece)?;
        if read == 0 {
            return to.set_len(at);
        }
        if piece[..read].iter().any(|b| *b != 0) {
            to.write_all_at(&piece[..read], at)?;
        }
        at += read as u64;
        if at > super::store::MAX_DATABASE {
            return Err(io::Error::other("the file grows while it is read"));
        }
    }
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
