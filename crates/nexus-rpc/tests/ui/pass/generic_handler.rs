//! A handler is generic over what it needs; tests put something else there.
#![deny(warnings)]

use std::sync::Arc;

use hello_contract::{
    EchoInput, EchoOutput, HelloInput, HelloOutput, HelloService, HelloServiceHandler,
};
use nexus_rpc::{OperationHandler, sync_operation};

trait Greeter: Send + Sync + 'static {
    fn greet(&self, name: &str) -> String;
}

struct HelloHandler<G> {
    greeter: G,
}

impl<G: Greeter> HelloServiceHandler for HelloHandler<G> {
    fn echo(self: Arc<Self>) -> impl OperationHandler<EchoInput, EchoOutput> {
        sync_operation(async |_ctx, EchoInput { message }| Ok(EchoOutput { message }))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
        sync_operation(move |_ctx, input: HelloInput| {
            let this = self.clone();
            async move {
                Ok(HelloOutput {
                    message: this.greeter.greet(&input.name),
                })
            }
        })
    }
}

struct English;

impl Greeter for English {
    fn greet(&self, name: &str) -> String {
        format!("Hello {name}")
    }
}

fn main() {
    let service = HelloService::serve(HelloHandler { greeter: English });
    assert_eq!(service.name(), "my-hello-service");
}
