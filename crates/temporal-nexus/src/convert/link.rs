//! Links: Temporal's protobuf against the URLs that Nexus carries.
//!
//! The URL of a link has the scheme `temporal` and no host. Segments of its path are escaped as Go's `url.PathEscape` does, the keys of
//! its query are sorted: what `link_converter.go` of Temporal's Go API reads and writes.

use nexus_rpc::{HandlerError, Link};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use temporalio_common::protos::temporal::api::{
    common::v1::{
        Link as ProtoLink,
        link::{self, Variant, workflow_event},
    },
    enums::v1::EventType,
};

const SCHEME: &str = "temporal://";
const TYPE_PREFIX: &str = "temporal.api.common.v1.Link.";

/// What Go's `PathEscape` leaves alone.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Converts the links of a request. A type that this SDK does not know is left out, as every SDK does; a URL that is wrong for its type
/// is the caller's fault.
pub(crate) fn links_to_proto(links: &[Link]) -> Result<Vec<ProtoLink>, HandlerError> {
    let mut converted = Vec::with_capacity(links.len());
    for link in links {
        match to_proto(link) {
            Ok(Some(link)) => converted.push(link),
            Ok(None) => tracing::warn!(r#type = link.link_type, "left out a link of unknown type"),
            Err(reason) => {
                return Err(HandlerError::bad_request(format!(
                    "link {:?} is not valid: {reason}",
                    link.url
                )));
            }
        }
    }
    Ok(converted)
}

/// Converts links of Temporal to Nexus. Kinds without a URL are left out.
pub(crate) fn links_to_nexus(links: impl IntoIterator<Item = ProtoLink>) -> Vec<Link> {
    links.into_iter().filter_map(to_nexus).collect()
}

/// The link to the first event of a workflow, for servers that do not return one.
pub(crate) fn workflow_started_link(namespace: &str, workflow_id: &str, run_id: &str) -> ProtoLink {
    ProtoLink {
        variant: Some(Variant::WorkflowEvent(link::WorkflowEvent {
            namespace: namespace.to_owned(),
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            reference: Some(workflow_event::Reference::EventRef(
                workflow_event::EventReference {
                    event_id: 1,
                    event_type: EventType::WorkflowExecutionStarted.into(),
                },
            )),
        })),
    }
}

fn to_nexus(link: ProtoLink) -> Option<Link> {
    let (kind, path, query) = match link.variant? {
        Variant::WorkflowEvent(link) => (
            "WorkflowEvent",
            path(
                &["workflows", &link.workflow_id, &link.run_id, "history"],
                &link.namespace,
            ),
            link.reference.map(event_query).unwrap_or_default(),
        ),
        Variant::Workflow(link) => (
            "Workflow",
            path(
                &["workflows", &link.workflow_id, &link.run_id],
                &link.namespace,
            ),
            query(&[("reason", &link.reason)]),
        ),
        Variant::NexusOperation(link) => (
            "NexusOperation",
            path(
                &[
                    "nexus-operations",
                    &link.operation_id,
                    &link.run_id,
                    "details",
                ],
                &link.namespace,
            ),
            String::new(),
        ),
        Variant::Activity(link) => (
            "Activity",
            path(
                &["activities", &link.activity_id, &link.run_id, "details"],
                &link.namespace,
            ),
            String::new(),
        ),
        _ => return None,
    };
    Some(Link::new(
        format!("{SCHEME}{path}{query}"),
        format!("{TYPE_PREFIX}{kind}"),
    ))
}

fn path(segments: &[&str], namespace: &str) -> String {
    let mut path = format!(
        "/namespaces/{}",
        utf8_percent_encode(namespace, PATH_SEGMENT)
    );
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, PATH_SEGMENT));
    }
    path
}

fn event_query(reference: workflow_event::Reference) -> String {
    match reference {
        workflow_event::Reference::EventRef(event) => {
            let id = match event.event_id {
                0 => String::new(),
                id => id.to_string(),
            };
            query(&[
                ("eventID", &id),
                ("eventType", &pascal_case(event.event_type())),
                ("referenceType", "EventReference"),
            ])
        }
        workflow_event::Reference::RequestIdRef(request) => query(&[
            ("eventType", &pascal_case(request.event_type())),
            ("referenceType", "RequestIdReference"),
            ("requestID", &request.request_id),
        ]),
    }
}

