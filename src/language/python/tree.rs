//! Parses Python with tree-sitter. Only this file depends on its grammar. The result contains the parts of the module
//! through which names flow. Text that is not Python gives the parts that look like it.

use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use super::table::table;
use crate::language::source::names::{Assign, Called, Expr, Function, How, Import, Module, Param, Site, is_call};
use crate::path::RootPath;
use crate::world::tables::Words;

/// Limits are counts, not times, so that the same text always gives the same module.
const MAX_DEPTH: usize = 160;
const MAX_EXPRESSION: usize = 40;
const MAX_PROGRESS: usize = 40_000;

/// Parses a source.
pub(super) fn parse(path: &RootPath, text: &str) -> Module {
    let mut walk = Walk { text, module: Module::new(path) };
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_python::LANGUAGE.into()).is_err() {
        return walk.module;
    }
    let mut progress = 0;
    let mut is_too_long = |_: &ParseState| {
        progress += 1;
        progress > MAX_PROGRESS
    };
    let bytes = text.as_bytes();
    let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut is_too_long);
    if let Some(tree) = parser.parse_with_options(&mut read, None, Some(options)) {
        walk.visit(tree.root_node(), &Place::default(), 0);
    }
    walk.module
}

#[derive(Clone, Default)]
struct Place {
    scope: Option<usize>,
    /// The class whose body this is.
    class: Option<String>,
    is_guarded: bool,
}

struct Walk<'t> {
    text: &'t str,
    module: Module,
}

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).filter(|child| child.kind() != "comment").collect()
}

