//! Parses JavaScript with tree-sitter. Only this file depends on its grammar. The result contains the parts of the
//! module through which names flow. Text that is not JavaScript gives the parts that look like it.

use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use super::table::table;
use crate::language::source::names::{Assign, Called, Expr, Function, How, Import, Module, Param, Site, is_call};
use crate::path::RootPath;

/// Limits are counts, not times, so that the same text always gives the same module.
const MAX_DEPTH: usize = 160;
const MAX_EXPRESSION: usize = 40;
const MAX_PROGRESS: usize = 40_000;

/// Parses a source.
pub(super) fn parse(path: &RootPath, text: &str) -> Module {
    let mut walk = Walk { text, module: Module::new(path) };
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).is_err() {
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
    is_guarded: bool,
}

struct Walk<'t> {
    text: &'t str,
    module: Module,
}

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).filter(|child| child.kind() != "comment").collect()
}

fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "function_declaration"
            | "function_expression"
            | "arrow_function"
            | "method_definition"
            | "generator_function"
            | "generator_function_declaration"
    )
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
        let field = |name: &str| node.child_by_field_name(name);
        match node.kind() {
            _ if is_function(node) => return self.function(node, place, depth),
            "try_statement" => {
                let handler = field("handler").map_or("", |handler| self.text(handler));
                let is_handled = !handler.is_empty() && !table().calls.gives_up.occur_in(handler);
                for child in named(node) {
                    let is_guarded = place.is_guarded || is_handled && field("body") == Some(child);
                    self.visit(child, &Place { is_guarded, ..place.clone() }, depth + 1);
                }
                return;
            }
            "variable_declarator" => self.assignment(field("name"), field("value"), How::Set, place),
            "assignment_expression" => self.assignment(field("left"), field("right"), How::Set, place),
            "augmented_assignment_expression" => self.assignment(field("left"), field("right"), How::Added, place),
            "for_in_statement" => {
                if let (Some(left), Some(right)) = (field("left"), field("right")) {
                    let value = Expr::Each(Box::new(self.expr(right, 0)));
                    self.assign(left, value, How::Set, place);
                }
            }
            "return_statement" => {
                let value = named(node).first().map(|value| self.expr(*value, 0));
                self.returns(value, place);
            }
            "pair" => self.option(node, place),
            "import_statement" => self.import(node),
            "call_expression" | "new_expression" => self.site(node, place),
            _ => {}
        }
        for child in named(node) {
            self.visit(child, place, depth + 1);
        }
    }

    fn returns(&mut self, value: Option<Expr>, place: &Place) {
        if let (Some(scope), Some(value)) = (place.scope, value) {
            self.module.functions[scope].returns.push(value);
        }
    }

    /// A function, with the name under which it is called: its own, or that of what it is assigned to.
    fn function(&mut self, node: Node<'_>, place: &Place, depth: usize) {
        let parent = node.parent();
        let of_parent = |field: &str| parent.map_or_else(String::new, |parent| self.field(parent, field));
        let name = match (self.field(node, "name"), parent.map(|parent| parent.kind())) {
            (name, _) if name == "constructor" => {
                let class = parent.and_then(|body| body.parent());
                class.map_or_else(String::new, |class| self.field(class, "name"))
            }
            (name, _) if !name.is_empty() => name,
            (_, Some("variable_declarator")) => of_parent("name"),
            (_, Some("pair")) => of_parent("key"),
            (_, Some("assignment_expression")) => {
                let left = of_parent("left");
                match left.rsplit('.').next() {
                    Some("exports") => self.module.stem.clone(),
                    Some(name) => name.to_owned(),
                    None => left,
                }
            }
            _ => String::new(),
        };
        let list = node.child_by_field_name("parameters").map(named);
        let list = list.or_else(|| node.child_by_field_name("parameter").map(|one| vec![one])).unwrap_or_default();
        let mut params = Vec::new();
        for param in list {
            let (name, default) = match param.kind() {
                "assignment_pattern" => {
                    let default = param.child_by_field_name("right").map(|value| self.expr(value, 0));
                    (self.field(param, "left"), default)
                }
                _ => (self.text(param).trim_start_matches('.').to_owned(), None),
            };
            params.push(Param { name, default, is_rest: param.kind() == "rest_pattern" });
        }
        let scope = Some(self.module.functions.len());
        self.module.functions.push(Function { name, parent: place.scope, params, returns: Vec::new() });
        let place = Place { scope, is_guarded: false };
        if let Some(body) = node.child_by_field_name("body").filter(|body| body.kind() != "statement_block") {
            let value = self.expr(body, 0);
            self.returns(Some(value), &place);
        }
        for child in named(node) {
            self.visit(child, &place, depth + 1);
        }
    }

    fn assignment(&mut self, left: Option<Node<'_>>, right: Option<Node<'_>>, how: How, place: &Place) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let value = self.expr(right, 0);
        if let Some(import) = self.required(right) {
            return self.bind(left, &import);
        }
        self.assign(left, value, how, place);
    }

    /// The module that `require('x')`, or a wrapper such as `promisify(require('x').f)`, gives.
    fn required(&self, node: Node<'_>) -> Option<Import> {
        match node.kind() {
            "await_expression" | "parenthesized_expression" => self.required(node.named_child(0)?),
            "member_expression" => {
                let module = self.required(node.child_by_field_name("object")?).filter(|it| it.name.is_none())?;
                Some(Import { name: Some(self.field(node, "property")), ..module })
            }
            "identifier" => self.module.imports.get(self.text(node)).cloned(),
            "call_expression" => {
                let function = node.child_by_field_name("function")?;
                let arg = node.child_by_field_name("arguments")?.named_child(0)?;
                let callee = self.dotted(function);
                if matches!(callee.as_str(), "require" | "import") {
                    let Expr::Text(module) = self.expr(arg, 0) else { return None };
                    return Some(Import { module: plain_module(&module), name: None });
                }
                // `__importStar(require('x'))`
                let is_wrapper = is_call(&table().calls.same, &callee) || callee.starts_with("__import");
                if is_wrapper { self.required(arg) } else { None }
            }
            _ => None,
        }
    }

    /// Binds an imported module, or the members of it that a pattern names.
    fn bind(&mut self, left: Node<'_>, import: &Import) {
        match left.kind() {
            "identifier" => {
                self.module.imports.insert(self.text(left).to_owned(), import.clone());
            }
            "object_pattern" => {
                for part in named(left) {
                    let (real, local) = match part.kind() {
                        "pair_pattern" => (self.field(part, "key"), self.field(part, "value")),
                        _ => (self.text(part).to_owned(), self.text(part).to_owned()),
                    };
                    self.module.imports.insert(local, Import { name: Some(real), ..import.clone() });
                }
            }
            _ => {}
        }
    }

    fn assign(&mut self, left: Node<'_>, value: Expr, how: How, place: &Place) {
        match left.kind() {
            "identifier" => {
                let name = self.text(left).to_owned();
                self.module.assigns.push(Assign { scope: place.scope, name, how, value });
            }
            "member_expression" => {
                let name = self.field(left, "property");
                self.module.assigns.push(Assign { scope: place.scope, name, how: How::Member, value });
            }
            "array_pattern" => {
                for (nth, part) in named(left).into_iter().enumerate() {
                    let key = Box::new(Expr::Text(nth.to_string()));
                    let part_of = Expr::Item(Box::new(value.clone()), key);
                    self.assign(part, part_of, how, place);
                }
            }
            "object_pattern" => {
                for part in
                    named(left).into_iter().filter(|part| part.kind() == "shorthand_property_identifier_pattern")
                {
                    let name = self.text(part).to_owned();
                    let value = Expr::Member(Box::new(value.clone()), name.clone());
                    self.module.assigns.push(Assign { scope: place.scope, name, how, value });
                }
            }
            _ => {}
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let source = node.child_by_field_name("source").map(|source| self.expr(source, 0));
        let Some(Expr::Text(module)) = source else { return };
        let whole = Import { module: plain_module(&module), name: None };
        let Some(clause) = named(node).into_iter().find(|child| child.kind() == "import_clause") else { return };
        for part in named(clause) {
            match part.kind() {
                "identifier" => drop(self.module.imports.insert(self.text(part).to_owned(), whole.clone())),
                "namespace_import" => {
                    let local = part.named_child(0).map_or("", |name| self.text(name)).to_owned();
                    self.module.imports.insert(local, whole.clone());
                }
                "named_imports" => {
                    for one in named(part) {
                        let (real, alias) = (self.field(one, "name"), self.field(one, "alias"));
                        let local = if alias.is_empty() { real.clone() } else { alias };
                        self.module.imports.insert(local, Import { name: Some(real), ..whole.clone() });
                    }
                }
                _ => {}
            }
        }
    }

    fn site(&mut self, node: Node<'_>, place: &Place) {
        let Expr::Call(call) = self.called(node, 0) else { return };
        if let Some((list, method)) = call.callee.rsplit_once('.') {
            let how = match method {
                "push" => Some(How::Added),
                "unshift" => Some(How::Set),
                _ => None,
            };
            if let Some(how) = how {
                let value = Expr::List(call.args.clone());
                self.module.assigns.push(Assign { scope: place.scope, name: list.to_owned(), how, value });
            }
        }
        let (line, is_guarded) = (node.start_position().row + 1, place.is_guarded);
        self.module.sites.push(Site { scope: place.scope, call: *call, line, is_guarded });
    }

    /// An option of a call that names a program: `{executablePath: '/usr/bin/x'}`.
    fn option(&mut self, node: Node<'_>, place: &Place) {
        let key = self.field(node, "key");
        if table().calls.options.contain(&key)
            && let Some(value) = node.child_by_field_name("value")
        {
            let call = Called { callee: key, args: vec![self.expr(value, 0)], named: Vec::new() };
            let (line, is_guarded) = (node.start_position().row + 1, place.is_guarded);
            self.module.sites.push(Site { scope: place.scope, call, line, is_guarded });
        }
    }

    fn called(&self, node: Node<'_>, depth: usize) -> Expr {
        let function = node.child_by_field_name("function").or_else(|| node.child_by_field_name("constructor"));
        let Some(function) = function else { return Expr::Unknown };
        let args = node.child_by_field_name("arguments").filter(|args| args.kind() == "arguments");
        let args = args.map(named).unwrap_or_default();
        let args = args.into_iter().map(|arg| self.expr(arg, depth + 1)).collect();
        Expr::Call(Box::new(Called { callee: self.dotted(function), args, named: Vec::new() }))
    }

    /// The function of a call with its qualifiers.
    fn dotted(&self, node: Node<'_>) -> String {
        match node.kind() {
            "identifier" | "import" | "this" => self.text(node).to_owned(),
            "member_expression" => {
                let object = node.child_by_field_name("object");
                let object = object.map_or_else(String::new, |object| match self.required(object) {
                    Some(Import { module, name: None }) if object.kind() == "call_expression" => module,
                    _ => self.dotted(object),
                });
                format!("{object}.{}", self.field(node, "property"))
            }
            // `(0, x.spawn)(…)`, as compilers write it.
            "parenthesized_expression" | "sequence_expression" => {
                named(node).last().map_or_else(String::new, |last| self.dotted(*last))
            }
            _ => "()".to_owned(),
        }
    }

    fn expr(&self, node: Node<'_>, depth: usize) -> Expr {
        let field =
            |name: &str| node.child_by_field_name(name).map_or(Expr::Unknown, |child| self.expr(child, depth + 1));
        let first = || named(node).first().map_or(Expr::Unknown, |child| self.expr(*child, depth + 1));
        match node.kind() {
            _ if depth > MAX_EXPRESSION => Expr::Unknown,
            "identifier" => Expr::Name(self.text(node).to_owned()),
            "number" | "property_identifier" => Expr::Text(self.text(node).to_owned()),
            "string" => Expr::Text(plain(self.text(node))),
            "template_string" => self.template(node, depth),
            "array" => Expr::List(named(node).into_iter().map(|item| self.expr(item, depth + 1)).collect()),
            "spread_element" => Expr::Spread(Box::new(first())),
            "object" => {
                let side = |pair: Node<'_>, name: &str| {
                    pair.child_by_field_name(name).map_or(Expr::Unknown, |child| self.expr(child, depth + 1))
                };
                let pair = |part: Node<'_>| match part.kind() {
                    "pair" => Some((side(part, "key"), side(part, "value"))),
                    "shorthand_property_identifier" => {
                        let name = self.text(part).to_owned();
                        Some((Expr::Text(name.clone()), Expr::Name(name)))
                    }
                    _ => None,
                };
                Expr::Dict(named(node).into_iter().filter_map(pair).collect())
            }
            "parenthesized_expression" | "await_expression" => first(),
            "assignment_expression" => field("right"),
            "ternary_expression" => Expr::Either(vec![field("consequence"), field("alternative")]),
            "binary_expression" => match node.child_by_field_name("operator").map(|operator| self.text(operator)) {
                Some("+") => Expr::Join(vec![field("left"), field("right")]),
                Some("||" | "??" | "&&") => Expr::Either(vec![field("left"), field("right")]),
                _ => Expr::Unknown,
            },
            "member_expression" => Expr::Member(Box::new(field("object")), self.field(node, "property")),
            "subscript_expression" => Expr::Item(Box::new(field("object")), Box::new(field("index"))),
            "call_expression" => self.method(node, depth).unwrap_or_else(|| self.called(node, depth)),
            _ => Expr::Unknown,
        }
    }

    /// Methods whose result is known from the object.
    fn method(&self, node: Node<'_>, depth: usize) -> Option<Expr> {
        let function =
            node.child_by_field_name("function").filter(|function| function.kind() == "member_expression")?;
        let object = function.child_by_field_name("object")?;
        let name = self.field(function, "property");
        if name == "concat" {
            let args = node.child_by_field_name("arguments").map(named).unwrap_or_default();
            let parts = std::iter::once(object).chain(args).map(|part| self.expr(part, depth + 1));
            return Some(Expr::Join(parts.collect()));
        }
        table().calls.keeps.contain(&name).then(|| self.expr(object, depth + 1))
    }

    fn template(&self, node: Node<'_>, depth: usize) -> Expr {
        let mut parts = Vec::new();
        for child in named(node) {
            match child.kind() {
                "template_substitution" => {
                    parts.push(child.named_child(0).map_or(Expr::Unknown, |inner| self.expr(inner, depth + 1)));
                }
                _ => parts.push(Expr::Text(self.text(child).to_owned())),
            }
        }
        match parts.as_slice() {
            [Expr::Text(text)] => Expr::Text(text.clone()),
            _ => Expr::Join(parts),
        }
    }
}

/// The name of a module without the scheme of Node's own.
fn plain_module(module: &str) -> String {
    module.strip_prefix("node:").unwrap_or(module).to_owned()
}

/// The text of a string without its quotes and the escapes that commands have.
fn plain(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    inner.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")
}
