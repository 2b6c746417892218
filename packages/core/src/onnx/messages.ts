/** Small helpers for generated messages, which are proto2: an absent field shows its default through the prototype. */
import { create, type DescMessage, isMessage, type MessageShape } from "@bufbuild/protobuf";

/**
 * A new message that starts with every field of `origin`, unknown ones included; empty where `origin` is not a message
 * of that kind. Shallow: lists and bytes are shared, so replace them and never change them.
 */
export function startFrom<Desc extends DescMessage>(schema: Desc, origin: unknown): MessageShape<Desc> {
  const message = create(schema);
  if (isMessage(origin, schema)) Object.assign(message, origin);
  return message;
}

/** Sets a field only where it says something else already, so that an absent field stays absent. */
export function assign<Message extends object, Key extends keyof Message>(
  message: Message,
  key: Key,
  value: Message[Key],
): void {
  if (message[key] !== value) message[key] = value;
}

/** Sets a list of strings only where it differs. */
export function assignNames<Key extends string>(
  message: Record<Key, string[]>,
  key: Key,
  names: readonly string[],
): void {
  const old = message[key];
  if (old.length !== names.length || old.some((name, i) => name !== names[i])) message[key] = [...names];
}
