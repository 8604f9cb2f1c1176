// Package policy has the filter's options, the question that it asks a policy service, and the answer read.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
)

const maxTimeoutMs = 3600 * 1000

// Options is the configuration.
type Options struct {
	Cluster      string            `json:"cluster"`
	Path         string            `json:"path"`
	Authority    string            `json:"authority"`
	CallHeaders  map[string]string `json:"call_headers"`
	TimeoutMs    uint32            `json:"timeout_ms"`
	FailOpen     bool              `json:"fail_open"`
	FailStatus   uint32            `json:"fail_status"`
	DeniedStatus uint32            `json:"denied_status"`
	DeniedBody   string            `json:"denied_body"`
	SendHeaders  []string          `json:"send_headers"`
	OwnHeaders   []string          `json:"own_headers"`
	Except       []string          `json:"except"`
}

// Parse reads the configuration; a field that it does not know is an error.
func Parse(text []byte) (*Options, error) {
	options := &Options{Path: "/v1/data/http/allow", TimeoutMs: 200, FailStatus: 503, DeniedStatus: 403}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(options); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("unexpected text after the object")
	}
	switch {
	case options.Cluster == "":
		return nil, errors.New("cluster: must be given")
	case !strings.HasPrefix(options.Path, "/"):
		return nil, errors.New("path: must begin with /")
	case options.TimeoutMs < 1 || options.TimeoutMs > maxTimeoutMs:
		return nil, fmt.Errorf("timeout_ms: %d is not between 1 and %d", options.TimeoutMs, maxTimeoutMs)
	case !isError(options.FailStatus):
		return nil, fmt.Errorf("fail_status: %d is no status of an error", options.FailStatus)
	case !isError(options.DeniedStatus):
		return nil, fmt.Errorf("denied_status: %d is no status of an error", options.DeniedStatus)
	}
	for _, prefix := range options.Except {
		if !strings.HasPrefix(prefix, "/") {
			return nil, fmt.Errorf("except: %q does not begin with /", prefix)
		}
	}
	for name := range options.CallHeaders {
		if name == "" || strings.HasPrefix(name, ":") {
			return nil, fmt.Errorf("call_headers: bad name %q", name)
		}
	}
	if options.Authority == "" {
		options.Authority = options.Cluster
	}
	lower(options.SendHeaders)
	lower(options.OwnHeaders)
	return options, nil
}

func isError(status uint32) bool { return status >= 400 && status <= 599 }

func lower(names []string) {
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
}

// Excepted says that requests to that path pass unasked: it is one of the list, or below one. A path that an upstream may read
// as another one (dots, escapes) never is.
func (o *Options) Excepted(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	if strings.Contains(path, "/.") || strings.ContainsAny(path, "%\\;") || strings.Contains(path, "//") {
		return false
	}
	for _, each := range o.Except {
		if path == each || strings.HasPrefix(path, strings.TrimSuffix(each, "/")+"/") {
			return true
		}
	}
	return false
}

// Input is what the policy sees, as `input`.
type Input struct {
	Method  string              `json:"method"`
	Path    []string            `json:"path"` // the path's segments
	URLPath string              `json:"url_path"`
	Query   string              `json:"query"`
	Host    string              `json:"host"`
	Scheme  string              `json:"scheme"`
	Source  string              `json:"source"`
	Headers map[string][]string `json:"headers"`
}

// Ask makes the question's body from the request's headers.
func (o *Options) Ask(headers [][2]string, source string) ([]byte, error) {
	input := Input{Source: source, Path: []string{}, Headers: map[string][]string{}}
	for _, header := range headers {
		switch name, value := header[0], header[1]; name {
		case ":method":
			input.Method = value
		case ":scheme":
			input.Scheme = value
		case ":authority":
			input.Host = value
		case ":path":
			input.URLPath, input.Query, _ = strings.Cut(value, "?")
			for _, segment := range strings.Split(input.URLPath, "/") {
				if segment != "" {
					input.Path = append(input.Path, segment)
				}
			}
		default:
			if o.sends(name) {
				input.Headers[name] = append(input.Headers[name], value)
			}
		}
	}
	return json.Marshal(map[string]Input{"input": input})
}

func (o *Options) sends(name string) bool {
	for _, each := range o.SendHeaders {
		if each == name || each == "*" {
			return true
		}
	}
	return false
}

// Call gives the head of the question.
func (o *Options) Call() [][2]string {
	headers := [][2]string{
		{":method", "POST"}, {":path", o.Path}, {":authority", o.Authority}, {":scheme", "http"},
		{"content-type", "application/json"}, {"accept", "application/json"},
	}
	for name, value := range o.CallHeaders {
		headers = append(headers, [2]string{strings.ToLower(name), value})
	}
	sort.Slice(headers, func(a, b int) bool { return headers[a][0] < headers[b][0] })
	return headers
}

// Decision is the policy's answer.
type Decision struct {
	Allowed bool
	Status  uint32
	Body    string
	// Of the request where it is allowed, of the answer where not.
	Headers         [][2]string
	ResponseHeaders [][2]string
}

type result struct {
	Allowed         *bool             `json:"allowed"`
	Headers         map[string]string `json:"headers"`
	ResponseHeaders map[string]string `json:"response_headers"`
	Status          uint32            `json:"http_status"`
	Body            string            `json:"body"`
}

// Decide reads the answer. An error means that there is no decision: the service failed.
func (o *Options) Decide(status string, body []byte) (*Decision, error) {
	if code, err := strconv.Atoi(status); err != nil || code != 200 {
		return nil, fmt.Errorf("the policy service answered %q", status)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("the answer is no JSON: %w", err)
	}
	denied := &Decision{Status: o.DeniedStatus, Body: o.DeniedBody}
	// No result: the policy is undefined for this request.
	if len(answer.Result) == 0 || string(answer.Result) == "null" {
		return denied, nil
	}
	var allowed bool
	if json.Unmarshal(answer.Result, &allowed) == nil {
		denied.Allowed = allowed
		return denied, nil
	}
	var details result
	if err := json.Unmarshal(answer.Result, &details); err != nil || details.Allowed == nil {
		return nil, errors.New("the result is neither a truth value nor an object with `allowed`")
	}
	decision := &Decision{Allowed: *details.Allowed, Status: details.Status, Body: details.Body,
		Headers: pairs(details.Headers), ResponseHeaders: pairs(details.ResponseHeaders)}
	if !isError(decision.Status) && (decision.Status < 300 || decision.Status > 399) {
		decision.Status = o.DeniedStatus
	}
	if decision.Body == "" {
		decision.Body = o.DeniedBody
	}
	return decision, nil
}

func pairs(headers map[string]string) [][2]string {
	list := make([][2]string, 0, len(headers))
	for name, value := range headers {
		if name = strings.ToLower(name); name != "" && name[0] != ':' {
			list = append(list, [2]string{name, value})
		}
	}
	sort.Slice(list, func(a, b int) bool { return list[a][0] < list[b][0] })
	return list
}
