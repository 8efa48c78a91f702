//! Reads machine code of x86-64: which functions call which, and the numbers of their system calls.
//!
//! A system call is the instruction `syscall` with its number in RAX (x86-64 psABI, "Linux conventions"). The number is
//! looked for backwards from the instruction, over all jumps that lead there, until it is set to a constant.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use iced_x86::{
    Code as Opcode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};

use crate::elf::CodeMap;

/// The function of a libc that makes the system call whose number is its first argument.
pub(super) const ANY_CALL: &[u8] = b"syscall";
/// Numbers are smaller.
const MAX_NUMBER: u64 = 600;
/// Maximum number of instructions that are looked at for a number.
const MAX_STEPS: usize = 512;

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Maximum distance from the start of a stub (PLT) to the offset in its jump.
const STUB: u64 = 16;
/// The code that returns from a signal is shorter, with its padding.
const SIGNAL_RETURN: usize = 32;

/// A function.
#[derive(Debug, Default)]
pub(super) struct Function {
    /// Numbers of its system calls.
    pub(super) numbers: BTreeSet<u64>,
    /// True if it has a system call whose number is not a constant.
    pub(super) is_open: bool,
    /// Constants that could be numbers of system calls.
    pub(super) constants: BTreeSet<u64>,
    /// Functions of the same object that it calls, jumps to, or takes the address of.
    pub(super) reaches: BTreeSet<usize>,
    /// Words with the address of code that it reads.
    pub(super) loads: BTreeSet<u64>,
    /// True if it passes a number that is not a constant to [`ANY_CALL`], or takes its address.
    pub(super) passes_any: bool,
}

/// The functions of an object, in the order of [`CodeMap::starts`]. Of an object that is no libc, those without a system call
/// are left empty, unless the number of a call may come from them.
pub(super) fn functions(map: &CodeMap, bytes: &[u8]) -> Vec<Function> {
    let any_call: BTreeSet<u64> = map.exports.iter().filter(|(name, _)| name == ANY_CALL).map(|(_, at)| *at).collect();
    let mut reader = Reader { map, bytes, any_call, entered: HashSet::new() };
    let all: BTreeSet<usize> = (0..map.starts.len()).collect();
    if reader.any_call.is_empty() && map.has_frames {
        let calling = reader.calling();
        let found = reader.read_all(&calling);
        if !found.iter().any(|function| function.is_open || function.passes_any) {
            return found;
        }
    }
    reader.read_all(&all)
}

/// The index of the function at an address.
pub(super) fn index_of(map: &CodeMap, address: u64) -> Option<usize> {
    map.is_code(address).then(|| map.starts.partition_point(|start| *start <= address).checked_sub(1)).flatten()
}

struct Reader<'m> {
    map: &'m CodeMap,
    bytes: &'m [u8],
    /// Addresses of [`ANY_CALL`] in the object itself.
    any_call: BTreeSet<u64>,
    /// Addresses that are called, or that other functions jump to: registers may have any value there.
    entered: HashSet<u64>,
}