/// Keys must come sorted; those without a value are left out.
fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => query,
        query => format!("?{query}"),
    }
}

fn to_proto(nexus: &Link) -> Result<Option<ProtoLink>, &'static str> {
    let Some(kind) = nexus.link_type.strip_prefix(TYPE_PREFIX) else {
        return Ok(None);
    };
    if !matches!(
        kind,
        "WorkflowEvent" | "Workflow" | "NexusOperation" | "Activity"
    ) {
        return Ok(None);
    }
    let rest = nexus
        .url
        .strip_prefix(SCHEME)
        .ok_or("its scheme is not `temporal`")?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path
        .strip_prefix("/namespaces/")
        .ok_or("its path does not start with a namespace")?;
    let segments = path
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "its path is not UTF-8")?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let variant = match (kind, segments.as_slice()) {
        ("WorkflowEvent", [namespace, "workflows", id, run, "history"]) => {
            Variant::WorkflowEvent(link::WorkflowEvent {
                namespace: (*namespace).to_owned(),
                workflow_id: (*id).to_owned(),
                run_id: (*run).to_owned(),
                reference: event_reference(query)?,
            })
        }
        // Java writes `/history` behind the run of such a link.
        (
            "Workflow",
            [namespace, "workflows", id, run] | [namespace, "workflows", id, run, "history"],
        ) => Variant::Workflow(link::Workflow {
            namespace: (*namespace).to_owned(),
            workflow_id: (*id).to_owned(),
            run_id: (*run).to_owned(),
            reason: query_value(query, "reason").unwrap_or_default(),
        }),
        ("NexusOperation", [namespace, "nexus-operations", id, run, "details"]) => {
            Variant::NexusOperation(link::NexusOperation {
                namespace: (*namespace).to_owned(),
                operation_id: (*id).to_owned(),
                run_id: (*run).to_owned(),
            })
        }
        ("Activity", [namespace, "activities", id, run, "details"]) => {
            Variant::Activity(link::Activity {
                namespace: (*namespace).to_owned(),
                activity_id: (*id).to_owned(),
                run_id: (*run).to_owned(),
            })
        }
        _ => return Err("its path does not fit its type"),
    };
    Ok(Some(ProtoLink {
        variant: Some(variant),
    }))
}

fn event_reference(query: &str) -> Result<Option<workflow_event::Reference>, &'static str> {
    let event_type = || match query_value(query, "eventType") {
        Some(name) => event_type(&name).ok_or("its event type is unknown"),
        None => Ok(EventType::Unspecified),
    };
    match query_value(query, "referenceType").as_deref() {
        None => Ok(None),
        Some("EventReference") => {
            let event_id = match query_value(query, "eventID") {
                Some(id) => id.parse().map_err(|_| "its event id is not a number")?,
                None => 0,
            };
            Ok(Some(workflow_event::Reference::EventRef(
                workflow_event::EventReference {
                    event_id,
                    event_type: event_type()?.into(),
                },
            )))
        }
        Some("RequestIdReference") => Ok(Some(workflow_event::Reference::RequestIdRef(
            workflow_event::RequestIdReference {
                request_id: query_value(query, "requestID").unwrap_or_default(),
                event_type: event_type()?.into(),
            },
        ))),
        Some(_) => Err("its reference type is unknown"),
    }
}

