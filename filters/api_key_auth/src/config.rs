//! The plugin configuration: a JSON object or lines `client=key`.

use crate::json::{self, Value};

/// What the filter is told. Headers are lower case.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The request header that carries the key.
    pub header: String,
    /// The request header that tells the upstream which client it was.
    pub client_header: String,
    /// The realm of the challenge in a 401.
    pub realm: String,
    /// Whether the key itself goes on to the upstream.
    pub forward_key: bool,
    /// Whether admitted responses tell how often the key has been used.
    pub report_uses: bool,
    /// Pairs of client and key.
    pub keys: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            header: "x-api-key".into(),
            client_header: "x-api-client".into(),
            realm: "weir".into(),
            forward_key: false,
            report_uses: false,
            keys: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration. An error is a text for the log.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config = if text.trim_start().starts_with('{') { Config::from_json(text)? } else { Config::from_lines(text)? };
        config.check()?;
        Ok(config)
    }

    /// The client whose key this is. Takes the same time for every key of one length, known or not: it compares with all
    /// of them and never stops at the first difference.
    pub fn client_of(&self, key: &[u8]) -> Option<&str> {
        let mut found = None;
        for (client, known) in &self.keys {
            if same_bytes(known.as_bytes(), key) {
                found = Some(client.as_str());
            }
        }
        found
    }

    fn from_lines(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once('=') {
                Some((client, key)) => config.keys.push((client.trim().into(), key.trim().into())),
                None => return Err(format!("line {}: expected client=key", index + 1)),
            }
        }
        Ok(config)
    }

    fn from_json(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        let members = match json::parse(text)? {
            Value::Object(members) => members,
            _ => return Err("expected an object".into()),
        };
        for (name, value) in members {
            match (name.as_str(), value) {
                ("header", Value::Text(text)) => config.header = text.to_ascii_lowercase(),
                ("client_header", Value::Text(text)) => config.client_header = text.to_ascii_lowercase(),
                ("realm", Value::Text(text)) => config.realm = text,
                ("forward_key", Value::Bool(flag)) => config.forward_key = flag,
                ("report_uses", Value::Bool(flag)) => config.report_uses = flag,
                ("keys", Value::Object(members)) => {
                    for (client, key) in members {
                        match key {
                            Value::Text(key) => config.keys.push((client, key)),
                            _ => return Err(format!("the key of {:?} must be a text", client)),
                        }
                    }
                }
                ("header" | "client_header" | "realm" | "forward_key" | "report_uses" | "keys", _) => {
                    return Err(format!("{:?} has a value of the wrong kind", name));
                }
                _ => return Err(format!("unknown option {:?}", name)),
            }
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for header in [&self.header, &self.client_header] {
            if !is_token(header) {
                return Err(format!("{:?} is no header name", header));
            }
        }
        if self.realm.bytes().any(|byte| !(0x20..0x7F).contains(&byte) || byte == b'"' || byte == b'\\') {
            return Err("\"realm\" must be plain text without quotes".into());
        }
        if self.keys.is_empty() {
            return Err("no keys".into());
        }
        for (index, (client, key)) in self.keys.iter().enumerate() {
            if !is_token(client) {
                return Err(format!("{:?} is no client name", client));
            }
            if key.is_empty() || key.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
                return Err(format!("the key of {:?} is empty or has control characters", client));
            }
            // The text must not tell a key: it goes to a log.
            if self.keys[..index].iter().any(|(other, other_key)| other == client || other_key == key) {
                return Err(format!("the client {:?} or its key appears twice", client));
            }
        }
        Ok(())
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        let config = Config::parse("# keys\n ann = k1 \n\nbob=k=2\r\n").unwrap();
        assert_eq!(config.keys, vec![("ann".into(), "k1".into()), ("bob".into(), "k=2".into())]);
        assert_eq!(config.header, "x-api-key");
        assert!(!config.forward_key);
    }

    #[test]
    fn reads_json() {
        let config = Config::parse(
            r#"{"header": "X-Key", "client_header": "X-Who", "realm": "shop", "forward_key": true, "report_uses": true, "keys": {"ann": "k1"}}"#,
        )
        .unwrap();
        let expected = Config {
            header: "x-key".into(),
            client_header: "x-who".into(),
            realm: "shop".into(),
            forward_key: true,
            report_uses: true,
            keys: vec![("ann".into(), "k1".into())],
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn finds_the_client() {
        let config = Config::parse("ann=k1\nbob=k2\nlong=k1k1").unwrap();
        assert_eq!(config.client_of(b"k1"), Some("ann"));
        assert_eq!(config.client_of(b"k2"), Some("bob"));
        assert_eq!(config.client_of(b"k1k1"), Some("long"));
        for unknown in [&b""[..], b"k", b"k3", b"K1", b"k1k", b"\xff\xfe"] {
            assert_eq!(config.client_of(unknown), None);
        }
    }

    #[test]
    fn refuses_bad_configurations() {
        for text in [
            "", "ann", "ann=", "=k", "a b=k", "ann=k1\nann=k2", "ann=k\nbob=k", "{}", "{\"keys\":{}}", "{\"keys\":{\"ann\":1}}",
            "{\"keys\":[]}", "{\"keys\":{\"ann\":\"k\"},\"heder\":\"x\"}", "{\"keys\":{\"ann\":\"k\"},\"header\":\"a b\"}",
            "{\"keys\":{\"ann\":\"k\"},\"realm\":\"a\\\"b\"}", "{\"keys\":{\"ann\":\"k\"},\"forward_key\":\"yes\"}",
            "{\"keys\":{\"ann\":\"k\\n\"}}", "{\"keys\"", "{\"keys\":{\"ann\":\"k\"}} x",
        ] {
            assert!(Config::parse(text).is_err(), "{}", text);
        }
    }

    #[test]
    fn never_tells_a_key_in_an_error() {
        for text in ["ann=sesame\nbob=sesame", "a b=sesame", "{\"keys\":{\"ann\":\"sesame\"},\"x\":1}"] {
            assert!(!Config::parse(text).unwrap_err().contains("sesame"), "{}", text);
        }
    }
}
