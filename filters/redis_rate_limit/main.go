// Limits how many requests a client may send in a window of time. The counts stand in Redis, so that all proxies share them.
package main

import (
	"errors"
	"strconv"

	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm"
	"github.com/higress-group/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/higress-group/wasm-go/pkg/log"
	"github.com/higress-group/wasm-go/pkg/wrapper"
	"github.com/tidwall/gjson"
	"github.com/tidwall/resp"
)

func main() {}

func init() {
	wrapper.SetCtx(
		"redis_rate_limit",
		wrapper.ParseConfig(parseConfig),
		wrapper.ProcessRequestHeaders(onRequestHeaders),
		wrapper.ProcessResponseHeaders(onResponseHeaders),
	)
}

// One round trip: the count after this request, and how many seconds the window still lasts.
const script = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {n, redis.call('TTL', KEYS[1])}`

const (
	limitHeader     = "x-ratelimit-limit"
	remainingHeader = "x-ratelimit-remaining"
	resetHeader     = "x-ratelimit-reset"
)

type config struct {
	client     wrapper.RedisClient
	limit      int
	window     int
	keyHeader  string
	prefix     string
	failOpen   bool
	failStatus uint32
}

func parseConfig(json gjson.Result, c *config) error {
	redis := json.Get("redis")
	cluster := redis.Get("cluster").String()
	if cluster == "" {
		return errors.New("redis.cluster must be given")
	}
	c.limit = number(json.Get("limit"), 0)
	c.window = number(json.Get("window_seconds"), 60)
	if c.limit <= 0 || c.window <= 0 {
		return errors.New("limit and window_seconds must be above 0")
	}
	c.keyHeader = text(json.Get("key_header"), "")
	c.prefix = text(json.Get("key_prefix"), "ratelimit:")
	c.failOpen = true
	if failOpen := json.Get("fail_open"); failOpen.Exists() {
		if !failOpen.IsBool() {
			return errors.New("fail_open is true or false, not " + failOpen.Raw)
		}
		c.failOpen = failOpen.Bool()
	}
	failStatus := number(json.Get("fail_status"), 503)
	if failStatus < 400 || failStatus > 599 {
		return errors.New("fail_status must be the status of an error, 400 to 599")
	}
	c.failStatus = uint32(failStatus)
	c.client = wrapper.NewRedisClusterClient(wrapper.TargetCluster{Cluster: cluster})
	return c.client.Init(redis.Get("username").String(), redis.Get("password").String(),
		int64(number(redis.Get("timeout_ms"), 1000)), wrapper.WithDataBase(number(redis.Get("database"), 0)))
}

func number(value gjson.Result, otherwise int) int {
	if !value.Exists() {
		return otherwise
	}
	return int(value.Int())
}

func text(value gjson.Result, otherwise string) string {
	if !value.Exists() {
		return otherwise
	}
	return value.String()
}

// Whose requests are counted together: those with the same value of a header, else those of an address.
func clientKey(c config) string {
	if c.keyHeader != "" {
		if value, err := proxywasm.GetHttpRequestHeader(c.keyHeader); err == nil && value != "" {
			return c.prefix + "header:" + value
		}
	}
	address, _ := proxywasm.GetProperty([]string{"source", "address"})
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return c.prefix + "address:" + string(address[:i])
		}
	}
	return c.prefix + "address:" + string(address)
}

func onRequestHeaders(ctx wrapper.HttpContext, c config) types.Action {
	err := c.client.Eval(script, 1, []interface{}{clientKey(c)}, []interface{}{c.window}, func(reply resp.Value) {
		onCount(ctx, c, reply)
	})
	if err != nil {
		log.Errorf("redis call: %v", err)
		if c.failOpen {
			return types.HeaderContinue
		}
		deny(c.failStatus, "rate_limit_unavailable", nil)
	}
	return types.HeaderStopAllIterationAndWatermark
}

func onCount(ctx wrapper.HttpContext, c config, reply resp.Value) {
	values := reply.Array()
	if reply.Error() != nil || len(values) != 2 {
		log.Errorf("redis answers: %v", reply)
		if c.failOpen {
			_ = proxywasm.ResumeHttpRequest()
		} else {
			deny(c.failStatus, "rate_limit_unavailable", nil)
		}
		return
	}
	left := c.limit - values[0].Integer()
	headers := [][2]string{
		{limitHeader, strconv.Itoa(c.limit)},
		{remainingHeader, strconv.Itoa(max(left, 0))},
		{resetHeader, strconv.Itoa(values[1].Integer())},
	}
	if left < 0 {
		deny(429, "rate_limited", append(headers, [2]string{"retry-after", strconv.Itoa(values[1].Integer())}))
		return
	}
	ctx.SetContext("headers", headers)
	_ = proxywasm.ResumeHttpRequest()
}

func deny(status uint32, details string, headers [][2]string) {
	if err := proxywasm.SendHttpResponseWithDetail(status, details, headers, nil, -1); err != nil {
		log.Errorf("local response: %v", err)
	}
}

func onResponseHeaders(ctx wrapper.HttpContext, _ config) types.Action {
	headers, _ := ctx.GetContext("headers").([][2]string)
	for _, header := range headers {
		_ = proxywasm.ReplaceHttpResponseHeader(header[0], header[1])
	}
	return types.HeaderContinue
}
