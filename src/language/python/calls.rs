//! Programs and libraries that Python sources start or open by name.

use super::table::table;
use super::tree;
use crate::language::source::literals::{Literal, Named, literals};
use crate::language::source::names::{Calls, Files, Rules, is_call};
use crate::path::RootPath;

/// True if the text has a call of interest.
pub(super) fn matters(text: &[u8]) -> bool {
    let calls = &table().calls;
    [&calls.signs, &calls.starts, &calls.finders, &calls.opens, &calls.finds].iter().any(|words| words.occur_in(text))
}

/// Reads the sources of an application or of a package.
pub(super) fn read(named: &mut Named, files: &Files, is_app: bool) {
    let calls = &table().calls;
    let rules = Rules { has_settings: is_app, ..calls.rules() };
    let known = Calls {
        starts: &calls.starts,
        finders: &calls.finders,
        starts_with_name: Some(&calls.starts_with_name),
        opens: Some(&calls.opens),
        finds: Some(&calls.finds),
        tools: &calls.tools,
        words: &calls.words,
    };
    let mut is_open = false;
    files.calls(tree::parse, rules, &|callee| known.know(callee), &mut |found| {
        is_open |= found.values.is_empty() && is_call(known.starts, &found.callee);
        let is_optional = calls.optional.end(found.module.path.as_bytes());
        known.keep(named, &found, is_app, is_optional);
    });
    // A package that starts what another one of its modules made, such as a plug-in.
    if is_open && !is_app {
        files.command_lines(&mut |path, literal| named.keep_offer(path, literal));
    }
}

/// Scans a source that is too large to be parsed for calls with a literal.
pub(super) fn scan(named: &mut Named, path: &RootPath, text: &[u8], is_app: bool) {
    let calls = &table().calls;
    for literal in calls.starts.iter().flat_map(|name| literals(text, name)) {
        let program = literal.text.split(char::is_whitespace).next().unwrap_or_default();
        let is_tool = calls.tools.contain(program.rsplit('/').next().unwrap_or_default());
        match is_app {
            true => named.keep_start(path, literal),
            false if is_tool => named.keep_offer(path, literal),
            false => named.keep_package_start(path, literal),
        }
    }
    for literal in calls.opens.iter().flat_map(|name| literals(text, name)).filter(|literal| !literal.is_open) {
        let is_wanted = is_app && !literal.is_tried && literal.text.contains(".so");
        named.keep_library(path, literal, is_wanted);
    }
    for literal in calls.finds.iter().flat_map(|name| literals(text, name)).filter(|literal| !literal.is_open) {
        let library = format!("lib{}.so", literal.text);
        named.keep_library(path, Literal { text: library, ..literal }, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that reach the calls of interest in a module.
    fn found(text: &str) -> String {
        let mut files = Files::default();
        files.add(&RootPath::new("/own/part.py").expect("a path"), text.as_bytes().to_vec(), true);
        let calls = &table().calls;
        let mut all = std::collections::BTreeSet::new();
        let is_sink = |callee: &str| ["subprocess.run", "x.dlopen"].contains(&callee);
        files.calls(tree::parse, calls.rules(), &is_sink, &mut |found| {
            let words = |value: &crate::language::source::names::Value| {
                std::iter::once(value.text.clone()).chain(value.args.clone()).collect::<Vec<_>>().join(" ")
            };
            all.extend(found.values.iter().map(words));
        });
        all.into_iter().collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn names_travel() {
        for (text, wanted) in [
            ("from subprocess import run as r\nr(['a', '-x'])", "a -x"),
            ("import subprocess as s\ns.run('a')", "a"),
            ("A = 'a'\nA = 'b'\nsubprocess.run([A, unknown, 'c'])", "a, b"),
            ("subprocess.run(pathlib.Path('/x') / 'a')", "/x/a"),
            ("subprocess.run(os.path.join(unknown, 'a'))", "a"),
            ("D = {'a': 'b', 'c': 'd'}\nsubprocess.run(D['a'])\n", "b"),
            ("for n, p in [('a', 'b'), ('c', 'd')]:\n  subprocess.run(p)", "b, d"),
            ("for n, p in {'a': 'b'}.items():\n  subprocess.run(p)", "a, b"),
            ("V = 3\nx.dlopen(f'lib{V}.so')", "lib3.so"),
            ("x.dlopen('lib' + unknown + '.so')", "lib{}.so"),
            ("def f(c='a'):\n  subprocess.run([c])\nf(c='b')\nf('d')", "a, b, d"),
            ("def f(*c):\n  for n in c: x.dlopen(n)\nf('a', 'b')", "a, b"),
            ("def f():\n  def g(c): subprocess.run(c)\n  g('a')", "a"),
            ("def f(n):\n  return n if n else 'b'\nsubprocess.run([f('a')])", "a, b"),
            ("class C:\n  def __init__(self, c): self.c = c\n  def go(self): subprocess.run(self.c)\nC('a')", "a"),
            ("def f():\n  c = ['a']\n  c += ['b']\n  c.append('d')\n  subprocess.run(c)", "a"),
            ("def f():\n  c = []\n  c.append('a')\n  subprocess.run(c)", "a"),
            ("subprocess.run(['a'] + unknown)", "a"),
            ("subprocess.run('a -x'.split())", "a -x"),
            ("subprocess.run([os.environ.get('A', 'a')])", "a"),
            ("C = dict(k=['a', '-x'])\nsubprocess.run(' '.join(C['k']))", "a -x"),
            ("subprocess.run('/'.join(['/x', 'a']))", "/x/a"),
            ("T = 'a'\nsubprocess.run('%s -%d' % (T, 3))", "a -%d"),
            ("subprocess.run('%(t)s-x%% %s' % {'t': 'a'})", "a-x% %s"),
            ("subprocess.run('{}{k} -x {k}'.format('a', k='b'))", "ab -x {k}"),
            ("subprocess.run('a -x {}'.format(unknown))", "a -x {}"),
            ("A = getattr(settings, 'A', 'a')\nsubprocess.run([A, '-x'])", "a -x"),
            ("A = config('A', default='a')\nsubprocess.run([A])", "a"),
            (
                "def go(c): subprocess.run(c)\nclass C:\n  p = 'a'\n  def f(self): pool.submit(go, [self.p, '-o'])",
                "a -o",
            ),
            ("asyncio.to_thread(subprocess.run, ['a', '-x'])", "a -x"),
            ("loop.run_in_executor(None, subprocess.run, ['a'])", "a"),
            ("def go(c): subprocess.run([c])\nThread(target=go, args=('a',)).start()", "a"),
            ("def go(c): subprocess.run([c])\npool.map(go, ['a', 'b'])", "a, b"),
            ("r = functools.partial(subprocess.run, check=True)\nr(['a'])", "a"),
            ("import subprocess\nr = subprocess.run\nr(['a'])", "a"),
            ("subprocess.run(sys.executable)\nsubprocess.run()\nother('a')", ""),
            ("def f(c): return f(c)\nsubprocess.run(f('a'))", ""),
            ("A = B\nB = A\nsubprocess.run(A)", ""),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }
}
