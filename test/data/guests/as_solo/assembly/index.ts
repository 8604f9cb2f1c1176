// The first AssemblyScript SDK, with the compiler of its time: a start section instead of _start, WASI's old name, reference
// counting. Its onConfigure() gives the configuration's size where the host is to store the size that it hands over.
export * from "@solo-io/proxy-runtime/proxy";
import {
  BaseContext,
  Context,
  continue_request,
  FilterHeadersStatusValues,
  HeaderPair,
  registerRootContext,
  RootContext,
  stream_context,
  WasmResultValues,
} from "@solo-io/proxy-runtime";

function pair(name: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(name), String.UTF8.encode(value));
}

class Root extends RootContext {
  createContext(context_id: u32): Context {
    return new Stream(context_id, this);
  }
}

class Stream extends Context {
  constructor(context_id: u32, root_context: Root) {
    super(context_id, root_context);
  }

  onRequestHeaders(_headers: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    request.replace("x-solo-agent", request.get("user-agent"));
    if (request.get("x-solo-abort") != "") assert(false, "asked to");
    const path = request.get("x-solo-ask");
    if (path == "") return FilterHeadersStatusValues.Continue;
    const sent = this.root_context.httpCall(
      "origin",
      [pair(":method", "GET"), pair(":path", path), pair(":authority", "asked")],
      new ArrayBuffer(0),
      [],
      1000,
      this,
      (origin: BaseContext, _headers: u32, _body_size: usize, _trailers: u32): void => {
        stream_context.headers.request.add("x-solo-answer", stream_context.headers.http_callback.get(":status"));
        continue_request();
      }
    );
    return sent == WasmResultValues.Ok ? FilterHeadersStatusValues.StopIteration : FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_headers: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add("x-solo-filter", "as_solo");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => { return new Root(context_id); }, "solo");
