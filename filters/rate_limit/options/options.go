// Package options reads the filter's configuration.
package options

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"weir/filters/rate_limit/bucket"
)

// Key says whose requests share a bucket.
type Key struct {
	Header        string `json:"header"`
	ClientAddress bool   `json:"client_address"`
}

// WithoutKey says what becomes of a request that lacks the header of the key.
type WithoutKey string

const (
	ByAddress WithoutKey = "client_address" // its client's address is the key
	Share     WithoutKey = "share"          // all of them share one bucket
	Admit     WithoutKey = "admit"          // it is not limited
	Deny      WithoutKey = "deny"           // it is refused
)

// Rule holds for the requests that it matches.
type Rule struct {
	Name            string     `json:"name"`
	Prefix          string     `json:"prefix"`
	Methods         []string   `json:"methods"`
	Key             Key        `json:"key"`
	WithoutKey      WithoutKey `json:"without_key"`
	RequestsPerUnit float64    `json:"requests_per_unit"`
	Unit            string     `json:"unit"`
	Burst           float64    `json:"burst"`

	Bucket bucket.Rule `json:"-"`
}

// Options is the whole configuration.
type Options struct {
	Rules   []Rule `json:"rules"`
	Status  uint32 `json:"status"`
	Body    string `json:"body"`
	Headers *bool  `json:"headers"`
}

var seconds = map[string]float64{"second": 1, "minute": 60, "hour": 3600, "day": 86400}

// Parse reads the configuration; a field that it does not know is an error.
func Parse(text []byte) (*Options, error) {
	options := &Options{Status: 429, Body: "too many requests\n"}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(options); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("unexpected text after the object")
	}
	if options.Status < 400 || options.Status > 599 {
		return nil, fmt.Errorf("status: %d is no status of an error", options.Status)
	}
	if len(options.Rules) == 0 {
		return nil, errors.New("rules: at least one is needed")
	}
	names := map[string]bool{}
	for i := range options.Rules {
		rule := &options.Rules[i]
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		if names[rule.Name] {
			return nil, fmt.Errorf("rules[%d]: a second rule named %q", i, rule.Name)
		}
		names[rule.Name] = true
	}
	return options, nil
}

func (r *Rule) check() error {
	if r.Unit == "" {
		r.Unit = "second"
	}
	unit, known := seconds[r.Unit]
	switch {
	case r.Name == "":
		return errors.New("name: must be given")
	case r.Prefix != "" && !strings.HasPrefix(r.Prefix, "/"):
		return errors.New("prefix: must begin with /")
	case !known:
		return fmt.Errorf("unit: %q is none of second, minute, hour, day", r.Unit)
	case !(r.RequestsPerUnit > 0):
		return errors.New("requests_per_unit: must be above 0")
	case r.Burst != 0 && r.Burst < 1:
		return errors.New("burst: must be at least 1")
	case r.Key.Header != "" && r.Key.ClientAddress:
		return errors.New("key: one of header and client_address")
	}
	if r.WithoutKey == "" {
		r.WithoutKey = ByAddress
	}
	switch r.WithoutKey {
	case ByAddress, Share, Admit, Deny:
	default:
		return fmt.Errorf("without_key: %q is none of client_address, share, admit, deny", r.WithoutKey)
	}
	if r.Burst == 0 {
		r.Burst = max(1, r.RequestsPerUnit)
	}
	r.Bucket = bucket.Rule{PerSecond: r.RequestsPerUnit / unit, Burst: r.Burst}
	return nil
}

// Find gives the first rule for such a request, or nil.
func (o *Options) Find(method, path string) *Rule {
	for i := range o.Rules {
		if o.Rules[i].matches(method, path) {
			return &o.Rules[i]
		}
	}
	return nil
}

func (r *Rule) matches(method, path string) bool {
	if !strings.HasPrefix(path, r.Prefix) {
		return false
	}
	for _, each := range r.Methods {
		if each == method {
			return true
		}
	}
	return len(r.Methods) == 0
}
