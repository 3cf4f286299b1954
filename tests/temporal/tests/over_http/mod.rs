//! Operations over HTTP with a Temporal server in the middle or behind: called by our client, and called by workflows.

mod client;
mod draft;
mod embedded;
mod jobs;
