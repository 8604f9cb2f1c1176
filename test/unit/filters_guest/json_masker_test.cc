#include "mask_body/json_masker.h"

#include <gtest/gtest.h>

#include <random>

namespace {

using weir_filter::JsonMasker;
using weir_filter::MaskRules;

MaskRules rules_of(std::vector<std::string> names) {
  MaskRules rules;
  rules.names = std::move(names);
  return rules;
}

std::string mask_pieces(const MaskRules& rules, std::string_view text,
                        const std::vector<size_t>& cuts) {
  JsonMasker masker(rules);
  std::string out;
  size_t from = 0;
  for (const size_t cut : cuts) {
    masker.feed(text.substr(from, cut - from), out);
    from = cut;
  }
  masker.feed(text.substr(from), out);
  return out;
}

std::string mask(const MaskRules& rules, std::string_view text) {
  return mask_pieces(rules, text, {});
}

struct Row {
  const char* what;
  const char* in;
  const char* out;
};

// `password`, `card_number` and `naïve` are masked.
const Row kRows[] = {
    {"text", R"({"password":"secret"})", R"({"password":"***"})"},
    {"other members stay", R"({"user":"ann","password":"s","n":1})",
     R"({"user":"ann","password":"***","n":1})"},
    {"space around the colon", "{ \"password\" :\t\n \"s\" }", "{ \"password\" :\t\n \"***\" }"},
    {"number", R"({"card_number":4111111111111111,"x":2})", R"({"card_number":"***","x":2})"},
    {"last number", R"({"card_number":-1.5e+3 })", R"({"card_number":"***"})"},
    {"literals pass", R"({"password":null,"card_number":true})",
     R"({"password":null,"card_number":true})"},
    {"a word that begins like one is hidden", R"({"password":nope-it-is-secret})",
     R"({"password":n"***"})"},
    {"empty text", R"({"password":""})", R"({"password":"***"})"},
    {"escaped quote in the value", R"({"password":"a\"b","x":"y"})",
     R"({"password":"***","x":"y"})"},
    {"escaped backslash ends the value", R"({"password":"a\\","x":"y"})",
     R"({"password":"***","x":"y"})"},
    {"escaped name", R"({"pass\u0077ord":"s"})", R"({"pass\u0077ord":"***"})"},
    {"escaped name in capitals", R"({"\u0070assw\u006Frd":"s"})",
     R"({"\u0070assw\u006Frd":"***"})"},
    {"escaped name beyond ASCII", R"({"na\u00efve":"s"})", R"({"na\u00efve":"***"})"},
    {"name beyond ASCII", "{\"na\xc3\xafve\":\"s\"}", "{\"na\xc3\xafve\":\"***\"}"},
    {"longer and shorter names stay", R"({"passwords":"a","passwor":"b"})",
     R"({"passwords":"a","passwor":"b"})"},
    {"case counts", R"({"Password":"a"})", R"({"Password":"a"})"},
    {"a value like a name", R"({"x":"password","y":"z"})", R"({"x":"password","y":"z"})"},
    {"a list item like a name", R"(["password","z"])", R"(["password","z"])"},
    {"nested", R"({"a":[{"b":{"password":"s"}},2]})", R"({"a":[{"b":{"password":"***"}},2]})"},
    {"list under a name", R"({"password":["a",1,null,["b"]],"x":"y"})",
     R"({"password":["***","***",null,["***"]],"x":"y"})"},
    {"object under a name", R"({"password":{"a":"b","c":[{"d":1}],"e":"f"},"x":"y"})",
     R"({"password":{"a":"***","c":[{"d":"***"}],"e":"***"},"x":"y"})"},
    {"empty containers", R"({"password":{},"card_number":[],"x":"y"})",
     R"({"password":{},"card_number":[],"x":"y"})"},
    {"repeated names", R"({"password":"a","password":"b"})",
     R"({"password":"***","password":"***"})"},
    {"several documents", "{\"password\":\"a\"}\n{\"password\":\"b\"}\n",
     "{\"password\":\"***\"}\n{\"password\":\"***\"}\n"},
    {"unquoted value", R"({"password":'it is secret',"x":1})", R"({"password":"***","x":1})"},
    {"missing value", R"({"password":,"x":1})", R"({"password":,"x":1})"},
    {"missing value at the end", R"({"password":})", R"({"password":})"},
    {"not JSON", "name=password&x=\"1\"", "name=password&x=\"1\""},
    {"cut short in a value", R"({"password":"sec)", R"({"password":"***)"},
    {"surrogates in a name", R"({"\ud83d\ude00":"a","password":"b"})",
     R"({"\ud83d\ude00":"a","password":"***"})"},
    {"lone surrogate before a name", R"({"\ud83dpassword":"a"})", R"({"\ud83dpassword":"a"})"},
    {"bad escape in another name", R"({"\u00zz":"a","password":"b"})",
     R"({"\u00zz":"a","password":"***"})"},
    {"control escapes", R"({"a\nb\t\/":"a","password":"b"})",
     R"({"a\nb\t\/":"a","password":"***"})"},
};

class JsonMaskerTest : public testing::TestWithParam<Row> {
 protected:
  MaskRules rules_ = rules_of({"password", "card_number", "na\xc3\xafve"});
};

TEST_P(JsonMaskerTest, MasksTheWholeText) {
  EXPECT_EQ(mask(rules_, GetParam().in), GetParam().out) << GetParam().what;
}

TEST_P(JsonMaskerTest, GivesTheSameForEveryPairOfCuts) {
  const std::string_view in = GetParam().in;
  for (size_t first = 0; first <= in.size(); ++first) {
    for (size_t second = first; second <= in.size(); ++second) {
      ASSERT_EQ(mask_pieces(rules_, in, {first, second}), GetParam().out)
          << GetParam().what << " cut at " << first << ", " << second;
    }
  }
}

