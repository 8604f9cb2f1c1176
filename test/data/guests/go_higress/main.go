// Higress' extensions, each by the name that a request's x-do gives, through Higress' own SDK.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm"
	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm/types"
)

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

// Its configuration is "target user password timeout_ms", a "-" for nothing; words behind that are a command that is sent at once.
type pluginContext struct {
	types.DefaultPluginContext
	target, started string
	streams         int
}

func (p *pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	data, _ := proxywasm.GetPluginConfiguration()
	words := strings.Fields(string(data))
	if len(words) < 4 {
		return types.OnPluginStartStatusOK
	}
	given := func(word string) string {
		if word == "-" {
			return ""
		}
		return word
	}
	p.target = words[0]
	timeout, _ := strconv.Atoi(words[3])
	if err := proxywasm.RedisInit(p.target, given(words[1]), given(words[2]), uint32(timeout)); err != nil {
		proxywasm.LogErrorf("redis init: %v", err)
	}
	if len(words) > 4 {
		if _, err := call(p.target, words[4:], func(answer string) { p.started = answer }); err != nil {
			p.started = err.Error()
		}
	}
	return types.OnPluginStartStatusOK
}

func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	p.streams++
	return &httpContext{plugin: p}
}

// Sends a command; `then` gets "status|reply", with line ends as a tilde.
func call(target string, words []string, then func(string)) (uint32, error) {
	query := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		query += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	return proxywasm.DispatchRedisCall(target, []byte(query), func(status, size int) {
		reply, err := proxywasm.GetRedisCallResponse(0, size)
		text := string(reply)
		if err != nil {
			text = err.Error()
		}
		then(fmt.Sprintf("%d|%s", status, strings.ReplaceAll(text, "\r\n", "~")))
	})
}

type httpContext struct {
	types.DefaultHttpContext
	plugin   *pluginContext
	do, with string
}

func note(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func set(name, value string) error {
	return proxywasm.SetProperty([]string{name}, []byte(value))
}

func (h *httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	text, _ := proxywasm.GetHttpRequestHeader("x-do")
	h.do, h.with, _ = strings.Cut(text, "=")
	answer := ""
	switch h.do {
	case "redis":
		id, err := call(h.plugin.target, strings.Fields(h.with), func(reply string) {
			_ = proxywasm.ReplaceHttpRequestHeader("x-answer", reply)
			_ = proxywasm.ResumeHttpRequest()
		})
		if err == nil {
			_ = proxywasm.ReplaceHttpRequestHeader("x-call-id", strconv.Itoa(int(id)))
			return types.HeaderStopAllIterationAndWatermark
		}
		answer = err.Error()
	case "init":
		answer = note(proxywasm.RedisInit(h.with, "", "", 1000))
	case "started":
		answer = h.plugin.started
	case "hosts":
		hosts, err := proxywasm.GetUpstreamHosts()
		for _, host := range hosts {
			answer += host[0] + ","
		}
		if err != nil {
			answer = err.Error()
		}
	case "override":
		answer = note(proxywasm.SetUpstreamOverrideHost([]byte(h.with)))
	case "reroute":
		if h.with == "off" {
			_ = set("clear_route_cache", "off")
		}
		answer = note(proxywasm.ReplaceHttpRequestHeader("x-route", "other"))
	case "limit":
		answer = note(set("set_decoder_buffer_limit", h.with))
	case "rebuild":
		answer = note(set("wasm_need_rebuild", "true"))
	case "streams":
		answer = strconv.Itoa(h.plugin.streams)
	case "level":
		level, err := proxywasm.CallForeignFunction("get_log_level", nil)
		answer = note(err)
		if len(level) == 4 {
			answer = strconv.Itoa(int(binary.LittleEndian.Uint32(level)))
		}
	case "cycle":
		_, err := proxywasm.CallForeignFunction("set_global_max_requests_per_io_cycle",
			binary.LittleEndian.AppendUint64(nil, 1))
		answer = note(err)
	case "tag":
		answer = note(set("trace_span_tag.a", "b"))
		if _, err := proxywasm.GetProperty([]string{"trace_span_tag.a"}); err != nil {
			answer += " " + err.Error()
		}
	case "cluster":
		value, err := proxywasm.GetProperty([]string{"cluster_name"})
		answer = note(err) + " " + string(value)
	}
	_ = proxywasm.ReplaceHttpRequestHeader("x-answer", answer)
	return types.HeaderContinue
}

func (h *httpContext) OnHttpRequestBody(_ int, end bool) types.Action {
	if h.do == "limit" && !end {
		return types.DataStopIterationAndBuffer
	}
	return types.DataContinue
}

// The argument of the foreign functions: {1 body, 2 endstream}, of short bodies.
func injection(body string, end bool) []byte {
	out := append([]byte{0x0a, byte(len(body))}, body...)
	if end {
		out = append(out, 0x10, 1)
	}
	return out
}

func (h *httpContext) OnHttpResponseHeaders(int, bool) types.Action {
	if !strings.HasPrefix(h.do, "inject") {
		return types.HeaderContinue
	}
	_ = proxywasm.RemoveHttpResponseHeader("content-length")
	switch h.do {
	case "inject-head":
		_, _ = proxywasm.CallForeignFunction("inject_encoded_data_to_filter_chain_on_header", injection("head|", false))
	case "inject-head-end":
		_, _ = proxywasm.CallForeignFunction("inject_encoded_data_to_filter_chain_on_header", injection("only", true))
	case "inject-later":
		_, err := call(h.plugin.target, []string{"PING"}, func(reply string) {
			_ = proxywasm.InjectEncodedDataToFilterChain([]byte(reply+"|"), false)
			_ = proxywasm.ResumeHttpResponse()
		})
		if err == nil {
			return types.HeaderStopAllIterationAndWatermark
		}
	}
	return types.HeaderContinue
}

func (h *httpContext) OnHttpResponseBody(size int, end bool) types.Action {
	const noBuffer = types.Action(3)
	switch h.do {
	case "inject-rewrite":
		body, _ := proxywasm.GetHttpResponseBody(0, size)
		_ = proxywasm.InjectEncodedDataToFilterChain(append(bytes.ToUpper(body), '|'), end)
		return noBuffer
	case "inject-before":
		_ = proxywasm.InjectEncodedDataToFilterChain([]byte("before|"), false)
	case "inject-cut":
		_, _ = proxywasm.CallForeignFunction("inject_encoded_data_to_filter_chain", injection("cut", true))
		return noBuffer
	}
	return types.DataContinue
}
