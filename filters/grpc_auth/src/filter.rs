//! The filter: a question for each request, which waits for the answer.

use crate::check::{decode, Field, Question, Verdict, METHOD, SERVICE};
use crate::config::Config;
use log::{error, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root { config: None }) });
}}

struct Root {
    config: Option<Rc<Config>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match String::from_utf8(bytes).map_err(|_| "not UTF-8".to_string()).and_then(|text| Config::parse(&text)) {
            Ok(config) => {
                self.config = Some(Rc::new(config));
                true
            }
            Err(why) => {
                error!("grpc_auth: configuration: {}", why);
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let config = self.config.clone()?;
        Some(Box::new(Stream { config, question: None, on_response: Vec::new() }))
    }
}

struct Stream {
    config: Rc<Config>,
    question: Option<u32>,
    on_response: Vec<Field>,
}

impl Stream {
    fn ask(&mut self) -> Result<(), String> {
        let text = |path: &[&str]| {
            let bytes = self.get_property(path.to_vec()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        // As bytes: a value that is not UTF-8 would make the text form of the call panic.
        let headers: Vec<_> = self
            .get_http_request_headers_bytes()
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect();
        let (id, protocol) = (text(&["request", "id"]), text(&["request", "protocol"]));
        let question = Question { id: &id, protocol: &protocol, headers: &headers, context: &self.config.context }.encode();
        let call = self.dispatch_grpc_call(&self.config.cluster, SERVICE, METHOD, vec![], Some(&question), self.config.timeout);
        self.question = Some(call.map_err(|status| format!("the call was refused: {:?}", status))?);
        Ok(())
    }

    /// There is no answer.
    fn fail(&mut self, why: &str) -> Action {
        warn!("grpc_auth: {}", why);
        if self.config.fail_open {
            return Action::Continue;
        }
        self.send_http_response(self.config.fail_status, vec![], None);
        Action::Pause
    }

    fn obey(&mut self, verdict: Verdict) -> Action {
        match verdict {
            Verdict::Allowed { set, remove, on_response } => {
                for name in remove {
                    self.set_http_request_header(&name, None);
                }
                for field in set {
                    if field.append {
                        self.add_http_request_header(&field.name, &field.value);
                    } else {
                        self.set_http_request_header(&field.name, Some(&field.value));
                    }
                }
                self.on_response = on_response;
                Action::Continue
            }
            Verdict::Denied { status, headers, body } => {
                let headers = headers.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
                self.send_http_response(status, headers, Some(&body));
                Action::Pause
            }
        }
    }
}

impl Context for Stream {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        if self.question != Some(token) {
            return;
        }
        self.question = None;
        let action = if status != 0 {
            let (_, message) = self.get_grpc_status();
            self.fail(&format!("the service answered status {}: {}", status, message.unwrap_or_default()))
        } else {
            match decode(&self.get_grpc_call_response_body(0, size).unwrap_or_default()) {
                Some(verdict) => self.obey(verdict),
                None => self.fail("the answer is no CheckResponse"),
            }
        };
        if action == Action::Continue {
            self.resume_http_request();
        }
    }

    fn on_done(&mut self) -> bool {
        if let Some(token) = self.question.take() {
            self.cancel_grpc_call(token);
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.ask() {
            Ok(()) => Action::Pause,
            Err(why) => self.fail(&why),
        }
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        for field in std::mem::take(&mut self.on_response) {
            self.add_http_response_header(&field.name, &field.value);
        }
        Action::Continue
    }
}
