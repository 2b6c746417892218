/** Reading a node's attributes with the specification's defaults. */
import type { Node } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
}

/** FLOAT, or an INT where an exporter wrote one. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "float" || attribute?.kind === "int" ? attribute.value : fallback;
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === "string" ? attribute.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === "ints" ? attribute.value : undefined;
}

export function floatsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === "floats" ? attribute.value : undefined;
}

export function tensorAttribute(node: Node, name: string): Tensor | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === "tensor" ? attribute.value : undefined;
}

/** An axis attribute or argument as a non-negative index. */
export function normalAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
