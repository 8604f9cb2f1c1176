//! Reads the request header `x-text` through the text form of the SDK's call, which panics where the value is not UTF-8: a
//! trap that any client can cause. It adds `x-text-length` to the response. Compiled without `panic` handling of its own,
//! the SDK logs the panic and the module then runs into `unreachable`.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root) });
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { length: 0 }))
    }
}

struct Stream {
    length: usize,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        self.length = self.get_http_request_header("x-text").map_or(0, |text| text.chars().count());
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header("x-text-length", &self.length.to_string());
        Action::Continue
    }
}
