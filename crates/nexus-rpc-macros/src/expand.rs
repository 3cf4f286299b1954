//! Writes the code of a contract. Complete also when something is wrong, as far as it was understood: whoever uses the contract should
//! not get a second error for it.
//!
//! Nor a warning. Most lints leave the code of a derive alone, also names that should have another case and items that nobody uses, as
//! long as its identifiers are its own (see `generated`). What is allowed explicitly concerns the types, which are the user's.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Ident;

use crate::parse::Contract;

mod docs;
mod handler;
mod inherent;

/// The function that binds a contract to its handler.
pub(crate) const SERVE: &str = "serve";

pub(crate) fn contract(contract: &Contract<'_>) -> TokenStream {
    let handler = handler::handler_trait(contract);
    if !contract.generics.params.is_empty() {
        // An error already. The rest would need arguments that nobody gave.
        return handler;
    }
    let definition = definition(contract);
    let inherent = inherent::inherent(contract);
    let check = check(contract);
    quote! {
        #definition
        #inherent
        #handler
        #check
    }
}

fn definition(contract: &Contract<'_>) -> TokenStream {
    let Contract { ident, krate, .. } = contract;
    let name = &contract.name.value;
    let operations = contract
        .operations
        .iter()
        .map(|operation| &operation.name.value);
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #krate::ServiceDefinition for #ident {
            const NAME: &'static str = #name;
            const OPERATIONS: &'static [&'static str] = &[#(#operations),*];
        }
    }
}

/// Reads the fields, which nobody else does, and makes sure that their types are the `Operation` of this crate and not another.
fn check(contract: &Contract<'_>) -> TokenStream {
    let Contract { ident, krate, .. } = contract;
    let reads = contract.operations.iter().map(|operation| {
        let field = operation.ident;
        let span = at(operation.ty);
        quote_spanned! {span=>
            let _: &#krate::Operation<_, _> = &contract.#field;
        }
    });
    quote! {
        #[allow(deprecated)]
        const _: fn(&#ident) = |contract| { #(#reads)* };
    }
}

/// The name of the trait that handlers implement.
fn handler_ident(contract: &Contract<'_>) -> Ident {
    format_ident!("{}Handler", contract.ident, span = at(contract.ident))
}

/// An identifier for an item that the derive adds.
fn generated(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(at(&ident));
    ident
}

/// The place of `tokens`, but as code of the derive: the compiler points there, and lints leave it alone.
fn at(tokens: impl ToTokens) -> Span {
    let span = tokens
        .to_token_stream()
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |token| token.span());
    Span::call_site().located_at(span)
}
