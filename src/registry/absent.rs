//! Stub for a slimroot built without the registry client.

use std::convert::Infallible;
use std::io::{self, Read};
use std::marker::PhantomData;

use super::{Access, Address};
use crate::error::Error;

pub(super) fn no_support(address: &Address) -> Error {
    Error::new("no-registry-support", format!("{address}: this slimroot was built without the feature registry"))
        .help("build it with cargo's default features, or copy the image with skopeo copy")
}

/// The reading client, of which no value can exist.
pub(crate) struct Pull<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Pull<'a> {
    pub(crate) fn open(address: &Address, _: &Access, _: &'a dyn Fn() -> bool) -> Result<Self, Error> {
        Err(no_support(address))
    }

    pub(crate) fn manifest(&self, _: &str) -> Result<(Vec<u8>, String), Error> {
        match self.0 {}
    }

    pub(crate) fn blob(&self, _: &str, _: u64) -> Result<Box<dyn Read>, Error> {
        match self.0 {}
    }
}

/// The pushing client, of which no value can exist.
pub(crate) struct Push<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Push<'a> {
    pub(crate) fn open(address: &Address, _: &Access, _: &'a dyn Fn() -> bool) -> Result<Self, Error> {
        Err(no_support(address))
    }

    pub(crate) fn blob(
        &self,
        _: &str,
        _: u64,
        _: &dyn Fn(u64) -> io::Result<Box<dyn Read + 'a>>,
        _: &dyn Fn(u64),
    ) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn manifest(&self, _: &str, _: &str, _: &[u8]) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn referrer(&self, _: &[u8], _: &serde_json::Value, _: &str) -> Result<(), Error> {
        match self.0 {}
    }
}
