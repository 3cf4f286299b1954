//! The hello sample from end to end: its programs as processes, on Temporal servers.
#![cfg(unix)]

mod bad_input;
mod demo;
mod faults;
mod fixture;
mod flags;
mod go;
mod over_http;
mod readme;
mod tls;
mod together;
mod tree;
