//! A Rust filter that uses much of the SDK at once: configuration, ticks, a callout that decides, bodies rewritten at their
//! end, trailers, shared data, metrics, properties and time. Configuration: lines `cluster=<name>` (ask it for each request
//! with `x-ask`), `tick=<ms>` (default none).

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
}}

#[derive(Default)]
struct Root {
    cluster: String,
    counter: u32,
    ticks: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        for line in text.lines() {
            match line.trim().split_once('=') {
                Some(("cluster", name)) => self.cluster = name.to_string(),
                Some(("tick", milliseconds)) => {
                    self.set_tick_period(Duration::from_millis(milliseconds.parse().unwrap_or(100)));
                }
                _ => log::warn!("rust_stream: line ignored: {}", line),
            }
        }
        self.counter = hostcalls::define_metric(MetricType::Counter, "rust_stream.requests").unwrap();
        true
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        log::info!("rust_stream: tick {}", self.ticks);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { context_id, cluster: self.cluster.clone(), counter: self.counter, body: 0, verdict: None }))
    }
}

struct Stream {
    context_id: u32,
    cluster: String,
    counter: u32,
    body: usize,
    verdict: Option<String>,
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, headers: usize, body_size: usize, _trailers: usize) {
        let status = self.get_http_call_response_header(":status").unwrap_or_else(|| "none".into());
        let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
        log::info!("rust_stream: {} asked, {} headers, status {}", self.context_id, headers, status);
        if status == "200" {
            self.verdict = Some(String::from_utf8_lossy(&body).trim().to_string());
            self.resume_http_request();
        } else {
            self.send_http_response(403, vec![("x-verdict", status.as_str())], Some(b"refused\n"));
        }
    }

    fn on_done(&mut self) -> bool {
        log::debug!("rust_stream: {} done", self.context_id);
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        hostcalls::increment_metric(self.counter, 1).unwrap();
        self.set_http_request_header("content-length", None);
        let method = self.get_property(vec!["request", "method"]).unwrap_or_default();
        self.set_http_request_header("x-method", Some(&String::from_utf8_lossy(&method)));
        if self.get_http_request_header("x-ask").is_none() {
            return Action::Continue;
        }
        let headers = vec![(":method", "GET"), (":path", "/ask"), (":authority", "ask")];
        match self.dispatch_http_call(&self.cluster, headers, None, vec![], Duration::from_secs(1)) {
            Ok(_) => Action::Pause,
            Err(status) => {
                self.send_http_response(500, vec![], Some(format!("{:?}\n", status).as_bytes()));
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        let mut body = self.get_http_request_body(0, size).unwrap_or_default();
        self.body = body.len();
        body.reverse();
        self.set_http_request_body(0, size, &body);
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, trailers: usize) -> Action {
        log::info!("rust_stream: {} request trailers", trailers);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header("x-body-size", &self.body.to_string());
        if let Some(verdict) = &self.verdict {
            self.add_http_response_header("x-verdict", verdict);
        }
        let (_, cas) = self.get_shared_data("rust_stream.last");
        // A race with another worker may be lost: the value is then the other's.
        let _ = self.set_shared_data("rust_stream.last", Some(self.context_id.to_string().as_bytes()), cas);
        let since_epoch = self.get_current_time().duration_since(std::time::UNIX_EPOCH).unwrap();
        self.add_http_response_header("x-time", &since_epoch.as_secs().to_string());
        Action::Continue
    }

    fn on_log(&mut self) {
        let code = self.get_property(vec!["response", "code"]).unwrap_or_default();
        let code = <[u8; 8]>::try_from(code.as_slice()).map_or(-1, i64::from_le_bytes);
        log::info!("rust_stream: {} ended with {}", self.context_id, code);
    }
}
