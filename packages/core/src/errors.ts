/** What kind of thing went wrong; stable, for programs that catch a {@link ShrinkError}. */
export type ErrorCode = "model" | "data" | "operator" | "budget" | "plan" | "option" | "verification" | "file";

/**
 * The one error this project throws on purpose. Its message is a clear sentence: subject, what is wrong, what was
 * expected, what to do.
 */
export class ShrinkError extends Error {
  override readonly name = "ShrinkError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