fn query_value(query: &str, key: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == key && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

const EVENT_TYPE_PREFIX: &str = "EVENT_TYPE_";

/// `EVENT_TYPE_WORKFLOW_EXECUTION_STARTED` → `WorkflowExecutionStarted`.
fn pascal_case(event_type: EventType) -> String {
    let name = event_type.as_str_name();
    let mut pascal = String::with_capacity(name.len());
    for word in name
        .strip_prefix(EVENT_TYPE_PREFIX)
        .unwrap_or(name)
        .split('_')
    {
        let (first, rest) = word.split_at(word.len().min(1));
        pascal.push_str(first);
        pascal.push_str(&rest.to_ascii_lowercase());
    }
    pascal
}

/// Reads either spelling.
fn event_type(name: &str) -> Option<EventType> {
    if name.starts_with(EVENT_TYPE_PREFIX) {
        return EventType::from_str_name(name);
    }
    let mut screaming = EVENT_TYPE_PREFIX.to_owned();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            screaming.push('_');
        }
        screaming.push(c.to_ascii_uppercase());
    }
    EventType::from_str_name(&screaming)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn convert(url: &str, kind: &str) -> Result<Option<ProtoLink>, &'static str> {
        to_proto(&Link::new(url, format!("{TYPE_PREFIX}{kind}")))
    }

    #[test]
    fn urls_are_those_of_go() {
        for (url, kind) in [
            (
                "temporal:///namespaces/ns/workflows/wf-id/run-id/history?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference",
                "WorkflowEvent",
            ),
            (
                "temporal:///namespaces/ns/workflows/wf%2F%3E%20id/run-id/history?eventType=NexusOperationScheduled&referenceType=RequestIdReference&requestID=r-1",
                "WorkflowEvent",
            ),
            (
                "temporal:///namespaces/ns/workflows/wf/run?reason=why",
                "Workflow",
            ),
            ("temporal:///namespaces/ns/workflows/wf/run", "Workflow"),
            (
                "temporal:///namespaces/ns/nexus-operations/op/run/details",
                "NexusOperation",
            ),
            (
                "temporal:///namespaces/ns/activities/a$&+=:@/run/details",
                "Activity",
            ),
        ] {
            let proto = convert(url, kind).unwrap().unwrap();
            let back = to_nexus(proto).unwrap();
            assert_eq!(back, Link::new(url, format!("{TYPE_PREFIX}{kind}")));
        }
    }

    #[test]
    fn both_spellings_of_event_types_are_read() {
        let spelled = |name: &str| {
            convert(
                &format!("temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType={name}"),
                "WorkflowEvent",
            )
            .unwrap()
        };
        assert_eq!(
            spelled("NexusOperationScheduled"),
            spelled("EVENT_TYPE_NEXUS_OPERATION_SCHEDULED")
        );
    }

    #[test]
    fn links_of_java_are_read() {
        let link = convert("temporal:///namespaces/n/workflows/w/r/history", "Workflow");
        assert!(link.unwrap().is_some());
    }

    #[test]
    fn unknown_types_are_left_out_and_bad_urls_refused() {
        let unknown = [
            Link::new("x:y", "my.Link"),
            Link::new("x", format!("{TYPE_PREFIX}Batch")),
        ];
        assert_eq!(links_to_proto(&unknown).unwrap(), vec![]);
        for url in [
            "https:///namespaces/n/workflows/w/r/history",
            "temporal:///workflows/w/r/history",
            "temporal:///namespaces/n/workflows/w/history",
            "temporal:///namespaces/n/workflows/%FF/r/history",
            "temporal:///namespaces/n/workflows/w/r/history?referenceType=X",
            "temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType=X",
            "temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventID=x",
        ] {
            let link = Link::new(url, format!("{TYPE_PREFIX}WorkflowEvent"));
            let error = links_to_proto(&[link]).unwrap_err();
            assert!(error.to_string().contains("BAD_REQUEST"), "{url}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_id_survives(namespace in ".{1,30}", id in ".{1,30}", run in ".{1,30}") {
            let link = workflow_started_link(&namespace, &id, &run);
            let nexus = to_nexus(link.clone()).unwrap();
            prop_assert_eq!(to_proto(&nexus).unwrap(), Some(link));
        }

        #[test]
        fn never_panics(rest in ".{0,60}") {
            let _ = convert(&format!("temporal://{rest}"), "WorkflowEvent");
            let _ = convert(&format!("temporal:///namespaces/n/workflows/w/r/history?{rest}"), "WorkflowEvent");
        }
    }
}
