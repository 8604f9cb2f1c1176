#include "filters/http/header_mutation/header_mutation_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

Value append(const char* key, const char* value, const char* action = "APPEND_IF_EXISTS_OR_ADD") {
  return Object{{"append", Object{{"header", Object{{"key", key}, {"value", value}}},
                                  {"append_action", action}}}};
}
Value remove(const char* key) { return Object{{"remove", key}}; }
Value query(const char* key, const char* value, const char* action) {
  return Object{
      {"append", Object{{"record", Object{{"key", key}, {"value", value}}}, {"action", action}}}};
}

class HeaderMutationTest : public FilterTest {
 protected:
  std::shared_ptr<const HttpFilterFactory> with(Object mutations) {
    auto factory = make(&make_header_mutation, Object{{"mutations", std::move(mutations)}});
    EXPECT_EQ(errors, std::vector<std::string>());
    return factory;
  }
  FakeStream stream;
};

TEST_F(HeaderMutationTest, ChangesRequestAndResponse) {
  auto factory =
      with({{"request_mutations", List{append("X-New", "%REQ(:METHOD)%"), remove("Cookie"),
                                       append("x-old", "2", "OVERWRITE_IF_EXISTS_OR_ADD"),
                                       append("x-none", "1", "OVERWRITE_IF_EXISTS"),
                                       append("x-old", "3", "ADD_IF_ABSENT")}},
            {"response_mutations", List{append("x-code", "%RESPONSE_CODE%")}}});
  stream.request.set_method("GET");
  stream.request.headers.add("cookie", "a");
  stream.request.headers.add("x-old", "1");
  auto filter = attach(*factory, stream);
  EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(text(stream.request.headers), "x-old=2;x-new=GET;");
  stream.info.response_code = 201;
  filter->on_response_head(stream.response, EndStream::kYes);
  EXPECT_EQ(text(stream.response.headers), "x-code=201;");
}

TEST_F(HeaderMutationTest, ChangesTrailers) {
  auto factory = with({{"request_trailers_mutations", List{append("x-t", "1")}},
                       {"response_trailers_mutations", List{remove("x-gone")}}});
  auto filter = attach(*factory, stream);
  HeaderMap trailers;
  trailers.add("x-gone", "1");
  filter->on_request_trailers(trailers);
  filter->on_response_trailers(trailers);
  EXPECT_EQ(text(trailers), "x-t=1;");
}

TEST_F(HeaderMutationTest, RemovesByMatch) {
  auto factory = with(
      {{"request_mutations",
        List{Object{{"remove_on_match", Object{{"key_matcher", Object{{"prefix", "x-int-"}}}}}}}}});
  stream.request.headers.add("x-int-a", "1");
  stream.request.headers.add("x-ext", "1");
  auto filter = attach(*factory, stream);
  filter->on_request_head(stream.request, EndStream::kYes);
  EXPECT_EQ(text(stream.request.headers), "x-ext=1;");
}

TEST_F(HeaderMutationTest, QueryParameters) {
  auto factory =
      with({{"query_parameter_mutations",
             List{query("a", "9", "OVERWRITE_IF_EXISTS_OR_ADD"), query("b", "x y", "ADD_IF_ABSENT"),
                  query("c", "1", "OVERWRITE_IF_EXISTS"), Object{{"remove", "gone"}}}}});
  for (const auto& [before, after] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/p", "/p?a=9&b=x%20y"},
           {"/p?a=1&gone=2&a=3", "/p?a=9&b=x%20y"},
           {"/p?b=1&c=2", "/p?b=1&a=9&c=1"}}) {
    stream.request.set_path(before);
    auto filter = attach(*factory, stream);
    filter->on_request_head(stream.request, EndStream::kYes);
    EXPECT_EQ(stream.request.path(), after);
  }
}

TEST_F(HeaderMutationTest, LevelsOfTheRouteComeAfterTheFilterAndTheLastOneWins) {
  for (const bool most_specific : {false, true}) {
    auto factory =
        make(&make_header_mutation,
             Object{{"mutations", Object{{"request_mutations", List{append("x", "filter")}}}},
                    {"most_specific_header_mutations_wins", most_specific}});
    std::vector<std::shared_ptr<const void>> levels;
    FakeStream stream;
    for (const char* name : {"route", "host", "table"}) {
      FakeView view(
          Object{{"mutations", Object{{"request_mutations",
                                       List{append("x", name),
                                            append("y", name, "OVERWRITE_IF_EXISTS_OR_ADD")}}}}},
          errors);
      levels.push_back(factory->make_route_config(view));
      stream.routes.push_back(levels.back().get());
    }
    EXPECT_EQ(errors, std::vector<std::string>());
    auto filter = attach(*factory, stream);
    filter->on_request_head(stream.request, EndStream::kYes);
    EXPECT_EQ(stream.request.headers.joined("x"),
              most_specific ? "filter,table,host,route" : "filter,route,host,table");
    EXPECT_EQ(stream.request.headers.get("y"), most_specific ? "route" : "table");
  }
}

TEST_F(HeaderMutationTest, ValuesCannotSplitTheMessage) {
  auto factory = with({{"request_mutations", List{append("x", "%REQ(evil)%")}}});
  stream.request.headers.add("evil", "a\r\nb: c");
  auto filter = attach(*factory, stream);
  filter->on_request_head(stream.request, EndStream::kYes);
  EXPECT_FALSE(stream.request.headers.get("x"));
}

TEST_F(HeaderMutationTest, Mistakes) {
  for (Value bad :
       {append(":path", "/x"), append("host", "x"), append("bad name", "x"), append("", "x"),
        append("x", "%NOPE%"), Value(Object{}), Value(Object{{"remove", ":method"}}),
        Value(Object{{"remove", ""}}),
        Value(Object{{"remove", "a"},
                     {"remove_on_match", Object{{"key_matcher", Object{{"exact", "a"}}}}}})}) {
    make(&make_header_mutation, Object{{"mutations", Object{{"request_mutations", List{bad}}}}});
    EXPECT_FALSE(errors.empty());
  }
}

}  // namespace
}  // namespace weir::filters::test
