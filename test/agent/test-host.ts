/**
 * A temporary directory, a System on it, and the contents a plan would bring.
 * Invariant: nothing is faked; content is held or pulled from a map in memory.
 * For tests only.
 */
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Content } from '../../agent/protocol/blob.ts';
import type { Change } from '../../agent/protocol/change.ts';
import type { Facts } from '../../agent/protocol/facts.ts';
import { ProblemError } from '../../agent/protocol/problem.ts';
import type { CheckContext, Resource } from '../../agent/resources/resource.ts';
import { PosixSystem } from '../../agent/system/posix.ts';
import type { SystemOptions } from '../../agent/system/reader.ts';
import { PosixReader } from '../../agent/system/reader.ts';
import type { System, SystemReader } from '../../agent/system/system.ts';

export const noFacts: Facts = {
  os: null,
  hardware: null,
  network: null,
  packageManager: null,
  initSystem: null,
  virtualization: null,
  mounts: null,
  account: null,
  uptime: null,
  machineId: null,
  custom: null,
};

export const applying: CheckContext = {
  pending: [],
  results: {},
  unknown: new Set(),
  evaluate: () => ({ value: undefined }),
};

/** Contents in memory; those put with `held: false` can be pulled only. */
export class TestContents {
  readonly #all = new Map<string, Buffer>();
  readonly #held = new Set<string>();
  pulls = 0;

  put(text: string | Buffer, held = true): Content {
    const bytes = Buffer.from(text as string);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#all.set(sha256, bytes);
    if (held) this.#held.add(sha256);
    return { sha256, size: bytes.length };
  }

  held(content: Content): Buffer | undefined {
    return this.#held.has(content.sha256) ? this.#all.get(content.sha256) : undefined;
  }

  async open(content: Content): Promise<AsyncIterable<Buffer>> {
    this.pulls += 1;
    const bytes = this.#all.get(content.sha256) ?? Buffer.alloc(0);
    return (async function* () {
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
    })();
  }
}

export interface TestHost {
  readonly root: string;
  readonly contents: TestContents;
  readonly reader: SystemReader;
  readonly system: System;
  path(...names: string[]): string;
  /** Every path below the root with type, mode, owner and content hash or target. */
  listing(): Record<string, string>;
  remove(): void;
}

export function testHost(options: Partial<SystemOptions> = {}): TestHost {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'towline-hands-')));
  const contents = new TestContents();
  const all: SystemOptions = { facts: noFacts, contents, memory: new Map(), ...options };
  return {
    root,
    contents,
    reader: new PosixReader(all),
    system: new PosixSystem(all),
    path: (...names) => join(root, ...names),
    listing: () => listing(root),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Every path below a root with type, mode, owner and content hash or target; links are not followed. */
export function listing(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const names = ['.'];
  for (const name of names) {
    const path = join(root, name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) names.push(...readdirSync(path).map((child) => join(name, child)));
    const content = stat.isFile()
      ? createHash('sha256').update(readFileSync(path)).digest('hex')
      : stat.isSymbolicLink()
        ? readlinkSync(path)
        : '';
    const kind = stat.isFile() ? 'f' : stat.isDirectory() ? 'd' : 'l';
    found[name] = `${kind} ${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${content}`;
  }
  return found;
}

/** The code of the problem a promise fails with; 'none' when it does not fail. */
export async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return 'none';
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.code;
    throw error;
  }
}

export interface Converged {
  readonly announced: readonly Change[];
  readonly left: readonly Change[];
}

type Wanted<R> = R extends { check(system: SystemReader, wanted: infer W, context: CheckContext): unknown }
  ? W
  : never;

/** check → apply → check, as the agent does it. */
// biome-ignore lint/suspicious/noExplicitAny: any kind's resource is meant.
export async function converge<R extends Resource<any>>(
  host: TestHost,
  resource: R,
  wanted: Wanted<R>,
  context: CheckContext = applying,
): Promise<Converged> {
  const announced = known(await resource.check(host.reader, wanted, context));
  if (announced.length > 0) await resource.apply(host.system, wanted, announced, context);
  return { announced, left: known(await resource.check(host.reader, wanted, context)) };
}

function known(result: readonly Change[] | { readonly unknown: string }): readonly Change[] {
  if ('unknown' in result) throw new Error(`unknown outside a dry run: ${result.unknown}`);
  return result;
}

/** `action property` of each change. */
export function acts(changes: readonly Change[]): string[] {
  return changes.map((change) => `${change.action} ${change.property}`);
}
