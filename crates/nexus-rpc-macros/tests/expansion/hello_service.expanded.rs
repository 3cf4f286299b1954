#[automatically_derived]
#[allow(deprecated)]
impl ::nexus_rpc::ServiceDefinition for HelloService {
    const NAME: &'static str = "my-hello-service";
    const OPERATIONS: &'static [&'static str] = &["echo", "say-hello", "type"];
}
#[allow(deprecated)]
impl HelloService {
    /// Returns its input.
    ///
    /// Operation `echo` of the service `my-hello-service`.
    pub const echo: ::nexus_rpc::Operation<EchoInput, EchoOutput, HelloService> = ::nexus_rpc::__private::operation(
        <HelloService as ::nexus_rpc::ServiceDefinition>::NAME,
        "echo",
    );
    /// Greets in the language asked for.
    ///
    /// Takes its time.
    #[deprecated(note = "say it yourself")]
    ///
    /// Operation `say-hello` of the service `my-hello-service`.
    pub const say_hello: ::nexus_rpc::Operation<HelloInput, HelloOutput, HelloService> = ::nexus_rpc::__private::operation(
        <HelloService as ::nexus_rpc::ServiceDefinition>::NAME,
        "say-hello",
    );
    /// Operation `type` of the service `my-hello-service`.
    const r#type: ::nexus_rpc::Operation<(), Vec<String>, HelloService> = ::nexus_rpc::__private::operation(
        <HelloService as ::nexus_rpc::ServiceDefinition>::NAME,
        "type",
    );
    /// Binds the operations of the service `my-hello-service` to the handler that implements them.
    ///
    /// Any transport can serve the returned value.
    #[must_use]
    pub fn serve(handler: impl HelloServiceHandler) -> ::nexus_rpc::Service {
        let handler = ::nexus_rpc::__private::Arc::new(handler);
        ::nexus_rpc::__private::ContractBuilder::new::<Self>()
            .operation::<
                EchoInput,
                EchoOutput,
                _,
                _,
            >(
                Self::echo,
                HelloServiceHandler::echo(::core::clone::Clone::clone(&handler)),
            )
            .operation::<
                HelloInput,
                HelloOutput,
                _,
                _,
            >(
                Self::say_hello,
                HelloServiceHandler::say_hello(::core::clone::Clone::clone(&handler)),
            )
            .operation::<
                (),
                Vec<String>,
                _,
                _,
            >(
                Self::r#type,
                HelloServiceHandler::r#type(::core::clone::Clone::clone(&handler)),
            )
            .build()
    }
}
/// Handles the operations of [`HelloService`].
///
/// Each method makes the handler of one operation. [`HelloService::serve`] calls it once.
#[allow(deprecated, private_bounds, private_interfaces)]
pub trait HelloServiceHandler: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Returns its input.
    ///
    /// Makes the handler of the operation `echo`.
    fn echo(
        self: ::nexus_rpc::__private::Arc<Self>,
    ) -> impl ::nexus_rpc::OperationHandler<EchoInput, EchoOutput>;
    /// Greets in the language asked for.
    ///
    /// Takes its time.
    #[deprecated(note = "say it yourself")]
    ///
    /// Makes the handler of the operation `say-hello`.
    fn say_hello(
        self: ::nexus_rpc::__private::Arc<Self>,
    ) -> impl ::nexus_rpc::OperationHandler<HelloInput, HelloOutput>;
    /// Makes the handler of the operation `type`.
    ///
    /// Optional: unless given, the operation answers `NOT_IMPLEMENTED`.
    fn r#type(
        self: ::nexus_rpc::__private::Arc<Self>,
    ) -> impl ::nexus_rpc::OperationHandler<(), Vec<String>> {
        ::nexus_rpc::__private::NotImplemented
    }
}
#[allow(deprecated)]
const _: fn(&HelloService) = |contract| {
    let _: &::nexus_rpc::Operation<_, _> = &contract.echo;
    let _: &::nexus_rpc::Operation<_, _> = &contract.say_hello;
    let _: &::nexus_rpc::Operation<_, _> = &contract.r#type;
};
