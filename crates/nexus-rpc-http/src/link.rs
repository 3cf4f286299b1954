//! The header `Nexus-Link`: the syntax of RFC 8288, with a `type` for each link.

use http::{HeaderMap, HeaderValue};
use nexus_rpc::Link;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::headers::NEXUS_LINK;

/// What a URL in a link cannot hold as it is. A comma is legal, but readers that split the header at every comma exist.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b',')
    .add(b'<')
    .add(b'>')
    .add(b'\\');

/// A semicolon there is legal, too, but Go takes it for an error in the query, and then refuses the request.
const ESCAPED_IN_QUERY: &AsciiSet = &ESCAPED.add(b';');

/// A value of `Nexus-Link` that is not a list of links.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid Nexus-Link header at byte {at}: {expected}")]
pub(crate) struct InvalidLink {
    at: usize,
    expected: &'static str,
}

/// Reads all links of all lines of the header.
pub(crate) fn read(headers: &HeaderMap) -> Result<Vec<Link>, InvalidLink> {
    let mut links = Vec::new();
    for value in headers.get_all(NEXUS_LINK) {
        parse(value.as_bytes(), &mut links)?;
    }
    Ok(links)
}

/// Adds a line for each link. One that cannot be written is left out, with a warning: a link must not fail a request.
pub(crate) fn write(links: &[Link], headers: &mut HeaderMap) {
    for link in links {
        match format(link) {
            Some(value) => {
                headers.append(NEXUS_LINK, value);
            }
            None => tracing::warn!(?link, "left out a link that cannot be written"),
        }
    }
}

fn format(link: &Link) -> Option<HeaderValue> {
    if link.url.is_empty() || link.link_type.is_empty() {
        return None;
    }
    let (path, query) = link
        .url
        .split_at(link.url.find('?').unwrap_or(link.url.len()));
    let path = utf8_percent_encode(path, ESCAPED);
    let query = utf8_percent_encode(query, ESCAPED_IN_QUERY);
    let link_type = &link.link_type;
    // Go refuses a whole request for any other character in a type.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_./".contains(&b);
    if !link_type.bytes().all(is_plain) {
        return None;
    }
    HeaderValue::try_from(format!("<{path}{query}>; type=\"{link_type}\"")).ok()
}

