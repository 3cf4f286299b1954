//! Checks what a contract says, once it could be read.

use std::collections::HashMap;

use syn::{Error, ext::IdentExt};

use crate::{
    errors::Errors,
    expand::SERVE,
    parse::{Contract, Operation, WireName},
};

// The rules of `nexus_rpc::name`, on which this crate cannot depend; tests compare them.
const MAX_NAME_LENGTH: usize = 1000;
const RESERVED_PREFIX: &str = "__temporal_";

pub(crate) fn contract(contract: &Contract<'_>, errors: &mut Errors) {
    if !contract.generics.params.is_empty() {
        errors.at(
            contract.generics,
            "a service contract cannot have generic parameters: each operation has one input type and one output type",
        );
    }
    wire_name("service", &contract.name, errors);
    for operation in &contract.operations {
        wire_name("operation", &operation.name, errors);
        identifier(operation, errors);
    }
    distinct_wire_names(&contract.operations, errors);
}

fn wire_name(of: &str, name: &WireName, errors: &mut Errors) {
    let WireName {
        value,
        span,
        explicit,
    } = name;
    let problem = if value.is_empty() {
        format!("the name of the {of} is empty")
    } else if value.len() > MAX_NAME_LENGTH {
        format!(
            "the name of the {of} has {} bytes, the limit is {MAX_NAME_LENGTH}",
            value.len()
        )
    } else if value.starts_with(RESERVED_PREFIX) {
        format!(
            "the name of the {of} starts with `{RESERVED_PREFIX}`, which is reserved for Temporal"
        )
    } else {
        return;
    };
    let remedy = if *explicit {
        ""
    } else {
        "; give it another with `#[nexus(name = \"…\")]`"
    };
    errors.push(Error::new(*span, format_args!("{problem}{remedy}")));
}

/// The field's identifier becomes that of a constant of the struct, beside what the derive adds itself.
fn identifier(operation: &Operation<'_>, errors: &mut Errors) {
    let ident = operation.ident.unraw();
    let taken = if ident == SERVE {
        "the function `serve` of the contract"
    } else if ident == "NAME" || ident == "OPERATIONS" {
        "a constant of `ServiceDefinition`"
    } else {
        return;
    };
    errors.at(
        operation.ident,
        format_args!(
            "the field `{ident}` would hide {taken}; rename it, and keep the name on the wire with \
             `#[nexus(name = \"{}\")]`",
            operation.name.value.escape_debug()
        ),
    );
}

fn distinct_wire_names(operations: &[Operation<'_>], errors: &mut Errors) {
    let mut seen = HashMap::new();
    for operation in operations {
        let WireName { value, span, .. } = &operation.name;
        let Some(earlier) = seen.insert(value, *span) else {
            continue;
        };
        let name = value.escape_debug();
        let mut error = Error::new(
            *span,
            format_args!("two operations have the name `{name}` on the wire"),
        );
        error.combine(Error::new(
            earlier,
            format_args!("the other operation with the name `{name}`"),
        ));
        errors.push(error);
    }
}
