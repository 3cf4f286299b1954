//! `temporal-nexus` against Temporal servers.
#![cfg(unix)]

mod cancellation;
mod cancellation_types;
mod conflict;
mod context;
mod data_converter;
mod fixture;
mod handler_errors;
mod links;
mod operation_errors;
mod over_http;
mod refusals;
mod results;
mod shutdown;
mod timeouts;
mod untyped;
mod worker;
mod workflow_options;
