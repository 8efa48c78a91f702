//! Documents of .NET: the application's runtimeconfig.json, deps.json and runtimeconfig.dev.json, and the
//! runtimeconfig.json of a framework.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot_fuzz::{interpreters, pack, parts, request};

const FRAMEWORK: &str = "/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1";

fuzz_target!(|bytes: &[u8]| {
    let [config, deps, developer, framework] = parts::<4>(bytes);
    let mut tree = interpreters();
    tree.file("/srv/app/a.dll", 0o644, "MZ")
        .file("/srv/app/a.runtimeconfig.json", 0o644, config)
        .file("/srv/app/a.deps.json", 0o644, deps)
        .file("/srv/app/a.runtimeconfig.dev.json", 0o644, developer)
        .file(&format!("{FRAMEWORK}/Microsoft.NETCore.App.runtimeconfig.json"), 0o644, framework)
        .file("/srv/packages/b/1.0.0/lib/b.dll", 0o644, "MZ");
    let args = vec!["/srv/app/a.dll".to_owned()];
    pack(&tree, &Request { args, ..request("/usr/share/dotnet/dotnet") });
});
