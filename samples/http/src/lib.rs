//! The hello service without Temporal: its operations run in the server that answers for them.

use std::{sync::Arc, time::Duration};

use nexus_rpc::{OperationError, OperationHandler, StartError, sync_operation};
use nexus_rpc_http::{AsyncOperationContext, async_operation};
use service::{EchoInput, EchoOutput, HelloInput, HelloOutput, HelloServiceHandler, Language};
use tracing_subscriber::EnvFilter;

/// The handler of `HelloService`, as the hello sample has one that is backed by workflows.
pub struct EmbeddedHandler {
    /// How long it takes to think of a greeting.
    pub greeting_takes: Duration,
}

impl HelloServiceHandler for EmbeddedHandler {
    fn echo(self: Arc<Self>) -> impl OperationHandler<EchoInput, EchoOutput> {
        sync_operation(async |_ctx, input: EchoInput| Ok(input))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
        let takes = self.greeting_takes;
        async_operation(move |ctx: AsyncOperationContext, input| async move {
            // Begun again after a crash, it takes what is left of its time. Work that changes something elsewhere would give `ctx.token()` as
            // the idempotency key there: it may run more than once.
            let left = takes.saturating_sub(ctx.started_at().elapsed().unwrap_or_default());
            tokio::select! {
                () = tokio::time::sleep(left) => greet(input),
                () = ctx.cancelled() => Err(OperationError::canceled("nobody wants the greeting any more").into()),
            }
        })
    }
}

fn greet(input: HelloInput) -> Result<HelloOutput, StartError> {
    let HelloInput { name, language } = input;
    let message = match language {
        Language::En => format!("Hello {name} 👋"),
        Language::Fr => format!("Bonjour {name} 👋"),
        Language::De => format!("Hallo {name} 👋"),
        Language::Es => format!("¡Hola! {name} 👋"),
        Language::Tr => format!("Merhaba {name} 👋"),
        Language::Other(code) => {
            return Err(OperationError::failed(format!("unsupported language {code:?}")).into());
        }
    };
    Ok(HelloOutput { message })
}

/// Logs to standard error: what `RUST_LOG` asks for, or `info`.
pub fn init_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
