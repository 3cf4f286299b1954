//! Operations over HTTP with a Temporal server in the middle or behind: called by our client, and called by workflows.

mod calling;
mod cancel;
mod client;
mod completing;
mod desk;
mod draft;
mod embedded;
mod frontend;
mod jobs;
