import type { Plan } from "@shrinknet/core";

/** A plan as JSON that people can read: each group's units on one line. */
export function planText(plan: Plan): string {
  const text = JSON.stringify(plan, null, 2);
  // Only between brackets and line breaks, which JSON strings cannot hold.
  return `${text.replace(/\[\n[\d,\s]+\]/g, (list) => list.replace(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"))}\n`;
}
