/** Kinds of units as they are named in options. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { UNIT_KINDS, type UnitKind } from "@shrinknet/core";

/** Kinds by their names in options: `hidden-units`. */
export const kindNames: ReadonlyMap<string, UnitKind> = new Map(
  UNIT_KINDS.map((kind) => [`${kind.replaceAll(" ", "-")}s`, kind]),
);

/** Names separated by commas, or `all`. */
export function parseKinds(text: string): readonly UnitKind[] {
  if (text === "all") return UNIT_KINDS;
  return text.split(",").map((name) => {
    const kind = kindNames.get(name.trim());
    if (kind) return kind;
    throw new InvalidArgumentError(
      `"${name}" is no kind of units, expected ${[...kindNames.keys()].join(", ")} or all`,
    );
  });
}
