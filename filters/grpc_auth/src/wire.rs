//! The little of protobuf's wire format that the messages here need.

/// Appends fields; those with default values are left out.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub fn message(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.message(field, text.as_bytes());
        }
    }

    /// An entry of a map from text to text.
    pub fn entry(&mut self, field: u32, key: &str, value: &str) {
        let mut entry = Writer::default();
        entry.text(1, key);
        entry.text(2, value);
        self.message(field, &entry.bytes);
    }
}

pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a wire type that no field here has.
    Other,
}

impl<'a> Value<'a> {
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn number(&self) -> u64 {
        match self {
            Value::Number(number) => *number,
            _ => 0,
        }
    }
}

/// Calls `visit` for each field; false if the bytes are no message.
pub fn read<'a>(mut bytes: &'a [u8], mut visit: impl FnMut(u32, Value<'a>)) -> bool {
    while !bytes.is_empty() {
        let key = match varint(&mut bytes) {
            Some(key) => key,
            None => return false,
        };
        let value = match key & 7 {
            0 => varint(&mut bytes).map(Value::Number),
            1 => take(&mut bytes, 8).map(|_| Value::Other),
            2 => varint(&mut bytes).and_then(|size| take(&mut bytes, size)).map(Value::Bytes),
            5 => take(&mut bytes, 4).map(|_| Value::Other),
            _ => None,
        };
        match value {
            Some(value) => visit((key >> 3) as u32, value),
            None => return false,
        }
    }
    true
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], size: u64) -> Option<&'a [u8]> {
    if size > bytes.len() as u64 {
        return None;
    }
    let (taken, rest) = bytes.split_at(size as usize);
    *bytes = rest;
    Some(taken)
}