impl Reader<'_> {
    /// Reads these functions.
    fn read_all(&mut self, chosen: &BTreeSet<usize>) -> Vec<Function> {
        self.entered = if chosen.len() == self.map.starts.len() { self.entries() } else { self.references(chosen) };
        let all = 0..self.map.starts.len();
        all.map(|index| if chosen.contains(&index) { self.function(index) } else { Function::default() }).collect()
    }

    /// The functions with the bytes of a system call, and those that refer to the slot or the stub of [`ANY_CALL`].
    fn calling(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (start, place) in &self.map.parts {
            let code = self.bytes.get(place.clone()).unwrap_or_default();
            let calls = memchr::memmem::find_iter(code, &SYSCALL).map(|at| start + at as u64);
            found.extend(calls.filter_map(|at| index_of(self.map, at)));
        }
        let slots = self.map.slots.iter().filter(|(_, name)| *name == ANY_CALL).map(|(at, _)| *at);
        let slots: HashSet<u64> = slots.collect();
        if slots.is_empty() {
            return found;
        }
        let mut stubs = HashSet::new();
        self.map.references(self.bytes, &mut |at, to| {
            if slots.contains(&to) {
                found.extend(index_of(self.map, at));
                stubs.extend(at.saturating_sub(STUB)..=at);
            }
        });
        self.map.references(self.bytes, &mut |at, to| {
            if stubs.contains(&to) {
                found.extend(index_of(self.map, at));
            }
        });
        found
    }

    /// Addresses in these functions to which others may refer.
    fn references(&self, chosen: &BTreeSet<usize>) -> HashSet<u64> {
        let known = self.map.exports.iter().map(|(_, at)| *at).chain(self.map.pointers.values().copied());
        let mut found: HashSet<u64> = known.chain(self.map.entries.iter().copied()).collect();
        self.map.references(self.bytes, &mut |at, to| {
            if let Some(index) = index_of(self.map, to).filter(|index| chosen.contains(index))
                && index_of(self.map, at) != Some(index)
            {
                found.insert(to);
            }
        });
        found
    }

    fn entries(&self) -> HashSet<u64> {
        let known = self.map.exports.iter().map(|(_, at)| *at).chain(self.map.pointers.values().copied());
        let mut found: HashSet<u64> = known.chain(self.map.entries.iter().copied()).collect();
        for index in 0..self.map.starts.len() {
            let (code, start) = (self.code(index), self.map.starts[index]);
            let body = start..start + code.len() as u64;
            for one in Decoder::with_ip(64, code, start, DecoderOptions::NONE) {
                let far = target(&one).filter(|to| is_call(&one) || !body.contains(to));
                let taken = (one.mnemonic() == Mnemonic::Lea && one.is_ip_rel_memory_operand())
                    .then(|| one.ip_rel_memory_address())
                    .filter(|address| self.map.is_code(*address));
                found.extend(far.into_iter().chain(taken));
            }
        }
        found
    }

    fn function(&self, index: usize) -> Function {
        let (mut code, start) = (self.code(index), self.map.starts[index]);
        let mut body = Body::new(code, start);
        // clone(2) and vfork(2) end the frame before the instruction: the stack of the child is another (glibc, clone.S).
        let next = self.map.starts.get(index + 1).filter(|next| self.map.gaps.contains(next));
        if next.is_some() && body.instructions.last().is_some_and(|one| falls_through(one) && !is_call(one)) {
            code = self.span(index, 2);
            body = Body::new(code, start);
        }
        let mut function = Function::default();
        for (at, one) in body.instructions.iter().enumerate() {
            self.read(&body, at, one, index, &mut function);
        }
        // Data is no code.
        let is_data = self.map.gaps.contains(&start) && body.instructions.iter().any(Instruction::is_invalid);
        function.is_open &= !is_data;
        // The frame of the code that returns from a signal begins one byte before it (gcc, "MD_FALLBACK_FRAME_STATE_FOR").
        if function.is_open && code.len() < SIGNAL_RETURN {
            let body = Body::new(&code[1..], start + 1);
            let calls = body.instructions.iter().enumerate().filter(|(_, one)| one.mnemonic() == Mnemonic::Syscall);
            let numbers: Option<Vec<BTreeSet<u64>>> =
                calls.map(|(at, _)| body.values(at, Register::RAX, &self.entered)).collect();
            if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
                function.numbers.extend(numbers.into_iter().flatten());
                function.is_open = false;
            }
        }
        // Without a table of frames a start may be in the middle of a function.
        let last = body.instructions.iter().rev().find(|one| one.mnemonic() != Mnemonic::Nop);
        if !self.map.has_frames && last.is_some_and(falls_through) {
            function.reaches.insert(index + 1);
        }
        function.reaches.retain(|other| *other < self.map.starts.len());
        function
    }

    fn read(&self, body: &Body, at: usize, one: &Instruction, index: usize, function: &mut Function) {
        if one.mnemonic() == Mnemonic::Syscall {
            // The system call of ANY_CALL itself counts where it is called.
            let start = self.map.starts[index];
            let end = self.map.starts.get(index + 1).copied().unwrap_or(u64::MAX);
            match body.values(at, Register::RAX, &self.entered) {
                Some(numbers) => function.numbers.extend(numbers),
                None if self.any_call.range(start..end).next().is_some() => {}
                None => function.is_open = true,
            }
        }
        function.constants.extend(constants(one));
        let mut symbol = None;
        if let Some(target) = target(one) {
            if self.any_call.contains(&target) {
                symbol = Some(ANY_CALL);
            } else {
                symbol = self.imported(target);
            }
            function.reaches.extend(index_of(self.map, target).filter(|other| *other != index));
        }
        if one.is_ip_rel_memory_operand() {
            let address = one.ip_rel_memory_address();
            let is_jump = matches!(one.flow_control(), FlowControl::IndirectCall | FlowControl::IndirectBranch);
            match self.map.slots.get(&address) {
                Some(name) if is_jump => symbol = Some(name),
                Some(name) => function.passes_any |= name == ANY_CALL,
                None => {}
            }
            if let Some(to) = self.map.pointers.get(&address)
                && one.mnemonic() != Mnemonic::Lea
            {
                function.loads.insert(address);
                function.reaches.extend(index_of(self.map, *to).filter(|other| *other != index));
            }
            if one.mnemonic() == Mnemonic::Lea {
                function.passes_any |= self.any_call.contains(&address);
                function.reaches.extend(index_of(self.map, address).filter(|other| *other != index));
            }
        }
        // In programs at a fixed address the address of a function is a constant.
        for operand in 0..one.op_count() {
            if matches!(one.op_kind(operand), OpKind::Immediate32 | OpKind::Immediate64 | OpKind::Immediate32to64) {
                function.reaches.extend(index_of(self.map, one.immediate(operand)).filter(|other| *other != index));
            }
        }
        let Some(symbol) = symbol else { return };
        let is_stub = is_slot_jump(one) && self.is_stub(body);
        if symbol == ANY_CALL && !is_stub {
            match body.values(at, Register::RDI, &self.entered) {
                Some(numbers) => function.numbers.extend(numbers),
                None => function.passes_any = true,
            }
        }
    }

    /// True for a table of stubs (PLT), each of which jumps through a slot.
    fn is_stub(&self, body: &Body) -> bool {
        body.instructions.first().is_some_and(|first| self.imported(first.ip()).is_some())
            || body.instructions.iter().filter(|one| is_slot_jump(one)).count() > 1
    }

    /// The symbol that a stub (PLT) at an address jumps to.
    fn imported(&self, address: u64) -> Option<&[u8]> {
        let (start, bytes) =
            self.map.parts.iter().find(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&address))?;
        let from = bytes.start + usize::try_from(address - start).ok()?;
        let code = self.bytes.get(from..bytes.end)?;
        let decoder = Decoder::with_ip(64, &code[..code.len().min(32)], address, DecoderOptions::NONE);
        let mut heads = decoder.into_iter().skip_while(|one| one.code() == Opcode::Endbr64);
        let jump = heads.next().filter(is_slot_jump)?;
        self.map.slots.get(&jump.ip_rel_memory_address()).map(Vec::as_slice)
    }

    fn code(&self, index: usize) -> &[u8] {
        self.span(index, 1)
    }

    /// The bytes of several functions, one after the other.
    fn span(&self, index: usize, count: usize) -> &[u8] {
        let start = self.map.starts[index];
        let Some((first, bytes)) =
            self.map.parts.iter().find(|(first, bytes)| (*first..first + bytes.len() as u64).contains(&start))
        else {
            return &[];
        };
        let end = first + bytes.len() as u64;
        let next = self.map.starts.get(index + count).copied().unwrap_or(end).min(end);
        let at = |address: u64| bytes.start + usize::try_from(address - first).unwrap_or(usize::MAX);
        self.bytes.get(at(start)..at(next)).unwrap_or_default()
    }
}

