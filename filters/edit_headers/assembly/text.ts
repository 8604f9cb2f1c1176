// Header values with parts that each stream fills in: %REQ(name)%, %RESP(name)%, %PROPERTY(a.b)%; %% is a percent sign.
import { stream_context } from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { property_text } from "./host";

enum Kind { Text, RequestHeader, ResponseHeader, Property }

class Part {
  constructor(public kind: Kind, public text: string) {}

  value(): string {
    if (this.kind == Kind.RequestHeader) return stream_context.headers.request.get(this.text);
    if (this.kind == Kind.ResponseHeader) return stream_context.headers.response.get(this.text);
    if (this.kind == Kind.Property) return property_text(this.text);
    return this.text;
  }
}

// RFC 9110 §5.5, without the obsolete parts: no control characters but the tab.
export function is_header_value(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if ((c < 0x20 && c != 0x09) || c == 0x7f) return false;
  }
  return true;
}

export class Template {
  private parts: Part[] = [];
  // What is wrong with the text that parse() was given; empty if nothing is.
  error: string = "";

  static parse(text: string): Template {
    const result = new Template();
    let from = 0;
    while (from < text.length) {
      const mark = text.indexOf("%", from);
      if (mark < 0) break;
      if (mark > from) result.parts.push(new Part(Kind.Text, text.substring(from, mark)));
      const end = text.indexOf("%", mark + 1);
      if (end < 0) {
        result.error = "a % without its other one (a percent sign is %%)";
        return result;
      }
      if (!result.add(text.substring(mark + 1, end))) return result;
      from = end + 1;
    }
    if (from < text.length) result.parts.push(new Part(Kind.Text, text.substring(from)));
    return result;
  }

  private add(operator: string): bool {
    if (operator.length == 0) {
      this.parts.push(new Part(Kind.Text, "%"));
      return true;
    }
    const open = operator.indexOf("(");
    const argument = operator.substring(open + 1, operator.length - 1);
    if (open > 0 && operator.endsWith(")") && argument.length > 0) {
      const name = operator.substring(0, open);
      if (name == "REQ") return this.push(Kind.RequestHeader, argument.toLowerCase());
      if (name == "RESP") return this.push(Kind.ResponseHeader, argument.toLowerCase());
      if (name == "PROPERTY") return this.push(Kind.Property, argument);
    }
    this.error = "unknown operator %" + operator + "%: expected REQ(name), RESP(name) or PROPERTY(path)";
    return false;
  }

  private push(kind: Kind, argument: string): bool {
    this.parts.push(new Part(kind, argument));
    return true;
  }

  get is_constant(): bool {
    for (let i = 0; i < this.parts.length; i++) {
      if (this.parts[i].kind != Kind.Text) return false;
    }
    return true;
  }

  // The value for the stream whose callback runs.
  value(): string {
    let text = "";
    for (let i = 0; i < this.parts.length; i++) text += this.parts[i].value();
    return text;
  }
}
