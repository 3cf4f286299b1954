use std::{borrow::Cow, iter, vec};

/// Headers of a Nexus request: string to string, keys without regard to case.
///
/// Keys are kept in lower case, as every Nexus SDK shows them to handlers.
///
/// ```
/// use nexus_rpc::Headers;
///
/// let headers = Headers::from_iter([("Authorization", "Bearer x")]);
/// assert_eq!(headers.get("authorization"), Some("Bearer x"));
/// assert_eq!(headers.iter().next(), Some(("authorization", "Bearer x")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(
    // In the order of the keys, each once. A handful: one piece of memory is filled and read faster than a tree.
    Vec<(Text, Text)>,
);

// What the library itself writes takes no memory.
type Text = Cow<'static, str>;

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One header, with a key in lower case.
    pub(crate) fn of(key: &'static str, value: impl Into<Text>) -> Self {
        Self(vec![(key.into(), value.into())])
    }

    /// The value under `key`, in whatever case either is written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.position(key).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets `key`, and returns the value that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        let (key, value) = (lower_case(key), value.into());
        match self.position(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value.into()).into_owned()),
            Err(at) => {
                self.0.insert(at, (key.into(), value.into()));
                None
            }
        }
    }

    /// Takes `key` out, and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let at = self.position(key).ok()?;
        Some(self.0.remove(at).1.into_owned())
    }

    /// Where `key` is, in whatever case, or where it would be.
    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| {
            let key = key.bytes().map(|byte| byte.to_ascii_lowercase());
            other.bytes().cmp(key)
        })
    }

    /// Keys (lower case) and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn lower_case(key: impl Into<String>) -> String {
    let mut key = key.into();
    key.make_ascii_lowercase();
    key
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut headers = Self::new();
        headers.extend(iter);
        headers
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Headers {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        let added = iter.into_iter();
        self.0
            .extend(added.map(|(key, value)| (lower_case(key).into(), value.into().into())));
        // Sorted once, for a peer may send thousands. Equal keys stay in the order in which they came: the last one counts.
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

impl IntoIterator for Headers {
    type Item = (String, String);
    type IntoIter = iter::Map<vec::IntoIter<(Text, Text)>, fn((Text, Text)) -> (String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        let owned = |(key, value): (Text, Text)| (key.into_owned(), value.into_owned());
        self.0.into_iter().map(owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_more_than_case() {
        let mut headers = Headers::from_iter([("X-Tenant", "a"), ("x-tenant", "b")]);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.get("X-TENANT"), Some("b"));
        assert_eq!(headers.remove("X-tenant").as_deref(), Some("b"));
        assert!(headers.is_empty());
    }

    #[test]
    fn the_last_value_counts_and_keys_are_in_order() {
        let mut headers = Headers::from_iter([("c", "1"), ("A", "2"), ("C", "3"), ("b", "4")]);
        assert_eq!(headers.insert("B", "5").as_deref(), Some("4"));
        assert_eq!(headers.insert("aa", "6"), None);
        headers.extend([("d", "7"), ("AA", "8"), ("aa", "9")]);
        let pairs: Vec<_> = headers.iter().collect();
        assert_eq!(
            pairs,
            [("a", "2"), ("aa", "9"), ("b", "5"), ("c", "3"), ("d", "7")]
        );
        assert_eq!(headers.get("B"), Some("5"));
        assert_eq!(headers.get("bb"), None);
    }
}