fn is_slot_jump(one: &Instruction) -> bool {
    one.flow_control() == FlowControl::IndirectBranch && one.is_ip_rel_memory_operand()
}

/// The target of a direct call or jump.
fn target(one: &Instruction) -> Option<u64> {
    let is_direct = matches!(
        one.flow_control(),
        FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
    );
    (is_direct && matches!(one.op0_kind(), OpKind::NearBranch64)).then(|| one.near_branch_target())
}

fn is_call(one: &Instruction) -> bool {
    matches!(one.mnemonic(), Mnemonic::Call)
}

fn falls_through(one: &Instruction) -> bool {
    !matches!(
        one.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return | FlowControl::Exception
    ) && one.code() != Opcode::Hlt
}

/// Constants that an instruction puts somewhere.
fn constants(one: &Instruction) -> impl Iterator<Item = u64> {
    let sets = matches!(one.mnemonic(), Mnemonic::Mov | Mnemonic::Push);
    let clears = one.mnemonic() == Mnemonic::Xor && one.op0_register() == one.op1_register();
    let last = one.op_count().saturating_sub(1);
    let immediate = (sets && one.op_count() > 0 && is_immediate(one, last)).then(|| one.immediate(last));
    immediate.or(clears.then_some(0)).filter(|value| *value < MAX_NUMBER).into_iter()
}

