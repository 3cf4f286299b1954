//! The constants that name the operations, and the function that binds them to a handler.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, ext::IdentExt};

use super::{SERVE, at, docs, generated, handler_ident};
use crate::parse::{Contract, Operation};

pub(super) fn inherent(contract: &Contract<'_>) -> TokenStream {
    let ident = contract.ident;
    let operations: Vec<_> = contract
        .operations
        .iter()
        // An error already, which the compiler would repeat.
        .filter(|operation| operation.ident.unraw() != SERVE)
        .collect();
    let constants = operations
        .iter()
        .map(|operation| constant(contract, operation));
    let serve = serve(contract, &operations);
    quote! {
        #[allow(deprecated)]
        impl #ident {
            #(#constants)*
            #serve
        }
    }
}

fn constant(contract: &Contract<'_>, operation: &Operation<'_>) -> TokenStream {
    let Contract {
        ident: service,
        krate,
        ..
    } = contract;
    let Operation {
        visibility,
        input,
        output,
        ..
    } = operation;
    let ident = generated(operation.ident);
    let name = &operation.name.value;
    let docs = docs::constant(contract, operation);
    quote_spanned! {ident.span()=>
        #docs
        #visibility const #ident: #krate::Operation<#input, #output, #service> =
            #krate::__private::operation(<#service as #krate::ServiceDefinition>::NAME, #name);
    }
}

fn serve(contract: &Contract<'_>, operations: &[&Operation<'_>]) -> TokenStream {
    let Contract {
        visibility, krate, ..
    } = contract;
    let serve = Ident::new(SERVE, Span::call_site());
    let handler = handler_ident(contract);
    let docs = docs::serve(contract);
    let bindings = operations.iter().map(|operation| {
        let Operation { input, output, .. } = operation;
        let ident = generated(operation.ident);
        // The types are written out so that one which cannot be sent is what the compiler points at.
        quote_spanned! {at(&ident)=>
            .operation::<#input, #output, _, _>(
                Self::#ident,
                #handler::#ident(::core::clone::Clone::clone(&handler)),
            )
        }
    });
    quote! {
        #docs
        #[must_use]
        #visibility fn #serve(handler: impl #handler) -> #krate::Service {
            let handler = #krate::__private::Arc::new(handler);
            #krate::__private::ContractBuilder::new::<Self>()
                #(#bindings)*
                .build()
        }
    }
}
