package options

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	options, err := Parse([]byte(`{"rules": [{"name": "a", "requests_per_unit": 30, "unit": "minute"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rule := options.Rules[0]
	if rule.Bucket.PerSecond != 0.5 || rule.Bucket.Burst != 30 || rule.WithoutKey != ByAddress || options.Status != 429 {
		t.Fatalf("%+v %+v", options, rule)
	}
	options, err = Parse([]byte(`{"rules": [{"name": "a", "requests_per_unit": 0.1}]}`))
	if err != nil || options.Rules[0].Bucket.Burst != 1 {
		t.Fatalf("%+v %v", options, err)
	}
}

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	options, err := Parse([]byte(`{"rules": [
		{"name": "writes", "prefix": "/api", "methods": ["POST", "PUT"], "requests_per_unit": 1},
		{"name": "api", "prefix": "/api", "requests_per_unit": 1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct{ method, path, name string }{
		{"POST", "/api/x", "writes"}, {"GET", "/api/x", "api"}, {"GET", "/", ""},
	} {
		name := ""
		if rule := options.Find(each.method, each.path); rule != nil {
			name = rule.Name
		}
		if name != each.name {
			t.Errorf("%+v: %q", each, name)
		}
	}
}

func TestBadOptionsSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		``:                "EOF",
		`{} {}`:           "after the object",
		`{}`:              "rules",
		`{"rule": []}`:    "unknown field",
		`{"status": 200}`: "status",
		`{"rules": [{}]}`: "name",
		`{"rules": [{"name": "a", "requests_per_unit": 0}]}`:                                                 "requests_per_unit",
		`{"rules": [{"name": "a", "requests_per_unit": 1, "unit": "week"}]}`:                                 "unit",
		`{"rules": [{"name": "a", "requests_per_unit": 1, "burst": 0.5}]}`:                                   "burst",
		`{"rules": [{"name": "a", "requests_per_unit": 1, "prefix": "api"}]}`:                                "prefix",
		`{"rules": [{"name": "a", "requests_per_unit": 1, "without_key": "x"}]}`:                             "without_key",
		`{"rules": [{"name": "a", "requests_per_unit": 1}, {"name": "a", "requests_per_unit": 1}]}`:          "second rule",
		`{"rules": [{"name": "a", "requests_per_unit": 1, "key": {"header": "h", "client_address": true}}]}`: "key",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
