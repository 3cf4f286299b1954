//! Parameters of a query, decoded as a form (`+` is a space).

use crate::path::{BrokenEscape, decode};

/// The value of the first parameter called `name`.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, BrokenEscape> {
    let Some(query) = query else {
        return Ok(None);
    };
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A broken parameter of somebody else's is none of ours.
        if form_decode(key).is_ok_and(|key| key == name) {
            return form_decode(value).map(Some);
        }
    }
    Ok(None)
}

fn form_decode(text: &str) -> Result<String, BrokenEscape> {
    if text.contains('+') {
        return decode(&text.replace('+', " ")).map(std::borrow::Cow::into_owned);
    }
    decode(text).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_wins_and_is_decoded_once() {
        let query = Some("x=%&callback=http%3A%2F%2Fa%2F%3Fq%3D%2525&callback=b");
        assert_eq!(
            parameter(query, "callback").unwrap().as_deref(),
            Some("http://a/?q=%25")
        );
        assert_eq!(parameter(Some("a+b"), "a b"), Ok(Some(String::new())));
        assert_eq!(
            parameter(Some("token=a+b%2B"), "token").unwrap().as_deref(),
            Some("a b+")
        );
        assert_eq!(parameter(None, "a"), Ok(None));
        assert_eq!(parameter(Some("a=%f"), "a"), Err(BrokenEscape));
    }
}
