//! Values of expressions: every text that an expression may have, regardless of the order of statements.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::{Assign, Called, Expr, Function, How, Import, Module, Site, last, relative};
use crate::world::tables::Words;

/// Limits are counts, not times, so that the same sources always give the same names.
const MAX_DEPTH: usize = 24;
const MAX_STEPS: usize = 4_000;
const MAX_VALUES: usize = 64;
/// Maximum number of functions through which a name travels.
const MAX_HOPS: usize = 3;
/// Minimum length of the name of a setting.
const MIN_SETTING: usize = 3;
/// Stands for a part of a text that is not known.
const GAP: &str = "{}";

/// Functions without an effect on a name.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Functions that return their first argument.
    pub(crate) same: &'static Words,
    /// Functions that join the parts of a path.
    pub(crate) joins: &'static Words,
    /// Functions that return their last argument if what they look up is missing, and names of such an argument.
    pub(crate) defaults: &'static Words,
    pub(crate) default_names: &'static Words,
    /// True for an application, whose settings any of its modules may set. Packages set those of others.
    pub(crate) has_settings: bool,
}

/// True if one of the words, such as `subprocess.run(`, is the end of the callee.
pub(crate) fn is_call(words: &Words, callee: &str) -> bool {
    words.iter().any(|word| {
        let before = word.strip_suffix('(').and_then(|word| callee.strip_suffix(word));
        before.is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// A call with the possible values of its first argument.
pub(crate) struct Found<'m> {
    pub(crate) module: &'m Module,
    pub(crate) site: &'m Site,
    /// The callee with the names of modules.
    pub(crate) callee: String,
    pub(crate) values: Vec<Value>,
}

/// A possible value of the first argument: a text, or the first item of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) text: String,
    /// True if a part of the text is not known.
    pub(crate) is_open: bool,
    /// The texts that follow it, up to the first that is not known.
    pub(crate) args: Vec<String>,
}

/// A function's call, within which names are looked up.
struct Frame<'m> {
    module: usize,
    scope: Option<usize>,
    /// The values of each parameter; `None` if the call is not known, so that every caller counts.
    args: Option<Vec<Vec<Bound<'m>>>>,
    hops: usize,
}

/// An expression with the frame in which it is evaluated.
#[derive(Clone)]
struct Bound<'m> {
    expr: &'m Expr,
    frame: Rc<Frame<'m>>,
}

/// Names that were looked for outside of the given modules.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Functions whose callers are needed, each with the stem of its module.
    pub(super) callers: BTreeSet<(String, String)>,
    /// Modules by the stem of their names.
    pub(super) modules: BTreeSet<String>,
    /// Settings that some module sets.
    pub(super) settings: BTreeSet<String>,
}

/// Evaluates expressions across a group of modules.
pub(super) struct Evaluator<'m> {
    modules: &'m [Module],
    /// Calls and functions by name: module and index in it.
    sites: HashMap<&'m str, Vec<(usize, usize)>>,
    functions: HashMap<&'m str, Vec<(usize, usize)>>,
    rules: Rules,
    steps: Cell<usize>,
    pub(super) wanted: RefCell<Wanted>,
}

