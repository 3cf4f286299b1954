use std::sync::Arc;

use hello_contract::{EchoInput, EchoOutput, HelloInput, HelloOutput, HelloServiceHandler};
use nexus_rpc::{OperationHandler, sync_operation};

struct HelloHandler;

impl HelloServiceHandler for HelloHandler {
    fn echo(self: Arc<Self>) -> impl OperationHandler<String, EchoOutput> {
        sync_operation(async |_ctx, message: String| Ok(EchoOutput { message }))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
        sync_operation(async |_ctx, input: HelloInput| Ok(HelloOutput { message: input.name }))
    }
}

fn main() {}