impl Walk<'_> {
    fn text(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn field(&self, node: Node<'_>, name: &str) -> String {
        node.child_by_field_name(name).map_or_else(String::new, |child| self.text(child).to_owned())
    }

    fn visit(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match node.kind() {
            "function_definition" => return self.function(node, place, depth),
            "class_definition" => {
                self.class(node, place);
                let place = Place { class: Some(self.field(node, "name")), ..place.clone() };
                return self.each(node, &place, depth);
            }
            "try_statement" => {
                let is_guarded = place.is_guarded || self.is_handled(node);
                for child in named(node) {
                    let is_guarded = if child.kind() == "block" { is_guarded } else { place.is_guarded };
                    self.visit(child, &Place { is_guarded, ..place.clone() }, depth + 1);
                }
                return;
            }
            "with_statement" => {
                let head = named(node).first().map_or("", |head| self.text(*head)).to_owned();
                let is_guarded = place.is_guarded || table().calls.suppresses.occur_in(&head);
                return self.each(node, &Place { is_guarded, ..place.clone() }, depth);
            }
            "assignment" | "named_expression" | "augmented_assignment" => self.assignment(node, place),
            "for_statement" | "for_in_clause" => {
                if let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
                {
                    let value = Expr::Each(Box::new(self.expr(right, 0)));
                    self.assign(left, value, How::Set, place);
                }
            }
            "return_statement" | "yield" => {
                let value = named(node).first().map(|value| self.expr(*value, 0));
                if let (Some(scope), Some(value)) = (place.scope, value) {
                    self.module.functions[scope].returns.push(value);
                }
            }
            "import_statement" | "import_from_statement" => self.import(node),
            "call" => self.site(node, place),
            _ => {}
        }
        self.each(node, place, depth);
    }

    fn each(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        for child in named(node) {
            self.visit(child, place, depth + 1);
        }
    }

    /// True if a handler catches the absence of a program or library and does not give up.
    fn is_handled(&self, node: Node<'_>) -> bool {
        named(node).into_iter().filter(|child| child.kind() == "except_clause").any(|clause| {
            let text = self.text(clause);
            let (head, body) = text.split_once(':').unwrap_or((text, ""));
            let is_all = head.trim() == "except";
            (is_all || table().calls.handled.occur_in(head)) && !table().calls.gives_up.occur_in(body)
        })
    }

    fn function(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        let name = self.field(node, "name");
        let name = match &place.class {
            Some(class) if name == "__init__" => class.clone(),
            _ => name,
        };
        let mut params = Vec::new();
        for (nth, param) in
            node.child_by_field_name("parameters").map(named).unwrap_or_default().into_iter().enumerate()
        {
            let is_rest = param.kind() == "list_splat_pattern";
            let name = match param.kind() {
                "identifier" => self.text(param).to_owned(),
                "default_parameter" | "typed_default_parameter" => self.field(param, "name"),
                "typed_parameter" => param.named_child(0).map_or_else(String::new, |name| self.text(name).to_owned()),
                "list_splat_pattern" => self.text(param).trim_start_matches('*').to_owned(),
                _ => continue,
            };
            if nth == 0 && place.class.is_some() && matches!(name.as_str(), "self" | "cls") {
                continue;
            }
            let default = param.child_by_field_name("value").map(|value| self.expr(value, 0));
            let default = default.or_else(|| self.decorated(node, &name));
            params.push(Param {
                is_rest: is_rest || name.starts_with('*'),
                name: name.trim_matches('*').to_owned(),
                default,
            });
        }
        let scope = Some(self.module.functions.len());
        self.module.functions.push(Function { name, parent: place.scope, params, returns: Vec::new() });
        // Defaults are evaluated outside.
        self.each(node, &Place { scope, class: None, is_guarded: false }, depth);
    }

    /// The default that a decorator gives to a parameter: `@click.option("--tool", default="x")`.
    fn decorated(&self, function: Node<'_>, param: &str) -> Option<Expr> {
        let parent = function.parent().filter(|parent| parent.kind() == "decorated_definition")?;
        let calls = named(parent).into_iter().filter(|child| child.kind() == "decorator");
        calls.filter_map(|decorator| decorator.named_child(0).filter(|call| call.kind() == "call")).find_map(|call| {
            let Expr::Call(call) = self.called(call, 0) else { return None };
            option(&call).filter(|(name, _)| name == param).map(|(_, value)| value.clone())
        })
    }

    /// A class as a container of its members, such as an enumeration; and the constructor that annotated fields make, such
    /// as those of a dataclass or of a NamedTuple.
    fn class(&mut self, node: Node<'_>, place: &Place) {
        let (name, Some(body)) = (self.field(node, "name"), node.child_by_field_name("body")) else { return };
        let (mut members, mut fields, mut has_constructor) = (Vec::new(), Vec::new(), false);
        for statement in named(body) {
            has_constructor |= statement.kind() == "function_definition" && self.field(statement, "name") == "__init__";
            let Some(set) = named(statement).into_iter().next().filter(|set| set.kind() == "assignment") else {
                continue;
            };
            let Some(left) = set.child_by_field_name("left").filter(|left| left.kind() == "identifier") else {
                continue;
            };
            let left = self.text(left).to_owned();
            let value = set.child_by_field_name("right").map(|right| self.expr(right, 0));
            if set.child_by_field_name("type").is_some() {
                fields.push((left.clone(), value.clone()));
            }
            members.extend(value.map(|value| (Expr::Text(left), value)));
        }
        if !has_constructor {
            self.constructor(&name, fields, place);
        }
        if !members.is_empty() {
            let value = Expr::Dict(members);
            self.module.assigns.push(Assign { scope: place.scope, name, how: How::Set, value });
        }
    }

    /// The constructor of a class that sets each of its arguments as a member.
    fn constructor(&mut self, class: &str, fields: Vec<(String, Option<Expr>)>, place: &Place) {
        if fields.is_empty() {
            return;
        }
        let scope = Some(self.module.functions.len());
        for (field, _) in &fields {
            let value = Expr::Name(field.clone());
            self.module.assigns.push(Assign { scope, name: field.clone(), how: How::Member, value });
        }
        let params = fields.into_iter().map(|(name, default)| Param { name, default, is_rest: false }).collect();
        let function = Function { name: class.to_owned(), parent: place.scope, params, returns: Vec::new() };
        self.module.functions.push(function);
    }

    fn assignment(&mut self, node: Node<'_>, place: &Place) {
        let left = node.child_by_field_name("left").or_else(|| node.child_by_field_name("name"));
        let right = node.child_by_field_name("right").or_else(|| node.child_by_field_name("value"));
        let (Some(left), Some(right)) = (left, right) else { return };
        let how = if node.kind() == "augmented_assignment" { How::Added } else { How::Set };
        let value = self.expr(right, 0);
        if let (Expr::Call(call), true) = (&value, left.kind() == "identifier")
            && is_call(&table().calls.records, &call.callee)
        {
            let fields = match call.args.get(1) {
                Some(Expr::Text(names)) => names.replace(',', " ").split_whitespace().map(str::to_owned).collect(),
                Some(Expr::List(names)) => names.iter().filter_map(text_of).collect(),
                _ => Vec::new(),
            };
            let name = self.text(left).to_owned();
            self.constructor(&name, fields.into_iter().map(|field| (field, None)).collect(), place);
        }
        if left.kind() == "identifier"
            && let Some(function) = self.function_of(&value)
        {
            // `run = subprocess.run`, `run = partial(subprocess.run, check=True)`
            self.module.imports.insert(self.text(left).to_owned(), function);
        }
        self.assign(left, value, how, place);
    }

    /// The function that starts programs which a value is.
    fn function_of(&self, value: &Expr) -> Option<Import> {
        let value = match value {
            Expr::Call(call) if is_call(&table().calls.passes.partial, &call.callee) => call.args.first()?,
            value => value,
        };
        let name = self.module.canonical(&spelled(value)?);
        let (module, function) = name.rsplit_once('.')?;
        let import = Import { module: module.to_owned(), name: Some(function.to_owned()) };
        is_call(&table().calls.starts, &name).then_some(import)
    }

    /// Assigns a value to a variable, a member, or several of them.
    fn assign(&mut self, left: Node<'_>, value: Expr, how: How, place: &Place) {
        match left.kind() {
            "identifier" => {
                let name = self.text(left).to_owned();
                if place.class.is_some() {
                    let value = value.clone();
                    self.module.assigns.push(Assign {
                        scope: place.scope,
                        name: name.clone(),
                        how: How::Member,
                        value,
                    });
                }
                self.module.assigns.push(Assign { scope: place.scope, name, how, value });
            }
            "attribute" => {
                let name = self.field(left, "attribute");
                self.module.assigns.push(Assign { scope: place.scope, name, how: How::Member, value });
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" => {
                for (nth, part) in named(left).into_iter().enumerate() {
                    let key = Box::new(Expr::Text(nth.to_string()));
                    let part_of = Expr::Item(Box::new(value.clone()), key);
                    self.assign(part, part_of, how, place);
                }
            }
            _ => {}
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let from = node.child_by_field_name("module_name").map(|module| self.text(module).to_owned());
        let mut cursor = node.walk();
        let names: Vec<Node<'_>> = node.children_by_field_name("name", &mut cursor).collect();
        for name in names {
            let (real, local) = match name.kind() {
                "aliased_import" => (self.field(name, "name"), Some(self.field(name, "alias"))),
                _ => (self.text(name).to_owned(), None),
            };
            let (local, import) = match (&from, local) {
                (Some(module), local) => {
                    let import = Import { module: module.clone(), name: Some(real.clone()) };
                    (local.unwrap_or(real), import)
                }
                (None, Some(local)) => (local, Import { module: real, name: None }),
                // `import a.b` binds `a`, under which calls name all of it.
                (None, None) => {
                    let first = real.split('.').next().unwrap_or_default().to_owned();
                    (first.clone(), Import { module: first, name: None })
                }
            };
            self.module.imports.insert(local, import);
        }
    }

    fn site(&mut self, node: Node<'_>, place: &Place) {
        let Expr::Call(call) = self.called(node, 0) else { return };
        // Methods that change a list.
        if let Some((list, method)) = call.callee.rsplit_once('.')
            && let Some(value) = call.args.last()
        {
            let added = match method {
                "append" => Some((How::Added, Expr::List(vec![value.clone()]))),
                "extend" => Some((How::Added, value.clone())),
                "insert" if matches!(call.args.first(), Some(Expr::Text(at)) if at == "0") => {
                    Some((How::Set, Expr::List(vec![value.clone()])))
                }
                _ => None,
            };
            if let Some((how, value)) = added {
                self.module.assigns.push(Assign { scope: place.scope, name: list.to_owned(), how, value });
            }
        }
        if is_call(&table().calls.options, &call.callee)
            && let Some((name, value)) = option(&call)
        {
            let (scope, value) = (place.scope, value.clone());
            self.module.assigns.push(Assign { scope, name, how: How::Member, value });
        }
        let (line, is_guarded) = (node.start_position().row + 1, place.is_guarded);
        let scope = place.scope;
        self.module.sites.extend(passed_on(&call).map(|call| Site { scope, call, line, is_guarded }));
        self.module.sites.push(Site { scope, call: *call, line, is_guarded });
    }

    /// A call as an expression, or what a method of a text or container gives.
    fn called(&self, node: Node<'_>, depth: usize) -> Expr {
        let Some(function) = node.child_by_field_name("function") else { return Expr::Unknown };
        let mut called = Called { callee: self.dotted(function), ..Called::default() };
        for arg in node.child_by_field_name("arguments").map(named).unwrap_or_default() {
            match arg.kind() {
                "keyword_argument" => {
                    let value = arg.child_by_field_name("value").map_or(Expr::Unknown, |v| self.expr(v, depth + 1));
                    called.named.push((self.field(arg, "name"), value));
                }
                "dictionary_splat" => {}
                _ => called.args.push(self.expr(arg, depth + 1)),
            }
        }
        Expr::Call(Box::new(called))
    }

    /// The function of a call with its qualifiers.
    fn dotted(&self, node: Node<'_>) -> String {
        match node.kind() {
            "identifier" => self.text(node).to_owned(),
            "attribute" => {
                let object = node.child_by_field_name("object").map_or_else(String::new, |object| self.dotted(object));
                format!("{object}.{}", self.field(node, "attribute"))
            }
            _ => "()".to_owned(),
        }
    }

    fn expr(&self, node: Node<'_>, depth: usize) -> Expr {
        let field =
            |name: &str| node.child_by_field_name(name).map_or(Expr::Unknown, |child| self.expr(child, depth + 1));
        let all = |nodes: Vec<Node<'_>>| nodes.into_iter().map(|child| self.expr(child, depth + 1)).collect();
        let first = || named(node).first().map_or(Expr::Unknown, |child| self.expr(*child, depth + 1));
        match node.kind() {
            _ if depth > MAX_EXPRESSION => Expr::Unknown,
            "identifier" => Expr::Name(self.text(node).to_owned()),
            "integer" => Expr::Text(self.text(node).to_owned()),
            "string" => self.string(node, depth),
            "concatenated_string" => Expr::Join(all(named(node))),
            "list" | "tuple" | "set" | "expression_list" => Expr::List(all(named(node))),
            "list_splat" => Expr::Spread(Box::new(first())),
            "dictionary" => {
                let pairs = named(node).into_iter().filter(|pair| pair.kind() == "pair");
                let side = |pair: Node<'_>, name: &str| {
                    pair.child_by_field_name(name).map_or(Expr::Unknown, |child| self.expr(child, depth + 1))
                };
                Expr::Dict(pairs.map(|pair| (side(pair, "key"), side(pair, "value"))).collect())
            }
            "parenthesized_expression" | "await" | "type" => first(),
            "named_expression" => field("value"),
            "conditional_expression" => {
                let parts = named(node);
                Expr::Either(all(parts
                    .iter()
                    .enumerate()
                    .filter(|(nth, _)| *nth != 1)
                    .map(|(_, part)| *part)
                    .collect()))
            }
            "boolean_operator" => Expr::Either(vec![field("left"), field("right")]),
            "binary_operator" => match node.child_by_field_name("operator").map(|operator| self.text(operator)) {
                Some("+") => Expr::Join(vec![field("left"), field("right")]),
                Some("/") => Expr::Path(vec![field("left"), field("right")]),
                Some("%") => match (field("left"), field("right")) {
                    (Expr::Text(text), Expr::List(items)) => formatted(&text, Expr::List(items)),
                    (Expr::Text(text), value @ Expr::Dict(_)) => formatted(&text, value),
                    (Expr::Text(text), value) => formatted(&text, Expr::List(vec![value])),
                    (left, _) => left,
                },
                _ => Expr::Unknown,
            },
            // The value of a member of an enumeration is the member's.
            "attribute" => {
                let (object, name) = (field("object"), self.field(node, "attribute"));
                let is_value = table().calls.enum_values.contain(&name);
                let member = Expr::Member(Box::new(object.clone()), name);
                if is_value { Expr::Either(vec![member, object]) } else { member }
            }
            "subscript" => Expr::Item(Box::new(field("value")), Box::new(field("subscript"))),
            "list_comprehension" | "generator_expression" => Expr::List(vec![field("body")]),
            "call" => match self.method(node, depth).unwrap_or_else(|| self.called(node, depth)) {
                Expr::Call(call) if call.callee == "dict" && call.args.is_empty() => {
                    Expr::Dict(call.named.into_iter().map(|(key, value)| (Expr::Text(key), value)).collect())
                }
                call => call,
            },
            _ => Expr::Unknown,
        }
    }

    /// Methods whose result is known from the object.
    fn method(&self, node: Node<'_>, depth: usize) -> Option<Expr> {
        let function = node.child_by_field_name("function").filter(|function| function.kind() == "attribute")?;
        let object = function.child_by_field_name("object")?;
        let name = self.field(function, "attribute");
        if name == "split" && object.kind() == "string" {
            let Expr::Text(text) = self.string(object, depth) else { return None };
            return Some(Expr::List(text.split_whitespace().map(|word| Expr::Text(word.to_owned())).collect()));
        }
        if matches!(name.as_str(), "join" | "format")
            && object.kind() == "string"
            && let (Expr::Text(text), Expr::Call(call)) = (self.string(object, depth), self.called(node, depth))
        {
            return match name.as_str() {
                "join" => joined(&text, call.args.into_iter().next()?),
                _ => Some(braced(&text, &call)),
            };
        }
        table().calls.keeps.contain(&name).then(|| self.expr(object, depth + 1))
    }

    fn string(&self, node: Node<'_>, depth: usize) -> Expr {
        let start = node.child(0).map_or("", |start| self.text(start)).to_ascii_lowercase();
        let is_raw = start.contains('r');
        let mut parts: Vec<Expr> = Vec::new();
        for child in named(node) {
            match child.kind() {
                "string_content" => {
                    let text = self.text(child);
                    parts.push(Expr::Text(if is_raw { text.to_owned() } else { plain(text) }));
                }
                "interpolation" => {
                    let inner = child.child_by_field_name("expression");
                    parts.push(inner.map_or(Expr::Unknown, |inner| self.expr(inner, depth + 1)));
                }
                _ => {}
            }
        }
        match parts.len() {
            0 => Expr::Text(String::new()),
            1 if matches!(parts[0], Expr::Text(_)) => parts.remove(0),
            _ => Expr::Join(parts),
        }
    }
}

