/**
 * Models as graphs: reading, building, derivatives, cutting, and proof.
 *
 * @module shrinknet/graph
 */
export {
  type Attribute,
  type BackwardRequest,
  cut,
  type Derivatives,
  differentiate,
  emptyGraph,
  float32,
  GAINS,
  type GatedModel,
  Graph,
  GraphBuilder,
  gainsTensor,
  gateModel,
  int64,
  type Model,
  type Node,
  opsetOf,
  type PrepareOptions,
  type Prunable,
  prepare,
  prepareForData,
  probeShapes,
  readModel,
  type Shapes,
  sizeOfModel,
  Tensor,
  tensorOf,
  trainingStep,
  type Units,
  type ValueInfo,
  verify,
  writeModel,
} from "@shrinknet/core";
