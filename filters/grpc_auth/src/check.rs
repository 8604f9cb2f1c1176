//! CheckRequest and CheckResponse of envoy.service.auth.v3, as far as HTTP needs them.

use crate::wire::{read, Value, Writer};

pub const SERVICE: &str = "envoy.service.auth.v3.Authorization";
pub const METHOD: &str = "Check";

/// A request as the service is told of it: attributes.request.http, attributes.source and attributes.context_extensions.
#[derive(Default)]
pub struct Question<'a> {
    pub id: &'a str,
    pub protocol: &'a str,
    pub headers: &'a [(String, String)],
    pub context: &'a [(String, String)],
}

impl Question<'_> {
    pub fn encode(&self) -> Vec<u8> {
        let pseudo = |name: &str| self.headers.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value.as_str());
        let mut http = Writer::default();
        http.text(1, self.id);
        http.text(2, pseudo(":method"));
        for (name, value) in merged(self.headers) {
            http.entry(3, &name, &value);
        }
        http.text(4, pseudo(":path"));
        http.text(5, pseudo(":authority"));
        http.text(6, pseudo(":scheme"));
        http.text(10, self.protocol);
        let mut request = Writer::default();
        request.message(2, &http.bytes);
        let mut attributes = Writer::default();
        attributes.message(4, &request.bytes);
        for (key, value) in self.context {
            attributes.entry(10, key, value);
        }
        let mut question = Writer::default();
        question.message(1, &attributes.bytes);
        question.bytes
    }
}

/// A map has one value per name.
fn merged(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match out.iter_mut().find(|(each, _)| each == name) {
            Some((_, all)) => {
                all.push(',');
                all.push_str(value);
            }
            None => out.push((name.clone(), value.clone())),
        }
    }
    out
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: String,
    /// Beside what is there already, not instead of it.
    pub append: bool,
}

#[derive(Debug, PartialEq)]
pub enum Verdict {
    Allowed { set: Vec<Field>, remove: Vec<String>, on_response: Vec<Field> },
    Denied { status: u32, headers: Vec<Field>, body: Vec<u8> },
}

/// None: it is no CheckResponse.
pub fn decode(bytes: &[u8]) -> Option<Verdict> {
    let (mut code, mut denied, mut allowed) = (0, None, None);
    let mut good = true;
    good &= read(bytes, |field, value| match field {
        1 => {
            good &= read(value.bytes(), |field, value| {
                if field == 1 {
                    code = value.number();
                }
            })
        }
        2 => denied = Some(value.bytes()),
        3 => allowed = Some(value.bytes()),
        _ => {}
    });
    let verdict = if code == 0 { allow(allowed.unwrap_or(&[])) } else { deny(denied.unwrap_or(&[])) };
    verdict.filter(|_| good)
}

fn allow(bytes: &[u8]) -> Option<Verdict> {
    let (mut set, mut remove, mut on_response) = (Vec::new(), Vec::new(), Vec::new());
    let mut good = true;
    good &= read(bytes, |field, value| match field {
        2 => good &= add_field(&value, &mut set),
        5 => remove.push(value.text().to_ascii_lowercase()),
        6 => good &= add_field(&value, &mut on_response),
        _ => {}
    });
    remove.retain(|name| is_token(name));
    Some(Verdict::Allowed { set, remove, on_response }).filter(|_| good)
}

fn deny(bytes: &[u8]) -> Option<Verdict> {
    let (mut status, mut headers, mut body) = (403, Vec::new(), Vec::new());
    let mut good = true;
    good &= read(bytes, |field, value| match field {
        1 => {
            good &= read(value.bytes(), |field, value| {
                if field == 1 {
                    status = value.number() as u32;
                }
            })
        }
        2 => good &= add_field(&value, &mut headers),
        3 => body = value.bytes().to_vec(),
        _ => {}
    });
    if !(200..600).contains(&status) {
        status = 403;
    }
    Some(Verdict::Denied { status, headers, body }).filter(|_| good)
}

