/** The text of the generated kernel file. */
export function generate(): Promise<string>;
