#!/usr/bin/env node
// Starts the binary of the package for this machine, which npm chose from the optional dependencies.
"use strict";
const { spawnSync } = require("child_process");

const name = `slimroot-linux-${process.arch}`;
let binary;
try {
  binary = require.resolve(`${name}/slimroot`);
} catch {
  console.error(`slimroot: the package ${name} is not installed; do not omit optional dependencies`);
  process.exit(3);
}
const ended = spawnSync(binary, process.argv.slice(2), { stdio: "inherit" });
if (ended.error) {
  console.error(`slimroot: ${ended.error.message}`);
  process.exit(3);
}
if (ended.signal) process.kill(process.pid, ended.signal);
process.exit(ended.status);
