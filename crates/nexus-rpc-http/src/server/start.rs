//! Start of an operation.

use http::{Response, Uri, request::Parts};
use http_body::Body;
use nexus_rpc::{
    HandlerError, Headers, LazyValue, Link, OperationError, OperationToken, StartError,
    StartOperationContext, StartOperationResult,
    content::BoxError,
    context::{Callback, StartDetails},
};

use super::{Refusal, ResponseBody, Server, body, exchange::Exchange, respond};
use crate::{
    Dialect, OperationFailure, headers, link, operations::StartRequest, path::validate_unreserved,
    query,
};

impl Server {
    pub(super) async fn start<B>(
        &self,
        exchange: Exchange,
        id: Option<String>,
        body: B,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let dialect = exchange.dialect;
        let ctx = self.start_context(&exchange, id.clone())?;
        let data = body::read(body, self.limits.body).await?;
        let input = headers::content(&exchange.parts.headers, data);
        if let Some(request) = ctx.extension::<StartRequest>() {
            request.set_input(input.clone());
        }
        let input = LazyValue::new(input, self.serializer.clone());
        let started = self.registry.start(ctx, input).await;
        let links = exchange.context.take_links();
        let callback_supported = exchange.context.callback_accepted();
        exchange.answered();
        match started {
            Ok(StartOperationResult::Sync(content)) => respond::succeeded(dialect, content, &links),
            Ok(StartOperationResult::Async(token)) => {
                if dialect == Dialect::Draft {
                    check_id(&token, id.as_deref())?;
                }
                Ok(respond::started(
                    dialect,
                    token.as_str(),
                    callback_supported,
                    &links,
                ))
            }
            Ok(_) => {
                Err(HandlerError::internal("the handler gave an answer of an unknown kind").into())
            }
            Err(StartError::Operation(error)) => Ok(respond::unsuccessful(
                dialect,
                &self.failure(error)?,
                &links,
            )),
            Err(StartError::Handler(error)) => Err(error.into()),
        }
    }

    fn start_context(
        &self,
        exchange: &Exchange,
        id: Option<String>,
    ) -> Result<StartOperationContext, Refusal> {
        let (dialect, parts) = (exchange.dialect, &exchange.parts);
        let details = StartDetails {
            request_id: request_id(exchange, id.as_deref()),
            callback: self.callback(dialect, parts)?,
            links: self.links(dialect, parts)?,
            operation_id: id,
        };
        Ok(StartOperationContext::new(
            exchange.context.clone(),
            details,
        ))
    }

    /// What the caller may see of an operation's error.
    pub(super) fn failure(&self, error: OperationError) -> Result<OperationFailure, Refusal> {
        if let Some(source) = std::error::Error::source(&error) {
            tracing::debug!(source, "{error}");
        }
        OperationFailure::from_error(error, &*self.serializer).map_err(|error| {
            HandlerError::internal("cannot serialize the details of the operation's error")
                .with_source(error)
                .into()
        })
    }

    fn callback(&self, dialect: Dialect, parts: &Parts) -> Result<Option<Callback>, Refusal> {
        let name = dialect.callback_parameter();
        let malformed =
            |why: &str| HandlerError::bad_request(format!("the query parameter `{name}` {why}"));
        let Some(url) = query::parameter(parts.uri.query(), name)
            .map_err(|_| malformed("is malformed"))?
            .filter(|url| !url.is_empty())
        else {
            return Ok(None);
        };
        let uri: Uri = url.parse().map_err(|_| malformed("is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https"))
            || uri.host().is_none_or(str::is_empty)
        {
            return Err(malformed("is not an http or https URL").into());
        }
        if !(self.allow_callback)(&uri) {
            return match dialect {
                // The caller is told that nobody will call, and decides.
                Dialect::Draft => Ok(None),
                Dialect::Current => Err(malformed("is not a URL that this server may call").into()),
            };
        }
        let headers = match dialect {
            Dialect::Draft => Headers::new(),
            Dialect::Current => headers::for_callback(&parts.headers),
        };
        Ok(Some(Callback { url, headers }))
    }

    fn links(&self, dialect: Dialect, parts: &Parts) -> Result<Vec<Link>, Refusal> {
        if dialect == Dialect::Draft {
            return Ok(Vec::new());
        }
        let links = link::read(&parts.headers)
            .map_err(|error| HandlerError::bad_request(error.to_string()))?;
        if links.len() > self.limits.links {
            return Err(HandlerError::bad_request(format!(
                "the request has {} links, the limit is {}",
                links.len(),
                self.limits.links
            ))
            .into());
        }
        Ok(links)
    }
}

/// What handlers recognise a repeated request by.
///
/// A caller of the draft that repeats a start repeats its operation id, but knows no request id: the one is made of the other.
fn request_id(exchange: &Exchange, id: Option<&str>) -> String {
    let of_caller = headers::text(&exchange.parts.headers, headers::NEXUS_REQUEST_ID);
    // Go's clients send any text: a repeated request must not lose it.
    match (of_caller, id) {
        (Some(request_id), _) => request_id.to_owned(),
        (None, Some(id)) => {
            let ctx = &exchange.context;
            format!("{}/{}/{id}", ctx.service(), ctx.operation())
        }
        (None, None) => uuid::Uuid::new_v4().to_string(),
    }
}

/// Draft: a token is an id in paths, and the caller's own where it chose one.
fn check_id(token: &OperationToken, requested: Option<&str>) -> Result<(), HandlerError> {
    let broken = |what: String| {
        HandlerError::not_implemented(
            "the operation was started with an id that the caller cannot use",
        )
        .with_source(what)
    };
    match requested {
        Some(requested) if requested != token.as_str() => Err(broken(format!(
            "the handler returned the token {:?} for an operation whose caller chose the id {requested:?}: return `ctx.requested_operation_id()` as the token",
            token.as_str()
        ))),
        _ => validate_unreserved(token.as_str()).map_err(|error| {
            broken(format!(
                "the token {:?} cannot be an operation id: {error}",
                token.as_str()
            ))
        }),
    }
}
