//! The filter: contexts, local replies and the counters in shared data.

use crate::config::Config;
use log::{error, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, Status};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root { config: Rc::new(Config::default()) }) });
}}

/// How often a lost race for a counter is tried again. Each loss means that another thread has counted.
const MAX_RACES: u32 = 64;

struct Root {
    config: Rc<Config>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        let config = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_string()).and_then(|text| Config::parse(&text));
        match config {
            Ok(config) => {
                self.config = Rc::new(config);
                true
            }
            Err(why) => {
                error!("api_key_auth: configuration: {}", why);
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { config: self.config.clone(), uses: None }))
    }
}

struct Stream {
    config: Rc<Config>,
    uses: Option<u64>,
}

impl Stream {
    /// Answers in the upstream's place. What the callback returns is then ignored, but Pause says what is meant.
    fn refuse(&self, status: u32, body: &str) -> Action {
        let challenge = format!("ApiKey realm=\"{}\"", self.config.realm);
        let mut headers = vec![("content-type", "text/plain")];
        if status == 401 {
            headers.push(("www-authenticate", challenge.as_str()));
        }
        self.send_http_response(status, headers, Some(body.as_bytes()));
        Action::Pause
    }

    /// Adds one to the client's counter, which all workers share, and returns what it has become.
    fn count(&self, client: &str) -> Option<u64> {
        let name = format!("api_key_auth.uses.{}", client);
        for _ in 0..MAX_RACES {
            let (value, cas) = self.get_shared_data(&name);
            let before = value.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            let after = before.saturating_add(1);
            match self.set_shared_data(&name, Some(after.to_string().as_bytes()), cas) {
                Ok(()) => return Some(after),
                Err(Status::CasMismatch) => continue,
                Err(status) => {
                    warn!("api_key_auth: a use of {} is not counted: {:?}", client, status);
                    return None;
                }
            }
        }
        warn!("api_key_auth: a use of {} is not counted: too many races", client);
        None
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        // As bytes: a value that is not UTF-8 would make the text form of the call panic.
        let key = match self.get_http_request_header_bytes(&self.config.header) {
            Some(key) if !key.is_empty() => key,
            _ => return self.refuse(401, "An API key is required.\n"),
        };
        let client = match self.config.client_of(&key) {
            Some(client) => client.to_string(),
            None => return self.refuse(403, "This API key is not known.\n"),
        };
        self.uses = self.count(&client);
        if !self.config.forward_key {
            self.set_http_request_header_bytes(&self.config.header, None);
        }
        self.set_http_request_header(&self.config.client_header, Some(&client));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        if let (true, Some(uses)) = (self.config.report_uses, self.uses) {
            self.set_http_response_header("x-api-uses", Some(&uses.to_string()));
        }
        Action::Continue
    }
}
