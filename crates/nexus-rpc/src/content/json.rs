use super::{BoxError, Content, ContentError, Serializer, Visit, erased_serde};

/// JSON, as every Nexus SDK speaks it by default.
///
/// Writes `application/json`, and a null as no content at all. Reads `application/json` with any parameters, and no content as a null.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonSerializer;

/// Content type of JSON.
const JSON: &str = "application/json";

impl Serializer for JsonSerializer {
    fn serialize(
        &self,
        value: Box<dyn erased_serde::Serialize + Send>,
    ) -> Result<Content, BoxError> {
        let data = serde_json::to_vec(&*value)?;
        Ok(if data == b"null" {
            Content::empty()
        } else {
            Content::new(JSON, data)
        })
    }

    fn deserialize(&self, content: Content, visit: Visit<'_>) -> Result<(), ContentError> {
        if content.is_empty() {
            return visit(&mut <dyn erased_serde::Deserializer<'_>>::erase(
                serde_json::Value::Null,
            ));
        }
        if !content.content_type().is_some_and(is_json) {
            return Err(ContentError::ContentType {
                found: content.content_type().map(str::to_owned),
                expected: JSON,
            });
        }
        let mut json = serde_json::Deserializer::from_slice(&content.data);
        visit(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
        json.end().map_err(|error| ContentError::Deserialize {
            path: String::new(),
            message: error.to_string(),
        })
    }
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FromContent;

    #[test]
    fn reads_json_with_parameters_only() {
        let read = |content_type: &str, body: &'static str| {
            u8::from_content(Content::new(content_type, body), &JsonSerializer)
        };
        assert_eq!(read("application/json", "7").unwrap(), 7);
        assert_eq!(read("Application/JSON; charset=utf-8", " 7 ").unwrap(), 7);
        assert_eq!(
            read("text/plain", "7").unwrap_err().to_string(),
            r#"content type "text/plain" cannot be read, expected application/json"#
        );
        assert_eq!(
            read("application/json", "7 8").unwrap_err().to_string(),
            "trailing characters at line 1 column 3"
        );
        assert!(read("application/json", "").is_err());
    }

    #[test]
    fn a_body_without_a_type_is_refused() {
        let content = Content {
            data: "7".into(),
            ..Content::default()
        };
        assert_eq!(
            u8::from_content(content, &JsonSerializer)
                .unwrap_err()
                .to_string(),
            "content type (none) cannot be read, expected application/json"
        );
    }
}
