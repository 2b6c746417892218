/** Model files, with what lies beside them. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Model, readModel, ShrinkError, writeModel } from "@shrinknet/core";
import { checkShapes, type InputShapes } from "../options/shapes.ts";
import { naming } from "./naming.ts";
import { readInput } from "./read-input.ts";

export interface ModelFile {
  /** The model as one file: where weights lie in other files, they are brought in. Throws where that is too large. */
  readonly bytes: Uint8Array;
  readonly model: Model;
}

/** Reads an ONNX file and checks `--shape` against it. Throws errors that open with its path. */
export async function loadModel(path: string, shapes: InputShapes = {}): Promise<ModelFile> {
  const bytes = await readInput(path, "an ONNX file");
  let isWhole = true;
  const externalData = (location: string): Uint8Array => {
    isWhole = false;
    return readFileSync(join(dirname(path), location));
  };
  const model = await naming({ model: path }, async () => readModel(bytes, { externalData }));
  checkShapes(shapes, model.graph.feeds);
  return {
    model,
    get bytes() {
      return isWhole ? bytes : inOneFile(path, model);
    },
  };
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
