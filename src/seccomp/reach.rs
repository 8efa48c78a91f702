//! Which system calls the objects of an image can make, together.
//!
//! An object with a libc's functions is used by name: what no object names, and no data points to, never runs. All
//! code of the other objects counts.

use std::collections::BTreeSet;

use crate::elf::CodeMap;

use crate::world::tables::Words;

use super::code::{ANY_CALL, Function, callers, index_of};

/// How many functions may pass a number on, from the constant to the instruction.
const MAX_PASSED: usize = 3;

/// An object with its functions.
pub(super) struct Object {
    pub(super) map: CodeMap,
    pub(super) functions: Vec<Function>,
}

impl Object {
    /// True for a libc: its functions make the system calls of others.
    fn is_libc(&self) -> bool {
        self.map.exports.iter().any(|(name, _)| name == ANY_CALL)
    }

    /// The functions that run if others use these names.
    fn reached(&self, named: &BTreeSet<Vec<u8>>) -> BTreeSet<usize> {
        if !self.is_libc() {
            return (0..self.functions.len()).collect();
        }
        let used = self.map.exports.iter().filter(|(name, _)| named.contains(name)).map(|(_, at)| *at);
        let roots = used.chain(self.map.pointers.values().copied()).chain(self.map.entries.iter().copied());
        let mut todo: Vec<usize> = roots.filter_map(|at| index_of(&self.map, at)).collect();
        let mut reached: BTreeSet<usize> = todo.iter().copied().collect();
        // Names that the object looks up for itself may be its own.
        let own = self.map.slots.values().filter_map(|name| self.map.exports.iter().find(|(own, _)| own == name));
        for index in own.filter_map(|(_, at)| index_of(&self.map, *at)) {
            todo.extend(reached.insert(index).then_some(index));
        }
        while let Some(index) = todo.pop() {
            for next in &self.functions[index].reaches {
                todo.extend(reached.insert(*next).then_some(*next));
            }
        }
        reached
    }

    /// The names under which others reach a function.
    fn names(&self, index: usize) -> impl Iterator<Item = &Vec<u8>> {
        self.map.exports.iter().filter(move |(_, at)| index_of(&self.map, *at) == Some(index)).map(|(name, _)| name)
    }
}

/// The numbers of all system calls that the objects can make if these further names are used. `for_scripts` are functions
/// that make the system calls of scripts.
pub(super) fn numbers(objects: &[Object], further: &BTreeSet<Vec<u8>>, for_scripts: &Words) -> BTreeSet<u64> {
    let imports = objects.iter().flat_map(|object| object.map.imports.iter().cloned());
    let named: BTreeSet<Vec<u8>> = imports.chain(further.iter().cloned()).collect();
    let mut found = BTreeSet::new();
    for object in objects {
        let reached = object.reached(&named);
        for index in &reached {
            found.extend(&object.functions[*index].numbers);
        }
        let is_open = |index: &usize| {
            let function = &object.functions[*index];
            function.is_open || function.passes_any && !object.names(*index).any(|name| for_scripts.contain(name))
        };
        let open: Vec<usize> = reached.iter().copied().filter(is_open).collect();
        found.extend(passed(object, &reached, open));
    }
    found
}

/// The constants in functions, and in those that call them over a few steps: the number of a system call is among them if
/// it is passed on as an argument or in a variable. All constants of the object, if one of them is called by its address.
fn passed(object: &Object, reached: &BTreeSet<usize>, from: Vec<usize>) -> BTreeSet<u64> {
    if from.is_empty() {
        return BTreeSet::new();
    }
    // A word of a table, which nobody reads by its own address.
    let loads: BTreeSet<u64> = object.functions.iter().flat_map(|function| function.loads.iter().copied()).collect();
    let in_tables = object.map.pointers.iter().filter(|(word, _)| !loads.contains(word));
    let by_address: BTreeSet<usize> = in_tables.filter_map(|(_, at)| index_of(&object.map, *at)).collect();
    let mut seen: BTreeSet<usize> = from.iter().copied().collect();
    let mut edge = from;
    let callers = callers(&object.functions);
    for step in 0..=MAX_PASSED {
        if edge.iter().any(|index| by_address.contains(index)) {
            return object.functions.iter().flat_map(|function| function.constants.iter().copied()).collect();
        }
        if step == MAX_PASSED {
            break;
        }
        // A function with a name takes no number: what uses it has other constants.
        let hidden = edge.iter().filter(|index| step == 0 || object.names(**index).next().is_none());
        let above = hidden.flat_map(|index| callers.get(index).into_iter().flatten().copied());
        edge = above.filter(|index| reached.contains(index) && seen.insert(*index)).collect();
    }
    seen.iter().flat_map(|index| object.functions[*index].constants.iter().copied()).collect()
}
