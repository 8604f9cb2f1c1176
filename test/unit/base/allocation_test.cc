// Warm buffers and header maps take their memory from the pools of the thread.
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>
#include <weir/buffer.h>
#include <weir/message.h>

#include <string>
#include <utility>

#include "base/block_pool.h"

namespace weir {
namespace {

#if WEIR_POOL_BLOCKS
// uordblks is what malloc has handed out: a warm exchange leaves no trace in it and gets the same memory again.
void one_exchange(const void** block, const void** field) {
  Buffer in("GET / HTTP/1.1");
  *block = in.front().data();
  RequestHead head;
  for (int i = 0; i < 20; ++i) head.headers.add("x-some-header-name", "a value of moderate length");
  *field = head.headers.begin()->value.data();
  Buffer out(std::string_view("HTTP/1.1 200 OK"));
  in.move_to(out, 4);
}

TEST(Allocation, PoolsGiveTheSameMemoryAgain) {
  const void* first_block = nullptr;
  const void* first_field = nullptr;
  one_exchange(&first_block, &first_field);
  const size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < 100; ++i) {
    const void* block = nullptr;
    const void* field = nullptr;
    one_exchange(&block, &field);
    ASSERT_EQ(field, first_field);
  }
  EXPECT_EQ(::mallinfo2().uordblks, before);
}
#endif

TEST(Allocation, BlocksCrossThreadsAndOutliveThem) {
  Buffer* buffer = nullptr;
  {
    // A thread's pools end with it; what it left behind is freed elsewhere.
    pthread_t thread{};
    ASSERT_EQ(::pthread_create(
                  &thread, nullptr,
                  [](void* out) -> void* {
                    *static_cast<Buffer**>(out) = new Buffer(std::string(50000, 'x'));
                    Buffer gone("bye");
                    HeaderMap map;
                    map.add("a", "b");
                    return nullptr;
                  },
                  &buffer),
              0);
    ::pthread_join(thread, nullptr);
  }
  EXPECT_EQ(buffer->size(), 50000u);
  delete buffer;
}

}  // namespace
}  // namespace weir
