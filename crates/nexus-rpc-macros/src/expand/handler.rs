//! The trait that handlers implement.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Generics};

use super::{docs, generated, handler_ident};
use crate::parse::{Contract, Operation};

pub(super) fn handler_trait(contract: &Contract<'_>) -> TokenStream {
    let visibility = contract.visibility;
    let ident = handler_ident(contract);
    let docs = docs::handler_trait(contract);
    let methods = contract
        .operations
        .iter()
        .filter(|operation| !mentions_parameter(operation, contract.generics))
        .map(|operation| method(contract, operation));
    // An operation that is more private than the service is so on purpose.
    quote! {
        #docs
        #[allow(deprecated, private_bounds, private_interfaces)]
        #visibility trait #ident: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn method(contract: &Contract<'_>, operation: &Operation<'_>) -> TokenStream {
    let krate = &contract.krate;
    let Operation { input, output, .. } = operation;
    let ident = generated(operation.ident);
    let docs = docs::method(operation);
    // All of it has one place, so that the compiler points at the field, and not from the derive to there.
    let span = ident.span();
    let body = if operation.optional {
        quote_spanned!(span=> { #krate::__private::NotImplemented })
    } else {
        quote_spanned!(span=> ;)
    };
    // `Arc<Self>`, because a handler outlives the call that makes it.
    quote_spanned! {span=>
        #docs
        fn #ident(
            self: #krate::__private::Arc<Self>,
        ) -> impl #krate::OperationHandler<#input, #output>
        #body
    }
}

/// Whether an operation needs a parameter that the contract should not have, and the trait does not.
fn mentions_parameter(operation: &Operation<'_>, generics: &Generics) -> bool {
    generics.params.iter().any(|parameter| {
        let name = match parameter {
            GenericParam::Lifetime(parameter) => &parameter.lifetime.ident,
            GenericParam::Type(parameter) => &parameter.ident,
            GenericParam::Const(parameter) => &parameter.ident,
        };
        mentions(operation.ty.to_token_stream(), &name.to_string())
    })
}

fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
