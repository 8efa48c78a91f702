//! slimroot packs a program with only its runtime dependencies into a container image without a base image.
//! Data flow in one direction. A [`root`] is read, and its [`elf`] objects are resolved as a [`loader`] would resolve
//! them. A [`closure`] collects all files with the reasons for them, a [`plan`] fixes the contents of the image, and
//! the [`check`]s look for problems. The plan is written with [`layer`], [`image`] and [`output`]. Each module uses
//! only modules of lower layers. The command line uses only this public interface, as in this example:
//!
//! ```
//! use slimroot::{PackRequest, pack};
//!
//! # fn main() -> Result<(), slimroot::error::Error> {
//! # let out = tempfile::tempdir().expect("a directory");
//! # let archive = out.path().join("true.tar");
//! let mut request = PackRequest::new("/", ["true"]);
//! request.outputs.push(format!("oci-archive:{}:v1", archive.display()));
//! let packed = pack(&request)?;
//! for finding in &packed.findings {
//!     println!("{:?} {}: {}", finding.level, finding.code, finding.says);
//! }
//! assert!(packed.is_whole());
//! println!("{} files, {} bytes, manifest {:?}", packed.files, packed.bytes, packed.outputs[0].manifest);
//! # Ok(())
//! # }
//! ```
//! slimroot never reads files outside the root, and never runs anything from it, except with a [`guest`] or a [`proof`] that
//! the caller asks for.

pub mod attest;
pub mod check;
pub mod cleanup;
#[cfg(feature = "cli")]
pub mod cli;
pub mod closure;
#[cfg(feature = "cli")]
mod commands;
pub mod config;
pub mod dockerfile;
pub mod embedded;
pub mod engine;
pub mod error;
pub mod finding;
pub mod guest;
pub mod image;
pub mod image_reader;
pub mod language;
pub mod layer;
pub mod ledger;
pub mod output;
mod pack;
pub mod package;
#[cfg(feature = "page")]
pub mod page;
pub mod plan;
pub mod profile;
pub mod proof;
pub mod registry;
pub mod sbom;
pub mod seccomp;
pub mod text;
pub mod trust;
pub mod watch;
mod world;
mod zipped;

pub use pack::{Allowed, Attach, Documents, Group, PackRequest, Packed, PlatformPacked, Resent, pack};
pub use slimroot_ldso::{elf, loader};
pub use slimroot_rootfs::{digest, path, root};
