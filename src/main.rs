//! The slimroot command.

fn main() {}
