// The header filter of rust_headers in Go, compiled by the Go toolchain itself as a WASI reactor.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
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

type pluginContext struct {
	types.DefaultPluginContext
	configuration string
}

func (p *pluginContext) OnPluginStart(int) types.OnPluginStartStatus {
	data, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		proxywasm.LogCriticalf("go_headers: configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.configuration = string(data)
	return types.OnPluginStartStatusOK
}

func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &httpContext{plugin: p}
}

type httpContext struct {
	types.DefaultHttpContext
	plugin *pluginContext
}

func (*httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	agent, err := proxywasm.GetHttpRequestHeader("user-agent")
	if err != nil {
		agent = "none"
	}
	if err := proxywasm.ReplaceHttpRequestHeader("x-go-agent", agent); err != nil {
		proxywasm.LogErrorf("go_headers: %v", err)
	}
	if _, err := proxywasm.GetHttpRequestHeader("x-go-panic"); err == nil {
		panic("go_headers: asked to")
	}
	return types.ActionContinue
}

func (h *httpContext) OnHttpResponseHeaders(int, bool) types.Action {
	if err := proxywasm.AddHttpResponseHeader("x-go-filter", "go_headers"+h.plugin.configuration); err != nil {
		proxywasm.LogErrorf("go_headers: %v", err)
	}
	return types.ActionContinue
}
