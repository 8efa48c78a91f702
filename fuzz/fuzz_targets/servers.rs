//! Settings of application servers: php-fpm's files, and gunicorn's in Python and in the environment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot_fuzz::{interpreters, pack, parts, request};

fuzz_target!(|bytes: &[u8]| {
    let [main, pool, words] = parts::<3>(bytes);
    let mut tree = interpreters();
    tree.file("/etc/php-fpm.conf", 0o644, main)
        .file("/etc/php-fpm.d/a.conf", 0o644, pool)
        .file("/srv/app/gunicorn.conf.py", 0o644, main)
        .file("/srv/app/wsgi.py", 0o644, pool)
        .file("/srv/app/log.ini", 0o644, "")
        .file("/usr/bin/gunicorn", 0o755, "#!/usr/bin/python3\nimport gunicorn\n")
        .dir("/var/log/php", 0o755);
    pack(&tree, &request("/usr/sbin/php-fpm"));
    let Ok(words) = std::str::from_utf8(words) else { return };
    let mut gunicorn = Request {
        args: ["-c", "/srv/app/gunicorn.conf.py", "wsgi:app"].map(str::to_owned).to_vec(),
        ..request("/usr/bin/gunicorn")
    };
    gunicorn.env.insert("GUNICORN_CMD_ARGS".to_owned(), words.to_owned());
    pack(&tree, &gunicorn);
});
