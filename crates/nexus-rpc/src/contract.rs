//! Service contracts: what a service is called, which operations it has, and what goes in and out of them.
//!
//! A contract is written once, as a struct with the derive [`NexusService`](macro@crate::NexusService), and used by the handler and by
//! every kind of caller. Nothing here needs the derive: [`Operation::new`] makes an operation by hand, [`UntypedOperation`] names one at
//! run time.

use std::{fmt, marker::PhantomData};

use crate::Content;

/// Derives a service contract from a struct: each field is an operation.
///
/// ```
/// use std::sync::Arc;
/// use nexus_rpc::{NexusService, Operation, OperationHandler, ServiceDefinition, sync_operation};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// pub struct HelloInput { pub name: String }
/// #[derive(Serialize, Deserialize)]
/// pub struct HelloOutput { pub message: String }
///
/// /// Greets people.
/// #[derive(NexusService)]
/// #[nexus(name = "my-hello-service")]
/// pub struct HelloService {
///     /// Returns its input.
///     pub echo: Operation<String, String>,
///     /// Greets in the language asked for.
///     #[nexus(name = "say-hello")]
///     pub say_hello: Operation<HelloInput, HelloOutput>,
///     /// Came later. Handlers written before still compile.
///     #[nexus(optional)]
///     pub wave: Operation<(), ()>,
/// }
///
/// struct HelloHandler;
///
/// impl HelloServiceHandler for HelloHandler {
///     fn echo(self: Arc<Self>) -> impl OperationHandler<String, String> {
///         sync_operation(async |_ctx, input: String| Ok(input))
///     }
///
///     fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
///         sync_operation(async |_ctx, input: HelloInput| {
///             Ok(HelloOutput { message: format!("Hello {}", input.name) })
///         })
///     }
/// }
///
/// let service = HelloService::serve(HelloHandler);
/// assert_eq!(service.name(), "my-hello-service");
/// assert_eq!(HelloService::OPERATIONS, ["echo", "say-hello", "wave"]);
/// assert_eq!(HelloService::say_hello.name(), "say-hello");
/// ```
///
/// # What you write
///
/// A struct with named fields and without generic parameters. No value of it is ever made.
///
/// The type of each field must be written `Operation<Input, Output>`, with any path before it. A type alias of it is not recognized,
/// because a derive sees only what is written; aliases of inputs and outputs are fine. What one side sends the other receives, so both
/// types need both [`ToContent`](crate::ToContent) and [`FromContent`](crate::FromContent): derive serde's `Serialize` and
/// `Deserialize`.
///
/// | attribute | stands on | says | unless given |
/// |---|---|---|---|
/// | `#[nexus(name = "…")]` | struct | the name of the service on the wire | the name of the struct as it is |
/// | `#[nexus(crate = "…")]` | struct | the path of this crate, where it is renamed or re-exported | `::nexus_rpc` |
/// | `#[nexus(name = "…")]` | field | the name of the operation on the wire | the name of the field as it is |
/// | `#[nexus(optional)]` | field | handlers need not implement the operation | they must |
///
/// Names follow the rules of the module [`name`](crate::name), and no two operations have the same. The fields `serve`, `NAME` and
/// `OPERATIONS` would hide what is generated; use such a name on the wire only. A raw identifier counts without its `r#`.
///
/// # What you get
///
/// Of the `HelloService` above:
///
/// | item | what it is |
/// |---|---|
/// | `impl ServiceDefinition for HelloService` | the names on the wire: [`NAME`](ServiceDefinition::NAME) and [`OPERATIONS`](ServiceDefinition::OPERATIONS), in the order of the fields |
/// | `HelloService::say_hello` | a constant for callers, of the type `Operation<HelloInput, HelloOutput, HelloService>`; one for each field |
/// | `trait HelloServiceHandler` | what a handler implements: a method for each operation, `fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput>` |
/// | `HelloService::serve(handler)` | binds a handler to the contract: a [`Service`](crate::Service) that any transport can serve |
///
/// A field's documentation and `#[deprecated]` go to its constant and its method, its visibility to its constant; the rest is as visible
/// as the struct. `serve` calls each method once, and the handler that it returns answers all requests. The method of an optional
/// operation has a body: its handler answers `NOT_IMPLEMENTED`.
///
/// # What may change
///
/// | change | on the wire | who calls | who handles |
/// |---|---|---|---|
/// | add an operation | compatible | compiles | **does not compile** until it is implemented |
/// | add an optional operation | compatible, answers `NOT_IMPLEMENTED` | compiles | compiles |
/// | make an operation optional | compatible | compiles | compiles |
/// | rename a field or the struct, with `name` given | compatible | must follow | must follow |
/// | rename a field or the struct, without | **another name** | must follow | must follow |
/// | change `name` | **another name** | compiles | compiles |
/// | change a type | compatible as far as serde reads what the other side writes | may have to follow | may have to follow |
/// | remove an operation | `NOT_FOUND` | must follow | must follow |
///
/// A rename is only safe with `name` given, so give it wherever both sides are not built together. Where they are not, the handler of a
/// new operation goes first.
///
/// # What the compiler says
///
// The files are what the tests in `tests/ui` compare with the compiler's answers.
/// An operation that was forgotten, of a contract in another crate (in the same crate, the compiler points at the field):
///
/// ```text
#[cfg_attr(doc, doc = include_str!("../tests/ui/forgotten_operation.stderr"))]
/// ```
///
/// The body is yours to write: `todo!()` is no handler, and the compiler says so.
///
/// A handler with another type of input than the contract has:
///
/// ```text
#[cfg_attr(doc, doc = include_str!("../tests/ui/wrong_input_type.stderr"))]
/// ```
///
/// A call of an operation that does not exist:
///
/// ```text
#[cfg_attr(doc, doc = include_str!("../tests/ui/misspelt_operation.stderr"))]
/// ```
///
/// What is wrong with a contract itself is reported all at once.
#[doc(inline)]
pub use nexus_rpc_macros::NexusService;

