//! The server's address.

use std::{fmt, net::IpAddr};
use temporalio_client::Url;

const DEFAULT_PORT: u16 = 7233;

/// Where a Temporal server listens. Its `Display` form is `host:port`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    /// Whether `https://` (true) or `http://` (false) was written before the host.
    pub(crate) tls: Option<bool>,
    /// A name in lower case, or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host`, `host:port`, `http://host:port` or `https://host:port`; without a port it is
    /// 7233. `None` if `text` is none of these.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '\\']) || rest.contains(char::is_whitespace) {
            return None;
        }
        // The colons of an IPv6 address come before its closing bracket.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (rest, DEFAULT_PORT),
        };
        if port == 0 {
            return None;
        }
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return None;
        }
        let url = Url::parse(&format!("http://{host}")).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { tls, host, port })
    }

    pub(crate) fn url(&self, tls: bool) -> Url {
        let scheme = if tls { "https" } else { "http" };
        Url::parse(&format!("{scheme}://{self}")).expect("parse has made sure of host and port")
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self.ip() {
            Some(ip) => ip.is_loopback(),
            None => self.host == "localhost",
        }
    }

    /// The host, if it is not a name.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, tls, shown) in [
            ("localhost:7233", None, "localhost:7233"),
            ("localhost", None, "localhost:7233"),
            ("LOCALHOST:1", None, "localhost:1"),
            ("127.0.0.1:80", None, "127.0.0.1:80"),
            ("[::1]:7300", None, "[::1]:7300"),
            ("[::1]", None, "[::1]:7233"),
            ("http://a.example:80", Some(false), "a.example:80"),
            ("https://a.example:443/", Some(true), "a.example:443"),
            ("https://a.example", Some(true), "a.example:7233"),
            ("ns.acct.tmprl.cloud:7233", None, "ns.acct.tmprl.cloud:7233"),
        ] {
            let address = Address::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((address.tls, &*address.to_string()), (tls, shown), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":7233",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "host:1:2",
            "::1",
            "::1:7233",
            "[::1",
            "a b:7233",
            "user@host:1",
            "host:1/path",
            "host:1?q",
            "ftp://host:1",
            "http://",
            "a\\b:1",
            "host::1",
            "host:80:1",
        ] {
            assert_eq!(Address::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn urls_have_the_scheme_and_the_port() {
        let url = |text, tls| Address::parse(text).unwrap().url(tls).to_string();
        assert_eq!(url("localhost:7233", false), "http://localhost:7233/");
        assert_eq!(url("[::1]:7233", true), "https://[::1]:7233/");
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let loopback = |text| Address::parse(text).unwrap().is_loopback();
        for text in [
            "localhost:1",
            "LocalHost:1",
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
        ] {
            assert!(loopback(text), "{text}");
        }
        for text in ["localhost.example:1", "128.0.0.1:1", "0.0.0.0:1", "[::2]:1"] {
            assert!(!loopback(text), "{text}");
        }
    }
}
