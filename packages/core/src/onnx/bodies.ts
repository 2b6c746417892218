/** Which outer values a control-flow body reads, and which names are its own. Bodies themselves are carried along untouched. */
import type { GraphProto } from "onnx-buf";

/** Names that the bodies, or bodies nested in them, read and do not define themselves; in the order of first reading. */
export function capturedNames(bodies: readonly GraphProto[]): string[] {
  const captured = new Set<string>();
  for (const body of bodies) for (const name of freeNames(body)) captured.add(name);
  return [...captured];
}

/** Names that the bodies, or bodies nested in them, give to values of their own. */
export function ownNames(bodies: readonly GraphProto[]): string[] {
  return bodies.flatMap((body) => {
    const nested = body.node.flatMap(({ attribute }) =>
      attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs)),
    );
    return [...definedNames(body), ...ownNames(nested)];
  });
}

function definedNames(body: GraphProto): Set<string> {
  const defined = new Set<string>();
  for (const { name } of body.input) defined.add(name);
  for (const { name } of body.initializer) defined.add(name);
  for (const { values } of body.sparseInitializer) if (values) defined.add(values.name);
  for (const node of body.node) for (const name of node.output) defined.add(name);
  return defined;
}

function freeNames(body: GraphProto): string[] {
  const defined = definedNames(body);
  const read: string[] = [];
  for (const node of body.node) {
    read.push(...node.input);
    for (const { g, graphs } of node.attribute) read.push(...capturedNames(g ? [g, ...graphs] : graphs));
  }
  // A body may hand an outer value straight through as its output.
  for (const { name } of body.output) read.push(name);
  return read.filter((name) => name !== "" && !defined.has(name));
}
