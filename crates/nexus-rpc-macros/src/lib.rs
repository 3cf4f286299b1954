//! The derive macro of `nexus-rpc`. Use it from there, where its documentation is, too.
//!
//! A contract goes through three steps: `parse` reads it, `validate` checks what is read, `expand` writes the code. The first two
//! report what is wrong to `Errors` and go on, so that the user sees all problems at once, and none that only follows from another.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

mod attribute;
mod errors;
mod expand;
mod parse;
mod validate;

#[cfg(test)]
mod tests;

use errors::Errors;

// Documented at the re-export in `nexus-rpc`, so that the examples compile there.
#[allow(missing_docs)]
#[proc_macro_derive(NexusService, attributes(nexus))]
pub fn derive_nexus_service(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(&parse_macro_input!(input as DeriveInput)).into()
}

fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let contract = parse::contract(input, &mut errors);
    validate::contract(&contract, &mut errors);
    let code = expand::contract(&contract);
    quote! { #code #errors }
}