/// A HeaderValueOption. What no message may carry is left out: the host would refuse it, and the SDK panic.
fn add_field(value: &Value, out: &mut Vec<Field>) -> bool {
    let mut field = Field { name: String::new(), value: String::new(), append: false };
    let mut good = true;
    good &= read(value.bytes(), |number, value| match number {
        1 => {
            good &= read(value.bytes(), |number, value| match number {
                1 => field.name = value.text().to_ascii_lowercase(),
                2 | 3 if !value.bytes().is_empty() => field.value = value.text(),
                _ => {}
            })
        }
        // append: a BoolValue
        2 => good &= read(value.bytes(), |number, value| field.append |= number == 1 && value.number() != 0),
        _ => {}
    });
    if is_token(&field.name) && !field.value.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7F) {
        out.push(field);
    }
    good
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[(u32, &[u8])]) -> Vec<u8> {
        let mut out = Writer::default();
        for (field, bytes) in parts {
            out.message(*field, bytes);
        }
        out.bytes
    }

    fn header(name: &str, value: &str, append: bool) -> Vec<u8> {
        let pair = message(&[(1, name.as_bytes()), (2, value.as_bytes())]);
        message(&[(1, &pair), (2, if append { &[8, 1] } else { &[] })])
    }

    #[test]
    fn questions_have_the_fields_of_the_request() {
        let headers = [(":method", "GET"), (":path", "/a?b"), (":authority", "h"), ("x", "1"), ("x", "2")];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let context = [("k".to_string(), "v".to_string())];
        let bytes = Question { id: "i", protocol: "HTTP/2", headers: &headers, context: &context }.encode();
        let mut seen = Vec::new();
        assert!(read(&bytes, |_, attributes| {
            assert!(read(attributes.bytes(), |field, value| {
                if field != 4 {
                    seen.push(format!("context {:?}", value.text()));
                    return;
                }
                assert!(read(value.bytes(), |_, http| {
                    assert!(read(http.bytes(), |field, value| seen.push(format!("{} {:?}", field, value.text()))));
                }));
            }));
        }));
        assert_eq!(seen.len(), 10, "{:?}", seen);
        assert_eq!(seen[1], "2 \"GET\"");
        assert_eq!(seen[5], "3 \"\\n\\u{1}x\\u{12}\\u{3}1,2\"");
        assert_eq!(seen[6], "4 \"/a?b\"");
        assert_eq!(seen[9], "context \"\\n\\u{1}k\\u{12}\\u{1}v\"");
    }

    #[test]
    fn an_empty_answer_allows() {
        assert_eq!(decode(&[]), Some(Verdict::Allowed { set: vec![], remove: vec![], on_response: vec![] }));
    }

    #[test]
    fn allowed_with_changes() {
        let ok = message(&[
            (2, &header("X-User", "ann", false)),
            (2, &header("x-group", "a", true)),
            (2, &header("bad name", "a", true)),
            (2, &header("x-bad", "a\r\nb", true)),
            (5, b"Cookie"),
            (5, b":path"),
            (6, &header("x-r", "1", false)),
        ]);
        let field = |name: &str, value: &str, append| Field { name: name.into(), value: value.into(), append };
        assert_eq!(
            decode(&message(&[(3, &ok)])),
            Some(Verdict::Allowed {
                set: vec![field("x-user", "ann", false), field("x-group", "a", true)],
                remove: vec!["cookie".into()],
                on_response: vec![field("x-r", "1", false)],
            })
        );
    }

    #[test]
    fn denied_with_an_answer() {
        let denied = message(&[(1, &[8, 0x91, 3]), (2, &header("www-authenticate", "x", false)), (3, b"who?")]);
        let answer = message(&[(1, &[8, 7]), (2, &denied)]);
        match decode(&answer) {
            Some(Verdict::Denied { status, headers, body }) => {
                assert_eq!((status, headers.len(), body.as_slice()), (401, 1, b"who?".as_slice()));
            }
            other => panic!("{:?}", other),
        }
        // Without an answer of its own, or with a status that is none.
        for bytes in [vec![10, 2, 8, 7], message(&[(1, &[8, 7]), (2, &message(&[(1, &[8, 1])]))])] {
            assert!(matches!(decode(&bytes), Some(Verdict::Denied { status: 403, .. })));
        }
    }

    #[test]
    fn what_is_cut_is_no_answer() {
        let whole = message(&[(1, &[8, 7]), (2, &message(&[(3, b"who?")]))]);
        for size in 1..whole.len() {
            if size != 4 {
                assert_eq!(decode(&whole[..size]), None, "{}", size);
            }
        }
    }
}
