/** The lists of a ModelProto that a Model shows as maps: opset imports and metadata. */
import {
  type ModelProto,
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
} from "onnx-buf";
import type { Model } from "../graph/graph.ts";
import { startFrom } from "./messages.ts";
import { readDomain } from "./nodes.ts";

export function readOpsets(message: ModelProto): Map<string, number> {
  return new Map(message.opsetImport.map(({ domain, version }) => [readDomain(domain), Number(version)]));
}

export function readMetadata(message: ModelProto): Map<string, string> {
  return new Map(message.metadataProps.map(({ key, value }) => [key, value]));
}

/** Sets both lists of `message` where the maps say something else. */
export function writeMaps(message: ModelProto, { opsets, metadata }: Model): void {
  if (!isSame(readOpsets(message), opsets)) {
    const old = new Map(message.opsetImport.map((entry) => [readDomain(entry.domain), entry]));
    message.opsetImport = [...opsets].map(([domain, version]) => opsetImport(old.get(domain), domain, version));
  }
  if (!isSame(readMetadata(message), metadata)) {
    const old = new Map(message.metadataProps.map((entry) => [entry.key, entry]));
    message.metadataProps = [...metadata].map(([key, value]) => metadataEntry(old.get(key), key, value));
  }
}

function opsetImport(origin: OperatorSetIdProto | undefined, domain: string, version: number): OperatorSetIdProto {
  const entry = startFrom(OperatorSetIdProtoSchema, origin);
  if (!origin) entry.domain = domain;
  entry.version = BigInt(version);
  return entry;
}

function metadataEntry(origin: StringStringEntryProto | undefined, key: string, value: string): StringStringEntryProto {
  return Object.assign(startFrom(StringStringEntryProtoSchema, origin), { key, value });
}

function isSame<Value>(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
