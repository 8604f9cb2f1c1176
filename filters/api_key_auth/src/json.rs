//! Reads JSON (RFC 8259) into a tree. Small, because a configuration is: no numbers beyond their text, nesting limited.

/// A JSON value. Members keep their order; numbers keep their text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

const MAX_DEPTH: usize = 64;

/// Parses a whole document; the error names the byte where it went wrong.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at != reader.bytes.len() {
        return reader.fail("unexpected text after the value");
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{} at byte {}", what, self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Skips space and then `byte`, if it is there.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.skip_space();
        if depth > MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        for (name, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.bytes[self.at..].starts_with(name.as_bytes()) {
                self.at += name.len();
                return Ok(value);
            }
        }
        self.fail("expected a value")
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        while matches!(self.peek(), Some(b'+' | b'-' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        match text.parse::<f64>() {
            Ok(_) => Ok(Value::Number(text)),
            Err(_) => self.fail("bad number"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.take(b',') {
                break;
            }
        }
        if !self.take(b']') {
            return self.fail("expected ',' or ']'");
        }
        Ok(Value::List(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            if !self.take(b':') {
                return self.fail("expected ':'");
            }
            members.push((name, self.value(depth + 1)?));
            if !self.take(b',') {
                break;
            }
        }
        if !self.take(b'}') {
            return self.fail("expected ',' or '}'");
        }
        Ok(Value::Object(members))
    }

    fn text(&mut self) -> Result<String, String> {
        if self.peek() != Some(b'"') {
            return self.fail("expected '\"'");
        }
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let byte = match self.peek() {
                Some(byte) if byte >= 0x20 => byte,
                _ => return self.fail("unterminated text"),
            };
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(out).or_else(|_| self.fail("text is not UTF-8")),
                b'\\' => {
                    let mut encoded = [0; 4];
                    out.extend_from_slice(self.escape()?.encode_utf8(&mut encoded).as_bytes());
                }
                _ => out.push(byte),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, String> {
        let name = self.peek();
        self.at += 1;
        Ok(match name {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex4()?;
                let code = if (0xD800..0xDC00).contains(&unit) {
                    if !self.bytes[self.at..].starts_with(b"\\u") {
                        return self.fail("lone surrogate");
                    }
                    self.at += 2;
                    let low = self.hex4()?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return self.fail("lone surrogate");
                    }
                    0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    unit
                };
                match char::from_u32(code) {
                    Some(character) => character,
                    None => return self.fail("lone surrogate"),
                }
            }
            _ => return self.fail("bad escape"),
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            match digit {
                Some(digit) => unit = unit * 16 + digit,
                None => return self.fail("bad escape"),
            }
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_kind() {
        let value = parse(r#" { "a" : [1, -2.5e3, true, false, null, "x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"], "b": {}, "c": [] } "#).unwrap();
        let expected = Value::Object(vec![
            (
                "a".into(),
                Value::List(vec![
                    Value::Number("1".into()),
                    Value::Number("-2.5e3".into()),
                    Value::Bool(true),
                    Value::Bool(false),
                    Value::Null,
                    Value::Text("x\"\\/\u{8}\u{c}\n\r\té😀".into()),
                ]),
            ),
            ("b".into(), Value::Object(vec![])),
            ("c".into(), Value::List(vec![])),
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in [
            "", "{", "}", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "\"", "\"\n\"", r#""\x""#, r#""\u12""#, r#""\ud800""#, r#""\ud800\u0041""#,
            r#""\udc00""#, "tru", "1 2", "-", "1.2.3", "'a'",
        ] {
            assert!(parse(text).is_err(), "{}", text);
        }
    }

    #[test]
    fn limits_the_nesting() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
    }
}