fn is_immediate(one: &Instruction, operand: u32) -> bool {
    !matches!(
        one.op_kind(operand),
        OpKind::Register | OpKind::Memory | OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    ) && one.try_immediate(operand).is_ok()
}

/// The instructions of a function.
struct Body {
    instructions: Vec<Instruction>,
    /// Jumps inside the function, by the address that they lead to.
    jumps: HashMap<u64, Vec<usize>>,
}

/// What an instruction does to a register.
enum Effect {
    /// It leaves it.
    None,
    /// It sets it to a constant.
    Constant(u64),
    /// It copies another register.
    Copy(Register),
    /// It takes the word that was pushed last.
    Pop,
    /// It sets it to something else.
    Other,
}

impl Body {
    fn new(code: &[u8], start: u64) -> Self {
        let instructions: Vec<Instruction> =
            Decoder::with_ip(64, code, start, DecoderOptions::NONE).into_iter().collect();
        let mut jumps: HashMap<u64, Vec<usize>> = HashMap::new();
        let end = start + code.len() as u64;
        for (at, one) in instructions.iter().enumerate() {
            let is_jump = one.flow_control() != FlowControl::Call;
            if let Some(to) = target(one).filter(|to| is_jump && (start..end).contains(to)) {
                jumps.entry(to).or_default().push(at);
            }
        }
        Self { instructions, jumps }
    }

    /// The instructions that may run just before one.
    fn before(&self, at: usize) -> Vec<usize> {
        let previous = at.checked_sub(1).filter(|previous| falls_through(&self.instructions[*previous]));
        let jumps = self.jumps.get(&self.instructions[at].ip()).into_iter().flatten().copied();
        previous.into_iter().chain(jumps).collect()
    }

