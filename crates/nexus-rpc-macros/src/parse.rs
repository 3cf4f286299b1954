//! Reads a contract off the struct that declares it.

use proc_macro2::Span;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, FieldsNamed, GenericArgument, Generics, Ident,
    Path, PathArguments, Type, Visibility, ext::IdentExt, parse_quote,
};

use crate::{
    attribute::{self, Key},
    errors::Errors,
};

/// What the struct declares, as far as it can be read.
pub(crate) struct Contract<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) generics: &'a Generics,
    /// The path of the crate `nexus-rpc`.
    pub(crate) krate: Path,
    pub(crate) name: WireName,
    /// Attributes that concern what is generated of the struct, too.
    pub(crate) attributes: Vec<&'a Attribute>,
    pub(crate) operations: Vec<Operation<'a>>,
}

/// An operation: a field of the struct.
pub(crate) struct Operation<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) ty: &'a Type,
    pub(crate) input: &'a Type,
    pub(crate) output: &'a Type,
    pub(crate) name: WireName,
    pub(crate) optional: bool,
    /// Documentation and deprecation.
    pub(crate) attributes: Vec<&'a Attribute>,
}

/// A name as it is on the wire.
pub(crate) struct WireName {
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) span: Span,
    /// Whether it was given, and not taken from the identifier.
    pub(crate) explicit: bool,
}

impl WireName {
    fn of(ident: &Ident) -> Self {
        Self {
            value: ident.unraw().to_string(),
            span: ident.span(),
            explicit: false,
        }
    }
}

const NAME: Key = Key {
    name: "name",
    form: "name = \"…\"",
};
const CRATE: Key = Key {
    name: "crate",
    form: "crate = \"…\"",
};
const OPTIONAL: Key = Key {
    name: "optional",
    form: "optional",
};

pub(crate) fn contract<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Contract<'a> {
    let mut name = WireName::of(&input.ident);
    let mut krate = parse_quote!(::nexus_rpc);
    for entry in attribute::entries(&input.attrs, &[NAME, CRATE], errors) {
        if entry.is(NAME.name) {
            name = wire_name(&entry, errors).unwrap_or(name);
        } else {
            krate = entry.path(errors).unwrap_or(krate);
        }
    }
    let operations = match fields(input, errors) {
        Some(fields) => fields
            .named
            .iter()
            .filter_map(|field| operation(field, errors))
            .collect(),
        None => Vec::new(),
    };
    Contract {
        ident: &input.ident,
        visibility: &input.vis,
        generics: &input.generics,
        krate,
        name,
        attributes: input
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("deprecated") || is_doc_hidden(attribute))
            .collect(),
        operations,
    }
}

/// The fields of a struct that has at least one, with names.
fn fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    const SHAPE: &str = "a service contract is a struct with a named field for each operation: \
                         `struct MyService { my_operation: Operation<Input, Output> }`";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                if fields.named.is_empty() {
                    errors.at(
                        fields,
                        "a service has at least one operation: add a field `my_operation: Operation<Input, Output>`",
                    );
                }
                return Some(fields);
            }
            Fields::Unnamed(fields) => errors.at(fields, SHAPE),
            Fields::Unit => errors.at(&input.ident, SHAPE),
        },
        Data::Enum(data) => errors.at(data.enum_token, SHAPE),
        Data::Union(data) => errors.at(data.union_token, SHAPE),
    }
    None
}

fn operation<'a>(field: &'a Field, errors: &mut Errors) -> Option<Operation<'a>> {
    let ident = field.ident.as_ref()?;
    let mut name = WireName::of(ident);
    let mut optional = false;
    for entry in attribute::entries(&field.attrs, &[NAME, OPTIONAL], errors) {
        if entry.is(NAME.name) {
            name = wire_name(&entry, errors).unwrap_or(name);
        } else {
            entry.flag(errors);
            optional = true;
        }
    }
    let Some((input, output)) = input_and_output(&field.ty) else {
        errors.at(
            &field.ty,
            "a field of a service contract declares an operation: its type must be written \
             `Operation<Input, Output>`; an alias is not recognized",
        );
        return None;
    };
    Some(Operation {
        ident,
        visibility: &field.vis,
        ty: &field.ty,
        input,
        output,
        name,
        optional,
        // Attributes `cfg` are not among them: the compiler has evaluated these before it calls a derive.
        attributes: field
            .attrs
            .iter()
            .filter(|attribute| {
                attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated")
            })
            .collect(),
    })
}

/// The `I` and `O` of a type written `Operation<I, O>`, with any path before it.
fn input_and_output(ty: &Type) -> Option<(&Type, &Type)> {
    let path = match ty {
        // What a `macro_rules!` macro passes on as `$ty:ty`.
        Type::Group(group) => return input_and_output(&group.elem),
        Type::Path(ty) if ty.qself.is_none() => &ty.path,
        _ => return None,
    };
    let segment = path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(input)), Some(GenericArgument::Type(output)), None)
            if segment.ident == "Operation" =>
        {
            Some((input, output))
        }
        _ => None,
    }
}

fn wire_name(entry: &attribute::Entry, errors: &mut Errors) -> Option<WireName> {
    let literal = entry.string(errors)?;
    Some(WireName {
        value: literal.value(),
        span: literal.span(),
        explicit: true,
    })
}

fn is_doc_hidden(attribute: &Attribute) -> bool {
    attribute
        .meta
        .require_list()
        .is_ok_and(|list| list.path.is_ident("doc") && list.tokens.to_string() == "hidden")
}
