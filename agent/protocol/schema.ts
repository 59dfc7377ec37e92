/**
 * The few validators that messages and shapes are made of: a value in, the typed value or every issue with its path out.
 * Invariant: what passes has exactly the members its schema names; unknown members are left behind; nothing is coerced.
 * Pure; weighed by the byte, because it travels with the agent (docs/decisions/0002).
 */

import type { Json } from './json.ts';

export type Path = readonly (string | number)[];

export interface Issue {
  readonly path: Path;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };

/** Says what is wrong with a value of the right type; undefined: nothing. */
export type Check<T> = (value: T) => string | undefined;

type Report = (path: Path, message: string) => void;
type Read<T> = (value: unknown, path: Path, report: Report) => T;

const issuesLimit = 100;

interface About {
  /** A member with this schema may be missing. */
  readonly isOptional?: boolean;
  /** The values a closed vocabulary has; what tells variants apart. */
  readonly values?: readonly unknown[];
  /** The members of an object. */
  readonly members?: Members;
}

/** One validator. */
export class Schema<T> {
  readonly read: Read<T>;
  readonly about: About;

  constructor(read: Read<T>, about: About = {}) {
    this.read = read;
    this.about = about;
  }

  /** The same with further conditions. */
  check(...checks: readonly Check<T>[]): Schema<T> {
    return new Schema((value, path, report) => {
      const read = this.read(value, path, report);
      for (const each of checks) {
        const message = read === undefined ? undefined : each(read);
        if (message !== undefined) report(path, message);
      }
      return read;
    });
  }

  /** Validates; never throws. Gives up after so many issues that nobody reads on, or levels that the stack does not hold. */
  safeParse(value: unknown): Parsed<T> {
    const issues: Issue[] = [];
    const report: Report = (path, message) => {
      if (issues.push({ path, message }) === issuesLimit) throw issues;
    };
    try {
      const data = this.read(value, [], report);
      if (issues.length === 0) return { success: true, data };
    } catch (error) {
      if (error instanceof RangeError) issues.push({ path: [], message: 'is nested too deeply' });
      else if (error !== issues) throw error;
    }
    return { success: false, error: { issues } };
  }
}

export type Infer<S> = S extends Schema<infer T> ? T : never;
type Simplify<T> = { [K in keyof T]: T[K] };
export type Members = { readonly [name: string]: Schema<unknown> };
type OptionalKeys<M extends Members> = { [K in keyof M]: undefined extends Infer<M[K]> ? K : never }[keyof M];
type ObjectOf<M extends Members> = Simplify<
  { -readonly [K in Exclude<keyof M, OptionalKeys<M>>]: Infer<M[K]> } & {
    -readonly [K in OptionalKeys<M>]?: Infer<M[K]>;
  }
>;

/** Stands for a value that was reported as wrong; it never leaves `safeParse`. */
const wrong = undefined as never;

function primitive<T>(name: string, is: (value: unknown) => boolean): Schema<T> {
  return new Schema((value, path, report) => {
    if (is(value)) return value as T;
    report(path, `expected ${name}`);
    return wrong;
  });
}

export const string = primitive<string>('text', (value) => typeof value === 'string');
export const number = primitive<number>(
  'a number',
  (value) => typeof value === 'number' && Number.isFinite(value),
);
export const boolean = primitive<boolean>('true or false', (value) => typeof value === 'boolean');
/** Anything that came out of JSON. */
export const json = primitive<Json>('a JSON value', (value) => value !== undefined);
export const unknown = primitive<unknown>('a value', () => true);

export function literal<const T extends string | number | boolean>(wanted: T): Schema<T> {
  return oneOf([wanted]);
}

/** One of a closed vocabulary. */
export function oneOf<const T extends string | number | boolean>(values: readonly T[]): Schema<T> {
  return new Schema(
    (value, path, report) => {
      if (values.includes(value as T)) return value as T;
      report(path, `expected ${values.map((each) => JSON.stringify(each)).join(' or ')}`);
      return wrong;
    },
    { values },
  );
}

export function optional<T>(of: Schema<T>): Schema<T | undefined> {
  return new Schema(
    (value, path, report) => (value === undefined ? undefined : of.read(value, path, report)),
    { isOptional: true },
  );
}

export function nullable<T>(of: Schema<T>): Schema<T | null> {
  return new Schema((value, path, report) => (value === null ? null : of.read(value, path, report)));
}

/** Made at its first use: for recursion, and so that a side that never reads it need not carry it. */
export function lazy<T>(make: () => Schema<T>): Schema<T> {
  let made: Schema<T> | undefined;
  return new Schema((value, path, report) => {
    made ??= make();
    return made.read(value, path, report);
  });
}

export function array<T>(of: Schema<T>): Schema<T[]> {
  return new Schema((value, path, report) => {
    if (Array.isArray(value)) return value.map((item, index) => of.read(item, [...path, index], report));
    report(path, 'expected a list');
    return wrong;
  });
}

/** Members by any name. */
export function record<T>(of: Schema<T>): Schema<Record<string, T>> {
  return new Schema((value, path, report) => {
    const read: Record<string, T> = Object.create(null);
    for (const [name, member] of Object.entries(asObject(value, path, report))) {
      read[name] = of.read(member, [...path, name], report);
    }
    return { ...read };
  });
}

export function object<M extends Members>(members: M): Schema<ObjectOf<M>> {
  const entries = Object.entries(members);
  return new Schema(
    (value, path, report) => {
      const from = asObject(value, path, report);
      const read: Record<string, unknown> = {};
      for (const [name, schema] of entries) {
        const member = Object.hasOwn(from, name) ? from[name] : undefined;
        if (member !== undefined) read[name] = schema.read(member, [...path, name], report);
        else if (!schema.about.isOptional) report([...path, name], 'is missing');
      }
      return read as ObjectOf<M>;
    },
    { members },
  );
}

/** The first of several that fits. */
export function union<const T extends readonly Schema<unknown>[]>(options: T): Schema<Infer<T[number]>> {
  return new Schema((value, path, report) => {
    for (const option of options) {
      const parsed = option.safeParse(value);
      if (parsed.success) return parsed.data as never;
    }
    report(path, 'fits none of the forms it may have');
    return wrong;
  });
}

/** Objects told apart by one member, each with its own value of it. */
export function variants<const T extends readonly Schema<unknown>[]>(
  key: string,
  options: T,
): Schema<Infer<T[number]>> {
  const byTag = new Map(
    options.flatMap((option) =>
      (option.about.members?.[key]?.about.values ?? []).map((value) => [value, option] as const),
    ),
  );
  return new Schema((value, path, report) => {
    const option = byTag.get(asObject(value, path, report)[key]);
    if (option) return option.read(value, path, report) as never;
    report([...path, key], `expected ${[...byTag.keys()].join(', ')}`);
    return wrong;
  });
}

export const optionalString = optional(string);
export const optionalStrings = optional(array(string));
export const optionalNumber = optional(number);
export const optionalBoolean = optional(boolean);

/** Text that a pattern fits. */
export function matching(pattern: RegExp): Schema<string> {
  return string.check(holds((value) => pattern.test(value), `does not match ${pattern.source}`));
}

export function holds<T>(is: (value: T) => boolean, message: string): Check<T> {
  return (value) => (is(value) ? undefined : message);
}

function asObject(value: unknown, path: Path, report: Report): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  report(path, 'expected a table');
  return {};
}