    /// The constants that a register may have before an instruction; `None` if it may have another value. It may have any
    /// at the addresses `entered`.
    fn values(&self, at: usize, register: Register, entered: &HashSet<u64>) -> Option<BTreeSet<u64>> {
        let mut found = BTreeSet::new();
        let (mut seen, mut todo) = (HashSet::new(), vec![(at, register)]);
        let mut infos = InstructionInfoFactory::new();
        while let Some((at, register)) = todo.pop() {
            if seen.len() > MAX_STEPS {
                return None;
            }
            if entered.contains(&self.instructions[at].ip()) {
                return None;
            }
            let before = self.before(at);
            // Nothing leads to the padding behind a jump; a case of a switch does not begin with it.
            if before.is_empty() && (at == 0 || self.instructions[at].mnemonic() != Mnemonic::Nop) {
                return None;
            }
            for previous in before {
                let one = &self.instructions[previous];
                let next = match effect(one, register, &mut infos) {
                    Effect::None => Some((previous, register)),
                    Effect::Copy(other) => Some((previous, other)),
                    Effect::Constant(value) => {
                        found.insert(value);
                        None
                    }
                    Effect::Pop => match self.pushed(previous)? {
                        (_, Err(value)) => {
                            found.insert(value);
                            None
                        }
                        (push, Ok(other)) => Some((push, other)),
                    },
                    Effect::Other => return None,
                };
                todo.extend(next.filter(|step| seen.insert(*step)));
            }
        }
        (!found.is_empty() && found.iter().all(|value| *value < MAX_NUMBER)).then_some(found)
    }

    /// The instruction whose word a `pop` takes, and that word: a register, or a constant.
    fn pushed(&self, pop: usize) -> Option<(usize, Result<Register, u64>)> {
        for at in (pop.saturating_sub(MAX_STEPS)..pop).rev() {
            let one = &self.instructions[at];
            // A jump to a place between the two would have another word.
            if !falls_through(one) || self.jumps.contains_key(&self.instructions[at + 1].ip()) {
                return None;
            }
            match one.mnemonic() {
                Mnemonic::Push if is_immediate(one, 0) => return Some((at, Err(one.immediate(0)))),
                Mnemonic::Push if one.op0_kind() == OpKind::Register => {
                    return Some((at, Ok(one.op0_register().full_register())));
                }
                Mnemonic::Push | Mnemonic::Pop | Mnemonic::Call | Mnemonic::Leave => return None,
                _ if one.op_count() > 0
                    && one.op0_kind() == OpKind::Register
                    && one.op0_register().full_register() == Register::RSP =>
                {
                    return None;
                }
                _ => {}
            }
        }
        None
    }
}

/// What an instruction does to a register of 64 bits.
fn effect(one: &Instruction, register: Register, infos: &mut InstructionInfoFactory) -> Effect {
    if matches!(one.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
        // The instruction `syscall` counts as a call too: it changes RAX, RCX and R11. A call may change more, but then
        // the compiler does not use them afterwards: such a path ends in a function that never returns.
        let changed: &[Register] = match one.mnemonic() {
            Mnemonic::Syscall => &[Register::RAX, Register::RCX, Register::R11],
            _ => &[Register::RAX],
        };
        return if changed.contains(&register) { Effect::Other } else { Effect::None };
    }
    let writes = infos.info(one).used_registers().iter().any(|used| {
        let is_write = matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        is_write && used.register().full_register() == register
    });
    if !writes {
        return Effect::None;
    }
    let is_whole = one.op_count() > 0
        && one.op0_kind() == OpKind::Register
        && one.op0_register().full_register() == register
        && one.op0_register().size() >= 4;
    match one.mnemonic() {
        Mnemonic::Mov if is_whole && is_immediate(one, 1) => Effect::Constant(one.immediate(1)),
        Mnemonic::Mov if is_whole && one.op1_kind() == OpKind::Register => {
            Effect::Copy(one.op1_register().full_register())
        }
        Mnemonic::Xor | Mnemonic::Sub
            if is_whole && one.op1_kind() == OpKind::Register && one.op0_register() == one.op1_register() =>
        {
            Effect::Constant(0)
        }
        Mnemonic::Pop if is_whole => Effect::Pop,
        _ => Effect::Other,
    }
}

/// Functions by the functions that reach them.
pub(super) fn callers(functions: &[Function]) -> BTreeMap<usize, Vec<usize>> {
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, function) in functions.iter().enumerate() {
        for to in &function.reaches {
            found.entry(*to).or_default().push(from);
        }
    }
    found
}