/// `" ".join(words)`: the command line begins with the first word, and a path with its directories.
fn joined(between: &str, items: Expr) -> Option<Expr> {
    match (between, items) {
        ("/", Expr::List(items)) => Some(Expr::Path(items)),
        ("", Expr::List(items)) => Some(Expr::Join(items)),
        (_, items) if between.chars().all(|c| c.is_whitespace() || "|&;".contains(c)) => Some(items),
        _ => None,
    }
}

/// The first word, which may name a program or library, and the rest, which names none. An option, a sentence and a
/// part of SQL have no such word.
fn first_word(text: &str) -> (&str, &str) {
    let may_name = text.starts_with(|c: char| c.is_ascii_lowercase() || "/%{._".contains(c));
    text.split_at(if may_name { text.find(char::is_whitespace).unwrap_or(text.len()) } else { 0 })
}

/// `"%s -x" % value`: the values in their places in the first word.
fn formatted(text: &str, values: Expr) -> Expr {
    let mut parts = Vec::new();
    let (first, end) = first_word(text);
    let (mut rest, mut nth) = (first, 0);
    while let Some((before, after)) = rest.split_once('%') {
        parts.push(Expr::Text(before.to_owned()));
        let (key, after) = match after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            Some((key, after)) => (key.to_owned(), after),
            None => (nth.to_string(), after),
        };
        let at = after.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(after.len());
        let kind = after[at..].chars().next();
        rest = kind.map_or("", |kind| &after[at + kind.len_utf8()..]);
        match kind {
            Some('%') => parts.push(Expr::Text("%".to_owned())),
            _ => {
                nth += 1;
                parts.push(Expr::Item(Box::new(values.clone()), Box::new(Expr::Text(key))));
            }
        }
    }
    parts.push(Expr::Text(format!("{rest}{end}")));
    if parts.len() == 1 { parts.remove(0) } else { Expr::Join(parts) }
}

