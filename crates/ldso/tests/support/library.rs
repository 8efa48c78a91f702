//! The answer of this crate about a world, in the form that the judge compares.

use slimroot_ldso::loader::{Conditions, Objects, load, unmet_versions};
use slimroot_ldso::rootfs::path::{RootPath, show};
use slimroot_ldso::rootfs::root::Root;

use super::judge::{Answer, Told};
use super::laws::{Law, World};

/// The answer of this crate about a world.
pub fn ask(world: &World, law: &Law) -> Told {
    let root = Root::open(world.root()).expect("a root");
    let objects = Objects::new(&root);
    let variable = |name: &str| law.env.get(name).map(|value| value.clone().into_bytes());
    let conditions = Conditions {
        library_path: variable("LD_LIBRARY_PATH"),
        preload: variable("LD_PRELOAD"),
        audit: variable("LD_AUDIT"),
        cwd: RootPath::new(&law.cwd).expect("a working directory"),
        ..Conditions::default()
    };
    let process = load(&objects, b"/bin/prog", &conditions, None).expect("the program is read");
    let unmet = unmet_versions(&objects, &process).expect("its objects are read");
    let shown = |bytes: &[u8]| show(bytes).into_owned();
    let unmet = unmet.iter().map(|unmet| shown(&process.loaded[unmet.requester].path));
    Told {
        answer: Answer {
            loaded: process.loaded.iter().skip(1).map(|object| shown(&object.path)).collect(),
            missing: process.missing.iter().map(|missing| shown(&missing.name)).collect(),
            fatal: process.faults.iter().map(|fault| shown(&fault.path)).chain(unmet).collect(),
        },
        interpreter: shown(process.interpreter.as_deref().unwrap_or_default()),
        variants: process.variants.iter().map(|variant| shown(&variant.path)).collect(),
    }
}