/// A service contract: its name and its operations, as they are on the wire.
///
/// Implemented by the derive [`NexusService`](macro@crate::NexusService).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a Nexus service contract",
    note = "derive it: `#[derive(NexusService)] struct MyService {{ my_operation: Operation<Input, Output> }}`"
)]
pub trait ServiceDefinition: 'static {
    /// The name of the service on the wire.
    const NAME: &'static str;

    /// The names of the operations on the wire, in the order of the contract.
    const OPERATIONS: &'static [&'static str];
}

/// Stands for a service that is known at run time only.
///
/// [`Operation::new`] and [`UntypedOperation`] belong to it, so that a client of `AnyService` calls operations of any service.
#[derive(Debug, Clone, Copy)]
pub struct AnyService;

/// An operation as a caller names it: service, operation, and the types that go in and out.
///
/// [`Operation`] is the typed one, [`UntypedOperation`] the one whose name is known at run time only.
pub trait OperationDefinition {
    /// The contract that the operation belongs to; [`AnyService`] when there is none.
    type Service;
    /// What the operation takes.
    type Input;
    /// What the operation returns.
    type Output;

    /// The name of the service on the wire.
    fn service(&self) -> &str;
    /// The name of the operation on the wire.
    fn name(&self) -> &str;
}

/// A typed operation of a service: takes `I`, returns `O`.
///
/// As a field of a contract it declares an operation; as a constant that the derive makes of the field (`HelloService::say_hello`) it
/// names the operation for callers. `S` is the contract, filled in by the derive, so that a client of one service refuses the
/// operations of another at compile time.
pub struct Operation<I, O, S = AnyService> {
    service: &'static str,
    name: &'static str,
    types: PhantomData<fn(I, S) -> O>,
}

impl<I, O> Operation<I, O> {
    /// An operation without a contract. Names are checked when a request is made or a handler is registered.
    ///
    /// ```
    /// use nexus_rpc::Operation;
    ///
    /// const CHARGE: Operation<u64, String> = Operation::new("payments", "charge");
    /// assert_eq!((CHARGE.service(), CHARGE.name()), ("payments", "charge"));
    /// ```
    #[must_use]
    pub const fn new(service: &'static str, name: &'static str) -> Self {
        Self::of_service(service, name)
    }
}

impl<I, O, S> Operation<I, O, S> {
    // The derive's constructor: the names were validated when the contract was compiled.
    pub(crate) const fn of_service(service: &'static str, name: &'static str) -> Self {
        Self {
            service,
            name,
            types: PhantomData,
        }
    }

    /// The name of the service on the wire.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The name of the operation on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<I, O, S> Clone for Operation<I, O, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O, S> Copy for Operation<I, O, S> {}

impl<I, O, S> fmt::Debug for Operation<I, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operation({}/{})", self.service, self.name)
    }
}

impl<I, O, S> OperationDefinition for Operation<I, O, S> {
    type Service = S;
    type Input = I;
    type Output = O;

    fn service(&self) -> &str {
        self.service
    }

    fn name(&self) -> &str {
        self.name
    }
}

/// An operation named at run time. Takes and returns [`Content`] as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UntypedOperation {
    service: String,
    name: String,
}

impl UntypedOperation {
    /// Names the operation `name` of the service `service`.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            name: name.into(),
        }
    }
}

impl OperationDefinition for UntypedOperation {
    type Service = AnyService;
    type Input = Content;
    type Output = Content;

    fn service(&self) -> &str {
        &self.service
    }

    fn name(&self) -> &str {
        &self.name
    }
}
