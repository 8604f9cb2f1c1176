//! The plugin configuration: lines `option=value`.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The cluster of the service.
    pub cluster: String,
    pub timeout: Duration,
    /// Whether requests pass when the service cannot be asked.
    pub fail_open: bool,
    /// The answer when it cannot, otherwise.
    pub fail_status: u32,
    /// context_extensions of each question.
    pub context: Vec<(String, String)>,
}

impl Config {
    /// An error is a text for the log.
    pub fn parse(text: &str) -> Result<Config, String> {
        let mut config =
            Config { cluster: String::new(), timeout: Duration::from_millis(200), fail_open: false, fail_status: 403, context: Vec::new() };
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            config.set(line).map_err(|why| format!("line {}: {}", index + 1, why))?;
        }
        if config.cluster.is_empty() {
            return Err("\"cluster\" must be given".into());
        }
        Ok(config)
    }

    fn set(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once('=').ok_or("expected option=value")?;
        let (name, value) = (name.trim(), value.trim());
        let number = || value.parse::<u32>().map_err(|_| format!("{:?} is no number", value));
        match name {
            "cluster" => self.cluster = value.into(),
            "timeout_ms" => self.timeout = Duration::from_millis(u64::from(number()?)),
            "fail_open" => self.fail_open = value.parse().map_err(|_| "expected true or false".to_string())?,
            "fail_status" => {
                self.fail_status = number()?;
                if !(200..600).contains(&self.fail_status) {
                    return Err("expected a status of 200 to 599".into());
                }
            }
            _ => match name.strip_prefix("context.") {
                Some(key) if !key.is_empty() => self.context.push((key.into(), value.into())),
                _ => return Err(format!("unknown option {:?}", name)),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_options() {
        let config =
            Config::parse("# who\ncluster = auth\ntimeout_ms=50\n\nfail_open=true\nfail_status=503\ncontext.team=edge=1\n").unwrap();
        assert_eq!(config.cluster, "auth");
        assert_eq!(config.timeout, Duration::from_millis(50));
        assert!(config.fail_open);
        assert_eq!(config.fail_status, 503);
        assert_eq!(config.context, [("team".to_string(), "edge=1".to_string())]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, why) in [
            ("", "\"cluster\" must be given"),
            ("cluster=a\nx", "line 2: expected option=value"),
            ("cluster=a\nx=1", "line 2: unknown option \"x\""),
            ("context.=1", "line 1: unknown option \"context.\""),
            ("timeout_ms=-1", "line 1: \"-1\" is no number"),
            ("fail_open=yes", "line 1: expected true or false"),
            ("fail_status=99", "line 1: expected a status of 200 to 599"),
        ] {
            assert_eq!(Config::parse(text), Err(why.to_string()), "{}", text);
        }
    }
}
