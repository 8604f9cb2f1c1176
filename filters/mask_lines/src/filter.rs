//! The filter: contexts and what they do to the bytes.

use crate::config::{Config, Direction};
use crate::masker::Masker;
use log::error;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root { config: Rc::new(Config::default()), metric: 0 }) });
}}

struct Root {
    config: Rc<Config>,
    metric: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        let config = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_string()).and_then(|text| Config::parse(&text));
        self.metric = hostcalls::define_metric(MetricType::Counter, "mask_lines.masked").unwrap_or(0);
        match config {
            Ok(config) => {
                self.config = Rc::new(config);
                true
            }
            Err(why) => {
                error!("mask_lines: configuration: {}", why);
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }

    fn create_stream_context(&self, _context_id: u32) -> Option<Box<dyn StreamContext>> {
        let masker = |wanted: Direction| {
            let used = self.config.direction == wanted || self.config.direction == Direction::Both;
            used.then(|| Masker::new(self.config.clone()))
        };
        Some(Box::new(Connection {
            metric: self.metric,
            from_client: masker(Direction::Client),
            from_server: masker(Direction::Server),
        }))
    }
}

struct Connection {
    metric: u32,
    from_client: Option<Masker>,
    from_server: Option<Masker>,
}

/// What goes on in the place of `data`; nothing where it stays as it is.
fn masked(masker: &mut Option<Masker>, data: Option<Vec<u8>>, end: bool, metric: u32) -> Option<Vec<u8>> {
    let masker = masker.as_mut()?;
    let before = masker.masked;
    let out = masker.feed(&data.unwrap_or_default(), end);
    if masker.masked > before {
        let _ = hostcalls::increment_metric(metric, (masker.masked - before) as i64);
    }
    Some(out)
}

impl Context for Connection {}

impl StreamContext for Connection {
    fn on_downstream_data(&mut self, size: usize, end: bool) -> Action {
        let data = self.get_downstream_data(0, size);
        if let Some(out) = masked(&mut self.from_client, data, end, self.metric) {
            self.set_downstream_data(0, size, &out);
        }
        Action::Continue
    }

    fn on_upstream_data(&mut self, size: usize, end: bool) -> Action {
        let data = self.get_upstream_data(0, size);
        if let Some(out) = masked(&mut self.from_server, data, end, self.metric) {
            self.set_upstream_data(0, size, &out);
        }
        Action::Continue
    }
}
