//! The attribute `#[nexus(key, key = value)]`, of any shape: what may stand in it depends on where it stands.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Error, Ident, LitStr, Path, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::errors::Errors;

/// One `key` or `key = value`.
pub(crate) struct Entry {
    key: Ident,
    value: TokenStream,
}

/// A key that an attribute may have, with its form for messages.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: &'static str,
}

/// All entries of the attributes `#[nexus(…)]` in `attributes` that have one of the keys in `known`, each key at most once.
pub(crate) fn entries(attributes: &[Attribute], known: &[Key], errors: &mut Errors) -> Vec<Entry> {
    let forms: Vec<_> = known.iter().map(|key| format!("`{}`", key.form)).collect();
    let forms = forms.join(", ");
    let mut entries: Vec<Entry> = Vec::new();
    for attribute in attributes {
        if !attribute.path().is_ident("nexus") {
            continue;
        }
        let parsed =
            match attribute.parse_args_with(Punctuated::<Entry, Token![,]>::parse_terminated) {
                Ok(parsed) => parsed,
                Err(error) => {
                    let message = format!("{error}; known here: {forms}");
                    errors.push(Error::new(error.span(), message));
                    continue;
                }
            };
        for entry in parsed {
            if !known.iter().any(|key| entry.is(key.name)) {
                errors.at(
                    &entry.key,
                    format_args!("unknown attribute `{}`; known here: {forms}", entry.key),
                );
            } else if entries.iter().any(|earlier| earlier.key == entry.key) {
                errors.at(
                    &entry.key,
                    format_args!("attribute `{}` is given twice", entry.key),
                );
            } else {
                entries.push(entry);
            }
        }
    }
    entries
}

impl Entry {
    pub(crate) fn is(&self, key: &str) -> bool {
        self.key == key
    }

    /// Reads `= "…"`.
    pub(crate) fn string(&self, errors: &mut Errors) -> Option<LitStr> {
        let string = |input: ParseStream<'_>| {
            input.parse::<Token![=]>()?;
            input.parse::<LitStr>()
        };
        match string.parse2(self.value.clone()) {
            Ok(literal) if literal.suffix().is_empty() => Some(literal),
            _ => {
                let message = format!("`{0}` takes a string: `{0} = \"…\"`", self.key);
                errors.at(self.offender(), message);
                None
            }
        }
    }

    /// Reads `= "a::path"`.
    pub(crate) fn path(&self, errors: &mut Errors) -> Option<Path> {
        let literal = self.string(errors)?;
        match literal.parse_with(Path::parse_mod_style) {
            Ok(path) => Some(path),
            Err(_) => {
                let message = format!(
                    "`{0}` takes a path: `{0} = \"path::to::nexus_rpc\"`",
                    self.key
                );
                errors.at(literal, message);
                None
            }
        }
    }

    /// Reads a key without a value.
    pub(crate) fn flag(&self, errors: &mut Errors) {
        if !self.value.is_empty() {
            errors.at(
                self.offender(),
                format_args!("`{}` takes no value", self.key),
            );
        }
    }

    /// What to point at when the value is wrong: the value, without the `=` before it, if there is one.
    fn offender(&self) -> TokenStream {
        let mut value = self.value.clone().into_iter().peekable();
        value.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '='));
        let value: TokenStream = value.collect();
        if value.is_empty() {
            self.key.to_token_stream()
        } else {
            value
        }
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = Ident::parse_any(input)?;
        let mut value = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            value.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Self { key, value })
    }
}
