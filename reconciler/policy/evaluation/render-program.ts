/**
 * Renders compiled templates; the same function on the controller and, as text, on a host.
 * Invariant: needs nothing but its arguments, so that its text is a whole program.
 * Never uses what Node 18 lacks.
 */

export interface CompiledTemplate {
  /** What the template compiler made: `root` and one function a block. */
  readonly program: Readonly<Record<string, (...values: unknown[]) => unknown>>;
  readonly outputs: Readonly<Record<string, string>>;
}

export interface RenderFailure {
  readonly template: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

interface Engine {
  readonly runtime: object;
  readonly Environment: new (
    loader: object,
    options: object,
  ) => {
    render(name: string, context: object): string;
  };
}

/** The text, or where and why it failed first. */
export function renderProgram(
  engine: Engine,
  templates: Readonly<Record<string, CompiledTemplate>>,
  entry: string,
  context: object,
): { text: string } | { failure: RenderFailure } {
  let failure: RenderFailure | undefined;
  const fail = (template: string, line: number, column: number, message: string): void => {
    failure = failure || { template, line: line + 1, column: column + 1, message };
  };
  const withPlaces = (name: string, compiled: CompiledTemplate): object => {
    const runtime = Object.assign({}, engine.runtime, {
      ensureDefined: (value: unknown, line: number, column: number) => {
        if (value !== undefined && value !== null) return value;
        fail(name, line, column, `${compiled.outputs[`${line}:${column}`] || 'a value'} is not defined`);
        throw new Error('undefined');
      },
      handleError: (error: Error, line: number, column: number) => {
        fail(name, line, column, error.message);
        return error;
      },
    });
    const program: Record<string, unknown> = {};
    for (const key of Object.keys(compiled.program)) {
      program[key] = (env: unknown, values: unknown, frame: unknown, _: unknown, done: unknown) =>
        compiled.program[key]?.(env, values, frame, runtime, done);
    }
    return program;
  };
  const loader = {
    getSource: (name: string) => {
      const compiled = templates[name];
      return compiled
        ? { src: { type: 'code', obj: withPlaces(name, compiled) }, path: name, noCache: true }
        : null;
    },
  };
  try {
    const environment = new engine.Environment(loader, { autoescape: false, throwOnUndefined: true });
    return { text: environment.render(entry, context) };
  } catch (error) {
    fail(entry, 0, 0, (error as Error).message);
    return { failure: failure as RenderFailure };
  }
}
