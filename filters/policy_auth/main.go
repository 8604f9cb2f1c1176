// Asks a policy service, OPA for example, whether a request may pass. See README.md.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"weir/filters/policy_auth/policy"
)

// The answer's body is read up to this many bytes; a longer one is no JSON then, and no decision.
const kMaxAnswer = 1 << 20

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
	options                 *policy.Options
	allowed, denied, failed proxywasm.MetricCounter
}

func (p *pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	text, err := proxywasm.GetPluginConfiguration()
	if err == nil {
		p.options, err = policy.Parse(text)
	}
	if err != nil {
		proxywasm.LogErrorf("policy_auth: configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.allowed = proxywasm.DefineCounterMetric("policy_auth.allowed")
	p.denied = proxywasm.DefineCounterMetric("policy_auth.denied")
	p.failed = proxywasm.DefineCounterMetric("policy_auth.failed")
	return types.OnPluginStartStatusOK
}

func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &httpContext{plugin: p}
}

type httpContext struct {
	types.DefaultHttpContext
	plugin          *pluginContext
	responseHeaders [][2]string
}

func (h *httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	options := h.plugin.options
	headers, err := proxywasm.GetHttpRequestHeaders()
	if err != nil {
		return h.fail("request", err)
	}
	// Only the policy may set these: what a client sends under such a name goes, before anybody believes it.
	for _, name := range options.OwnHeaders {
		if err := proxywasm.RemoveHttpRequestHeader(name); err != nil {
			return h.fail("own header", err)
		}
	}
	if path, err := proxywasm.GetHttpRequestHeader(":path"); err == nil && options.Excepted(path) {
		return types.ActionContinue
	}
	source, _ := proxywasm.GetProperty([]string{"source", "address"})
	question, err := options.Ask(headers, string(source))
	if err != nil {
		return h.fail("question", err)
	}
	_, err = proxywasm.DispatchHttpCall(options.Cluster, options.Call(), question, nil, options.TimeoutMs, h.onAnswer)
	if err != nil {
		return h.fail("call", err)
	}
	return types.ActionPause
}

// The stream has waited. The SDK has made it the context of the host calls that follow.
func (h *httpContext) onAnswer(headers, bodySize, _ int) {
	status := ""
	if pairs, err := proxywasm.GetHttpCallResponseHeaders(); err == nil && headers > 0 {
		for _, header := range pairs {
			if header[0] == ":status" {
				status = header[1]
			}
		}
	}
	var body []byte
	if bodySize > 0 {
		body, _ = proxywasm.GetHttpCallResponseBody(0, min(bodySize, kMaxAnswer))
	}
	decision, err := h.plugin.options.Decide(status, body)
	switch {
	case err != nil:
		if h.fail("answer", err) == types.ActionContinue {
			h.resume()
		}
	case decision.Allowed:
		h.plugin.allowed.Increment(1)
		h.responseHeaders = decision.ResponseHeaders
		for _, header := range decision.Headers {
			if err := proxywasm.ReplaceHttpRequestHeader(header[0], header[1]); err != nil {
				proxywasm.LogWarnf("policy_auth: %s: %v", header[0], err)
			}
		}
		h.resume()
	default:
		h.plugin.denied.Increment(1)
		h.reply(decision.Status, decision.ResponseHeaders, decision.Body)
	}
}

func (h *httpContext) OnHttpResponseHeaders(int, bool) types.Action {
	for _, header := range h.responseHeaders {
		if err := proxywasm.AddHttpResponseHeader(header[0], header[1]); err != nil {
			proxywasm.LogWarnf("policy_auth: %s: %v", header[0], err)
		}
	}
	return types.ActionContinue
}

// What to do where there is no decision.
func (h *httpContext) fail(what string, err error) types.Action {
	h.plugin.failed.Increment(1)
	proxywasm.LogWarnf("policy_auth: %s: %v", what, err)
	if h.plugin.options.FailOpen {
		return types.ActionContinue
	}
	h.reply(h.plugin.options.FailStatus, nil, "")
	return types.ActionPause
}

func (h *httpContext) resume() {
	if err := proxywasm.ResumeHttpRequest(); err != nil {
		proxywasm.LogErrorf("policy_auth: resume: %v", err)
	}
}

func (h *httpContext) reply(status uint32, headers [][2]string, body string) {
	if err := proxywasm.SendHttpResponse(status, headers, []byte(body), -1); err != nil {
		proxywasm.LogErrorf("policy_auth: answer: %v", err)
	}
}
