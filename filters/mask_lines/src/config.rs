//! The plugin configuration: lines `name=value`.

/// Which bytes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Client,
    Server,
    Both,
}

/// What the filter is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Words at the begin of a line, in upper case; what follows them on the line is masked.
    pub secrets: Vec<Vec<u8>>,
    /// Runs of at least so many digits are masked but for the last four; 0: none are.
    pub digits: usize,
    pub direction: Direction,
}

impl Default for Config {
    fn default() -> Self {
        Config { secrets: Vec::new(), digits: 0, direction: Direction::Client }
    }
}

/// The longest word; what is held back to compare it with is no more.
const MAX_WORD: usize = 64;
/// The longest run of digits that is looked at as one.
pub const MAX_DIGITS: usize = 64;

impl Config {
    /// Reads a configuration. An error is a text for the log.
    pub fn parse(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(format!("line {}: expected name=value", index + 1))?;
            config.set(name.trim(), value.trim()).map_err(|why| format!("line {}: {}", index + 1, why))?;
        }
        if config.secrets.is_empty() && config.digits == 0 {
            return Err("nothing to mask: give \"secret\" or \"digits\"".into());
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "secret" if value.is_empty() || value.len() > MAX_WORD || value.contains(|c: char| c.is_whitespace()) => {
                Err(format!("a secret is one word of 1 to {} bytes", MAX_WORD))
            }
            "secret" => {
                self.secrets.push(value.to_ascii_uppercase().into_bytes());
                Ok(())
            }
            "digits" => match value.parse::<usize>() {
                Ok(count) if (5..=MAX_DIGITS).contains(&count) => {
                    self.digits = count;
                    Ok(())
                }
                _ => Err(format!("digits: expected a number from 5 to {}", MAX_DIGITS)),
            },
            "direction" => {
                self.direction = match value {
                    "client" => Direction::Client,
                    "server" => Direction::Server,
                    "both" => Direction::Both,
                    _ => return Err("direction: expected client, server or both".into()),
                };
                Ok(())
            }
            _ => Err(format!("unknown option \"{}\"", name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let config = Config::parse("# mail\nsecret=pass\nsecret=AUTH\n\ndigits=13\ndirection=both\n").unwrap();
        assert_eq!(config.secrets, vec![b"PASS".to_vec(), b"AUTH".to_vec()]);
        assert_eq!((config.digits, config.direction), (13, Direction::Both));
    }

    #[test]
    fn errors_name_their_line() {
        for (text, why) in [
            ("", "nothing to mask: give \"secret\" or \"digits\""),
            ("secret", "line 1: expected name=value"),
            ("\nsecret=a b", "line 2: a secret is one word of 1 to 64 bytes"),
            ("digits=4", "line 1: digits: expected a number from 5 to 64"),
            ("digits=x", "line 1: digits: expected a number from 5 to 64"),
            ("direction=up", "line 1: direction: expected client, server or both"),
            ("secrets=x", "line 1: unknown option \"secrets\""),
        ] {
            assert_eq!(Config::parse(text), Err(why.to_string()), "{}", text);
        }
    }
}
