//! A contract at work: what callers name is what the registry finds.

use std::sync::Arc;

use hello_contract::{
    EchoInput, EchoOutput, HelloInput, HelloOutput, HelloService, HelloServiceHandler,
};
use nexus_rpc::{
    Content, HandlerError, HandlerErrorType, LazyValue, NexusService, Operation,
    OperationDefinition, OperationHandler, ServiceDefinition, ServiceRegistry, StartError,
    StartOperationContext, StartOperationResult, ToContent,
    content::JsonSerializer,
    context::{RequestInfo, StartDetails},
    sync_operation,
};

struct HelloHandler {
    greeting: &'static str,
}

impl HelloServiceHandler for HelloHandler {
    fn echo(self: Arc<Self>) -> impl OperationHandler<EchoInput, EchoOutput> {
        sync_operation(async |_ctx, EchoInput { message }| Ok(EchoOutput { message }))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
        sync_operation(move |_ctx, HelloInput { name }| {
            let greeting = self.greeting;
            async move {
                Ok(HelloOutput {
                    message: format!("{greeting} {name}"),
                })
            }
        })
    }
}

#[derive(NexusService)]
struct Growing {
    old: Operation<u32, u32>,
    #[nexus(optional)]
    new: Operation<u32, u32>,
}

struct OldHandler;

impl GrowingHandler for OldHandler {
    fn old(self: Arc<Self>) -> impl OperationHandler<u32, u32> {
        sync_operation(async |_ctx, n: u32| Ok(n + 1))
    }
}

struct NewHandler;

impl GrowingHandler for NewHandler {
    fn old(self: Arc<Self>) -> impl OperationHandler<u32, u32> {
        OldHandler::old(Arc::new(OldHandler))
    }

    fn new(self: Arc<Self>) -> impl OperationHandler<u32, u32> {
        sync_operation(async |_ctx, n: u32| Ok(n + 2))
    }
}

/// Starts `operation` as a transport would: by the names on the wire.
async fn start<Op>(
    registry: &ServiceRegistry,
    operation: Op,
    input: Op::Input,
) -> Result<StartOperationResult<Content>, StartError>
where
    Op: OperationDefinition,
    Op::Input: ToContent,
{
    let request = RequestInfo {
        service: operation.service().to_owned(),
        operation: operation.name().to_owned(),
        ..RequestInfo::default()
    };
    let ctx = StartOperationContext::new(
        nexus_rpc::OperationContext::new(request),
        StartDetails::default(),
    );
    let input = input.to_content(&JsonSerializer).unwrap();
    registry
        .start(ctx, LazyValue::new(input, Arc::new(JsonSerializer)))
        .await
}

fn json(text: &'static str) -> StartOperationResult<Content> {
    StartOperationResult::Sync(Content::new("application/json", text))
}

fn registry(service: nexus_rpc::Service) -> ServiceRegistry {
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    registry
}

// A contract is a promise to other programs: here a change of the names that was not meant becomes visible.
#[test]
fn names_on_the_wire() {
    assert_eq!(HelloService::NAME, "my-hello-service");
    assert_eq!(HelloService::OPERATIONS, ["echo", "say-hello"]);
    assert_eq!(
        format!("{:?}", HelloService::say_hello),
        "Operation(my-hello-service/say-hello)"
    );

    let service = HelloService::serve(HelloHandler { greeting: "Hello" });
    assert_eq!(
        format!("{service:?}"),
        r#"Service { name: "my-hello-service", operations: ["echo", "say-hello"] }"#
    );

    assert_eq!(Growing::NAME, "Growing");
    assert_eq!(Growing::OPERATIONS, ["old", "new"]);
}

#[tokio::test]
async fn each_operation_reaches_its_handler() {
    let registry = registry(HelloService::serve(HelloHandler { greeting: "Hello" }));
    let message = "hi".to_owned();
    let echo = start(&registry, HelloService::echo, EchoInput { message }).await;
    assert_eq!(echo.unwrap(), json(r#"{"message":"hi"}"#));
    let name = "Ada".to_owned();
    let hello = start(&registry, HelloService::say_hello, HelloInput { name }).await;
    assert_eq!(hello.unwrap(), json(r#"{"message":"Hello Ada"}"#));
}

#[tokio::test]
async fn an_optional_operation_is_not_implemented_unless_given() {
    let old = registry(Growing::serve(OldHandler));
    assert_eq!(start(&old, Growing::old, 1).await.unwrap(), json("2"));
    let error: HandlerError = match start(&old, Growing::new, 1).await {
        Err(StartError::Handler(error)) => error,
        other => panic!("expected a handler error, got {other:?}"),
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotImplemented);
    assert_eq!(
        error.message(),
        r#"operation "new" of service "Growing" is not implemented"#
    );

    let new = registry(Growing::serve(NewHandler));
    assert_eq!(start(&new, Growing::new, 1).await.unwrap(), json("3"));
}
