/// A link to a resource on the other side, or to one that an operation touched.
///
/// Callers attach links to a request (where it came from), handlers to a response (what it started); a user interface shows them as
/// ways to walk from one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// Where the resource is, as a URL. Temporal's own links have the scheme `temporal`.
    pub url: String,
    /// What kind of resource it is. For links of Temporal: the full name of their protobuf message, such as
    /// `temporal.api.common.v1.Link.WorkflowEvent`. Letters and digits of ASCII, `_`, `.` and `/`: other characters make Go's SDK refuse the
    /// whole request, so over HTTP a link that has them is left out.
    pub link_type: String,
}

impl Link {
    /// A link to `url` of the kind `link_type`.
    pub fn new(url: impl Into<String>, link_type: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            link_type: link_type.into(),
        }
    }
}
