//! The documentation of what is generated. That of an operation starts with what its field says, and keeps its deprecation.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use crate::parse::{Contract, Operation, WireName};

pub(super) fn constant(contract: &Contract<'_>, operation: &Operation<'_>) -> TokenStream {
    let names = format!(
        "Operation {} of the service {}.",
        code(&operation.name),
        code(&contract.name)
    );
    paragraphs(&operation.attributes, &[&names])
}

pub(super) fn serve(contract: &Contract<'_>) -> TokenStream {
    let summary = format!(
        "Binds the operations of the service {} to the handler that implements them.",
        code(&contract.name)
    );
    paragraphs(
        &[],
        &[&summary, "Any transport can serve the returned value."],
    )
}

pub(super) fn handler_trait(contract: &Contract<'_>) -> TokenStream {
    let ident = contract.ident;
    let summary = format!("Handles the operations of [`{ident}`].");
    let usage = format!(
        "Each method makes the handler of one operation. [`{ident}::serve`] calls it once."
    );
    paragraphs(&contract.attributes, &[&summary, &usage])
}

pub(super) fn method(operation: &Operation<'_>) -> TokenStream {
    let role = format!(
        "Makes the handler of the operation {}.",
        code(&operation.name)
    );
    if operation.optional {
        let default = "Optional: unless given, the operation answers `NOT_IMPLEMENTED`.";
        paragraphs(&operation.attributes, &[&role, default])
    } else {
        paragraphs(&operation.attributes, &[&role])
    }
}

/// The attributes, documentation among them, and then more of it.
fn paragraphs(attributes: &[&Attribute], paragraphs: &[&str]) -> TokenStream {
    let mut tokens = quote!(#(#attributes)*);
    let mut follows = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"));
    for paragraph in paragraphs {
        if follows {
            tokens.extend(quote!(#[doc = ""]));
        }
        // As in a comment, with the space after the slashes.
        let line = format!(" {paragraph}");
        tokens.extend(quote!(#[doc = #line]));
        follows = true;
    }
    tokens
}

fn code(name: &WireName) -> String {
    format!("`{}`", name.value.escape_debug())
}
