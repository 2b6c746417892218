/** Model files, with what lies beside them. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { type Model, readModel, ShrinkError, writeModel } from "@shrinknet/core";
import { checkShapes, type InputShapes } from "../options/shapes.ts";
import { naming } from "./naming.ts";
import { readInput } from "./read-input.ts";

export interface ModelFile {
  /** The model as one file: where weights lie in other files, they are brought in. Throws where that is too large. */
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** Paths of the files that hold weights of it. */
  readonly dataFiles: readonly string[];
}

/** Reads an ONNX file and checks `--shape` against it. Throws errors that open with its path. */
export async function loadModel(path: string, shapes: InputShapes = {}): Promise<ModelFile> {
  const bytes = await readInput(path, "an ONNX file");
  const dataFiles: string[] = [];
  const externalData = (location: string): Uint8Array => {
    const file = join(dirname(path), location);
    checkInside(file, path);
    dataFiles.push(file);
    return readFileSync(file);
  };
  const model = await naming({ model: path }, async () => readModel(bytes, { externalData }));
  checkShapes(shapes, model.graph.feeds);
  return {
    model,
    dataFiles,
    get bytes() {
      return dataFiles.length === 0 ? bytes : inOneFile(path, model);
    },
  };
}

/**
 * A link must not make weights of a file elsewhere; links into the folder where the model really lies are fine. Throws an error that
 * says what was found.
 */
function checkInside(file: string, model: string): void {
  const real = realpathSync(file);
  const folders = [dirname(model), dirname(realpathSync(model))].map((folder) => realpathSync(folder));
  if (!folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep))) {
    throw new Error(`a link leads out of the folder of the model, to ${real}`);
  }
  if (!statSync(real).isFile()) throw new Error("is no ordinary file");
}

function inOneFile(path: string, model: Model): Uint8Array {
  try {
    return writeModel(model);
  } catch (cause) {
    throw new ShrinkError(
      "model",
      `${path}: takes more than 2 GB with its weights, which one ONNX file cannot hold; such a model can be inspected, ` +
        "but not be run in one piece or cut",
      { cause },
    );
  }
}
