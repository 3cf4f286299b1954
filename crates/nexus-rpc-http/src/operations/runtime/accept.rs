//! Takes operations in.

use std::{sync::atomic::Ordering, time::SystemTime};

use http::Uri;
use nexus_rpc::{HandlerError, Headers, OperationToken, StartOperationContext};
use tokio::sync::Notify;

use super::{Runtime, StartRequest, store_error};
use crate::{
    Dialect,
    operations::{CallbackTarget, NewOperation, OperationRecord, store::Created},
};

/// An operation that was taken in, now or before.
pub(in crate::operations) enum Accepted {
    /// It goes on.
    Running(OperationToken),
    /// It had ended.
    Ended(Box<OperationRecord>),
}

/// Wakes somebody also when the future is dropped half-way: the store may have done its part.
struct Wake<'a>(&'a Notify);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Runtime {
    pub(in crate::operations) async fn accept(
        &self,
        ctx: &StartOperationContext,
    ) -> Result<Accepted, HandlerError> {
        if !self.accepting.load(Ordering::Relaxed) {
            return Err(HandlerError::unavailable(
                "the server is shutting down, try again later",
            ));
        }
        let new = self.new_operation(ctx)?;
        let token = new.key.token.clone();
        let has_callback = new.callback.is_some();
        let created = {
            let _wake = Wake(&self.ready);
            let created = self.store.create(new, self.settings.max_open).await;
            created.map_err(store_error)?
        };
        let accepted = match created {
            Created::New => Accepted::Running(token),
            Created::Existing(record) if record.end.is_some() => Accepted::Ended(record),
            Created::Existing(record) => Accepted::Running(record.key.token),
            Created::Conflict => {
                return Err(HandlerError::conflict(
                    "the operation was started before with another input",
                ));
            }
            Created::Full => {
                return Err(HandlerError::resource_exhausted(
                    "too many operations are open, try again later",
                ));
            }
        };
        if has_callback {
            ctx.accept_callback();
        }
        Ok(accepted)
    }

    fn new_operation(&self, ctx: &StartOperationContext) -> Result<NewOperation, HandlerError> {
        let request = ctx.extension::<StartRequest>();
        let with_input = request.and_then(|request| Some((request, request.input.get()?)));
        let (request, input) = with_input.ok_or_else(|| {
            HandlerError::internal("the operation cannot be kept")
                .with_source("the context of the start request has no input")
        })?;
        let of_caller = ctx.requested_operation_id();
        let token = match of_caller {
            Some(id) => id.to_owned(),
            None => uuid::Uuid::new_v4().simple().to_string(),
        };
        let token = OperationToken::new(token)
            .map_err(|error| HandlerError::bad_request(error.to_string()))?;
        let kept = ctx
            .headers()
            .iter()
            .filter(|(name, _)| (self.settings.keep_header)(name));
        Ok(NewOperation {
            key: self.key(ctx, token),
            token_of_caller: of_caller.is_some(),
            request_id: ctx.request_id().to_owned(),
            input: input.clone(),
            headers: kept.collect::<Headers>(),
            links: ctx.links().to_vec(),
            callback: self.callback(ctx, request.dialect)?,
            started_at: SystemTime::now(),
        })
    }

    fn callback(
        &self,
        ctx: &StartOperationContext,
        dialect: Dialect,
    ) -> Result<Option<CallbackTarget>, HandlerError> {
        let Some(callback) = ctx.callback() else {
            return Ok(None);
        };
        let refused = || HandlerError::bad_request("the callback URL cannot be called");
        let uri: Uri = callback.url.parse().map_err(|_| refused())?;
        let addresses = &self.settings.addresses;
        let allowed = addresses.allows_host(uri.host().unwrap_or_default());
        let scheme = uri.scheme_str().unwrap_or_default();
        if let Err(error) = self.sender.check_scheme(scheme) {
            // A result that nobody can deliver would be lost days later.
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot call back");
        } else if allowed {
            return Ok(Some(CallbackTarget {
                dialect,
                callback: callback.clone(),
                destination: destination(&uri),
            }));
        }
        match dialect {
            // The caller is told that nobody will call, and decides.
            Dialect::Draft => Ok(None),
            Dialect::Current => Err(refused()),
        }
    }
}

/// The server behind a URL: without user and password, with the port that is called.
fn destination(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http").to_ascii_lowercase();
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(match &*scheme {
        "https" => 443,
        _ => 80,
    });
    format!("{scheme}://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_one_destination() {
        for url in [
            "http://a.example",
            "http://A.example/x?y=1",
            "http://user:word@a.example:80/",
        ] {
            assert_eq!(destination(&url.parse().unwrap()), "http://a.example:80");
        }
        let https = "https://[::1]/".parse().unwrap();
        assert_eq!(destination(&https), "https://[::1]:443");
    }
}
