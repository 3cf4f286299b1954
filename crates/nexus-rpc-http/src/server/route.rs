//! From a method and a path to what is asked for.

use std::borrow::Cow;

use http::Method;
use nexus_rpc::HandlerError;

use super::{Dialects, Refusal};
use crate::{
    Dialect,
    path::{self, validate_unreserved},
};

/// A request for an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) dialect: Dialect,
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) action: Action,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// With the id that the caller chose (draft).
    Start {
        id: Option<String>,
    },
    /// With the token, if it stands in the path.
    Cancel {
        token: Option<String>,
    },
    Info {
        id: String,
    },
    Result {
        id: String,
    },
}

impl Action {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Cancel { .. } => "cancel",
            Self::Info { .. } => "info",
            Self::Result { .. } => "result",
        }
    }
}

/// Routes by the raw path: a slash inside a name is escaped and splits nothing.
pub(super) fn resolve(
    dialects: Dialects,
    prefix: &str,
    method: &Method,
    path: &str,
) -> Result<Route, (Dialect, Refusal)> {
    let main = dialects.main();
    let Some(path) = path
        .strip_prefix(prefix)
        .filter(|rest| rest.starts_with('/'))
    else {
        return Err((main, not_found()));
    };
    let segments = path::segments(path).map_err(|error| {
        let dialect = if dialects.draft && path.starts_with("/api/v1/services/") {
            Dialect::Draft
        } else {
            main
        };
        (dialect, HandlerError::bad_request(error.to_string()).into())
    })?;
    match &segments[..] {
        [api, v1, services, service, operations, operation, rest @ ..]
            if dialects.draft
                && api == "api"
                && v1 == "v1"
                && services == "services"
                && operations == "operations" =>
        {
            draft(method, service, operation, rest).map_err(|refusal| (Dialect::Draft, refusal))
        }
        [service, operation, rest @ ..] if dialects.current => {
            current(method, service, operation, rest).map_err(|refusal| (Dialect::Current, refusal))
        }
        _ => Err((main, not_found())),
    }
}

fn draft(
    method: &Method,
    service: &str,
    operation: &str,
    rest: &[Cow<'_, str>],
) -> Result<Route, Refusal> {
    // The number of segments decides: `cancel` and `result` can be ids.
    let (id, action) = match rest {
        [] => {
            allow(method, &[Method::POST], "POST")?;
            (None, Action::Start { id: None })
        }
        [id] => {
            allow(method, &[Method::POST, Method::GET], "GET, POST")?;
            let owned = id.clone().into_owned();
            let action = match *method {
                Method::POST => Action::Start { id: Some(owned) },
                _ => Action::Info { id: owned },
            };
            (Some(id), action)
        }
        [id, last] if last == "cancel" => {
            allow(method, &[Method::POST], "POST")?;
            let token = Some(id.clone().into_owned());
            (Some(id), Action::Cancel { token })
        }
        [id, last] if last == "result" => {
            allow(method, &[Method::GET], "GET")?;
            let owned = id.clone().into_owned();
            (Some(id), Action::Result { id: owned })
        }
        _ => return Err(not_found()),
    };
    unreserved("service name", service)?;
    unreserved("operation name", operation)?;
    if let Some(id) = id {
        unreserved("operation id", id)?;
    }
    Ok(Route {
        dialect: Dialect::Draft,
        service: service.to_owned(),
        operation: operation.to_owned(),
        action,
    })
}

fn current(
    method: &Method,
    service: &str,
    operation: &str,
    rest: &[Cow<'_, str>],
) -> Result<Route, Refusal> {
    // A path that is there for POST refuses other methods with 405, and those that are gone do not exist for any method.
    let action = match rest {
        [] => Action::Start { id: None },
        [last] if last == "cancel" => Action::Cancel { token: None },
        // Where the token stood before 2025; Temporal's servers up to 1.29 still put it there.
        [token, last] if last == "cancel" => Action::Cancel {
            token: Some(token.clone().into_owned()),
        },
        // Once these asked for the state and the result of an operation.
        [_] if *method == Method::GET => return Err(removed()),
        [_, last] if last == "result" && *method == Method::GET => return Err(removed()),
        _ => return Err(not_found()),
    };
    if !is_known(method) {
        return Err(HandlerError::not_implemented(format!("method {method} is not known")).into());
    }
    allow(method, &[Method::POST], "POST")?;
    for (what, name) in [("service", service), ("operation", operation)] {
        if name.is_empty() {
            return Err(HandlerError::bad_request(format!("the {what} name is empty")).into());
        }
    }
    Ok(Route {
        dialect: Dialect::Current,
        service: service.to_owned(),
        operation: operation.to_owned(),
        action,
    })
}

fn allow(method: &Method, allowed: &[Method], header: &'static str) -> Result<(), Refusal> {
    if allowed.contains(method) {
        Ok(())
    } else {
        Err(Refusal::Method(header))
    }
}

/// Whether HTTP itself has the method (RFC 9110 section 9, RFC 5789).
fn is_known(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ]
    .contains(method)
}

fn unreserved(what: &str, segment: &str) -> Result<(), Refusal> {
    validate_unreserved(segment).map_err(|error| {
        HandlerError::bad_request(format!("invalid {what} {segment:?}: {error}")).into()
    })
}

fn not_found() -> Refusal {
    HandlerError::not_found("there is no such path").into()
}

fn removed() -> Refusal {
    HandlerError::not_implemented(
        "state and result of an operation cannot be asked for in this version of the protocol",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: Dialects = Dialects {
        draft: true,
        current: true,
    };

    proptest! {
        #[test]
        fn current_names_survive(service in ".{1,10}", operation in ".{1,10}", token in "[ -~]{1,10}") {
            let path = format!("/{}/{}", path::encode(&service), path::encode(&operation));
            let route = |path: &str| resolve(BOTH, "", &Method::POST, path).unwrap();
            let expected = |action| Route { dialect: Dialect::Current, service: service.clone(), operation: operation.clone(), action };
            prop_assert_eq!(route(&path), expected(Action::Start { id: None }));
            prop_assert_eq!(route(&format!("{path}/cancel")), expected(Action::Cancel { token: None }));
            let legacy = format!("{path}/{}/cancel", path::encode(&token));
            prop_assert_eq!(route(&legacy), expected(Action::Cancel { token: Some(token.clone()) }));
        }

        #[test]
        fn never_panics(path in "(/|%2F|%|api|v1|services|operations|cancel|result|\\.|é){0,14}", post in any::<bool>()) {
            let method = if post { Method::POST } else { Method::GET };
            let _ = resolve(BOTH, "", &method, &path);
            let _ = resolve(BOTH, "/p", &method, &path);
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let route = |path| resolve(BOTH, "/p", &Method::POST, path);
        assert!(route("/p/s/o").is_ok());
        assert!(route("/px/s/o").is_err());
        assert!(route("/s/o").is_err());
        assert!(route("/p").is_err());
    }
}
