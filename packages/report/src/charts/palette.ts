/** How a series looks. Colour, dash and marker all differ between neighbours, so that black and white print keeps them apart. */
export interface SeriesStyle {
  readonly color: string;
  /** SVG stroke-dasharray; empty for a solid line. */
  readonly dash: string;
  readonly marker: Marker;
}

/** Shape of a point. */
export type Marker = "circle" | "square" | "triangle" | "diamond" | "cross" | "plus";

/** Mid-tones with a contrast of at least 3:1 on white and on #111, so that one colour serves light and dark pages (a test checks it). */
export const colors: readonly string[] = [
  "#2a78c8",
  "#d1590b",
  "#16916a",
  "#a55cc4",
  "#a5750f",
  "#d0427f",
  "#3a8ea3",
  "#7f7f7f",
];

const dashes = ["", "7 4", "2 3", "9 3 2 3", "14 4"] as const;
const markers: readonly Marker[] = ["circle", "square", "triangle", "diamond", "cross", "plus"];

/** The look of series `index`; the combinations repeat after 120. */
export function seriesStyle(index: number): SeriesStyle {
  return {
    color: colors[index % colors.length] ?? "#7f7f7f",
    dash: dashes[index % dashes.length] ?? "",
    marker: markers[index % markers.length] ?? "circle",
  };
}

/** Corners for a radius of 1; a shape of several lines is open (drawn by its stroke). */
const outlines: Record<Exclude<Marker, "circle">, readonly (readonly (readonly [number, number])[])[]> = {
  square: [
    [
      [-0.85, -0.85],
      [0.85, -0.85],
      [0.85, 0.85],
      [-0.85, 0.85],
    ],
  ],
  triangle: [
    [
      [0, -1.15],
      [1.05, 0.8],
      [-1.05, 0.8],
    ],
  ],
  diamond: [
    [
      [0, -1.25],
      [1.25, 0],
      [0, 1.25],
      [-1.25, 0],
    ],
  ],
  cross: [
    [
      [-0.9, -0.9],
      [0.9, 0.9],
    ],
    [
      [-0.9, 0.9],
      [0.9, -0.9],
    ],
  ],
  plus: [
    [
      [-1.2, 0],
      [1.2, 0],
    ],
    [
      [0, -1.2],
      [0, 1.2],
    ],
  ],
};

/** SVG path data of a marker around the origin, `radius` in pixels. */
export function markerPath(marker: Marker, radius: number): string {
  const px = (v: number): string => String(Number((v * radius).toFixed(2)));
  if (marker === "circle")
    return `M${px(-1)},0a${px(1)},${px(1)} 0 1 0 ${px(2)},0a${px(1)},${px(1)} 0 1 0 ${px(-2)},0Z`;
  const lines = outlines[marker];
  const close = lines.length === 1 ? "Z" : "";
  return lines.map((line) => `M${line.map(([x, y]) => `${px(x)},${px(y)}`).join("L")}${close}`).join("");
}

/** The drawing calls of a path; Plot hands one to a symbol. */
interface PathContext {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  closePath(): void;
}

/** The marker as a Plot symbol. */
export function markerSymbol(marker: Marker): "circle" | { draw(context: PathContext, size: number): void } {
  if (marker === "circle") return "circle";
  const lines = outlines[marker];
  return {
    draw(context, size) {
      const radius = Math.sqrt(size / Math.PI);
      for (const line of lines) {
        line.forEach(([x, y], i) => {
          if (i === 0) context.moveTo(x * radius, y * radius);
          else context.lineTo(x * radius, y * radius);
        });
        if (lines.length === 1) context.closePath();
      }
    },
  };
}