/// `"{}-{x} -y".format(value, x=value)`: the values in their places in the first word.
fn braced(text: &str, call: &Called) -> Expr {
    let mut parts = Vec::new();
    let (first, end) = first_word(text);
    let (mut rest, mut nth) = (first, 0);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, after)) = after.split_once('}').filter(|_| !after.starts_with('{')) else { break };
        parts.push(Expr::Text(before.to_owned()));
        rest = after;
        let name = field.split([':', '!']).next().unwrap_or_default();
        let at = if name.is_empty() { Some(nth) } else { name.parse().ok() };
        nth += usize::from(name.is_empty());
        let value = match at {
            Some(at) => call.args.get(at),
            None => call.named.iter().find(|(known, _)| known == name).map(|(_, value)| value),
        };
        parts.push(value.cloned().unwrap_or(Expr::Unknown));
    }
    parts.push(Expr::Text(format!("{rest}{end}")));
    if parts.len() == 1 { parts.remove(0) } else { Expr::Join(parts) }
}

/// The name and the default of an option: `"-t", "--tool", default="x"`.
fn option(call: &Called) -> Option<(String, &Expr)> {
    let (_, value) = call.named.iter().find(|(name, _)| name == "default")?;
    let names = call.args.iter().filter_map(text_of);
    let name = names.max_by_key(|name| (name.starts_with("--"), !name.starts_with('-')))?;
    Some((name.trim_start_matches('-').replace('-', "_"), value))
}

