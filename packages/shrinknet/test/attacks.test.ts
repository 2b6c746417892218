/** Files and processes as they go wrong: links, pipes, signals, full names. What was there before is whole, and nothing is left behind. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelFile, node as nodeMessage } from "../../core/test/onnx/files.ts";
import { writeFiles } from "../src/files/write-files.ts";
import { denseModel, samplesFor, Workplace } from "./support.ts";

const place = new Workplace();
beforeAll(async () => {
  await place.fill();
  const wide = denseModel([64, 300, 200, 10]);
  place.write("wide.onnx", writeModel(wide));
  place.write("wide.npz", writeNpz(await samplesFor(wide, 400)));
});
afterAll(() => place.remove());
const at = (name: string): string => place.path(name);
const temporaries = (folder = place.folder): string[] => readdirSync(folder).filter((name) => name.endsWith(".tmp"));

/** A model whose weights lie in the file `location` beside it. */
function externalModel(location: string): Uint8Array {
  return modelFile({
    node: [nodeMessage("MatMul", ["x", "w"], ["y"])],
    initializer: [
      {
        name: "w",
        dims: [2n, 3n],
        dataType: 1,
        dataLocation: 1,
        externalData: [{ key: "location", value: location }],
      },
    ],
  });
}

describe("weights beside the model", () => {
  const weights = new Uint8Array(new Float32Array([1, 2, 3, 4, 5, 6]).buffer);
  beforeAll(() => {
    mkdirSync(at("inside"));
    mkdirSync(at("outside"));
    writeFileSync(at("outside/secret.bin"), weights);
    for (const [name, target] of [
      ["own", undefined],
      ["link", "../outside/secret.bin"],
      ["pipe", undefined],
    ] as const) {
      writeFileSync(at(`inside/${name}.onnx`), externalModel(`${name}.bin`));
      if (name === "own") writeFileSync(at("inside/own.bin"), weights);
      if (target) symlinkSync(target, at(`inside/${name}.bin`));
      if (name === "pipe") execFileSync("mkfifo", [at("inside/pipe.bin")]);
    }
  });

  test("are read, also where the model and they are links into one folder", async () => {
    expect((await place.run("inspect inside/own.onnx")).stderr).not.toContain("shrinknet:");
    mkdirSync(at("links"));
    for (const name of ["own.onnx", "own.bin"]) symlinkSync(at(`inside/${name}`), at(`links/${name}`));
    expect((await place.run("inspect links/own.onnx")).stderr).not.toContain("shrinknet:");
  });

  test("a link out of the folder of the model is refused", () =>
    place.fails(
      "inspect inside/link.onnx",
      1,
      /"link.bin" cannot be read \(a link leads out of the folder of the model, to .*secret.bin\)/,
    ));

  test("a pipe is refused, not waited for", () =>
    place.fails("inspect inside/pipe.onnx", 1, /"pipe.bin" cannot be read \(is no ordinary file\)/));

  test("are not written over", async () => {
    copyFileSync(at("inside/own.onnx"), at("digits-own.onnx"));
    copyFileSync(at("inside/own.bin"), at("own.bin"));
    await place.fails(
      `prune digits-own.onnx --criterion magnitude --remove 1 --out ${at("own.bin")}`,
      2,
      /--out .*own.bin: holds weights of the model/,
    );
    expect(new Uint8Array(place.read("own.bin"))).toEqual(weights);
  });
});

describe("inputs", () => {
  test("a pipe as model or data is refused, not waited for", async () => {
    execFileSync("mkfifo", [at("p.onnx"), at("p.npz")]);
    await place.fails("inspect p.onnx", 1, "p.onnx: is a pipe or a device, expected an ONNX file; check the path");
    await place.fails("evaluate digits.onnx --data p.npz", 1, "is a pipe or a device, expected a data file");
    await place.fails("inspect /dev/zero", 1, "/dev/zero: is a pipe or a device");
  });

  test("a zip that unpacks to far more than it is, is refused before anything is allocated", async () => {
    const npz = Buffer.from(writeNpz((await samplesFor(denseModel([8, 3]), 4)) as never));
    const at20 = npz.indexOf("PK\u0001\u0002");
    npz.writeUInt32LE(0xf000_0000, at20 + 24); // the directory says 4 GB
    place.write("bomb.npz", npz);
    await place.fails("evaluate digits.onnx --data bomb.npz", 1, /unpacks to 4.0 GB from 0.0 MB, expected at most/);
    const gzip = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
      deflateRawSync(Buffer.alloc(99)),
      Buffer.alloc(4),
      Buffer.from([0, 0, 0, 0xf0]),
    ]);
    place.write("bomb.csv.gz", gzip);
    await place.fails(`evaluate digits.onnx --data ${at("bomb.csv.gz")}`, 1, /bomb.csv.gz unpacks to 4.0 GB/);
  });

  test("names with control characters reach the terminal as text", async () => {
    const built = denseModel([8, 6, 3]);
    const evil = built.graph.nodes.map((one, i) =>
      i === 0 ? { ...one, name: "fc\u001b]0;owned\u0007\n\u001b[2Jx" } : one,
    );
    place.write("evil.onnx", writeModel({ ...built, graph: built.graph.with({ nodes: evil }) }));
    const { stdout } = await place.run("inspect evil.onnx");
    expect(stdout).toContain("fc\\x1b]0;owned\\x07\\n\\x1b[2Jx");
    expect([...stdout].filter((one) => one < " " && one !== "\n")).toEqual([]);
  });
});

