//! One test for each requirement on the protocol, named after its number: `d…` for the draft dialect, `c…` for the current one, `cx…` for
//! what peers do without the specification saying so. Requests and responses are bytes on a socket here, so that no HTTP library hides
//! anything.

mod addressing;
mod callback;
mod cancel;
mod failure;
mod framing;
mod general;
mod headers;
mod http2;
mod info;
mod operations;
mod pending;
mod protobuf;
mod requirements;
mod result;
mod start;
mod support;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
mod tls;
