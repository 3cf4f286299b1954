use std::sync::Mutex;

use super::*;
use crate::{
    HandlerErrorType, Operation, OperationError, OperationState, UntypedOperation,
    content::JsonSerializer,
    context::{RequestInfo, StartDetails},
    sync_operation,
};

const DOUBLE: Operation<i64, i64> = Operation::new("math", "double");
const FAIL: Operation<String, ()> = Operation::new("math", "fail");

/// Asynchronous; remembers what was canceled.
#[derive(Default)]
struct Job {
    canceled: Mutex<Vec<String>>,
}

impl OperationHandler<(), ()> for Job {
    async fn start(
        &self,
        ctx: StartOperationContext,
        (): (),
    ) -> Result<StartOperationResult<()>, StartError> {
        Ok(StartOperationResult::Async(OperationToken::new(
            ctx.request_id(),
        )?))
    }

    async fn cancel(
        &self,
        _: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        self.canceled.lock().unwrap().push(token.into_string());
        Ok(())
    }
}

fn registry() -> ServiceRegistry {
    let fail = sync_operation(async |_ctx, how: String| match how.as_str() {
        "operation" => Err(OperationError::failed("no").into()),
        "handler" => Err(HandlerError::conflict("twice").into()),
        "panic" => panic!("secret {how}"),
        _ => Err("secret".into()),
    });
    let service = Service::builder("math")
        .operation(DOUBLE, sync_operation(async |_ctx, n: i64| Ok(n * 2)))
        .operation(FAIL, fail)
        .operation(Operation::<(), ()>::new("math", "job"), Job::default())
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    registry
}

fn request(service: &str, operation: &str) -> OperationContext {
    OperationContext::new(RequestInfo {
        service: service.into(),
        operation: operation.into(),
        ..RequestInfo::default()
    })
}

async fn start(
    service: &str,
    operation: &str,
    json: &'static str,
) -> Result<StartOperationResult<Content>, StartError> {
    let details = StartDetails {
        request_id: "request-1".into(),
        ..StartDetails::default()
    };
    let input = LazyValue::new(
        Content::new("application/json", json),
        Arc::new(JsonSerializer),
    );
    registry()
        .start(
            StartOperationContext::new(request(service, operation), details),
            input,
        )
        .await
}

async fn handler_error(service: &str, operation: &str, json: &'static str) -> HandlerError {
    match start(service, operation, json).await {
        Err(StartError::Handler(error)) => error,
        other => panic!("expected a handler error, got {other:?}"),
    }
}

#[tokio::test]
async fn routes_by_both_names() {
    assert_eq!(
        start("math", "double", "21").await.unwrap(),
        StartOperationResult::Sync(Content::new("application/json", "42"))
    );
    assert_eq!(
        start("math", "job", "null").await.unwrap(),
        StartOperationResult::Async(OperationToken::new("request-1").unwrap())
    );
}

#[tokio::test]
async fn unknown_names_are_not_found() {
    let error = handler_error("maths", "double", "21").await;
    assert_eq!(
        error.to_string(),
        r#"handler error (NOT_FOUND): service "maths" not found"#
    );
    let error = handler_error("math", "triple", "21").await;
    assert_eq!(
        error.to_string(),
        r#"handler error (NOT_FOUND): operation "triple" not found in service "math""#
    );
}

#[tokio::test]
async fn bad_input_is_a_bad_request() {
    let error = handler_error("math", "double", r#""x""#).await;
    assert_eq!(
        error.to_string(),
        r#"handler error (BAD_REQUEST): cannot deserialize operation input: invalid type: string "x", expected i64 at line 1 column 3"#
    );
}

#[tokio::test]
async fn errors_keep_their_meaning() {
    let error = start("math", "fail", r#""operation""#).await.unwrap_err();
    let StartError::Operation(error) = error else {
        panic!("expected an operation error, got {error:?}");
    };
    assert_eq!(error.state(), OperationState::Failed);
    let error = handler_error("math", "fail", r#""handler""#).await;
    assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
}

#[tokio::test]
async fn a_panic_is_contained_and_hidden() {
    let error = handler_error("math", "fail", r#""panic""#).await;
    assert_eq!(
        error.to_string(),
        "handler error (INTERNAL): internal handler error"
    );
    assert_eq!(
        error.into_source().unwrap().to_string(),
        "handler panicked: secret panic"
    );
}

#[tokio::test]
async fn cancel_reaches_asynchronous_operations_only() {
    let token = OperationToken::new("t").unwrap();
    let registry = registry();
    let cancel = |operation| {
        registry.cancel(
            CancelOperationContext::new(request("math", operation)),
            token.clone(),
        )
    };
    cancel("job").await.unwrap();
    assert_eq!(
        cancel("double").await.unwrap_err().to_string(),
        r#"handler error (NOT_IMPLEMENTED): operation "double" of service "math" is synchronous and cannot be canceled"#
    );
    assert_eq!(
        cancel("x").await.unwrap_err().error_type(),
        &HandlerErrorType::NotFound
    );
}

#[tokio::test]
async fn info_and_result_are_not_implemented_unless_given() {
    let registry = registry();
    let token = OperationToken::new("t").unwrap();
    let error = registry
        .info(request("math", "job"), token.clone())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"handler error (NOT_IMPLEMENTED): operation "job" of service "math" has no method info"#
    );
    let error = registry
        .result(
            request("math", "job"),
            token,
            Duration::ZERO,
            Arc::new(JsonSerializer),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("NOT_IMPLEMENTED"), "{error}");
}

#[test]
fn services_must_be_in_order() {
    let double = || sync_operation(async |_ctx, n: i64| Ok(n * 2));
    let error = |builder: ServiceBuilder| builder.build().unwrap_err();

    assert_eq!(
        error(Service::builder("").operation(Operation::<i64, i64>::new("", "double"), double())),
        RegistrationError::ServiceName {
            source: InvalidName::Empty
        }
    );
    assert_eq!(
        error(Service::builder("math")),
        RegistrationError::NoOperations {
            service: "math".into()
        }
    );
    assert_eq!(
        error(
            Service::builder("math")
                .operation(DOUBLE, double())
                .operation(DOUBLE, double())
        )
        .to_string(),
        r#"operation "double" of service "math" is registered twice"#
    );
    assert_eq!(
        error(Service::builder("physics").operation(DOUBLE, double())).to_string(),
        r#"operation "double" belongs to service "math", not to "physics""#
    );
    let unnamed = Operation::<i64, i64>::new("math", "");
    assert!(matches!(
        error(Service::builder("math").operation(unnamed, double())),
        RegistrationError::OperationName { .. }
    ));
}

#[test]
fn a_service_is_registered_once() {
    let service = Service::builder("math")
        .operation(
            UntypedOperation::new("math", "any"),
            sync_operation(async |_ctx, content: Content| Ok(content)),
        )
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service.clone()).unwrap();
    assert_eq!(
        registry.register(service).unwrap_err().to_string(),
        r#"service "math" is registered twice"#
    );
}
