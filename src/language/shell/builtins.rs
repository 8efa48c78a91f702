//! Commands that are built into shells.

/// Commands built into POSIX shells (XCU 2.14 and the built-in utilities of dash(1)).
const BUILTINS: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "cd", "chdir", "command", "continue", "echo", "eval", "exec", "exit",
    "export", "false", "fc", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
];
/// Further commands built into bash; dash has none of them (bash(1), "SHELL BUILTIN COMMANDS").
const BASH_BUILTINS: &[&str] = &[
    "source",
    "[[",
    "((",
    "bind",
    "builtin",
    "caller",
    "compgen",
    "complete",
    "compopt",
    "declare",
    "dirs",
    "disown",
    "enable",
    "help",
    "history",
    "let",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "readarray",
    "shopt",
    "suspend",
    "typeset",
    "time",
    "coproc",
    "function",
    "select",
];

/// True for a builtin of every shell.
pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

/// True for a builtin of bash that dash lacks.
pub(super) fn is_bash_builtin(name: &str) -> bool {
    BASH_BUILTINS.contains(&name)
}