/// The text of a literal.
fn text_of(expr: &Expr) -> Option<String> {
    if let Expr::Text(text) = expr { Some(text.clone()) } else { None }
}

/// A name as it is written, with what stands before it.
fn spelled(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.clone()),
        Expr::Member(object, name) => Some(format!("{}.{name}", spelled(object)?)),
        _ => None,
    }
}

/// The call that a function makes which is given another one and its arguments: `submit(f, x)`,
/// `Thread(target=f, args=(x,))`.
fn passed_on(call: &Called) -> Option<Called> {
    let known = &table().calls.passes;
    let is = |words| is_call(words, &call.callee);
    let named = |names: &Words| call.named.iter().find(|(name, _)| names.contain(name)).map(|(_, value)| value);
    if is(&known.modes) {
        let args = call.args.get(1..).unwrap_or_default().to_vec();
        return Some(Called { callee: known.mode.clone(), args, named: Vec::new() });
    }
    let (is_tuple, is_each) = (is(&known.tuple), is(&known.each));
    if !is_tuple && !is_each && !is(&known.first) && !is(&known.second) {
        return None;
    }
    let at = usize::from(is(&known.second));
    let callee = spelled(named(&known.function_names).or_else(|| call.args.get(at))?)?;
    let rest = call.args.get(at + 1..).unwrap_or_default();
    let args = match named(&known.argument_names).or_else(|| rest.first()) {
        Some(Expr::List(items)) if is_tuple => items.clone(),
        Some(items) if is_each => vec![Expr::Each(Box::new(items.clone()))],
        _ => rest.to_vec(),
    };
    Some(Called { callee, args, named: call.named.clone() })
}

/// The text of a string without the escapes that commands have.
fn plain(text: &str) -> String {
    text.replace("\\\n", "").replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")
}
