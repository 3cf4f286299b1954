//! `samples/http`: what its README says, and its demo.

mod demo;
mod faults;
mod readme;
