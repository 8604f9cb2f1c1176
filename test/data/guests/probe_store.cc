// Actions of the probe guest on what outlives a stream: shared data, queues, metrics.
#include "probe.h"

namespace probe {

bool act_on_store(Call& call, const Action& action) {
  const Text& key = action.a;
  if (action.name == "shared_get") {
    Handed value;
    uint32_t cas = 0;
    const uint32_t status = proxy_get_shared_data(key.address(), key.size, value.data_at(),
                                                  value.size_at(), address_of(&cas));
    report_handed(call, action, status, value);
  } else if (action.name == "shared_set") {
    report_status(call, action,
                  proxy_set_shared_data(key.address(), key.size, action.b.address(), action.b.size,
                                        action.c.number()));
  } else if (action.name == "shared_count") {
    for (uint32_t race = 0;; ++race) {
      Handed value;
      uint32_t cas = 0;
      proxy_get_shared_data(key.address(), key.size, value.data_at(), value.size_at(),
                            address_of(&cas));
      Builder<32> after;
      after.add_number(value.text().number() + 1);
      free(const_cast<char*>(value.data));
      const uint32_t status =
          proxy_set_shared_data(key.address(), key.size, address_of(after.bytes), after.size, cas);
      if (status == 8 && race < 1000) continue;
      report_number(call, action, status, after.text().number());
      break;
    }
  } else if (action.name == "queue_register") {
    uint32_t id = 0;
    report_status(call, action,
                  proxy_register_shared_queue(key.address(), key.size, address_of(&id)));
  } else if (action.name == "queue_put" || action.name == "queue_get") {
    uint32_t id = 0;
    uint32_t status = proxy_resolve_shared_queue(0, 0, key.address(), key.size, address_of(&id));
    Handed value;
    if (status == 0 && action.name == "queue_put")
      status = proxy_enqueue_shared_queue(id, action.b.address(), action.b.size);
    if (status == 0 && action.name == "queue_get")
      status = proxy_dequeue_shared_queue(id, value.data_at(), value.size_at());
    report_handed(call, action, status, value);
  } else {
    return false;
  }
  return true;
}

bool act_on_metrics(Call& call, const Action& action) {
  if (!action.name.starts_with("metric_")) return false;
  // counter|name|value
  const uint32_t type = action.a == Text("counter")     ? 0
                        : action.a == Text("gauge")     ? 1
                        : action.a == Text("histogram") ? 2
                                                        : 9;
  uint32_t id = 0;
  uint32_t status = proxy_define_metric(type, action.b.address(), action.b.size, address_of(&id));
  if (action.name == "metric_define" || status != 0) {
    report_number(call, action, status, id);
  } else if (action.name == "metric_inc") {
    report_status(call, action, proxy_increment_metric(id, action.c.signed_number()));
  } else if (action.name == "metric_record") {
    report_status(call, action, proxy_record_metric(id, action.c.number()));
  } else if (action.name == "metric_get") {
    uint64_t value = 0;
    status = proxy_get_metric(id, address_of(&value));
    report_number(call, action, status, value);
  } else if (action.name == "metric_flood") {
    for (uint32_t i = 0; i < action.c.number() && status == 0; ++i) {
      Builder<128> name;
      name.add(action.b).add('.').add_number(i);
      status = proxy_define_metric(type, address_of(name.bytes), name.size, address_of(&id));
    }
    report_status(call, action, status);
  } else {
    return false;
  }
  return true;
}

}  // namespace probe
