/** ONNX's numbers for element types, and the typed field that holds the elements where a tensor has no raw data. */
import { TensorProto_DataType as DataType } from "onnx-buf";
import type { ElementType } from "../graph/tensor.ts";

/** TensorProto's typed data fields that a {@link ElementType} can come from, by field number. */
type TypedField = 4 | 5 | 7 | 10 | 11;

interface Storage {
  readonly dataType: DataType;
  /** 4 float_data, 5 int32_data, 7 int64_data, 10 double_data, 11 uint64_data. */
  readonly field: TypedField;
}

const storage: Readonly<Record<ElementType, Storage>> = {
  float32: { dataType: DataType.FLOAT, field: 4 },
  float64: { dataType: DataType.DOUBLE, field: 10 },
  float16: { dataType: DataType.FLOAT16, field: 5 },
  bfloat16: { dataType: DataType.BFLOAT16, field: 5 },
  int8: { dataType: DataType.INT8, field: 5 },
  uint8: { dataType: DataType.UINT8, field: 5 },
  int16: { dataType: DataType.INT16, field: 5 },
  uint16: { dataType: DataType.UINT16, field: 5 },
  int32: { dataType: DataType.INT32, field: 5 },
  uint32: { dataType: DataType.UINT32, field: 11 },
  int64: { dataType: DataType.INT64, field: 7 },
  uint64: { dataType: DataType.UINT64, field: 11 },
  bool: { dataType: DataType.BOOL, field: 5 },
};

const byDataType: ReadonlyMap<number, ElementType> = new Map(
  Object.entries(storage).map(([type, { dataType }]) => [dataType, type as ElementType]),
);

/** Undefined for element types that Tensor cannot hold: strings, complex numbers, 8-bit floats, 4-bit and 2-bit types. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  return byDataType.get(dataType);
}

export function dataTypeOf(type: ElementType): DataType {
  return storage[type].dataType;
}

export function typedFieldOf(type: ElementType): TypedField {
  return storage[type].field;
}