impl<'m> Evaluator<'m> {
    pub(super) fn new(modules: &'m [Module], rules: Rules) -> Self {
        let (mut sites, mut functions) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, module) in modules.iter().enumerate() {
            for (nth, site) in module.sites.iter().enumerate() {
                sites.entry(called(module, &site.call)).or_default().push((at, nth));
            }
            for (nth, function) in module.functions.iter().enumerate() {
                functions.entry(function.name.as_str()).or_default().push((at, nth));
            }
        }
        Self { modules, sites, functions, rules, steps: Cell::default(), wanted: RefCell::default() }
    }

    /// The calls whose callee is of interest, with the values of their first arguments.
    pub(super) fn calls(&self, is_sink: &dyn Fn(&str) -> bool, found: &mut dyn FnMut(Found<'m>)) {
        for (at, module) in self.modules.iter().enumerate() {
            for site in &module.sites {
                let callee = module.canonical(&site.call.callee);
                if is_sink(&callee) {
                    self.steps.set(0);
                    let frame = Rc::new(Frame { module: at, scope: site.scope, args: None, hops: 0 });
                    let values = self.first(&site.call, &frame);
                    found(Found { module, site, callee, values });
                }
            }
        }
    }

    fn first(&self, call: &'m Called, frame: &Rc<Frame<'m>>) -> Vec<Value> {
        let named = call.named.iter().find(|(name, _)| name == "args").map(|(_, value)| value);
        let Some(first) = call.args.first().or(named) else { return Vec::new() };
        let mut resolved = Vec::new();
        match first {
            Expr::Spread(list) => self.resolve(&Bound { expr: list, frame: Rc::clone(frame) }, 0, &mut resolved),
            first => self.resolve(&Bound { expr: first, frame: Rc::clone(frame) }, 0, &mut resolved),
        }
        let mut values = BTreeSet::new();
        for bound in resolved {
            if let Expr::List(items) = bound.expr {
                self.list(items, &bound.frame, 0, &mut values);
                continue;
            }
            let rest = match call.args.get(1) {
                Some(Expr::List(items)) => items.as_slice(),
                _ => call.args.get(1..).unwrap_or_default(),
            };
            let args = self.known(rest, frame);
            for (text, is_open) in self.texts(&bound, 1) {
                values.insert(Value { text, is_open, args: args.clone() });
            }
        }
        values.into_iter().take(MAX_VALUES).collect()
    }

    /// The first items of a list.
    fn list(&self, items: &'m [Expr], frame: &Rc<Frame<'m>>, depth: usize, values: &mut BTreeSet<Value>) {
        let Some((first, rest)) = items.split_first() else { return };
        if let Expr::Spread(inner) = first {
            let mut lists = Vec::new();
            self.resolve(&Bound { expr: inner, frame: Rc::clone(frame) }, depth + 1, &mut lists);
            for list in lists.iter().filter(|_| depth < MAX_DEPTH) {
                match list.expr {
                    Expr::List(items) => self.list(items, &list.frame, depth + 1, values),
                    // What a generator yields.
                    _ => values.extend(self.texts(list, depth + 1).into_iter().map(|(text, is_open)| Value {
                        text,
                        is_open,
                        args: Vec::new(),
                    })),
                }
            }
            return;
        }
        let args = self.known(rest, frame);
        for (text, is_open) in self.all_texts(&Bound { expr: first, frame: Rc::clone(frame) }, depth + 1) {
            values.insert(Value { text, is_open, args: args.clone() });
        }
    }

    /// The texts of expressions up to the first that has not exactly one.
    fn known(&self, items: &'m [Expr], frame: &Rc<Frame<'m>>) -> Vec<String> {
        let text = |expr: &'m Expr| match &self.all_texts(&Bound { expr, frame: Rc::clone(frame) }, 1)[..] {
            [(text, false)] => Some(text.clone()),
            _ => None,
        };
        items.iter().map_while(text).collect()
    }

    /// The texts of everything that an expression may be.
    fn all_texts(&self, bound: &Bound<'m>, depth: usize) -> Vec<(String, bool)> {
        let mut resolved = Vec::new();
        self.resolve(bound, depth, &mut resolved);
        let mut texts: Vec<_> = resolved.iter().flat_map(|bound| self.texts(bound, depth + 1)).collect();
        texts.sort();
        texts.dedup();
        texts.truncate(MAX_VALUES);
        texts
    }

    /// The texts of a resolved expression, each with whether a part of it is unknown.
    fn texts(&self, bound: &Bound<'m>, depth: usize) -> Vec<(String, bool)> {
        let inner = |expr: &'m Expr| self.all_texts(&Bound { expr, frame: Rc::clone(&bound.frame) }, depth + 1);
        match bound.expr {
            Expr::Text(text) => vec![(text.clone(), false)],
            Expr::Join(parts) if depth < MAX_DEPTH => {
                let mut found = vec![(String::new(), false)];
                for part in parts {
                    let mut texts = inner(part);
                    if texts.is_empty() {
                        texts.push((GAP.to_owned(), true));
                    }
                    let joined = found.iter().flat_map(|(before, is_open)| {
                        texts.iter().map(move |(text, more)| (format!("{before}{text}"), *is_open || *more))
                    });
                    found = joined.take(MAX_VALUES).collect();
                }
                found
            }
            Expr::Path(parts) if depth < MAX_DEPTH => self.path(parts, &inner),
            Expr::Call(call) if depth < MAX_DEPTH && self.is(self.rules.joins, call, &bound.frame) => {
                self.path(&call.args, &inner)
            }
            _ => Vec::new(),
        }
    }

    /// Joined paths; if the directory is not known, the last part alone.
    fn path(&self, parts: &'m [Expr], inner: &dyn Fn(&'m Expr) -> Vec<(String, bool)>) -> Vec<(String, bool)> {
        let Some((name, dirs)) = parts.split_last() else { return Vec::new() };
        let mut before = Some(String::new());
        for dir in dirs {
            before = match (before, &inner(dir)[..]) {
                (Some(before), [(text, false)]) => Some(format!("{before}{}/", text.trim_end_matches('/'))),
                _ => None,
            };
        }
        let whole = |(text, is_open): (String, bool)| match &before {
            Some(before) if !text.starts_with('/') => (format!("{before}{text}"), is_open),
            _ => (text, is_open),
        };
        inner(name).into_iter().map(whole).collect()
    }

    fn is(&self, words: &Words, call: &Called, frame: &Frame<'m>) -> bool {
        is_call(words, &self.modules[frame.module].canonical(&call.callee))
    }

    /// Follows names, calls and items to texts and containers.
    fn resolve(&self, bound: &Bound<'m>, depth: usize, found: &mut Vec<Bound<'m>>) {
        self.steps.set(self.steps.get() + 1);
        if depth > MAX_DEPTH || self.steps.get() > MAX_STEPS || found.len() >= MAX_VALUES {
            return;
        }
        let frame = &bound.frame;
        let at = |expr: &'m Expr| Bound { expr, frame: Rc::clone(frame) };
        match bound.expr {
            Expr::Unknown | Expr::Spread(_) => {}
            Expr::Text(_) | Expr::Path(_) | Expr::List(_) | Expr::Dict(_) => found.push(bound.clone()),
            Expr::Join(parts) => {
                // The program is in the first of concatenated lists.
                let mut lists = Vec::new();
                if let Some(first) = parts.first() {
                    self.resolve(&at(first), depth + 1, &mut lists);
                }
                lists.retain(|list| matches!(list.expr, Expr::List(_)));
                match lists.is_empty() {
                    true => found.push(bound.clone()),
                    false => found.extend(lists),
                }
            }
            Expr::Either(all) => all.iter().for_each(|expr| self.resolve(&at(expr), depth + 1, found)),
            Expr::Name(name) => self.name(frame, name, depth, found),
            Expr::Member(object, name) => self.member(frame, object, name, depth, found),
            Expr::Item(base, key) => {
                let mut bases = Vec::new();
                self.resolve(&at(base), depth + 1, &mut bases);
                let keys = self.all_texts(&at(key), depth + 1);
                bases.iter().for_each(|base| self.item(base, &keys, depth, found));
                if let ([], [(key, false)]) = (&bases[..], &keys[..]) {
                    self.setting(frame, key, depth, found);
                }
            }
            Expr::Each(base) => {
                let mut bases = Vec::new();
                self.resolve(&at(base), depth + 1, &mut bases);
                bases.iter().for_each(|base| self.item(base, &[], depth, found));
            }
            Expr::Call(call) if self.is(self.rules.joins, call, frame) => found.push(bound.clone()),
            Expr::Call(call) if self.is(self.rules.same, call, frame) => {
                if let Some(first) = call.args.first() {
                    self.resolve(&at(first), depth + 1, found);
                }
            }
            Expr::Call(call) => {
                self.call(frame, call, depth, found);
                if let Some(value) = self.default_of(call, frame) {
                    self.resolve(&at(value), depth + 1, found);
                }
            }
        }
    }

    /// The default of a look-up, such as `getenv("X", "default")`.
    fn default_of(&self, call: &'m Called, frame: &Frame<'m>) -> Option<&'m Expr> {
        let named = call.named.iter().find(|(name, _)| self.rules.default_names.contain(name)).map(|(_, value)| value);
        let last = || match &call.args[..] {
            [_, .., last] if self.is(self.rules.defaults, call, frame) => Some(last),
            _ => None,
        };
        named.or_else(last)
    }

    /// The items of a container under these keys, or all.
    fn item(&self, base: &Bound<'m>, keys: &[(String, bool)], depth: usize, found: &mut Vec<Bound<'m>>) {
        let at = |expr: &'m Expr| Bound { expr, frame: Rc::clone(&base.frame) };
        match base.expr {
            Expr::List(items) => {
                let index = match keys {
                    [(key, false)] => key.parse::<usize>().ok(),
                    _ => None,
                };
                for (_, item) in items.iter().enumerate().filter(|(nth, _)| index.is_none_or(|index| index == *nth)) {
                    match item {
                        Expr::Spread(inner) => {
                            let mut lists = Vec::new();
                            self.resolve(&at(inner), depth + 1, &mut lists);
                            lists
                                .iter()
                                .filter(|_| depth < MAX_DEPTH)
                                .for_each(|list| self.item(list, &[], depth + 1, found));
                        }
                        item => self.resolve(&at(item), depth + 1, found),
                    }
                }
            }
            Expr::Dict(pairs) => {
                let is_wanted = |key: &'m Expr| match key {
                    Expr::Text(key) if !keys.is_empty() => {
                        keys.iter().any(|(wanted, is_open)| *is_open || wanted == key)
                    }
                    _ => true,
                };
                for (key, value) in pairs.iter().filter(|(key, _)| is_wanted(key)) {
                    self.resolve(&at(value), depth + 1, found);
                    if keys.is_empty() {
                        self.resolve(&at(key), depth + 1, found);
                    }
                }
            }
            // The items of a parameter that takes all remaining arguments; nobody loops over the letters of a name.
            Expr::Text(_) => found.push(base.clone()),
            _ => {}
        }
    }

    /// The values of a variable, parameter or imported constant.
    fn name(&self, frame: &Rc<Frame<'m>>, name: &str, depth: usize, found: &mut Vec<Bound<'m>>) {
        let module = &self.modules[frame.module];
        let mut scope = frame.scope;
        loop {
            let is_here = |assign: &&Assign| assign.scope == scope && assign.name == name && assign.how != How::Member;
            let here: Vec<&'m Assign> = module.assigns.iter().filter(is_here).collect();
            let param = scope.and_then(|at| {
                let nth = module.functions[at].params.iter().position(|param| param.name == name)?;
                Some((at, nth))
            });
            let args = if scope == frame.scope { frame.args.clone() } else { None };
            let inside = Rc::new(Frame { module: frame.module, scope, args, hops: frame.hops });
            // An element that is added to a list is its first only if the list was empty.
            let is_empty = |assign: &&Assign| matches!(&assign.value, Expr::List(items) if items.is_empty());
            let begins = here.iter().any(is_empty);
            for assign in here.iter().filter(|assign| assign.how == How::Set || begins) {
                self.resolve(&Bound { expr: &assign.value, frame: Rc::clone(&inside) }, depth + 1, found);
            }
            if let Some((function, nth)) = param {
                self.param(&inside, function, nth, depth, found);
            }
            if !here.is_empty() || param.is_some() {
                return;
            }
            match scope {
                Some(at) => scope = module.functions[at].parent,
                None => break,
            }
        }
        if let Some(Import { module, name: Some(name) }) = module.imports.get(name) {
            self.constant(frame, last(module), name, depth, found);
        }
    }

    /// A constant of another module.
    fn constant(&self, frame: &Frame<'m>, stem: &str, name: &str, depth: usize, found: &mut Vec<Bound<'m>>) {
        let mut is_known = false;
        for (at, module) in self.modules.iter().enumerate().filter(|(_, module)| module.stem == stem) {
            is_known = true;
            let inside = Rc::new(Frame { module: at, scope: None, args: None, hops: frame.hops });
            let is_it = |assign: &&Assign| assign.scope.is_none() && assign.name == name;
            for assign in module.assigns.iter().filter(is_it) {
                self.resolve(&Bound { expr: &assign.value, frame: Rc::clone(&inside) }, depth + 1, found);
            }
        }
        if !is_known {
            self.wanted.borrow_mut().modules.insert(stem.to_owned());
        }
    }

    /// A setting, which some module sets at its top: `settings.TOOL`, `app.config["TOOL"]`.
    fn setting(&self, frame: &Frame<'m>, name: &str, depth: usize, found: &mut Vec<Bound<'m>>) {
        let has_settings = self.rules.has_settings;
        if !has_settings
            || name.len() < MIN_SETTING
            || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        {
            return;
        }
        self.wanted.borrow_mut().settings.insert(name.to_owned());
        for (at, module) in self.modules.iter().enumerate() {
            for assign in module.assigns.iter().filter(|assign| assign.scope.is_none() && assign.name == name) {
                let inside = Rc::new(Frame { module: at, scope: None, args: None, hops: frame.hops });
                self.resolve(&Bound { expr: &assign.value, frame: inside }, depth + 1, found);
            }
        }
    }

    fn member(&self, frame: &Rc<Frame<'m>>, object: &'m Expr, name: &str, depth: usize, found: &mut Vec<Bound<'m>>) {
        let own = &self.modules[frame.module];
        if let Expr::Name(object) = object
            && let Some(import) = own.imports.get(object)
        {
            let stem = import.name.as_deref().unwrap_or_else(|| last(&import.module));
            let before = found.len();
            self.constant(frame, stem, name, depth, found);
            if let (true, Some(class)) = (found.len() == before, &import.name) {
                // A member of a class that another module defines.
                let mut bases = Vec::new();
                self.constant(frame, last(&import.module), class, depth + 1, &mut bases);
                for base in bases.iter().filter(|base| matches!(base.expr, Expr::Dict(_))) {
                    self.item(base, &[(name.to_owned(), false)], depth, found);
                }
            }
            if found.len() == before {
                self.setting(frame, name, depth, found);
            }
            return;
        }
        // An object's own items take precedence, as in `const x = {program: '…'}`.
        let mut bases = Vec::new();
        self.resolve(&Bound { expr: object, frame: Rc::clone(frame) }, depth + 1, &mut bases);
        let before = found.len();
        for base in bases.iter().filter(|base| matches!(base.expr, Expr::Dict(_))) {
            self.item(base, &[(name.to_owned(), false)], depth, found);
        }
        if found.len() > before {
            return;
        }
        let all = std::iter::once((frame.module, own))
            .chain(self.modules.iter().enumerate().filter(|(at, _)| *at != frame.module));
        for (nth, (at, module)) in all.enumerate() {
            for assign in module.assigns.iter().filter(|assign| assign.how == How::Member && assign.name == name) {
                let inside = Rc::new(Frame { module: at, scope: assign.scope, args: None, hops: frame.hops });
                self.resolve(&Bound { expr: &assign.value, frame: inside }, depth + 1, found);
            }
            // A property is read like a member.
            for function in module.functions.iter().filter(|one| one.name == name && one.params.is_empty()) {
                let inside = Rc::new(Frame { module: at, scope: function.parent, args: None, hops: frame.hops });
                for expr in &function.returns {
                    self.resolve(&Bound { expr, frame: Rc::clone(&inside) }, depth + 1, found);
                }
            }
            // Other modules only count if this one sets no member of the name.
            if nth == 0 && found.len() > before {
                break;
            }
        }
    }

    /// The values of a parameter: the argument of the call, or the arguments of all callers and the default.
    fn param(&self, frame: &Rc<Frame<'m>>, function: usize, nth: usize, depth: usize, found: &mut Vec<Bound<'m>>) {
        let (at, module) = (frame.module, &self.modules[frame.module]);
        let own = &module.functions[function];
        let default = |found: &mut Vec<Bound<'m>>| {
            if let Some(expr) = &own.params[nth].default {
                let outside = Frame { module: at, scope: own.parent, args: None, hops: frame.hops };
                self.resolve(&Bound { expr, frame: Rc::new(outside) }, depth + 1, found);
            }
        };
        if let Some(args) = &frame.args {
            match args.get(nth).filter(|args| !args.is_empty()) {
                Some(args) => args.iter().for_each(|arg| self.resolve(arg, depth + 1, found)),
                None => default(found),
            }
            return;
        }
        default(found);
        if frame.hops >= MAX_HOPS || own.name.is_empty() {
            return;
        }
        self.wanted.borrow_mut().callers.insert((module.stem.clone(), own.name.clone()));
        for (from, index) in self.sites.get(own.name.as_str()).into_iter().flatten().copied() {
            let caller = &self.modules[from];
            let site = &caller.sites[index];
            if is_of(caller, from == at, &site.call, module, own) {
                let outside = Frame { module: from, scope: site.scope, args: None, hops: frame.hops + 1 };
                let args = bind(&site.call, &Rc::new(outside), own);
                args[nth].iter().for_each(|arg| self.resolve(arg, depth + 1, found));
            }
        }
    }

    /// The values that a call of a known function returns.
    fn call(&self, frame: &Rc<Frame<'m>>, call: &'m Called, depth: usize, found: &mut Vec<Bound<'m>>) {
        if frame.hops >= MAX_HOPS {
            return;
        }
        let own = &self.modules[frame.module];
        let mut is_known = false;
        for (at, nth) in self.functions.get(called(own, call)).into_iter().flatten().copied() {
            let function = &self.modules[at].functions[nth];
            if !is_of(own, at == frame.module, call, &self.modules[at], function) {
                continue;
            }
            is_known = true;
            let args = Some(bind(call, frame, function));
            let inside = Rc::new(Frame { module: at, scope: Some(nth), args, hops: frame.hops + 1 });
            for expr in &function.returns {
                self.resolve(&Bound { expr, frame: Rc::clone(&inside) }, depth + 1, found);
            }
        }
        let first = call.callee.split('.').next().unwrap_or_default();
        if let Some(import) = own.imports.get(first).filter(|_| !is_known) {
            let mut wanted = self.wanted.borrow_mut();
            wanted.modules.insert(last(&import.module).to_owned());
            wanted.modules.extend(import.name.clone());
        }
    }
}

