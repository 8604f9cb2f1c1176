// What the SDK leaves to the filter. Its log() writes to stdout, which a host logs at one level: this one calls proxy_log. Its
// get_property() traps on what cannot be represented, and takes one segment.
import { proxy_get_property, proxy_log } from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import { LogLevelValues, WasmResultValues } from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { globalArrayBufferReference } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

export function say(level: LogLevelValues, text: string): void {
  const bytes = String.UTF8.encode(text);
  proxy_log(level, changetype<usize>(bytes), bytes.byteLength);
}

// `path` is written with dots, `request.url_path`. Empty where there is none.
export function property_text(path: string): string {
  const bytes = String.UTF8.encode(path.split(".").join("\0"));
  const value = globalArrayBufferReference;
  const result = proxy_get_property(changetype<usize>(bytes), bytes.byteLength, value.bufferPtr(), value.sizePtr());
  return result == WasmResultValues.Ok ? String.UTF8.decode(value.toArrayBuffer()) : "";
}
