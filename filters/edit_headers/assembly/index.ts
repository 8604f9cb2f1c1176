// Sets, adds and removes headers as its configuration says. See README.md for the options.
export { malloc } from "@gcoredev/proxy-wasm-sdk-as/assembly/malloc";
export {
  proxy_abi_version_0_2_1,
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/exports";
export {
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_delete,
  proxy_on_done,
  proxy_on_vm_start,
} from "./plugins";

import { JSON } from "assemblyscript-json/assembly";
import {
  Context,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";
import { say } from "./host";
import { registerPlugin } from "./plugins";
import { Rules } from "./rules";

class EditHeadersRoot extends RootContext {
  request: Rules = new Rules(HeaderMapTypeValues.RequestHeaders, "request");
  response: Rules = new Rules(HeaderMapTypeValues.ResponseHeaders, "response");

  onConfigure(configuration_size: u32): bool {
    super.onConfigure(configuration_size);
    // The JSON library traps on text that is none: the configuration is refused that way too.
    const options = JSON.parse(configuration_size == 0 ? "{}" : this.getConfiguration());
    if (!options.isObj) return this.reject("expected an object");
    const keys = (<JSON.Obj>options).keys;
    for (let i = 0; i < keys.length; i++) {
      const value = <JSON.Value>(<JSON.Obj>options).get(keys[i]);
      if (keys[i] != "request" && keys[i] != "response") return this.reject(keys[i] + ": unknown option");
      if (!value.isObj) return this.reject(keys[i] + ": expected an object");
      const rules = keys[i] == "request" ? this.request : this.response;
      if (!rules.read(<JSON.Obj>value)) return this.reject(rules.error);
    }
    return true;
  }

  createContext(context_id: u32): Context {
    return new EditHeaders(context_id, this);
  }

  private reject(why: string): bool {
    say(LogLevelValues.error, "edit_headers: configuration: " + why);
    return false;
  }
}

class EditHeaders extends Context {
  constructor(context_id: u32, private plugin: EditHeadersRoot) {
    super(context_id, plugin);
  }

  onRequestHeaders(_headers: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    this.plugin.request.apply();
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_headers: u32, _end_of_stream: bool): FilterHeadersStatusValues {
    this.plugin.response.apply();
    return FilterHeadersStatusValues.Continue;
  }
}

registerPlugin((context_id: u32): RootContext => new EditHeadersRoot(context_id));
