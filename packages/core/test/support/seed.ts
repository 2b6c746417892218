/**
 * Property tests draw the same cases in every run, so that a red run is red again; `SEED=7 npx vitest run` (or any other
 * whole number) draws others.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.SEED ?? 1) });
