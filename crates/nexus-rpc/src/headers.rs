use std::collections::{BTreeMap, btree_map};

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
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value under `key`, in whatever case either is written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        // Almost every look-up is by a lower-case literal.
        if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.0.get(&key.to_ascii_lowercase()).map(String::as_str);
        }
        self.0.get(key).map(String::as_str)
    }

    /// Sets `key`, and returns the value that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        let mut key = key.into();
        key.make_ascii_lowercase();
        self.0.insert(key, value.into())
    }

    /// Takes `key` out, and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(&key.to_ascii_lowercase())
    }

    /// Keys (lower case) and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
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

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut headers = Self::new();
        headers.extend(iter);
        headers
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Headers {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        for (key, value) in iter {
            self.insert(key, value);
        }
    }
}

impl IntoIterator for Headers {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
}
