/** What the page shows. */
import type { UnitName } from "../backend/backend.ts";

export const TABS = [
  { id: "map", title: "Map" },
  { id: "units", title: "Units" },
  { id: "shrink", title: "Shrink" },
  { id: "play", title: "Play" },
] as const;

interface View {
  tab: (typeof TABS)[number]["id"] | "lesson";
  unit: UnitName | undefined;
}

export const view: View = $state({ tab: "map", unit: undefined });
