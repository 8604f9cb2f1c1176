package policy

import (
	"reflect"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) *Options {
	t.Helper()
	options, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func TestAsksWithTheRequest(t *testing.T) {
	options := parse(t, `{"cluster": "opa", "send_headers": ["X-User"]}`)
	question, err := options.Ask([][2]string{
		{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}, {":path", "/pets//7?x=1"},
		{"x-user", "ann"}, {"x-user", "bob"}, {"cookie", "secret"}}, "127.0.0.1:1")
	want := `{"input":{"method":"GET","path":["pets","7"],"url_path":"/pets//7","query":"x=1","host":"a.test",` +
		`"scheme":"http","source":"127.0.0.1:1","headers":{"x-user":["ann","bob"]}}}`
	if err != nil || string(question) != want {
		t.Fatalf("%v\n%s\n%s", err, question, want)
	}
	options = parse(t, `{"cluster": "opa", "send_headers": ["*"]}`)
	if question, _ = options.Ask([][2]string{{"cookie", "c"}}, ""); !strings.Contains(string(question), `"cookie":["c"]`) {
		t.Fatal(string(question))
	}
}

func TestDecides(t *testing.T) {
	options := parse(t, `{"cluster": "opa", "denied_body": "no"}`)
	for body, want := range map[string]Decision{
		`{"result": true}`:  {Allowed: true, Status: 403, Body: "no"},
		`{"result": false}`: {Status: 403, Body: "no"},
		`{}`:                {Status: 403, Body: "no"},
		`{"result": null}`:  {Status: 403, Body: "no"},
		`{"result": {"allowed": true, "headers": {"X-A": "1", ":path": "/"}}}`: {Allowed: true, Status: 403, Body: "no",
			Headers: [][2]string{{"x-a", "1"}}, ResponseHeaders: [][2]string{}},
		`{"result": {"allowed": false, "http_status": 401, "body": "who?", "response_headers": {"b": "2"}}}`: {Status: 401,
			Body: "who?", Headers: [][2]string{}, ResponseHeaders: [][2]string{{"b", "2"}}},
		`{"result": {"allowed": false, "http_status": 200}}`: {Status: 403, Body: "no", Headers: [][2]string{},
			ResponseHeaders: [][2]string{}},
	} {
		decision, err := options.Decide("200", []byte(body))
		if err != nil || !reflect.DeepEqual(*decision, want) {
			t.Errorf("%s: %+v %v", body, decision, err)
		}
	}
}

func TestWhatIsNoDecisionIsAnError(t *testing.T) {
	options := parse(t, `{"cluster": "opa"}`)
	for _, each := range [][2]string{{"500", `{"result": true}`}, {"", ""}, {"200", ""}, {"200", "<html>"},
		{"200", `{"result": "yes"}`}, {"200", `{"result": {"allow": true}}`}, {"200", `{"result": [true]}`}} {
		if decision, err := options.Decide(each[0], []byte(each[1])); err == nil {
			t.Errorf("%v: %+v", each, decision)
		}
	}
}

func TestExceptionsArePathsAndWhatIsBelow(t *testing.T) {
	options := parse(t, `{"cluster": "opa", "except": ["/health", "/pub/"]}`)
	for path, want := range map[string]bool{
		"/health": true, "/health/live": true, "/health?x": true, "/pub/a": true, "/healthy": false, "/pub": false,
		"/": false, "/health/../a": false, "/health/%2e%2e/a": false, "/health//a": false, "/pub/..;/a": false,
	} {
		if options.Excepted(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

func TestBadOptionsSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                               "cluster",
		`{"cluster": "a"} 1`:                               "after the object",
		`{"clusters": "a"}`:                                "unknown field",
		`{"cluster": "a", "path": "v1"}`:                   "path",
		`{"cluster": "a", "timeout_ms": "5"}`:              "timeout_ms",
		`{"cluster": "a", "timeout_ms": 0}`:                "timeout_ms",
		`{"cluster": "a", "fail_status": 200}`:             "fail_status",
		`{"cluster": "a", "denied_status": 99}`:            "denied_status",
		`{"cluster": "a", "except": ["x"]}`:                "except",
		`{"cluster": "a", "call_headers": {":path": "x"}}`: "call_headers",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