TEST_P(JsonMaskerTest, GivesTheSameByteByByte) {
  const std::string_view in = GetParam().in;
  std::vector<size_t> cuts;
  for (size_t i = 1; i < in.size(); ++i) cuts.push_back(i);
  EXPECT_EQ(mask_pieces(rules_, in, cuts), GetParam().out) << GetParam().what;
}

TEST_P(JsonMaskerTest, ChangesNothingWhenItRunsAgain) {
  const std::string once = mask(rules_, GetParam().in);
  EXPECT_EQ(mask(rules_, once), once) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Rows, JsonMaskerTest, testing::ValuesIn(kRows));

TEST(JsonMasker, IgnoresCaseWhenAsked) {
  MaskRules rules = rules_of({"passWord"});
  rules.ignore_case = true;
  EXPECT_EQ(mask(rules, R"({"PASSWORD":"a","passw\u004frd":"b"})"),
            R"({"PASSWORD":"***","passw\u004frd":"***"})");
}

TEST(JsonMasker, WritesTheMaskOfTheRules) {
  MaskRules rules = rules_of({"p"});
  rules.mask = "";
  EXPECT_EQ(mask(rules, R"({"p":"a"})"), R"({"p":""})");
  rules.mask = "redacted";
  EXPECT_EQ(mask(rules, R"({"p":12})"), R"({"p":"redacted"})");
}

TEST(JsonMasker, CountsWhatItMasked) {
  const MaskRules rules = rules_of({"p"});
  JsonMasker masker(rules);
  std::string out;
  masker.feed(R"({"p":"a","q":"b","p":[1,2,null]})", out);
  EXPECT_EQ(masker.masked(), 3U);
}

TEST(JsonMasker, HidesEverythingInsideAMaskedContainerAtAnyDepth) {
  const MaskRules rules = rules_of({"p"});
  for (const size_t depth : {1, 255, 256, 257, 5000}) {
    std::string in = R"({"p":)";
    for (size_t i = 0; i < depth; ++i) in += R"({"a":[)";
    in += R"("secret")";
    for (size_t i = 0; i < depth; ++i) in += "]}";
    in += R"(,"open":"shown"})";
    const std::string out = mask(rules, in);
    EXPECT_EQ(out.find("secret"), std::string::npos) << depth;
    EXPECT_NE(out.find(R"("open":"shown")"), std::string::npos) << depth;
  }
}

// A generator of well-formed documents that knows what has to come out.
class Document {
 public:
  explicit Document(uint32_t seed) : random_(seed) { value(0, false); }
  const std::string& in() const { return in_; }
  const std::string& out() const { return out_; }

 private:
  uint32_t pick(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  void both(std::string_view text) {
    in_ += text;
    out_ += text;
  }
  void space() {
    if (pick(4) == 0) both(" \n");
  }
  void scalar(bool hidden) {
    static constexpr std::string_view kTexts[] = {R"("")", R"("a b")", R"("password")",
                                                  R"("\"\\\u0022:,}")", R"("p\u0061]{[")"};
    static constexpr std::string_view kNumbers[] = {"0", "-12.5", "1e9"};
    static constexpr std::string_view kLiterals[] = {"true", "false", "null"};
    const uint32_t kind = pick(3);
    if (kind == 2) return both(kLiterals[pick(3)]);
    const std::string_view text = kind == 0 ? kTexts[pick(5)] : kNumbers[pick(3)];
    in_ += text;
    out_ += hidden ? std::string_view(R"("***")") : text;
  }
  void member(int depth, bool hidden) {
    static constexpr std::string_view kNames[] = {"password", R"(p\u0061ssword)", "user",
                                                  "passwords", ""};
    const uint32_t name = pick(5);
    both("\"");
    both(kNames[name]);
    both("\"");
    space();
    both(":");
    space();
    value(depth + 1, hidden || name < 2);
  }
  void value(int depth, bool hidden) {
    const uint32_t kind = depth > 6 ? 2 : pick(4);
    if (kind > 1) return scalar(hidden);
    both(kind == 0 ? "{" : "[");
    space();
    const uint32_t count = pick(4);
    for (uint32_t i = 0; i < count; ++i) {
      if (i > 0) both(",");
      space();
      if (kind == 0) {
        member(depth, hidden);
      } else {
        value(depth + 1, hidden);
      }
      // After a masked number space is dropped up to the next mark, so none is put there.
    }
    both(kind == 0 ? "}" : "]");
  }

  std::mt19937 random_;
  std::string in_;
  std::string out_;
};

TEST(JsonMasker, MasksRandomDocumentsCutAtRandom) {
  const MaskRules rules = rules_of({"password"});
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    const Document document(seed);
    std::mt19937 random(seed);
    std::vector<size_t> cuts;
    for (size_t at = random() % 9; at < document.in().size(); at += random() % 9)
      cuts.push_back(at);
    ASSERT_EQ(mask_pieces(rules, document.in(), cuts), document.out())
        << "seed " << seed << ": " << document.in();
  }
}

TEST(JsonMasker, TakesAnyBytes) {
  const MaskRules rules = rules_of({"p", "password"});
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    static constexpr std::string_view kPieces = "\"\\{}[]:,pu0d8 \ntn1\xff";
    std::string in;
    for (size_t i = 0; i < 200; ++i) in.push_back(kPieces[random() % kPieces.size()]);
    const std::string whole = mask(rules, in);
    ASSERT_EQ(mask_pieces(rules, in, {random() % 100, 100 + random() % 100}), whole)
        << "seed " << seed;
    ASSERT_LE(whole.size(), in.size() * 6) << "seed " << seed;
  }
}

}  // namespace
