//! Between Nexus and Temporal's protobuf: links, payloads, failures.

mod failure;
mod known_error;
mod link;
mod payload;

pub(crate) use failure::{FailureEncoder, bare_handler_error, bare_legacy_handler_error};
pub(crate) use known_error::{classified, classify};
pub(crate) use link::{links_to_nexus, links_to_proto, workflow_started_link};
pub(crate) use payload::{PayloadSerializer, content_to_payload, nexus_data, payload_to_content};