fn parse(text: &[u8], links: &mut Vec<Link>) -> Result<(), InvalidLink> {
    let mut cursor = Cursor { text, at: 0 };
    loop {
        cursor.skip_space();
        match cursor.peek() {
            None => return Ok(()),
            // Empty elements of a list are to be ignored (RFC 9110 section 5.6.1).
            Some(b',') => cursor.at += 1,
            Some(_) => {
                links.push(cursor.link()?);
                cursor.skip_space();
                if !matches!(cursor.peek(), None | Some(b',')) {
                    return Err(cursor.expected("a comma or a semicolon"));
                }
            }
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn link(&mut self) -> Result<Link, InvalidLink> {
        self.eat(b'<', "`<` before the URL")?;
        let start = self.at;
        let url = self.take_while(|byte| byte != b'>')?;
        if url.is_empty() || url.bytes().any(|b| b.is_ascii_whitespace() || b == b'<') {
            self.at = start;
            return Err(self.expected("a URL"));
        }
        self.eat(b'>', "`>` after the URL")?;
        let mut link_type = None;
        loop {
            self.skip_space();
            if self.peek() != Some(b';') {
                break;
            }
            self.at += 1;
            self.skip_space();
            // `<a>;` and `<a>;;type=b` are legal.
            if matches!(self.peek(), None | Some(b';' | b',')) {
                continue;
            }
            let name = self.token("the name of a parameter")?;
            self.skip_space();
            let value = if self.peek() == Some(b'=') {
                self.at += 1;
                self.skip_space();
                match self.peek() {
                    Some(b'"') => self.quoted()?,
                    _ => self.token("the value of a parameter")?,
                }
            } else {
                String::new()
            };
            // Of repeated parameters the first counts (RFC 8288 section 3.4.1 has it so for `title` and the like).
            if name.eq_ignore_ascii_case("type") && link_type.is_none() {
                link_type = Some(value);
            }
        }
        match link_type {
            Some(link_type) if !link_type.is_empty() => Ok(Link::new(url, link_type)),
            _ => Err(self.expected("a parameter `type`")),
        }
    }

    fn token(&mut self, expected: &'static str) -> Result<String, InvalidLink> {
        let start = self.at;
        // Wider than a token of RFC 9110: old writers leave `/` and the like unquoted.
        let token = self.take_while(|b| b.is_ascii_graphic() && !b";,=\"<>".contains(&b))?;
        if token.is_empty() {
            self.at = start;
            return Err(self.expected(expected));
        }
        Ok(token)
    }

    fn quoted(&mut self) -> Result<String, InvalidLink> {
        let start = self.at;
        self.at += 1;
        let mut value = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') if self.at + 1 < self.text.len() => {
                    self.at += 1;
                    value.push(self.text[self.at]);
                }
                Some(byte) if byte != b'\\' => value.push(byte),
                _ => {
                    self.at = start;
                    return Err(self.expected("a closing quote"));
                }
            }
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8(value).map_err(|_| self.expected("UTF-8"))
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> Result<String, InvalidLink> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|&b| !accept(b)).unwrap_or(rest.len());
        let taken = std::str::from_utf8(&rest[..end]).map_err(|_| self.expected("UTF-8"))?;
        self.at += end;
        Ok(taken.to_owned())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8, expected: &'static str) -> Result<(), InvalidLink> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> InvalidLink {
        InvalidLink {
            at: self.at,
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<Vec<Link>, InvalidLink> {
        let mut links = Vec::new();
        parse(text.as_bytes(), &mut links).map(|()| links)
    }

    #[test]
    fn separators_inside_brackets_and_quotes_do_not_split() {
        assert_eq!(
            parsed(r#"<http://a/?x=1,2;y>; rel="a,b;c" ; TYPE="t\"1",, <b:c>;type=d/e.f , "#)
                .unwrap(),
            [
                Link::new("http://a/?x=1,2;y", "t\"1"),
                Link::new("b:c", "d/e.f")
            ]
        );
        assert_eq!(parsed(""), Ok(vec![]));
        assert_eq!(parsed("<a>;x;;type=b;").unwrap(), [Link::new("a", "b")]);
    }

    #[test]
    fn what_is_no_link_is_refused() {
        for text in [
            "a",
            "<a>",
            "<a>; rel=x",
            "<a>; type",
            "<a>; type=",
            "<a>; type=\"",
            "<a>; type=\"b",
            "<a>; type=\"b\\",
            "<a; type=b",
            "<>; type=b",
            "<a b>; type=b",
            "<a>; type=b <c>; type=d",
            "\"",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert_eq!(
            parsed("<a>; rel=x").unwrap_err().to_string(),
            "invalid Nexus-Link header at byte 10: a parameter `type`"
        );
    }

    #[test]
    fn what_readers_trip_over_is_encoded() {
        let value = format(&Link::new("temporal:///a,b<c> d?é", "my.Type")).unwrap();
        assert_eq!(
            value,
            "<temporal:///a%2Cb%3Cc%3E%20d?%C3%A9>; type=\"my.Type\""
        );
        let value = format(&Link::new("http://a/b;v=1?c;d", "my.Type")).unwrap();
        assert_eq!(value, "<http://a/b;v=1?c%3Bd>; type=\"my.Type\"");
        assert_eq!(format(&Link::new("", "t")), None);
        assert_eq!(format(&Link::new("a", "")), None);
        for link_type in ["b\r\nc", "a-b", "a b", "a\"b", "\u{e9}"] {
            assert_eq!(format(&Link::new("a", link_type)), None, "{link_type}");
        }
    }

    proptest! {
        #[test]
        fn links_survive_the_header(
            urls in prop::collection::vec("[a-z]{1,5}:[!#-+.-:=?-\\[\\]-~-]{0,30}", 1..4),
            link_type in "[A-Za-z0-9_./]{1,30}",
        ) {
            let links: Vec<_> = urls.iter().map(|url| Link::new(url, &link_type)).collect();
            let mut headers = HeaderMap::new();
            write(&links, &mut headers);
            prop_assert_eq!(&read(&headers).unwrap(), &links);
            // The same when an intermediary joined the lines.
            let joined: Vec<_> = headers.get_all(NEXUS_LINK).iter().map(|v| v.to_str().unwrap()).collect();
            prop_assert_eq!(parsed(&joined.join(", ")).unwrap(), links);
        }

        #[test]
        fn never_panics(text in any::<Vec<u8>>()) {
            let _ = parse(&text, &mut Vec::new());
        }

        #[test]
        fn never_panics_on_near_misses(text in r#"(<[a,;]{0,3}>?|[;,="\\ ]|type|rel){0,12}"#) {
            let _ = parsed(&text);
        }
    }
}
