// Limits the rate of requests with token buckets in shared data: all workers take from the same ones. See README.md.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"weir/filters/rate_limit/bucket"
	"weir/filters/rate_limit/options"
)

// How often a write is tried when other workers write the same bucket between its read and its write.
const kTries = 16

func main() {}

func init() {
	proxywasm.SetVMContext(&vmContext{})
}

type vmContext struct {
	types.DefaultVMContext
}

func (*vmContext) NewPluginContext(uint32) types.PluginContext {
	return &pluginContext{}
}

type pluginContext struct {
	types.DefaultPluginContext
	options                      *options.Options
	admitted, limited, contended proxywasm.MetricCounter
}

func (p *pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	text, err := proxywasm.GetPluginConfiguration()
	if err == nil {
		p.options, err = options.Parse(text)
	}
	if err != nil {
		proxywasm.LogErrorf("rate_limit: configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.admitted = proxywasm.DefineCounterMetric("rate_limit.admitted")
	p.limited = proxywasm.DefineCounterMetric("rate_limit.limited")
	p.contended = proxywasm.DefineCounterMetric("rate_limit.contended")
	return types.OnPluginStartStatusOK
}

func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &httpContext{plugin: p}
}

type httpContext struct {
	types.DefaultHttpContext
	plugin  *pluginContext
	headers [][2]string // for the response, if the request was admitted
}

func (h *httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	method, _ := proxywasm.GetHttpRequestHeader(":method")
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	rule := h.plugin.options.Find(method, path)
	if rule == nil {
		return types.ActionContinue
	}
	key, outcome := requestKey(rule)
	switch outcome {
	case options.Admit:
		return types.ActionContinue
	case options.Deny:
		return h.refuse(nil)
	}
	answer, stored := take(rule, key)
	if !stored {
		h.plugin.contended.Increment(1)
	}
	headers := h.plugin.headers(rule, answer)
	if !answer.Admitted {
		return h.refuse(append(headers, [2]string{"retry-after", seconds(answer.Retry)}))
	}
	h.plugin.admitted.Increment(1)
	h.headers = headers
	return types.ActionContinue
}

func (h *httpContext) OnHttpResponseHeaders(int, bool) types.Action {
	for _, header := range h.headers {
		if err := proxywasm.ReplaceHttpResponseHeader(header[0], header[1]); err != nil {
			proxywasm.LogWarnf("rate_limit: %s: %v", header[0], err)
		}
	}
	return types.ActionContinue
}

func (h *httpContext) refuse(headers [][2]string) types.Action {
	h.plugin.limited.Increment(1)
	if err := proxywasm.SendHttpResponse(h.plugin.options.Status, headers, []byte(h.plugin.options.Body), -1); err != nil {
		proxywasm.LogErrorf("rate_limit: answer: %v", err)
	}
	return types.ActionPause
}

func (p *pluginContext) headers(rule *options.Rule, answer bucket.Answer) [][2]string {
	if p.options.Headers != nil && !*p.options.Headers {
		return nil
	}
	return [][2]string{
		{"x-ratelimit-limit", strconv.FormatUint(uint64(rule.Burst), 10)},
		{"x-ratelimit-remaining", strconv.FormatUint(answer.Remaining, 10)},
		{"x-ratelimit-reset", seconds(answer.Full)},
	}
}

// Whole seconds, rounded up: after them it is so.
func seconds(duration time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(duration.Seconds())), 10)
}

// The shared data's key, or what becomes of a request that has none. Keys are digests: as long as they are, whatever clients
// send, and no secret stands in shared data.
func requestKey(rule *options.Rule) (string, options.WithoutKey) {
	kind, value := "address", ""
	if rule.Key.Header != "" {
		given, err := proxywasm.GetHttpRequestHeader(rule.Key.Header)
		switch {
		case err == nil:
			kind, value = "header", given
		case rule.WithoutKey != options.ByAddress && rule.WithoutKey != options.Share:
			return "", rule.WithoutKey
		case rule.WithoutKey == options.Share:
			kind = "none"
		}
	}
	if kind == "address" {
		value = clientAddress()
	}
	digest := sha256.Sum256([]byte(kind + "\x00" + value))
	return "rate_limit/" + rule.Name + "/" + hex.EncodeToString(digest[:16]), ""
}

// Without the port, which differs for each connection.
func clientAddress() string {
	address, err := proxywasm.GetProperty([]string{"source", "address"})
	if err != nil {
		return ""
	}
	text := string(address)
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		text = text[:at]
	}
	return text
}

// Takes a token. False where others wrote the bucket each time: the answer stands, but no token has been taken.
func take(rule *options.Rule, key string) (bucket.Answer, bool) {
	var answer bucket.Answer
	for try := 0; try < kTries; try++ {
		stored, cas, err := proxywasm.GetSharedData(key)
		if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
			proxywasm.LogErrorf("rate_limit: shared data: %v", err)
		}
		var next []byte
		answer, next = rule.Bucket.Take(stored, time.Now())
		if err = proxywasm.SetSharedData(key, next, cas); err == nil {
			return answer, true
		}
		if !errors.Is(err, types.ErrorStatusCasMismatch) {
			proxywasm.LogErrorf("rate_limit: shared data: %v", err)
			return answer, false
		}
	}
	return answer, false
}
