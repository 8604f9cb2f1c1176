#include "server/drain.h"

#include "base/log.h"

namespace weir::server {

Drain::Drain(event::Loop& loop, const std::vector<std::unique_ptr<Worker>>& workers)
    : loop_(loop),
      workers_(workers),
      accept_window_(loop, &Drain::on_accept_window, this),
      deadline_(loop, &Drain::on_deadline, this) {}

void Drain::start(std::chrono::milliseconds drain_time, std::function<void()> done) {
  if (started_) return;
  started_ = true;
  done_ = std::move(done);
  WEIR_LOG(kMain, kInfo, "draining", {{"drain_time_ms", drain_time.count()}});
  for (const auto& each : workers_) {
    Worker& worker = *each;
    worker.post([&worker] { worker.start_drain(); });
  }
  loop_.refresh_clock();
  accept_window_.arm(drain_time / 4);
  deadline_.arm(drain_time);
}

void Drain::on_accept_window(void* self) {
  auto& drain = *static_cast<Drain*>(self);
  for (const auto& each : drain.workers_) {
    Worker& worker = *each;
    worker.post([&worker, &drain] {
      worker.stop_accepting(admin::DrainScope::kAll);
      worker.close_idle();
      worker.when_empty([&drain] { drain.loop_.post([&drain] { drain.worker_empty(); }); });
    });
  }
}

void Drain::worker_empty() {
  if (++empty_ == workers_.size()) finish();
}

void Drain::on_deadline(void* self) {
  WEIR_LOG(kMain, kWarn, "the drain time is over; remaining connections are cut");
  static_cast<Drain*>(self)->finish();
}

void Drain::finish() {
  accept_window_.cancel();
  deadline_.cancel();
  if (auto done = std::exchange(done_, {})) done();
}

}  // namespace weir::server
