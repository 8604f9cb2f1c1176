// What is done to one head, request or response: the options of README.md, read and applied.
import { JSON } from "assemblyscript-json/assembly";
import { LogLevelValues, WasmResultValues } from "@gcoredev/proxy-wasm-sdk-as/assembly";
import {
  proxy_add_header_map_value,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import {
  globalArrayBufferReference,
  HeaderMapTypeValues,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";
import { say } from "./host";
import { is_header_value, Template } from "./text";

const kMarks = "!#$%&'*+-.^_`|~";

// RFC 9110 §5.1: a field name is a token.
function is_header_name(name: string): bool {
  if (name.length == 0) return false;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    const alphanumeric = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
    if (!alphanumeric && !kMarks.includes(name.charAt(i))) return false;
  }
  return true;
}

class Edit {
  constructor(public name: ArrayBuffer, public value: Template) {}
}

export class Rules {
  private removed: ArrayBuffer[] = [];
  private set: Edit[] = [];
  private defaults: Edit[] = [];
  private appended: Edit[] = [];
  // What is wrong with the options; empty if nothing is.
  error: string = "";

  constructor(private map: HeaderMapTypeValues, private where: string) {}

  read(options: JSON.Obj): bool {
    const keys = options.keys;
    for (let i = 0; i < keys.length; i++) {
      const value = <JSON.Value>options.get(keys[i]);
      let good = false;
      if (keys[i] == "remove") good = this.read_names(value);
      else if (keys[i] == "set") good = this.read_edits(keys[i], value, this.set);
      else if (keys[i] == "default") good = this.read_edits(keys[i], value, this.defaults);
      else if (keys[i] == "append") good = this.read_edits(keys[i], value, this.appended);
      else good = this.fail(keys[i], "unknown option");
      if (!good) return false;
    }
    return true;
  }

  // The order is that of README.md. A header that is to be set from a value that is empty now stays as it is.
  apply(): void {
    for (let i = 0; i < this.removed.length; i++) {
      const name = this.removed[i];
      proxy_remove_header_map_value(this.map, changetype<usize>(name), name.byteLength);
    }
    for (let i = 0; i < this.set.length; i++) this.write(this.set[i], true);
    for (let i = 0; i < this.defaults.length; i++) {
      if (!this.has(this.defaults[i].name)) this.write(this.defaults[i], true);
    }
    for (let i = 0; i < this.appended.length; i++) this.write(this.appended[i], false);
  }

  private write(edit: Edit, replace: bool): void {
    const text = edit.value.value();
    if (text.length == 0 && !edit.value.is_constant) return;
    // What a client or a property puts in may be anything; the host would refuse it, and the SDK's own calls trap on that.
    const value = String.UTF8.encode(text);
    const name = edit.name;
    const result = replace
      ? proxy_replace_header_map_value(this.map, changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength)
      : proxy_add_header_map_value(this.map, changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength);
    if (result != WasmResultValues.Ok) {
      say(LogLevelValues.warn, "edit_headers: " + String.UTF8.decode(name) + " is not written: result " + result.toString());
    }
  }

  // Tells a missing header from an empty one, which the SDK's getter does not.
  private has(name: ArrayBuffer): bool {
    const reference = globalArrayBufferReference;
    const result = proxy_get_header_map_value(this.map, changetype<usize>(name), name.byteLength, reference.bufferPtr(), reference.sizePtr());
    if (result == WasmResultValues.Ok) reference.toArrayBuffer();
    return result == WasmResultValues.Ok;
  }

  private read_names(value: JSON.Value): bool {
    if (!value.isArr) return this.fail("remove", "expected a list of names");
    const names = (<JSON.Arr>value).valueOf();
    for (let i = 0; i < names.length; i++) {
      if (!names[i].isString || !is_header_name(names[i].toString())) {
        return this.fail("remove", "bad header name " + names[i].stringify());
      }
      this.removed.push(String.UTF8.encode(names[i].toString().toLowerCase()));
    }
    return true;
  }

  private read_edits(option: string, value: JSON.Value, edits: Edit[]): bool {
    if (!value.isObj) return this.fail(option, "expected names and values");
    const object = <JSON.Obj>value;
    const names = object.keys;
    for (let i = 0; i < names.length; i++) {
      if (!this.may_write(option, names[i].toLowerCase())) return this.fail(option, 'bad header name "' + names[i] + '"');
      const given = <JSON.Value>object.get(names[i]);
      const values = given.isArr && option == "append" ? (<JSON.Arr>given).valueOf() : [given];
      for (let v = 0; v < values.length; v++) {
        if (!this.read_value(option, names[i].toLowerCase(), values[v], edits)) return false;
      }
    }
    return true;
  }

  private read_value(option: string, name: string, value: JSON.Value, edits: Edit[]): bool {
    if (!value.isString && !value.isInteger && !value.isBool) return this.fail(option, name + ": expected a text");
    const text = value.toString();
    if (!is_header_value(text)) return this.fail(option, name + ": control characters in the value");
    const template = Template.parse(text);
    if (template.error != "") return this.fail(option, name + ": " + template.error);
    edits.push(new Edit(String.UTF8.encode(name), template));
    return true;
  }

  // Of the pseudo-headers those may be set that a filter may change.
  private may_write(option: string, name: string): bool {
    if (is_header_name(name)) return true;
    if (option != "set") return false;
    if (this.map == HeaderMapTypeValues.ResponseHeaders) return name == ":status";
    return name == ":path" || name == ":authority" || name == ":method";
  }

  private fail(option: string, what: string): bool {
    this.error = this.where + "." + option + ": " + what;
    return false;
  }
}
