//! Laws that hang on the circumstances of a process, asked of `slimroot deps`: environment, working directory, permission
//! bits. The laws themselves are judged in `crates/ldso/tests/loader_laws.rs`; this is about what the command hands down.

use std::process::Command;

use serde_json::Value;

use crate::support::judge::{Answer, Told, judge_all};
use crate::support::laws::{Law, World, glibc, musl};
use crate::support::need;

fn texts(value: &Value, key: &str) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(|each| each[key].as_str().unwrap_or_default().to_owned()).collect()
}

fn ask(world: &World, law: &Law) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    command.args(["deps", "--format", "json", "--cwd", &law.cwd, "--root"]).arg(world.root());
    command.args(law.env.iter().map(|(name, value)| format!("--env={name}={value}"))).arg("/bin/prog");
    let output = command.output().expect("slimroot runs");
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    Told {
        answer: Answer {
            loaded: texts(&told["objects"], "path").split_off(1),
            missing: texts(&told["missing"], "name").into_iter().collect(),
            fatal: texts(&told["errors"], "path").into_iter().collect(),
        },
        interpreter: told["interpreter"].as_str().unwrap_or_default().to_owned(),
        variants: texts(&told["variants"], "path"),
    }
}

/// True if the command passes an environment, a directory or permission bits on.
fn has_circumstances(law: &Law) -> bool {
    !law.env.is_empty() || law.cwd != "/" || law.mode != 0o755
}

#[test]
fn circumstances_reach_the_loader_of_glibc() {
    if need::all(&["gcc", "unshare", "python3"]) {
        judge_all(&glibc(), 10, has_circumstances, ask);
    }
}

#[test]
fn circumstances_reach_the_loader_of_musl() {
    if need::all(&["musl-gcc", "unshare", "python3"]) {
        judge_all(&musl(), 2, has_circumstances, ask);
    }
}
