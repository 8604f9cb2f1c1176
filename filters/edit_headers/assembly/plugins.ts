// The callbacks that concern plugins. The SDK keeps one root context for a VM and looks up no root at its end; a host makes a
// root for each plugin of the VM, which would all get the configuration of the last, and would trap when they go. So the
// roots are kept here, by number; streams stay the SDK's.
import {
  BaseContext,
  Context,
  registerRootContext,
  RootContext,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import {
  deleteContext,
  ensureContext,
  getContext,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

type RootFactory = (context_id: u32) => RootContext;

const roots = new Map<u32, RootContext>();
let factory: RootFactory = (context_id: u32): RootContext => new RootContext(context_id);
let parent_id: u32 = 0;

// The one root that the SDK knows: it hands each stream to the root that the host has named as its parent.
class Dispatcher extends RootContext {
  createContext(context_id: u32): Context {
    return roots.get(parent_id).createContext(context_id);
  }
}

// The factory makes the root context of each plugin.
export function registerPlugin(make_root: RootFactory): void {
  factory = make_root;
  registerRootContext((context_id: u32): RootContext => new Dispatcher(context_id), "");
}

function base(context_id: u32): BaseContext {
  return roots.has(context_id) ? <BaseContext>roots.get(context_id) : getContext(context_id);
}

export function proxy_on_context_create(context_id: u32, root_context_id: u32): void {
  if (root_context_id == 0) {
    roots.set(context_id, factory(context_id));
    return;
  }
  parent_id = root_context_id;
  ensureContext(context_id, root_context_id);
}

export function proxy_on_vm_start(root_context_id: u32, configuration_size: u32): u32 {
  return roots.get(root_context_id).onStart(configuration_size) ? 1 : 0;
}

export function proxy_on_configure(root_context_id: u32, configuration_size: u32): u32 {
  return roots.get(root_context_id).onConfigure(configuration_size) ? 1 : 0;
}

export function proxy_on_done(context_id: u32): u32 {
  return base(context_id).onDone() ? 1 : 0;
}

export function proxy_on_delete(context_id: u32): void {
  base(context_id).onDelete();
  if (!roots.delete(context_id)) deleteContext(context_id);
}
