//! Start of an operation, and the wait for its result.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use nexus_rpc::{FromContent, OperationDefinition, ToContent};

use super::{ClientError, NexusHttpClient, OperationHandle, StartOptions, StartedOperation};
use crate::{
    Dialect,
    callback::{ExpectedCompletion, ReceivedCompletion},
};

impl NexusHttpClient {
    /// Starts an operation and waits for its result, up to the operation timeout of `options`, else without a limit.
    ///
    /// In the draft dialect it asks for the result. In the current one the result of an operation that goes on is delivered to a callback:
    /// that of the client's [`completions`](super::NexusHttpClientBuilder::completions). Without these, or if `options` have a callback of
    /// their own, or when the time is over, it is [`ClientError::StillRunning`] with the operation's token.
    pub async fn execute<Op>(
        &self,
        operation: Op,
        input: Op::Input,
        mut options: StartOptions,
    ) -> Result<Op::Output, ClientError>
    where
        Op: OperationDefinition,
        Op::Input: ToContent,
        Op::Output: FromContent,
    {
        let wait = options.operation_timeout.unwrap_or(Duration::MAX);
        let expected = self.expect(wait, &mut options);
        let begun = Instant::now();
        let start = self.start_operation(&operation, input, options);
        match expected {
            Some(expected) => self.started_or_completed(start, expected, wait).await,
            None => match start.await? {
                StartedOperation::Completed { output, .. } => Ok(output),
                StartedOperation::Pending(handle) => match self.0.dialect {
                    Dialect::Draft => handle.result(wait.saturating_sub(begun.elapsed())).await,
                    Dialect::Current => Err(still_running(&handle)),
                },
            },
        }
    }

    fn expect(&self, wait: Duration, options: &mut StartOptions) -> Option<ExpectedCompletion> {
        if self.0.dialect != Dialect::Current || options.callback.is_some() {
            return None;
        }
        let expected = self.0.completions.as_ref()?.expect(wait);
        options.callback = Some(expected.callback().clone());
        Some(expected)
    }

    async fn started_or_completed<O: FromContent>(
        &self,
        start: impl Future<Output = Result<StartedOperation<O>, ClientError>>,
        mut expected: ExpectedCompletion,
        wait: Duration,
    ) -> Result<O, ClientError> {
        let begun = Instant::now();
        // The completion may be faster than the answer to the start.
        let handle = match select(pin!(start), pin!(expected.received())).await {
            Either::Left((started, _)) => match started? {
                StartedOperation::Completed { output, .. } => return Ok(output),
                StartedOperation::Pending(handle) => handle,
            },
            Either::Right((completion, _)) => return self.output(&completion),
        };
        let left = wait.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, expected.received()).await {
            Ok(completion) => self.output(&completion),
            Err(_) => Err(still_running(&handle)),
        }
    }

    fn output<O: FromContent>(&self, completion: &ReceivedCompletion) -> Result<O, ClientError> {
        completion
            .result(&*self.0.serializer)
            .map_err(ClientError::Result)?
            .map_err(|failure| ClientError::Operation(Box::new(failure)))
    }
}

fn still_running<O>(handle: &OperationHandle<O>) -> ClientError {
    ClientError::StillRunning {
        token: handle.token().clone(),
    }
}