/// The name of the function that is called, where it is defined.
fn called<'m>(module: &'m Module, call: &'m Called) -> &'m str {
    match call.callee.rsplit_once('.') {
        Some((_, name)) => name,
        None => match module.imports.get(&call.callee) {
            Some(import) => import.name.as_deref().unwrap_or_else(|| last(&import.module)),
            None => &call.callee,
        },
    }
}

/// True if a call in one module calls a function of another, or of the same.
fn is_of(caller: &Module, is_same: bool, call: &Called, module: &Module, function: &Function) -> bool {
    if function.name.is_empty() {
        return false;
    }
    // A package may pass on the functions that its modules define.
    let is_from = |import: &Import| {
        if let Some(place) = relative(caller, &import.module) {
            let rest = module.path.as_bytes().strip_prefix(place.as_slice());
            return rest.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'/')));
        }
        let from = last(&import.module);
        let dir = module.path.parent();
        from.is_empty() || from == module.stem || dir.is_some_and(|dir| dir.name() == from.as_bytes())
    };
    match call.callee.rsplit_once('.') {
        None => match caller.imports.get(&call.callee) {
            Some(import) => {
                !is_same && import.name.as_deref().unwrap_or(&module.stem) == function.name && is_from(import)
            }
            None => is_same && call.callee == function.name,
        },
        Some((object, name)) if name == function.name => match caller.imports.get(object) {
            Some(import) => !is_same && (import.name.as_deref() == Some(&module.stem) || is_from(import)),
            None => is_same,
        },
        Some(_) => false,
    }
}

/// The arguments of a call for each parameter.
fn bind<'m>(call: &'m Called, frame: &Rc<Frame<'m>>, function: &Function) -> Vec<Vec<Bound<'m>>> {
    let at = |expr: &'m Expr| Bound { expr, frame: Rc::clone(frame) };
    let mut bound: Vec<Vec<Bound<'m>>> = function.params.iter().map(|_| Vec::new()).collect();
    let mut nth = 0;
    for arg in &call.args {
        let Some(param) = function.params.get(nth) else { break };
        match arg {
            // The number of its items is not known.
            Expr::Spread(_) => break,
            arg => bound[nth].push(at(arg)),
        }
        nth += usize::from(!param.is_rest);
    }
    for (name, value) in &call.named {
        if let Some(nth) = function.params.iter().position(|param| param.name == *name) {
            bound[nth].push(at(value));
        }
    }
    bound
}