describe("outputs", () => {
  const prune = "prune digits.onnx --criterion magnitude --remove 1 --out";

  test("names of 240 to 255 bytes are written, longer ones refused", async () => {
    for (const bytes of [240, 250, 255]) {
      const name = `${"n".repeat(bytes - 5)}.onnx`;
      expect(await place.run(`${prune} ${name} --quiet`)).toMatchObject({ code: 0, stderr: "" });
    }
    await place.fails(`${prune} ${"n".repeat(256)}.onnx`, 1, /its name has 261 bytes, expected at most 255/);
  });

  const isRoot = process.getuid?.() === 0; // who may write anywhere
  test.skipIf(isRoot)("a folder that may not be written to is refused before the work", async () => {
    mkdirSync(at("locked"));
    chmodSync(at("locked"), 0o500);
    await place.fails(`${prune} locked/o.onnx`, 1, /may not be written to/);
  });

  test("where no more can be written, what was there is whole and nothing is left behind", () => {
    writeFileSync(at("full.onnx"), "before");
    const main = new URL("../src/main.ts", import.meta.url).pathname;
    const command = `ulimit -f 8; "${process.execPath}" --conditions=source --import tsx "${main}" prune "${at("wide.onnx")}" --criterion magnitude --remove 1 --out "${at("full.onnx")}" --quiet 2>&1`;
    const said = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    expect(said.stdout).toMatch(/full.onnx: cannot be written \(the file would be larger than is allowed\)\n$/);
    expect(said.status).toBe(1);
    expect(place.text("full.onnx")).toBe("before");
    expect(temporaries().filter((name) => name.includes(`-${said.pid}-`))).toEqual([]);
  });

  test("what a killed run has left is gone after the next one; of others that live, nothing", async () => {
    const host = (await import("node:os")).hostname().replace(/[^\w]/g, "").slice(0, 32);
    const dead = spawn(process.execPath, ["-e", "0"]);
    await new Promise((resolve) => dead.on("close", resolve));
    const [left, alive] = [dead.pid, process.pid].map((pid) => `.shrinknet-${host}-${pid}-0123456789ab.tmp`) as [
      string,
      string,
    ];
    const foreign = `.shrinknet-elsewhere-${dead.pid}-0123456789ab.tmp`;
    for (const name of [left, alive, foreign]) place.write(name, "half");
    await place.run(`${prune} next.onnx --quiet`);
    expect(temporaries().toSorted()).toEqual([alive, foreign].toSorted());
  });
});

describe("processes", () => {
  const start = (...more: string[]): ChildProcess =>
    spawn(
      process.execPath,
      [
        ...["--conditions=source", "--import", "tsx", new URL("../src/main.ts", import.meta.url).pathname],
        ...[
          "prune",
          at("wide.onnx"),
          "--data",
          at("wide.npz"),
          "--remove",
          "90%",
          "--out",
          at("wide.small.onnx"),
          ...more,
        ],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
  const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.on("close", resolve));

  test.each(["SIGTERM", "SIGHUP", "SIGKILL"] as const)(
    "%s in the middle of a run: the file that was there is whole",
    async (signal) => {
      writeFileSync(at("wide.small.onnx"), "before");
      const child = start();
      setTimeout(() => child.kill(signal), 1500);
      const code = await ended(child);
      if (code === 0) return expect(place.text("wide.small.onnx")).not.toBe("before"); // it was faster
      expect(child.signalCode).toBe(signal);
      expect(place.text("wide.small.onnx")).toBe("before");
    },
  );

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGKILL", null],
  ] as const)(
    "%s while files are written: none is half there, none is left behind after the next run",
    async (signal, code) => {
      const folder = at(`written-${signal}`);
      mkdirSync(folder);
      writeFileSync(join(folder, "big.bin"), "before");
      const child = spawn(
        process.execPath,
        [
          "--conditions=source",
          "--import",
          "tsx",
          new URL("write-child.ts", import.meta.url).pathname,
          join(folder, "big.bin"),
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      child.stdout?.once("data", () => child.kill(signal));
      expect(await ended(child)).toBe(code);
      expect(readFileSync(join(folder, "big.bin"), "utf8")).toBe("before");
      if (signal !== "SIGKILL") expect(temporaries(folder)).toEqual([]);
      await writeFiles([{ path: join(folder, "next.txt"), content: "next" }]);
      expect(temporaries(folder)).toEqual([]);
    },
  );

  test("a reader that closes early is no failure", () => {
    const command = `"${process.execPath}" --conditions=source --import tsx "${new URL("../src/main.ts", import.meta.url).pathname}" inspect "${at("wide.onnx")}" | head -1`;
    expect(execFileSync("sh", ["-c", command], { encoding: "utf8" })).toMatch(/^.*wide.onnx: opset 17/);
  });
});

test("an interrupted write is removed, the target stays", async () => {
  writeFileSync(at("kept.txt"), "old");
  const failing = writeFiles([
    { path: at("kept.txt"), content: "new" },
    { path: join(at("no-such-folder"), "x"), content: "x" },
  ]);
  await expect(failing).rejects.toThrow(/cannot be written \(ENOENT\)/);
  expect(place.text("kept.txt")).toBe("old");
});
